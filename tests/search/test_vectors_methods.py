"""Methods that search vectors: models against closed forms, trials on a smooth function."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import norm, truncnorm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

import dagnas
from dagnas.analysis.traces import read
from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from dagnas.search.methods.bohb import _choose, _Density
from dagnas.search.methods.gp_ei import _brackets, most_promising
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.cube_process import CubeProcess, bounds, hyperparameters, squares
from dagnas.search.models.gaussian_process import Hyperparameters, log_marginal_likelihood
from dagnas.search.models.kernel_density import NormalDensity
from dagnas.search.runner import Search, run, run_trial
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.vectors import Dimension, VectorSpace
from dagnas.testing import method_checks

SPACE = VectorSpace(
    "hills",
    [
        Dimension("nodes", 3, 10, whole=True),
        Dimension("rewired", 0.1, 1),
        Dimension("width", -2, 2),
        Dimension("stages", 1, 4, whole=True),
        Dimension("fixed", 5, 5),
    ],
)
TOP = np.array([7.0, 0.35, 1.1, 2.0, 5.0])
NAMES = ["random_search", "regularized_evolution", "bohb", "gp_ei"]


@dataclass
class Hills:
    """A smooth hill with noise; shorter trainings are lower, noisier and cheaper."""

    name: str = "hills"
    space: VectorSpace = SPACE
    noise: float = 0.5
    policies: dict = field(init=False)

    def __post_init__(self):
        names = [f"hills/{name}/12" for name in ("valid", "seconds", "valid", "test")]
        signal, seconds, valid, test = names
        self.policies = {"hills": Policy(signal, "s0", seconds, valid, test, budget_evaluations=30)}

    def fidelities(self, policy):
        return 3, 6, 12

    def emulated(self, policy):
        return ()

    def height(self, vectors):
        away = self.space.encode(vectors) - self.space.encode(TOP[None])
        return 90 * np.exp(-2 * (away**2).sum(axis=1))

    def evaluate(self, vectors, policy, rng):
        height, epochs = self.height(vectors), policy.epochs
        noise = self.noise * np.sqrt(12 / epochs) * rng.normal(size=len(vectors))
        signal = np.clip(height - 12 / epochs + noise, 0, 100)
        return Evaluations(signal, np.full(len(vectors), float(epochs)), height, height)

    def digest(self):
        return ""


# Kernel densities

DATA = np.array(
    [
        *([0.549, 0.715], [0.603, 0.545], [0.424, 0.646], [0.438, 0.892]),
        *([0.964, 0.383], [0.792, 0.529], [0.568, 0.926]),
    ]
)


def test_the_density_is_that_of_statsmodels():
    # KDEMultivariate(DATA, "cc", "normal_reference") of statsmodels 0.14, and with clipped widths.
    points = np.array([[0.071, 0.087], [0.02, 0.833], [0.778, 0.87], [0.979, 0.799]])
    own, wide = NormalDensity(DATA), NormalDensity(DATA, 0.2)
    assert own.bandwidth == pytest.approx([0.13816295076434412, 0.14038789517835734], rel=1e-12)
    assert own(points) == pytest.approx(
        [1.976786889153774e-05, 0.018678087048519143, 0.6689940353680812, 0.11155720445898912],
        rel=1e-12,
    )
    assert wide(points) == pytest.approx(
        [0.003965374123992364, 0.13838547828139927, 0.9851501219127135, 0.3861106707512986],
        rel=1e-12,
    )


def test_the_density_is_a_mean_of_products_of_normal_ones():
    density = NormalDensity(DATA)
    points = np.random.default_rng(0).random((5, 2))
    by_hand = norm.pdf(points[:, None], DATA, density.bandwidth).prod(axis=2).mean(axis=1)
    np.testing.assert_allclose(density(points), by_hand, rtol=1e-12)


def test_samples_are_of_normal_distributions_truncated_to_the_cube():
    density = NormalDensity(np.array([[0.1, 0.5], [0.9, 0.5]]))
    drawn = density.sample(40_000, np.random.default_rng(0))
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    # Where all agree, the least bandwidth, three times as wide.
    assert drawn[:, 1].std() == pytest.approx(0.003, rel=0.03)
    sd = 3 * density.bandwidth[0]
    parts = [truncnorm(-m / sd, (1 - m) / sd, loc=m, scale=sd) for m in (0.1, 0.9)]
    grid = np.linspace(0, 1, 21)
    expected = np.mean([part.cdf(grid) for part in parts], axis=0)
    found = (drawn[:, :1] <= grid).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_of_two_values_the_kernels_are_those_of_cells():
    # Of numbers that are 0 or 1 a normal kernel of width h, over the sum of both values, is the
    # kernel of Aitchison and Aitken of width e / (1 + e) with e = exp(-1 / (8 h^2)).
    rng = np.random.default_rng(1)
    switches = VectorSpace("switches", [Dimension(n, 0, 1, whole=True) for n in "abc"])
    corners = switches.enumerate()
    e = np.exp(-1 / (8 * 0.6**2))
    found = []
    for size in (20, 30):
        vectors = (rng.random((size, 3)) < [0.3, 0.5, 0.7]).astype(float)
        # Widths are the least ones in both, since the reference rule's are smaller.
        number = NormalDensity(switches.encode(vectors), 0.6)
        kind = _Density(vectors.astype(int), e / (1 + e))
        assert (number.bandwidth == 0.6).all()
        assert (kind.bandwidth == e / (1 + e)).all()
        densities = number(switches.encode(corners)), kind(corners.astype(int))
        np.testing.assert_allclose(densities[0] / densities[0].sum(), densities[1], rtol=1e-12)
        found.append(densities)
    (good, good_kind), (bad, bad_kind) = found
    assert _choose(good, bad) == _choose(good_kind, bad_kind)


# The Gaussian process


@pytest.fixture
def some():
    rng = np.random.default_rng(3)
    points = rng.random((30, 3))
    signals = 80 + 5 * np.sin(4 * points[:, 0]) + points[:, 1] + 0.2 * rng.normal(size=30)
    return points, signals


def test_gradients_of_the_likelihood_are_right(some):
    points, signals = some
    gaps, targets = squares(points, points), (signals - signals.mean()) / signals.std()

    def at(vector):
        return log_marginal_likelihood(Hyperparameters.from_vector(vector, 1), gaps, targets)

    start = hyperparameters(0.1, 1.5, np.array([3.0, 0.5, 0.1]), 3).to_vector()
    error = check_grad(lambda v: at(v)[0], lambda v: at(v)[1], start)
    assert error < 1e-5 * np.abs(at(start)[1]).max()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_posterior_is_scikit_learns(some):
    points, signals = some
    model = CubeProcess(points, signals)
    found = model.hyperparameters
    lengths = 1 / np.sqrt(2 * found.rates[0])
    kernel = ConstantKernel(found.scales[0]) * RBF(lengths) + WhiteKernel(found.noise)
    reference = GaussianProcessRegressor(kernel, optimizer=None, alpha=0)
    targets = (signals - signals.mean()) / signals.std()
    reference.fit(points, targets)
    asked = np.random.default_rng(4).random((50, 3))
    mean, sd = model.predict(asked)
    expected, noisy = reference.predict(asked, return_std=True)
    np.testing.assert_allclose(mean, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(sd**2 + found.noise, noisy**2, rtol=1e-6)
    # Its own fit, from several beginnings, is no better.
    free = ConstantKernel(1.0, (0.05, 20)) * RBF(np.ones(3), (0.1, 50**0.5)) + WhiteKernel(0.1)
    own = GaussianProcessRegressor(free, n_restarts_optimizer=3, random_state=0, alpha=0)
    own.fit(points, targets)
    ours, _ = log_marginal_likelihood(found, squares(points, points), targets)
    assert ours > own.log_marginal_likelihood_value_ - 0.02


def test_what_does_not_matter_has_a_small_rate(some):
    rates = CubeProcess(*some).hyperparameters.rates[0]
    assert rates[2] < 0.1 * rates[0]
    least, most = (bound.rates[0] for bound in bounds(3))
    assert (rates >= least * (1 - 1e-9)).all()
    assert (rates <= most * (1 + 1e-9)).all()


def test_local_moves_find_the_largest_improvement():
    # In two dimensions a grid tells where it is.
    plane = VectorSpace("plane", [Dimension("x", 0, 1), Dimension("y", 0, 10, whole=True)])
    rng = np.random.default_rng(5)
    known = plane.sample(12, rng)
    signals = -((known[:, 0] - 0.4) ** 2) - ((known[:, 1] - 6) / 10) ** 2
    model = CubeProcess(plane.encode(known), signals)
    grid = np.array([[x, y] for x in np.linspace(0, 1, 1001) for y in range(11)])
    worth = expected_improvement(*model.predict(plane.encode(grid)), model.best)
    found = most_promising(plane, rng, model, known[:3], 400)
    assert plane.is_valid(found).all()
    height = expected_improvement(*model.predict(plane.encode(found)), model.best)
    assert height[0] > 0.99 * worth.max()


def test_released_brackets():
    # 4 generators for 30 epochs, 2 for 60, 1 for 120; 2 new ones for 60; a new one for 120.
    assert _brackets((30, 60, 120), 2) == [
        [(4, 30), (2, 60), (1, 120)],
        [(2, 60), (1, 120)],
        [(1, 120)],
    ]
    assert _brackets((None,), 2) == [[(1, None)]]
    trace = run_trial(Search(Hills(), METHODS.get("gp_ei"), policy="hills"), 0).to_pandas()
    assert trace["epochs"].tolist()[:11] == [3, 3, 3, 3, 6, 6, 12, 6, 6, 12, 12]
    first = trace[:4].sort_values("signal", ascending=False)["cell"][:2]
    # Those kept are the very same vectors, digit for digit.
    assert set(trace["cell"][4:6]) == set(first)


def test_without_brackets_all_trainings_are_the_longest():
    trace = dagnas.run("gp_ei", Hills(), trials=1, policy="hills", brackets=False)
    assert set(trace["epochs"]) == {12}


def test_the_brackets_of_bohb_are_hyperbands():
    search = Search(Hills(), METHODS.get("bohb"), {"eta": 2}, policy="hills")
    trace = run_trial(search, 0).to_pandas()
    assert trace["epochs"].tolist()[:13] == [3, 3, 3, 3, 6, 6, 12, 6, 6, 12, 12, 12, 12]
    assert METHODS.get("bohb").settings("nago")["eta"] == 2
    for start in (0, 13):
        kept = trace[start + 4 : start + 6]["cell"]
        assert set(kept) <= set(trace[start : start + 4]["cell"])


# Trials


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{name}-{check.name}")
        for name in NAMES
        for check in method_checks(METHODS.get(name), Hills(), evaluations=30)
    ],
)
def test_methods_keep_the_contract_on_vectors(check):
    check()


class Longest(Hills):
    """Hills of a single length of training."""

    def fidelities(self, policy):
        return (12,)


def ends(name, given, trials):
    """Best height that each trial of 30 evaluations finds."""
    search = Search(Longest(), METHODS.get(name), given, policy="hills", budget_evaluations=30)
    return [max(run_trial(search, trial)["valid"].to_pylist()) for trial in range(trials)]


@pytest.mark.parametrize(
    ("name", "given", "trials", "margin"),
    [
        # Over 60 trials the medians were 84.1 and 80.9, random search's 76.6, of 90 at most.
        ("regularized_evolution", {"population": 8, "tournament": 4}, 40, 3),
        ("bohb", {}, 40, 2),
        ("gp_ei", {}, 5, 10),
    ],
)
def test_methods_beat_random_search_on_a_smooth_function(name, given, trials, margin):
    assert np.median(ends(name, given, trials)) > np.median(ends("random_search", {}, 40)) + margin


def test_a_mutation_of_evolution_draws_one_number_anew():
    given = {"population": 6, "tournament": 3}
    trace = dagnas.run("regularized_evolution", Hills(), trials=2, policy="hills", **given)
    for _, trial in trace.groupby("trial"):
        vectors = SPACE.from_str(trial["cell"].tolist())
        parents = trial["parent"].to_numpy()
        assert (parents[:6] == -1).all()
        assert (parents[6:] >= 0).all()
        changed = (vectors[6:] != vectors[parents[6:]]).sum(axis=1)
        assert set(changed) <= {0, 1}


def test_a_search_of_vectors_resumes(tmp_path, monkeypatch):
    search = Search(Hills(), METHODS.get("bohb"), {"eta": 2}, policy="hills")
    run(search, range(3), tmp_path / "whole.parquet", show=False)

    def stopped(vectors, policy, rng, original=Hills.evaluate):
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return original(search.benchmark, vectors, policy, rng)

    left = 45
    with monkeypatch.context() as patch:
        patch.setattr(search.benchmark, "evaluate", stopped, raising=False)
        with pytest.raises(KeyboardInterrupt):
            run(search, range(3), tmp_path / "a.parquet", show=False)
    run(search, range(3), tmp_path / "a.parquet", show=False)
    assert read(tmp_path / "a.parquet").equals(read(tmp_path / "whole.parquet"))


# What is refused


@pytest.mark.parametrize(
    "name", [name for name in METHODS.names() if METHODS.get(name).space is CellSpace]
)
def test_methods_that_need_cells_refuse_vectors_in_one_line(name):
    with pytest.raises(DagnasError) as found:
        Search(Hills(), METHODS.get(name), policy="hills")
    assert str(found.value) == f"method {name!r} searches cells; hills is a space of vectors"


def test_methods_of_vectors_refuse_cells():
    bench = dagnas.open("digits201")
    with pytest.raises(
        DagnasError, match="'gp_ei' searches vectors; digits201 is a space of cells"
    ):
        Search(bench, METHODS.get("gp_ei"), policy="goal")


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        (
            "random_search",
            {"distinct": True},
            "it has continuous dimensions, so its vectors cannot",
        ),
        ("regularized_evolution", {"invalid": "kept"}, "no vector of hills is invalid; valid: 're"),
    ],
)
def test_settings_of_cells_alone(name, given, words):
    with pytest.raises(DagnasError, match=words) as found:
        dagnas.run(name, Hills(), trials=1, policy="hills", **given)
    assert "\n" not in str(found.value)


def test_distinct_vectors_of_whole_numbers():
    space = VectorSpace("few", [Dimension(name, 0, 2, whole=True) for name in "ab"])
    bench = Hills(space=space)
    bench.height = lambda vectors: vectors.sum(axis=1)
    trace = dagnas.run("random_search", bench, trials=1, policy="hills", distinct=True)
    assert len(trace) == len(set(trace["cell"])) == 9
