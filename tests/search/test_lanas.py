"""LaNAS against what its paper says."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.search import METHODS
from dagnas.search.methods import lanas
from dagnas.search.models.tree import back_up
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from dagnas.spaces.cells import concatenate
from dagnas.spaces.nasbench201 import NASBench201Space


class Few(NASBench201Space):
    """The 125 cells that begin with three skip connections."""

    def is_valid(self, cells):
        return (self.to_values(cells)[:, :3] == 1).all(axis=1)


def begin(space, seed=0, **given):
    chosen = METHODS.get("lanas")
    return chosen.start(space, np.random.default_rng(seed), chosen.settings(space.name, given))


def accuracy(space, cells):
    """Ten per 3x3 convolution (or third operation of a vertex), %."""
    return 10.0 * (space.to_values(cells) >= 2).sum(axis=1)


def run(space, evaluations, **given):
    """Batches of cells proposed."""
    trial = begin(space, **given)
    batches = [next(trial)]
    while sum(map(len, batches)) < evaluations:
        batches.append(trial.send(accuracy(space, batches[-1])))
    return batches


@pytest.fixture
def space():
    return SPACES.get("nasbench201")


def learned(space, n=80, height=4, seed=0):
    rng = np.random.default_rng(seed)
    codes = lanas._encode(space, space.sample(n, rng))
    accuracies = codes @ rng.normal(0.02, 0.01, codes.shape[1]) + rng.normal(0.5, 0.05, n)
    return codes, accuracies, lanas._learn(codes, accuracies, height)


def regions(root):
    yield root
    for child in root.children:
        yield from regions(child)


# Encoding


def test_cells_are_one_hot(space):
    codes = lanas._encode(space, space.from_values(np.array([[0, 1, 2, 3, 4, 0]])))
    assert codes.shape == (1, 30)
    assert np.flatnonzero(codes[0]).tolist() == [0, 6, 12, 18, 24, 25]


def test_parts_without_effect_are_not_encoded():
    space = SPACES.get("nasbench101")
    # Vertex 3 is reached, but leads nowhere.
    values = np.zeros((2, 26), dtype=int)
    values[:, 15] = 1  # 0 -> 6
    values[1, 3] = 1  # 0 -> 3
    values[1, 23] = 2
    one, two = lanas._encode(space, space.from_values(values))
    assert one.tolist() == two.tolist()


# Learning phase


def test_a_split_by_hand():
    # Two values of one variable, with mean accuracies 0.6 and 0.3; overall mean 0.5.
    codes = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], dtype=float)
    accuracies = np.array([0.6, 0.4, 0.7, 0.7, 0.3, 0.3])
    root = lanas._learn(codes, accuracies, 2)
    good, bad = root.children
    assert (root.visits, good.visits, bad.visits) == (6, 4, 2)
    assert (root.mean, good.mean, bad.mean) == pytest.approx((0.5, 0.6, 0.3))
    # The second cell is worse than the mean, but it is in the good region.
    assert root.is_good(codes).tolist() == [True] * 4 + [False] * 2
    assert good.children == bad.children == ()


def test_regions_are_split_at_the_mean_of_least_squares(space):
    codes, accuracies, root = learned(space)
    rng = np.random.default_rng(1)
    fresh = lanas._encode(space, space.sample(500, rng))
    design = np.column_stack([np.ones(len(codes)), codes])
    solution = np.linalg.lstsq(design, accuracies, rcond=None)[0]
    predicted = np.column_stack([np.ones(len(fresh)), fresh]) @ solution
    assert (root.is_good(fresh) == (predicted >= accuracies.mean())).all()
    assert 100 < root.is_good(fresh).sum() < 400
    # The mean prediction is the mean accuracy, so that it does not matter which is the threshold.
    assert (design @ solution).mean() == pytest.approx(accuracies.mean())


def test_one_evaluated_cell_tells_nothing_of_others(space):
    root = lanas._learn(lanas._encode(space, space.unpack(np.array([77]))), np.array([0.4]), 2)
    assert root.is_good(lanas._encode(space, space.enumerate())).all()


def test_each_region_is_learned_from_its_own_cells(space):
    codes, accuracies, root = learned(space)

    def check(region, inside, height):
        assert region.visits == inside.sum()
        if not inside.any():
            assert not region.children
            return
        assert region.mean == pytest.approx(accuracies[inside].mean())
        assert bool(region.children) == (height > 1)
        if region.children:
            again = lanas._learn(codes[inside], accuracies[inside], height)
            assert (again.weights == region.weights).all()
            good = region.is_good(codes)
            check(region.children[0], inside & good, height - 1)
            check(region.children[1], inside & ~good, height - 1)

    check(root, np.ones(len(codes), dtype=bool), 4)
    assert root.children[0].mean > root.children[1].mean


def test_the_tree_has_its_height(space):
    for height in (1, 2, 3):
        assert len(list(regions(learned(space, height=height)[2]))) == 2**height - 1


# Search phase


def test_new_cells_are_in_the_regions_that_they_lie_in(space):
    *_, root = learned(space)
    fresh = lanas._encode(space, space.sample(300, np.random.default_rng(2)))
    lanas._fill(root, fresh, np.arange(300))

    def check(region, inside):
        assert region.pool.tolist() == np.flatnonzero(inside).tolist()
        assert region.left == inside.sum()
        if region.children:
            good = fresh @ region.weights >= region.threshold
            check(region.children[0], inside & good)
            check(region.children[1], inside & ~good)

    check(root, np.ones(300, dtype=bool))


def leaf(visits, mean, left):
    return lanas._Region(visits, mean, left=left)


def test_selection_follows_the_largest_bound():
    good = lanas._Region(30, 0.8, children=(leaf(25, 0.82, 5), leaf(5, 0.7, 5)), left=10)
    bad = lanas._Region(10, 0.6, children=(leaf(9, 0.61, 5), leaf(1, 0.5, 5)), left=10)
    root = lanas._Region(40, 0.75, children=(good, bad), left=20)
    assert lanas._select(root, 0.0) == [root, good, good.children[0]]
    # 0.2 sqrt(2 ln 40 / n) is 0.099 and 0.172: still the good half; in it, 0.2 sqrt(2 ln 30 / n)
    # is 0.104 and 0.233: 0.924 against 0.933.
    assert lanas._select(root, 0.1) == [root, good, good.children[1]]
    # With c = 1 the bonuses are 0.99 and 1.72.
    assert lanas._select(root, 1.0)[1] is bad
    # A region that was never visited comes first, one without new cells not at all.
    good.children[1].visits = 0
    assert lanas._select(root, 0.0) == [root, good, good.children[1]]
    good.children[1].left = 0
    assert lanas._select(root, 0.0) == [root, good, good.children[0]]
    good.left = 0
    assert lanas._select(root, 0.0) == [root, bad, bad.children[0]]


@pytest.fixture
def rounds(monkeypatch):
    """What each round of a trial learned from, and its steps: path, pool left and accuracy."""
    log = []

    def learn(codes, accuracies, height):
        root = original(codes, accuracies, height)
        if height == 5:
            log.append((codes, accuracies, root, []))
        return root

    def select(root, exploration):
        path = select_(root, exploration)
        log[-1][3].append([path, [(node.visits, node.mean, node.left) for node in path]])
        return path

    def record(path, value):
        log[-1][3][-1].append(value)
        back_up(path, value)

    original, select_ = lanas._learn, lanas._select
    monkeypatch.setattr(lanas, "_learn", learn)
    monkeypatch.setattr(lanas, "_select", select)
    monkeypatch.setattr(lanas, "back_up", record)
    return log


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_a_trial_follows_the_algorithm(name, rounds):
    space = SPACES.get(name)
    cells = concatenate(run(space, 71, pool=500))
    codes, accuracies = lanas._encode(space, cells), accuracy(space, cells) / 100
    # 10 random cells, then rounds of 20.
    assert [len(part) for part, *_ in rounds] == [10, 30, 50, 70]
    done = 10
    for known, values, _, steps in rounds:
        assert (known == codes[: len(known)]).all()
        assert (values == accuracies[: len(known)]).all()
        for path, before, value in steps[: 70 - done]:
            # The cell lies in the region of every node passed.
            for region, child in pairwise(path):
                assert region.is_good(codes[done : done + 1])[0] == (child is region.children[0])
            assert value == accuracies[done]
            assert all(left > 0 for *_, left in before)
            done += 1


def test_back_propagation_within_a_round(space, rounds):
    run(space, 31, pool=500)
    (codes, accuracies, root, steps), *_ = rounds
    assert len(steps) == 20
    assert root.visits == 30
    assert root.left == len(root.pool) - 20
    gained = [value for *_, value in steps]
    assert root.mean == pytest.approx((accuracies.sum() + sum(gained)) / 30)
    good = root.children[0]
    inside = [value for path, _, value in steps if path[1] is good]
    assert good.visits == root.is_good(codes).sum() + len(inside)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
@pytest.mark.parametrize("sameness", ["cell", "class"])
def test_proposals_are_valid_and_new(name, sameness):
    space = SPACES.get(name)
    cells = concatenate(run(space, 120, sameness=sameness, pool=500))
    assert space.is_valid(cells).all()
    codes = (space.pack if sameness == "cell" else space.canonical)(cells)
    assert len(np.unique(codes)) == len(codes) == 120


def test_a_trial_ends_when_the_space_is_spent():
    space = Few()
    everything = space.enumerate()
    everything = everything[space.is_valid(everything)]
    trial = begin(space, sameness="cell", pool=20)
    batches = [next(trial)]
    while sum(map(len, batches)) < 125:
        batches.append(trial.send(accuracy(space, batches[-1])))
    assert sorted(space.pack(concatenate(batches))) == sorted(space.pack(everything))
    with pytest.raises(StopIteration):
        trial.send(accuracy(space, batches[-1]))


def test_cells_of_a_region_are_drawn_evenly(space):
    # One leaf: the whole space; a round's order must not follow the cells' numbers.
    batches = run(space, 210, height=1, selects=200, sameness="cell", pool=5000)
    codes = space.pack(concatenate(batches[1:]))
    assert abs(np.corrcoef(codes, np.arange(len(codes)))[0, 1]) < 0.2
    assert abs(codes.mean() / 5**6 - 0.5) < 4 * np.sqrt(1 / 12 / 200)


def test_the_released_parameters_are_the_defaults():
    settings = METHODS.get("lanas").settings("nasbench101")
    assert settings["initial"] == 10
    assert settings["height"] == 5
    assert settings["selects"] == 20
    assert settings["exploration"] == 0.1


@pytest.mark.slow
def test_latent_actions_beat_random_search():
    bench = BENCHMARKS.get("digits201").open(Path("nowhere"))

    def ends(method):
        chosen = Search(bench, METHODS.get(method), budget_evaluations=200)
        return [run_trial(chosen, trial)["signal"].to_numpy().max() for trial in range(15)]

    assert np.mean(ends("lanas")) > np.mean(ends("random_search")) + 1
