"""Multi-objective methods: MOBO's choice of batches, NSGA-II, and trials on a known front."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.stats import norm

import dagnas
from dagnas.benchmarks.absent import ABSENT
from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.predictors.sghmc import Chain
from dagnas.search import METHODS
from dagnas.search.methods.nago_mobo import _Models, _new, _steepness, penalised
from dagnas.search.methods.nsga2 import Evolution, _Redraw
from dagnas.search.models.pareto import Frame, front, hypervolume
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.vectors import Dimension, VectorSpace
from dagnas.testing import method_checks

SPACE = VectorSpace("zdt1", [Dimension(f"x{number}", 0, 1) for number in range(4)])
WHOLE = VectorSpace("grid", [Dimension("a", 0, 2, whole=True), Dimension("b", 1, 4, whole=True)])
#: Settings with which a trial is quick: it says nothing of how good the method is.
QUICK = {"initial": 6, "population": 12, "generations": 3, "steps": 300, "burn_in": 100}


def zdt1(points):
    """Objectives of ZDT1 (Zitzler et al. 2000), both minimised, on points of the cube."""
    one = points[:, 0]
    g = 1 + 9 * points[:, 1:].mean(axis=1)
    return np.stack([one, g * (1 - np.sqrt(one / g))], axis=1)


@dataclass
class Toy:
    """A benchmark of one cost, on vectors or cells."""

    space: object = SPACE
    noise: float = 0.0
    name: str = "toy"
    policies: dict = field(default_factory=dict)

    def __post_init__(self):
        rules = Policy("a/x/1", "s0", "b", "x", "x", budget_evaluations=24, costs=("cost",))
        self.policies = {"toy": rules}

    def emulated(self, policy):
        return ()

    def digest(self):
        return ""

    def truth(self, batch):
        """Signal and cost without noise."""
        if isinstance(self.space, CellSpace):
            values = self.space.to_values(batch) / (self.space.sizes - 1)
            return np.stack([100 * values.mean(axis=1), values[:, 0] + values[:, -1]], axis=1)
        losses = zdt1(self.space.encode(batch))
        # Above 0, since costs are; accuracies need not be, on vectors.
        return np.stack([10 - losses[:, 1], losses[:, 0]], axis=1)

    def evaluate(self, batch, policy, rng):
        signal, cost = self.truth(batch).T
        noise = self.noise * (0.1 + cost) * rng.normal(size=len(signal))
        found = signal if isinstance(self.space, CellSpace) else signal + noise
        return Evaluations(found, np.ones(len(signal)), signal, signal, {"cost": cost})


def checks(name, toy, **settings):
    found = method_checks(METHODS.get(name), toy, settings, policy="toy", evaluations=24)
    return [pytest.param(check, id=f"{name}-{toy.space.name}-{check.name}") for check in found]


@pytest.mark.parametrize(
    "check",
    [
        *checks("mobo", Toy(noise=0.1), **QUICK),
        *checks("mobo", Toy(noise=0.1), **{**QUICK, "surrogate": "gp", "batch": 3, "refit": 2}),
        *checks("nsga2", Toy(), population=6),
        *checks("nsga2", Toy(SPACES.get("nasbench101")), population=6),
        *checks("nsga2", Toy(SPACES.get("nasbench201")), population=6),
    ],
)
def test_methods_of_several_objectives_keep_the_contract(check):
    check()


# MOBO


def test_a_batch_is_the_most_uncertain_points_under_penalties():
    points = np.array([[0.0], [0.1], [0.5], [0.6]])
    volumes = np.array([1.0, 0.95, 0.6, 0.5])
    # After the first: 0.95 x 0.1, 0.6 x 0.5 and 0.5 x 0.6, a tie that goes to the first; after
    # that the last has 0.3 x 0.1 / 0.6 left, and the second 0.095 x 0.4 / 0.6.
    assert penalised(points, volumes, 1.0, 4).tolist() == [0, 2, 1, 3]
    # Cones narrower than the gaps are no penalties.
    assert penalised(points, volumes, 100.0, 3).tolist() == [0, 1, 2]
    assert penalised(points, volumes, 1.0, 9).tolist() == [0, 2, 1, 3]
    # Of equal points one is left out as long as there are others.
    assert penalised(points[[0, 0, 2]], np.array([1.0, 1.0, 0.1]), 1.0, 2).tolist() == [0, 2]


class Slope:
    """Models whose uncertainty is linear in the points."""

    def volume(self, points):
        return 1 + points @ np.array([3.0, 0.0, -4.0])


def test_steepness_is_the_norm_of_the_gradient():
    rng = np.random.default_rng(0)
    assert _steepness(Slope(), rng.random((5, 3)), rng) == pytest.approx(5)


@pytest.fixture(params=["heteroscedastic", "homoscedastic", "gp"])
def models(request):
    rng = np.random.default_rng(0)
    points = rng.random((30, 4))
    gains = -zdt1(points) * [1000, 1] + rng.normal(size=(30, 2)) * [100, 0.1]
    chain = Chain(2000, 1000)
    return [
        _Models(points, gains, request.param, which, chain, np.random.default_rng(1))
        for which in ("observation", "function")
    ]


def test_uncertainty_is_the_product_of_sds_with_noise_or_without(models):
    points = np.random.default_rng(2).random((50, 4))
    (means, with_noise), (same, without) = (each.predict(points) for each in models)
    np.testing.assert_allclose(means, same)
    assert (with_noise > without).all()
    np.testing.assert_allclose(models[0].volume(points), with_noise[:, 0] * with_noise[:, 1])
    # Both objectives are in units of their own sds.
    assert (np.abs(means) < 5).all()
    assert (without > 0).all()


def test_acquisitions_are_one_for_each_objective(models):
    points = np.random.default_rng(2).random((50, 4))
    means, sds = models[0].predict(points)
    bound = models[0].acquisitions(points, "bound", 3.0)
    np.testing.assert_allclose(bound, means + 3 * sds)
    improvement = models[0].acquisitions(points, "improvement", 3.0)
    for column in range(2):
        u = (means[:, column] - models[0].best[column]) / sds[:, column]
        expected = sds[:, column] * (u * norm.cdf(u) + norm.pdf(u))
        np.testing.assert_allclose(improvement[:, column], expected, atol=1e-12)


@pytest.mark.parametrize("acquisition", ["improvement", "bound"])
def test_proposals_are_on_the_pareto_set_of_the_acquisitions(acquisition):
    mobo = METHODS.get("mobo")
    given = {"surrogate": "gp", "acquisition": acquisition, "initial": 20, "population": 60}
    settings = mobo.settings("", {**given, "generations": 60})
    trial = mobo.start(SPACE, np.random.default_rng(0), settings, objectives=("cost",))
    vectors = next(trial)
    found = Toy().truth(vectors)
    new = trial.send(found)
    # A Gaussian process has no random numbers, so this is the one of the trial.
    arguments = ("gp", "observation", Chain(), np.random.default_rng(0))
    models = _Models(SPACE.encode(vectors), found * [1, -1], *arguments)
    others = np.random.default_rng(1).random((3000, 4))
    here = models.acquisitions(SPACE.encode(new), acquisition, 2.0)
    there = models.acquisitions(others, acquisition, 2.0)
    margin = 0.02 * np.ptp(there, axis=0)
    assert not (there[:, None] > here + margin).all(axis=2).any()
    assert len(front(here * [1, -1])) == len(new) == 4


def test_whole_vectors_are_evaluated_once_until_all_are():
    mobo = METHODS.get("mobo")
    settings = mobo.settings("", {**QUICK, "initial": 4, "surrogate": "gp"})
    trial = mobo.start(WHOLE, np.random.default_rng(2), settings, objectives=("cost",))
    batches = [next(trial)]
    for _ in range(4):
        batches.append(trial.send(Toy(WHOLE).truth(batches[-1])))
    first, later = batches[0], np.concatenate(batches[1:3])
    assert WHOLE.is_valid(np.concatenate(batches)).all()
    new = {tuple(vector) for vector in later} - {tuple(vector) for vector in first}
    assert len(new) == len(later) == 8
    assert [len(batch) for batch in batches] == [4] * 5


def test_random_vectors_fill_up_what_fronts_lack():
    rng = np.random.default_rng(0)
    known = WHOLE.enumerate()[:6]
    few, more = WHOLE.enumerate()[[0, 6, 6]], WHOLE.enumerate()[[1, 7, 8]]
    assert _new(WHOLE, [few, more], known, 2, rng).tolist() == WHOLE.enumerate()[[7, 8]].tolist()
    found = _new(WHOLE, [few], known, 3, rng)
    assert len(np.unique(found, axis=0)) == len(found) >= 3
    assert not (found[:, None] == known).all(axis=2).any()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"surrogate": "forest"}, "'heteroscedastic', 'homoscedastic' or 'gp'"),
        ({"initial": 1}, "greater than or equal to 2"),
        ({"steps": 100, "burn_in": 100}, "keeps no sample"),
    ],
)
def test_bad_settings_are_refused(given, words):
    with pytest.raises(DagnasError, match=words):
        dagnas.run("mobo", Toy(), trials=1, policy="toy", **given)


# NSGA-II


def test_evolution_finds_the_front_of_zdt1():
    rng = np.random.default_rng(0)
    evolution = Evolution(rng.random((40, 4)), 2, rng)
    for _ in range(120):
        evolution.tell(zdt1(evolution.ask()))
    one, two = zdt1(evolution.best).T
    assert len(one) == 40
    assert (two - (1 - np.sqrt(one)) < 0.02).all()
    # Spread over all of it.
    assert np.diff(np.sort(one)).max() < 0.1


def test_names_are_crossed_and_drawn_anew():
    sizes, rng = np.array([2, 5, 3]), np.random.default_rng(0)
    redrawn = _Redraw(sizes)._do(None, np.full((30_000, 3), -1.0), random_state=rng)
    assert (redrawn >= 0).mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.01)
    for column, size in enumerate(sizes):
        numbers = redrawn[redrawn[:, column] >= 0, column]
        counts = np.bincount(numbers.astype(int), minlength=size) / len(numbers)
        assert counts == pytest.approx([1 / size] * size, abs=0.02)
    evolution = Evolution(np.array([[0, 4, 2]] * 2 + [[1, 0, 1]] * 2), 2, rng, sizes)
    evolution.tell(np.zeros((len(evolution.ask()), 2)))
    children = np.concatenate([evolution.ask()])
    assert ((children >= 0) & (children < sizes)).all()


def test_what_is_not_valid_dies_first():
    rng = np.random.default_rng(0)
    evolution = Evolution(rng.random((10, 2)), 2, rng)
    evolution.tell(np.ones((len(evolution.ask()), 2)))
    children = evolution.ask()
    valid = np.arange(len(children)) % 2 == 0
    # All children are better, and every second one is none.
    evolution.tell(np.zeros((len(children), 2)), valid)
    survivors = {tuple(point) for point in evolution.members}
    assert [tuple(child) in survivors for child in children] == valid.tolist()


def test_invalid_cells_are_not_evaluated():
    space = SPACES.get("nasbench101")
    nsga2 = METHODS.get("nsga2")
    settings = nsga2.settings("", {"population": 20})
    trial = nsga2.start(space, np.random.default_rng(0), settings, objectives=("cost",))
    cells, sizes = next(trial), []
    for _ in range(5):
        assert space.is_valid(cells).all()
        cells = trial.send(Toy(space).truth(cells))
        sizes.append(len(cells))
    assert min(sizes) > 0
    assert min(sizes) < 20


# Trials


def volumes(name, trials, evaluations, toy, **settings):
    """Hypervolume, without noise, of what each trial evaluated."""
    trace = dagnas.run(
        name,
        toy,
        trials=trials,
        policy="toy",
        budget_evaluations=evaluations,
        **settings,
    )
    frame = Frame(np.array([10.0, 0.0]), np.array([2.0, 1.0]))
    return np.array(
        [
            hypervolume(toy.truth(toy.space.from_str(own["cell"].tolist())), frame)
            for _, own in trace.groupby("trial")
        ]
    )


def test_nsga2_beats_random_search():
    toy = Toy()
    ours = volumes("nsga2", 6, 200, toy)
    assert (ours > volumes("random_search", 6, 200, toy)).sum() >= 5


def test_bayesian_optimisation_beats_random_search():
    toy = Toy(noise=0.3)
    ours = volumes("mobo", 3, 30, toy, surrogate="gp", generations=10)
    assert (ours > volumes("random_search", 3, 30, toy)).sum() >= 2


@pytest.mark.slow
def test_sampled_networks_beat_random_search():
    toy = Toy(noise=0.3)
    ours, theirs = volumes("mobo", 5, 40, toy), volumes("random_search", 5, 40, toy)
    assert (ours > theirs).sum() >= 4
    assert ours.mean() > theirs.mean() + 0.03


@pytest.mark.parametrize("name", ["mobo", "nsga2"])
def test_signals_of_vectors_without_costs_count_for_nothing(name):
    given = {"mobo": {"initial": 8, "steps": 300, "burn_in": 100}, "nsga2": {"population": 8}}
    settings = METHODS.get(name).settings("", given[name])
    space = Toy().space

    def batches(signal, cost):
        """Batches of a search that is told a signal and a cost of half of the vectors."""
        trial = METHODS.get(name).start(
            space, np.random.default_rng(0), settings, objectives=("cost",)
        )
        found = [next(trial)]
        for _ in range(5):
            points = space.encode(found[-1])
            lost = points[:, 0] < 0.5
            height, price = 100 * points[:, 1], np.abs(points - 0.5).sum(axis=1)
            told = [np.where(lost, signal, height), np.where(lost, cost, price)]
            found.append(trial.send(np.stack(told, axis=1)))
        assert 0 < (space.encode(np.concatenate(found))[:, 0] < 0.5).mean() < 1
        return np.concatenate(found)

    great = batches(1e6, ABSENT)
    np.testing.assert_array_equal(great, batches(-1e6, ABSENT))
    # Who believes the signals goes elsewhere.
    assert (great[-8:] != batches(1e6, 0.0)[-8:]).any()
