"""BONAS's samplers of candidates: section 3.3, and the controller's probabilities."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from dagnas.search.models.samplers import ControllerSampler, EvolutionSampler, RandomSampler
from dagnas.search.pool import Seen
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

SAMPLERS = [RandomSampler, EvolutionSampler, ControllerSampler]


class Tiny(CellSpace):
    """24 cells: an operation on each of three edges, 3, 2 and 2 of them, and one on a vertex."""

    def __init__(self):
        nodes = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=bool)
        edges = np.zeros((3, 3, 3), dtype=bool)
        edges[0, 1], edges[0, 2, 1:], edges[1, 2, :2] = True, True, True
        super().__init__("tiny", ("in", "a", "b", "out"), ("none", "x", "y"), nodes, edges)

    def to_str(self, cells):
        return [str(code) for code in self.pack(cells)]

    def from_str(self, texts):
        return self.unpack(np.array([int(text) for text in texts]))

    def canonical(self, cells):
        return self.pack(cells)

    def key(self, cells):
        return self.to_str(cells)

    def enumerate(self):
        return self.unpack(np.arange(24))


def begin(kind, space, seed=0, sameness="cell", known=20, **options):
    """A sampler that knows some cells, their values' sums as signals."""
    rng = np.random.default_rng(seed)
    seen = Seen(space, sameness)
    sampler = kind(space, rng, seen, **options)
    cells = space.sample(known, rng)
    seen.add(cells)
    sampler.add(cells, space.to_values(cells).sum(axis=1).astype(float))
    return sampler, cells


def same_distribution(counts, probabilities):
    """Test that counts, by name, may come from these probabilities."""
    assert set(counts) <= set(probabilities)
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    observed = np.array([counts[name] for name in probabilities])
    expected = np.array(list(probabilities.values()))
    expected *= observed.sum() / expected.sum()
    assert expected.min() > 5
    assert chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize(
    ("name", "sameness"),
    [("nasbench101", "class"), ("nasbench101", "cell"), ("nasbench201", "cell")],
)
def test_pools_hold_valid_new_cells_each_one_once(kind, name, sameness):
    space = SPACES.get(name)
    sampler, known = begin(kind, space, sameness=sameness)
    code = space.canonical if sameness == "class" else space.pack
    for _ in range(2):
        pool = sampler.pool(200)
        assert 10 < len(pool) <= 200
        assert space.is_valid(pool).all()
        assert len(set(code(pool))) == len(pool)
        assert not set(code(pool)) & set(code(known))
        # A pool is of candidates only: they are as new as before.
        assert len(sampler.seen.new(pool)) == len(pool)
        sampler.learn(pool, np.random.default_rng(0).random(len(pool)))


@pytest.mark.parametrize("kind", SAMPLERS)
def test_the_same_generator_gives_the_same_pools(kind):
    space = SPACES.get("nasbench201")
    pools = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        sampler, _ = begin(kind, space)
        first = sampler.pool(50)
        sampler.learn(first, np.arange(float(len(first))))
        pools.append(concatenate([first, sampler.pool(50)]))
    assert pools[0].same(pools[1]).all()


@pytest.mark.parametrize("kind", SAMPLERS)
def test_where_all_that_is_drawn_is_known_chance_gives_the_rest(kind, monkeypatch):
    space = Tiny()
    sampler, known = begin(kind, space, known=8)
    monkeypatch.setattr(sampler, "draw", lambda n: known)
    rest = set(range(24)) - set(space.pack(known))
    for _ in range(2):
        assert set(space.pack(sampler.pool(30))) == rest
    sampler.seen.add(space.enumerate())
    assert len(sampler.pool(30)) == 0


# Evolution


def test_parents_win_tournaments_among_the_last_cells_evaluated(monkeypatch):
    space = SPACES.get("nasbench201")
    sampler = EvolutionSampler(space, np.random.default_rng(0), Seen(space, "cell"), 6, 2)
    monkeypatch.setattr(sampler, "mutate", lambda cells: cells)
    cells = space.unpack(np.arange(10))
    # The four oldest, the best of all among them, are dead; one cell comes by itself.
    signals = np.array([99.0, 98, 97, 96, 3, 1, 6, 2, 5, 4])
    sampler.add(cells[:9], signals[:9])
    sampler.add(cells[9], signals[9:])
    counts = Counter(signals[space.pack(sampler.draw(6000))])
    # The r-th worst of six wins the r - 1 of 15 pairs in which it is the better one.
    same_distribution(counts, {float(rank): (rank - 1) / 15 for rank in range(2, 7)})


