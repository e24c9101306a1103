"""Each method against what its paper says."""

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from dagnas.search.method import Proposal
from dagnas.search.methods.goal import _descend
from dagnas.search.models.surrogate import Surrogate
from dagnas.search.pool import Seen, sample_new
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Graphs, concatenate
from dagnas.testing import method_checks


@pytest.fixture
def space():
    return SPACES.get("nasbench201")


def begin(name, space, seed=0, **given):
    chosen = METHODS.get(name)
    settings = chosen.settings(space.name, given)
    return chosen.start(space, np.random.default_rng(seed), settings, device="cpu")


def cells_of(proposal):
    return proposal.cells if isinstance(proposal, Proposal) else proposal


def test_the_papers_parameters_are_the_defaults():
    def of(name, space):
        return METHODS.get(name).settings(space)

    assert (of("goal", "nasbench201")["initial"], of("goal", "nasbench101")["initial"]) == (32, 64)
    assert of("goal", "nasbench201")["proposals"] == 5
    assert of("goal", "nasbench201")["step_size"] == 1
    assert of("goal", "nasbench201")["epochs"] == 25
    assert of("goal", "nasbench201")["until"] == "each"
    bonas = of("bonas", "nasbench101")
    assert (bonas["retrain"], bonas["mutation"], bonas["normalized"]) == (0.05, "paper", True)
    assert of("goal_mlp", "nasbench101") == {**of("goal", "nasbench101"), "predictor": "mlp"}
    rules = {"replacement": False, "invalid": "redrawn"}
    evolution = {"population": 100, "tournament": 10, **rules}
    assert of("regularized_evolution", "nasbench101") == evolution
    assert of("regularized_evolution", "nasbench201") == {
        **evolution,
        "population": 10,
        "tournament": 3,
    }
    assert (of("npnas", "nasbench201")["samples"], of("npnas", "nasbench101")["samples"]) == (
        128,
        172,
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inital": 3}, r"unknown setting of method 'goal' 'inital' \(did you mean 'initial'"),
        ({"initial": 0}, "initial=0 of method 'goal': Input should be greater than 0"),
        ({"epochs": "many"}, "epochs='many' of method 'goal'"),
        ({"sameness": "name"}, "should be 'cell' or 'class'"),
        ({"step_size": -1}, "greater than 0"),
    ],
)
def test_wrong_settings_are_named(given, message):
    with pytest.raises(DagnasError, match=message):
        METHODS.get("goal").settings("nasbench201", given)


# Regularized evolution


def test_evolution_mutates_the_best_of_those_alive(space):
    # A tournament of all alive, however many there are.
    trial = begin("regularized_evolution", space, population=5, tournament=50)
    first = next(trial)
    signals = np.array([1.0, 5.0, 3.0, 2.0, 4.0])
    best = 1
    children = trial.send(signals)
    # The first two members die after two births; until then the best one is the second.
    for _ in range(2):
        assert children.parents == [best]
        children = trial.send(np.array([0.0]))
    # The member with signal 5 is dead now: the oldest go, however good.
    assert children.parents == [4]
    assert len(cells_of(first)) == 5


def test_evolution_without_a_tournament_takes_any_parent(space):
    trial = begin("regularized_evolution", space, population=4, tournament=1)
    next(trial)
    proposal = trial.send(np.zeros(4))
    parents = []
    for step in range(4, 80):
        parents.append(step - 4 <= proposal.parents[0] < step)
        proposal = trial.send(np.zeros(1))
    assert all(parents)


@pytest.mark.parametrize(("replacement", "wins"), [(False, 2 / 3), (True, 5 / 9)])
def test_tournaments_draw_with_replacement_or_without(space, replacement, wins):
    count = 0
    for seed in range(1000):
        given = {"population": 3, "tournament": 2, "replacement": replacement}
        trial = begin("regularized_evolution", space, seed, **given)
        next(trial)
        count += trial.send(np.array([1.0, 3.0, 2.0])).parents[0] == 1
    assert count / 1000 == pytest.approx(wins, abs=0.04)


def test_with_replacement_a_tournament_may_be_larger_than_the_population(space):
    trial = begin("regularized_evolution", space, population=2, tournament=9, replacement=True)
    next(trial)
    assert trial.send(np.array([1.0, 2.0])).parents[0] in (0, 1)


def evolve(space, evaluations, **given):
    """Proposals of an evolution whose parents are drawn uniformly."""
    trial = begin("regularized_evolution", space, population=40, tournament=1, **given)
    found, proposal = [], next(trial)
    for _ in range(evaluations):
        found.append(proposal)
        proposal = trial.send(np.full(len(proposal.cells), 90.0))
    return found


@pytest.mark.parametrize("invalid", ["kept", "redrawn"])
def test_invalid_cells_live_or_are_drawn_again(invalid):
    space = SPACES.get("nasbench101").drawing("script")
    first, *children = evolve(space, 200, invalid=invalid)
    cells = concatenate([first.cells, *(child.cells for child in children)])
    assert space.is_valid(cells).all()
    parents = np.concatenate([child.parents for child in children])
    # Kept, most first cells are invalid and give birth to others, of no evaluation's cell.
    assert (len(first.cells) == 40) == (invalid == "redrawn")
    assert (parents >= 0).all() == (invalid == "redrawn")
    assert (parents >= 0).any()
    values = space.to_values(cells)
    for number, parent in enumerate(parents, start=len(first.cells)):
        assert parent < number
        if parent >= 0:
            assert (values[number] != values[parent]).sum() == 1


def test_an_invalid_cell_has_the_accuracy_of_none():
    # Among all alive, the parent is a valid cell as long as there is one.
    space = SPACES.get("nasbench101").drawing("script")
    given = {"population": 40, "tournament": 400, "replacement": True, "invalid": "kept"}
    trial = begin("regularized_evolution", space, **given)
    proposal = next(trial)
    assert 0 < len(proposal.cells) < 40
    for _ in range(30):
        proposal = trial.send(np.full(len(proposal.cells), 1e-9))
        assert proposal.parents[0] >= 0


# GOAL


class Slope:
    """A surrogate whose score is linear in the one-hot edges."""

    def __init__(self, space, edges):
        self.space, self.edges = space, edges

    def gradient(self, cells):
        batch = len(cells)
        nodes = np.zeros((batch, *self.space.node_mask.shape))
        return Graphs(nodes, np.repeat(self.edges[None], batch, axis=0))


def descend(space, slope, cells, wanted=1, max_steps=1, step_size=1.0, seen=()):
    known = Seen(space, "cell")
    known.add(cells)
    for batch in seen:
        known.add(batch)
    points = space.to_graph(cells)
    return _descend(space, Slope(space, slope), cells, points, known, step_size, wanted, max_steps)


def test_one_step_of_equation_4(space):
    cells = space.from_values(np.array([[0, 0, 0, 0, 0, 0], [3, 3, 3, 3, 3, 3]]))
    slope = np.zeros((4, 4, 5))
    slope[0, 1, 3] = -1.2  # towards 3x3 convolution on 0 -> 1, further than the lead of 1
    slope[0, 2, 3] = -0.8  # towards it on 0 -> 2, not far enough
    found, points, parents = descend(space, slope, cells)
    assert parents.tolist() == [0]
    assert space.to_values(found).tolist() == [[3, 0, 0, 0, 0, 0]]
    assert points.edges[0, 0, 2] == pytest.approx([1, 0, 0, 0.8, 0])
    # The step size scales the step: with half of it nothing moves.
    assert len(descend(space, slope, cells, step_size=0.5)[0]) == 0


def test_lazy_steps_add_up_until_a_cell_is_new(space):
    cells = space.from_values(np.array([[0, 0, 0, 0, 0, 0]]))
    slope = np.zeros((4, 4, 5))
    slope[0, 2, 3] = -0.4
    assert len(descend(space, slope, cells, max_steps=2)[0]) == 0
    found, points, _ = descend(space, slope, cells, max_steps=10)
    assert space.to_values(found).tolist() == [[0, 3, 0, 0, 0, 0]]
    assert points.edges[0, 0, 2, 3] == pytest.approx(1.2)