def test_tournaments_of_all_alive_have_one_winner(monkeypatch):
    space = SPACES.get("nasbench201")
    sampler, cells = begin(EvolutionSampler, space, known=7)
    assert (sampler.alive.maxlen, sampler.tournament) == (30, 10)
    monkeypatch.setattr(sampler, "mutate", lambda cells: cells)
    best = space.to_values(cells).sum(axis=1).argmax()
    assert (space.pack(sampler.draw(20)) == space.pack(cells[int(best)])).all()


@pytest.mark.parametrize("mutation", ["paper", "code"])
def test_mutations_of_nasbench201_change_one_operation_to_any(mutation):
    space = SPACES.get("nasbench201")
    sampler, cells = begin(EvolutionSampler, space, mutation=mutation)
    (value,) = space.to_values(cells[0])
    probabilities = Counter()
    for place, operation in itertools.product(range(6), range(5)):
        mutant = value.copy()
        mutant[place] = operation
        probabilities[tuple(mutant)] += 1 / 30
    mutants = sampler.mutate(repeat(cells[0], 4000))
    same_distribution(Counter(map(tuple, space.to_values(mutants))), probabilities)


@pytest.mark.parametrize("seed", [0, 1])
def test_mutations_of_nasbench101_move_one_source_or_change_one_operation(seed):
    space = SPACES.get("nasbench101")
    sampler, cells = begin(EvolutionSampler, space, seed)
    cell = cells[0]
    pairs = list(zip(*np.nonzero(cell.edges[0]), strict=True))
    probabilities = Counter()
    for tail, head in pairs:
        free = [source for source in range(head) if not cell.edges[0, source, head]] or [tail]
        for source in free:
            edges = cell.edges.copy()
            edges[0, tail, head] = 0
            edges[0, source, head] = 1
            probabilities[name(Cells(cell.nodes, edges))] += 1 / (2 * len(pairs) * len(free))
    for vertex, operation in itertools.product(range(1, 6), range(1, 4)):
        nodes = cell.nodes.copy()
        nodes[0, vertex] = operation
        probabilities[name(Cells(nodes, cell.edges))] += 1 / (2 * 15)
    mutants = sampler.mutate(repeat(cell, 4000))
    same_distribution(Counter(map(name, mutants)), probabilities)


@pytest.mark.parametrize("seed", [0, 3])
def test_the_codes_mutations_add_and_remove_an_edge_or_change_an_operation_or_both(seed):
    space = SPACES.get("nasbench101")
    sampler, cells = begin(EvolutionSampler, space, seed, mutation="code")
    cell = cells[0]
    before = cell.edges[0]
    rewired = Counter()
    # Tails are drawn first, from all vertices but the last two.
    leaving = {tail: np.flatnonzero(before[tail]) for tail in range(5) if before[tail].any()}
    for tail in range(5):
        for head in range(tail + 1, 7):
            for source, targets in leaving.items():
                for target in targets:
                    edges = before.copy()
                    edges[tail, head] = 1
                    edges[source, target] = 0
                    share = 1 / 5 / (6 - tail) / len(leaving) / len(targets)
                    rewired[edges.tobytes()] += share
    renamed = Counter()
    for vertex, operation in itertools.product(range(1, 6), range(1, 4)):
        nodes = cell.nodes.copy()
        nodes[0, vertex] = operation
        renamed[nodes.tobytes()] += 1 / 15
    mutants = sampler.mutate(repeat(cell, 60_000))
    edges = [mutant.tobytes() for mutant in mutants.edges]
    nodes = [mutant.tobytes() for mutant in mutants.nodes]
    # Two of three mutants have edges drawn anew, two of three an operation.
    same, told = before.tobytes(), cell.nodes.tobytes()
    expected = Counter({key: 2 / 3 * share for key, share in rewired.items()})
    expected[same] += 1 / 3
    assert set(edges) <= set(expected)

    def often(key):
        return key if expected[key] > 2e-3 else b"rest"

    probabilities = Counter()
    for key, share in expected.items():
        probabilities[often(key)] += share
    same_distribution(Counter(map(often, edges)), probabilities)
    operations = Counter({key: 2 / 3 * share for key, share in renamed.items()})
    operations[told] += 1 / 3
    same_distribution(Counter(nodes), operations)
    # A third has the one alone, a third the other, a third both.
    changed = np.array([[a != same, b != told] for a, b in zip(edges, nodes, strict=True)])
    both = (1 - rewired[same]) * (1 - renamed[told]) / 3
    assert changed.all(axis=1).mean() == pytest.approx(both, abs=0.01)


def test_the_codes_mutations_change_the_number_of_edges():
    space = SPACES.get("nasbench101")
    sampler, _ = begin(EvolutionSampler, space, mutation="code")
    cells = space.sample(2000, np.random.default_rng(1))
    gained = sampler.mutate(cells).edges.sum(axis=(1, 2)) - cells.edges.sum(axis=(1, 2))
    assert set(gained.tolist()) == {-1, 0}
    bare = Cells(cells.nodes[:50], np.zeros_like(cells.edges[:50]))
    assert set(sampler.mutate(bare).edges.sum(axis=(1, 2)).tolist()) == {0, 1}


def repeat(cell, times):
    return Cells(np.repeat(cell.nodes, times, axis=0), np.repeat(cell.edges, times, axis=0))


def name(cell):
    return cell.nodes.tobytes() + cell.edges.tobytes()


def test_mutations_of_nasbench101_keep_the_number_of_edges():
    space = SPACES.get("nasbench101")
    sampler, _ = begin(EvolutionSampler, space)
    cells = space.sample(500, np.random.default_rng(1))
    mutants = sampler.mutate(cells)
    assert (mutants.edges.sum(axis=(1, 2)) == cells.edges.sum(axis=(1, 2))).all()
    assert not mutants.same(cells).all()


@pytest.mark.parametrize("mutation", ["paper", "code"])
def test_mutants_leave_their_parents_as_they_were(mutation):
    space = SPACES.get("nasbench101")
    sampler, cells = begin(EvolutionSampler, space, mutation=mutation)
    before = Cells(cells.nodes.copy(), cells.edges.copy())
    sampler.mutate(cells)
    sampler.pool(100)
    assert cells.same(before).all()


# Controller


def trained(space, seed=0):
    """A controller whose policy is far from even."""
    sampler, _ = begin(ControllerSampler, space, seed)
    for _ in range(10):
        cells = space.sample(60, sampler.rng)
        sampler.learn(cells, space.to_values(cells) @ np.arange(1.0, 1 + len(space.sizes)))
    return sampler


def probabilities_of(sampler, cells):
    with torch.no_grad():
        return sampler.log_probability(cells).double().exp().numpy()


@pytest.mark.parametrize("space", [Tiny(), SPACES.get("nasbench201")], ids=repr)
def test_the_controllers_probabilities_sum_to_one(space):
    probabilities = probabilities_of(trained(space), space.enumerate())
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert probabilities.max() > 2 * probabilities.min() > 0


def test_the_controller_draws_as_often_as_it_says():
    space = Tiny()
    sampler = trained(space)
    probabilities = dict(enumerate(probabilities_of(sampler, space.enumerate())))
    same_distribution(Counter(space.pack(sampler.draw(8000)).tolist()), probabilities)


def test_the_controller_learns_to_draw_what_scores_high():
    space = SPACES.get("nasbench201")
    sampler, _ = begin(ControllerSampler, space)
    good = space.to_values(space.enumerate())[:, :2].tolist()
    good = np.array([value == [3, 1] for value in good])
    before = probabilities_of(sampler, space.enumerate())[good].sum()
    for _ in range(40):
        cells = sampler.pool(200)
        sampler.learn(cells, (space.to_values(cells)[:, :2] == [3, 1]).all(axis=1).astype(float))
    after = probabilities_of(sampler, space.enumerate())[good].sum()
    assert before == pytest.approx(1 / 25, abs=0.02)
    assert after > 5 * before


def test_rewards_count_relative_to_their_pool():
    space = Tiny()
    cells = space.enumerate()
    one, two = np.random.default_rng(0).random((2, 24))
    probabilities = []
    # Adam remembers the scale of steps, so that a second pool of another scale would show.
    for second in (two, 1000 * two + 7):
        sampler, _ = begin(ControllerSampler, space)
        before = probabilities_of(sampler, cells)
        sampler.learn(cells, one)
        first = probabilities_of(sampler, cells)
        sampler.learn(cells, second)
        probabilities.append(probabilities_of(sampler, cells))
    np.testing.assert_allclose(*probabilities, rtol=1e-4)
    assert (one - one.mean()) @ np.log(first) > (one - one.mean()) @ np.log(before)


def test_equal_rewards_and_a_pool_of_one_teach_nothing():
    space = Tiny()
    sampler, cells = begin(ControllerSampler, space)
    before = probabilities_of(sampler, space.enumerate())
    sampler.learn(cells, np.zeros(len(cells)))
    sampler.learn(cells[0], np.array([0.3]))
    np.testing.assert_allclose(probabilities_of(sampler, space.enumerate()), before)