def test_every_member_steps_until_its_cell_is_new_or_all_until_there_are_enough(space):
    cells = space.from_values(np.array([[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]))
    slope = np.zeros((4, 4, 5))
    # The first step leads the second member to a new cell and the first one to a known cell, which
    # it leaves in its third step.
    slope[0, 2, 3], slope[0, 3, 2] = -1.2, -0.4
    known = [space.from_values(np.array([[0, 3, 0, 0, 0, 0]]))]
    ask = {"max_steps": 4, "seen": known}
    found, _, parents = descend(space, slope, cells, wanted=np.inf, **ask)
    assert parents.tolist() == [1, 0]
    assert space.to_values(found).tolist() == [[1, 3, 0, 0, 0, 0], [0, 3, 0, 2, 0, 0]]
    assert descend(space, slope, cells, wanted=1, **ask)[2].tolist() == [1]


@pytest.mark.parametrize(("until", "wanted"), [("each", np.inf), ("enough", 3)])
def test_goal_steps_until_what_its_setting_says(space, monkeypatch, until, wanted):
    asked = []

    def told(space, surrogate, cells, points, seen, step_size, wanted, max_steps):
        asked.append((wanted, max_steps))
        return _descend(space, surrogate, cells, points, seen, step_size, wanted, max_steps)

    monkeypatch.setattr("dagnas.search.methods.goal._descend", told)
    trial = begin("goal", space, initial=8, proposals=3, epochs=1, until=until, max_steps=2)
    next(trial)
    trial.send(np.arange(8.0))
    assert asked == [(wanted, 2)]


def test_candidates_are_new_and_each_one_once(space):
    cells = space.from_values(np.array([[0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0]]))
    slope = np.zeros((4, 4, 5))
    slope[1, 2, 1] = slope[0, 1, 3] = -3.0
    both = space.from_values(np.array([[3, 0, 1, 0, 0, 0]]))
    found, _, parents = descend(space, slope, cells)
    assert found.same(both).tolist() == [True]
    assert parents.tolist() == [0]
    assert len(descend(space, slope, cells, seen=[both])[0]) == 0


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
@pytest.mark.parametrize("restart", [False, True])
def test_goal_evaluates_k_new_cells_a_round(name, restart):
    space = SPACES.get(name)
    trial = begin("goal", space, initial=12, proposals=4, epochs=2, restart=restart)
    proposal = next(trial)
    assert len(proposal) == 12
    codes = list(space.canonical(proposal))
    for number in range(4):
        signals = space.to_values(cells_of(proposal)).sum(axis=1).astype(float)
        proposal = trial.send(signals)
        assert len(proposal.cells) == 4
        assert space.is_valid(proposal.cells).all()
        assert (proposal.parents < 12 + 4 * number).all()
        codes += list(space.canonical(proposal.cells))
    assert len(set(codes)) == len(codes)


def test_goal_proposes_what_its_surrogate_likes_best(space, monkeypatch):
    scored = []
    original = Surrogate.score

    def score(self, cells):
        scored.append((cells, original(self, cells)))
        return scored[-1][1]

    monkeypatch.setattr(Surrogate, "score", score)
    trial = begin("goal", space, initial=20, proposals=3, epochs=5)
    first = next(trial)
    proposal = trial.send(space.to_values(first).sum(axis=1).astype(float))
    candidates, scores = scored[0]
    best = np.sort(scores)[:3]
    assert np.sort(original_scores(candidates, scores, proposal.cells)) == pytest.approx(best)


def original_scores(candidates, scores, chosen):
    return [scores[int(candidates.same(cell).argmax())] for cell in chosen]


def test_sameness_tells_whether_isomorphic_cells_are_skipped(space):
    cells = space.enumerate()
    classes = space.canonical(cells)
    one, two = np.flatnonzero(classes == classes[np.bincount(classes).argmax()])[:2]
    for sameness, new in (("class", []), ("cell", [0])):
        seen = Seen(space, sameness)
        seen.add(cells[one])
        assert seen.new(cells[two]).tolist() == new


def test_sampling_new_cells_gives_each_one_once(space):
    seen = Seen(space, "class")
    cells = sample_new(space, 300, np.random.default_rng(0), seen)
    assert len(set(space.canonical(cells))) == 300
    assert len(seen.new(cells)) == 0


# NPNAS


def test_npnas_goes_through_the_space_in_its_surrogates_order(space, monkeypatch):
    # A surrogate that knows: fewer is better.
    monkeypatch.setattr(Surrogate, "fit", lambda *a: None)
    monkeypatch.setattr(Surrogate, "score", lambda self, c: space.to_values(c).sum(axis=1))
    trial = begin("npnas", space, samples=100)
    first = next(trial)
    proposals = [trial.send(np.zeros(100))]
    proposals += [trial.send(np.zeros(8)) for _ in range(200)]
    sums = np.concatenate([space.to_values(p).sum(axis=1) for p in proposals])
    assert (np.diff(sums) >= 0).all()
    codes = np.concatenate([space.canonical(p) for p in [first, *proposals]])
    assert len(np.unique(codes)) == len(codes)


# All


NGAE = {"initial": 8, "unlabelled": 10, "epochs": 1, "proposals": 8, "points": 60}
#: Settings with which a method is soon past what it begins with.
QUICK = {
    "goal": {"initial": 8, "epochs": 2},
    "goal_mlp": {"initial": 8, "epochs": 2},
    "npnas": {"samples": 20, "epochs": 2},
    "ngae": NGAE,
    "ngae_performance": NGAE,
    "dvae_bo": {"initial": 8, "unlabelled": 10, "epochs": 1, "batch": 8, "candidates": 60},
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{name}-{check.name}")
        for name in METHODS.names()
        for check in method_checks(METHODS.get(name), settings=QUICK.get(name))
    ],
)
def test_every_method_keeps_the_contract(check):
    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["regularized_evolution", "goal", "goal_mlp"])
def test_methods_that_learn_beat_random_search(name, data):
    bench = BENCHMARKS.get("nasbench201").open(data)

    def ends(method):
        chosen = Search(bench, METHODS.get(method), budget_evaluations=80)
        return [run_trial(chosen, trial)["signal"].to_numpy().max() for trial in range(6)]

    assert np.mean(ends(name)) > np.mean(ends("random_search")) + 1
