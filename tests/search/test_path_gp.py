"""path_gp: its features, its Gaussian process, its candidates, and its search."""

import itertools

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from dagnas.search import METHODS
from dagnas.search.methods.path_gp import stretched
from dagnas.search.models import candidates as module
from dagnas.search.models.candidates import (
    Listed,
    Pool,
    Scale,
    fixed_places,
    listing,
    shares_trainings,
)
from dagnas.search.models.matern import (
    Hyperparameters,
    MaternProcess,
    Prior,
    distances,
    fit,
    log_posterior,
    posterior_mean,
    usual_prior,
)
from dagnas.search.models.path_features import kinds, path_features, statistics
from dagnas.spaces import SPACES
from dagnas.spaces.paths import prune
from dagnas.spaces.vectors import Dimension, VectorSpace

RNG = np.random.default_rng


def start(space, seed=0, **given):
    chosen = METHODS.get("path_gp")
    return chosen.start(space, RNG(seed), chosen.settings(space.name, given))


def evaluate(space, score, evaluations, seed=0, **given):
    """Architectures and signals of a trial, one a row."""
    trial, found, signals = start(space, seed, **given), [], []
    batch = next(trial)
    while True:
        answer = score(batch)
        found.append(batch)
        signals.extend(answer)
        if len(signals) >= evaluations:
            return found, np.array(signals)
        try:
            batch = trial.send(answer)
        except StopIteration:
            return found, np.array(signals)


# Features


def all_paths(used):
    """Paths from the first vertex to the last, as lists of vertices."""
    last = len(used) - 1
    for size in range(last):
        for inner in itertools.combinations(range(1, last), size):
            path = [0, *inner, last]
            if all(used[i, j] for i, j in itertools.pairwise(path)):
                yield path


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "enas"])
def test_statistics_are_those_of_all_paths(name):
    space = SPACES.get(name)
    cells = space.sample(60, RNG(0))
    drawn = np.array([kind != "none" for kind in space.edge_types])
    used = prune(drawn[cells.edges] & space.edge_mask.any(axis=2))
    rng, kind = RNG(1), kinds(space)
    # Kinds on vertices and edges at random, to try more than what a space can hold.
    on_node = rng.random((len(kind), *cells.nodes.shape)) < 0.5
    on_edge = (rng.random((len(kind), *cells.edges.shape)) < 0.5) & used
    found = statistics(used, on_node, on_edge)
    for b in range(len(cells)):
        paths = list(all_paths(used[b]))
        assert found.number[b] == len(paths)
        for g in range(len(kind)):
            held = [
                sum(on_node[g, b, v] for v in path)
                + sum(on_edge[g, b, i, j] for i, j in itertools.pairwise(path))
                for path in paths
            ] or [0]
            assert found.most[b, g] == max(held)
            assert found.least[b, g] == min(held)
            assert found.mean[b, g] == pytest.approx(np.mean(held))
            assert found.without[b, g] == (held.count(0) if paths else 0)


def test_features_of_a_cell_by_hand():
    space = SPACES.get("nasbench201")
    # A 3x3 convolution, then pooling; a residual connection; a convolution that leads nowhere.
    (text,) = ["|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|avg_pool_3x3~1|none~2|"]
    cells = space.unpack(space.canonical(space.from_str([text])))
    names = (*space.node_types, *space.edge_types)
    sets = [{names[i] for i in np.flatnonzero(kind)} for kind in kinds(space)]
    computing = {"nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}
    assert sets[:3] == [
        {"skip_connect", *computing},
        computing,
        {"nor_conv_1x1", "nor_conv_3x3"},
    ]
    assert len(sets) == 7
    row = path_features(space, cells)[0]
    count, shape, most, least, mean, without = np.split(row, [7, 10, 17, 24, 31])
    assert count[:3].tolist() == [3, 2, 1]
    assert shape == pytest.approx([3, 3, np.log(3)])
    assert most[:3].tolist() == [2, 2, 1]
    assert least[:3].tolist() == [1, 0, 0]
    assert mean[:3].tolist() == [1.5, 1, 0.5]
    assert without[:3] == pytest.approx([0, np.log(2), np.log(2)])


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "darts"])
def test_isomorphic_cells_have_equal_blocks_and_others_rarely(name):
    space = SPACES.get(name)
    cells = space.sample(400, RNG(0))
    if name == "nasbench101":
        # The same cells with two vertices exchanged that no edge joins.
        free = cells.edges[:, 1, 2] == 0
        order = [0, 2, 1, 3, 4, 5, 6]
        cells = cells[free]
        moved = type(cells)(cells.nodes[:, order], cells.edges[:, order][:, :, order])
    else:
        moved = space.unpack(space.canonical(cells))
    assert (space.canonical(moved) == space.canonical(cells)).all()
    assert not moved.same(cells).all()
    ours, theirs = (
        module.cell_blocks(space, space.unpack(space.canonical(part)), places=False)
        for part in (cells, moved)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    rows = np.unique(np.hstack(ours).round(9), axis=0)
    assert len(rows) > 0.5 * len(np.unique(space.canonical(cells)))


def test_places_count_where_no_two_cells_are_isomorphic():
    names = ("darts", "darts_one_cell", "enas", "nasbench101", "nasbench201", "resnet_strings")
    fixed = [name for name in names if fixed_places(SPACES.get(name))]
    assert fixed == ["enas", "resnet_strings"]
    # However cells are drawn: protocols that count classes draw one of each.
    assert not fixed_places(SPACES.get("nasbench201").drawing("classes"))


def test_scale_has_median_distance_one():
    blocks = [RNG(0).normal(3, 5, (300, 4)), RNG(1).random((300, 1)) * 1e-3]
    blocks[0][:, 2] = 7
    for block in Scale.of(blocks).apply(blocks):
        gaps = distances(block, block)[np.triu_indices(300, 1)]
        assert np.median(gaps) == pytest.approx(1)
        assert np.isfinite(block).all()


# The Gaussian process


def two_blocks(n, seed=0):
    rng = RNG(seed)
    return [rng.normal(size=(n, 3)), rng.normal(size=(n, 1))]


KNOWN = Hyperparameters(np.array([0.7, 0.4]), np.array([1.3, 0.6]), 0.1)


def sklearn_kernel(block):
    amplitude, length = KNOWN.amplitudes[block], KNOWN.lengths[block]
    return ConstantKernel(amplitude) * Matern(length, nu=2.5)


def test_kernel_is_that_of_scikit_learn():
    one, other = two_blocks(5), two_blocks(6, 1)
    expected = sum(sklearn_kernel(b)(one[b], other[b]) for b in range(2))
    np.testing.assert_allclose(KNOWN.kernel(one, other), expected, rtol=1e-10)
    single = [[block.astype(np.float32) for block in part] for part in (one, other)]
    np.testing.assert_allclose(KNOWN.kernel(*single), expected, rtol=1e-4)


def test_density_and_its_gradient():
    points, targets, prior = two_blocks(12), RNG(2).normal(size=12), usual_prior(2)
    gaps = np.stack([distances(block, block) for block in points])
    vector = KNOWN.to_vector()
    value, gradient = log_posterior(vector, gaps, targets, prior)
    numeric = approx_fprime(vector, lambda v: log_posterior(v, gaps, targets, prior)[0], 1e-7)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-5)
    covariance = KNOWN.kernel(points, points) + KNOWN.noise * np.eye(12)
    likelihood = multivariate_normal(cov=covariance).logpdf(targets)
    steps = (vector - prior.median.to_vector()) / prior.sd
    constant = 6 * np.log(2 * np.pi)
    assert value == pytest.approx(likelihood + constant - steps @ steps / 2)
    assert Hyperparameters.from_vector(vector).noise == pytest.approx(KNOWN.noise)


def test_posterior_is_that_of_scikit_learn_also_when_it_grows():
    points, there, targets = two_blocks(15), two_blocks(30, 1), RNG(2).normal(size=15)
    # One block, since scikit-learn has no kernels on parts of the features.
    one = Hyperparameters(KNOWN.amplitudes[:1], KNOWN.lengths[:1], KNOWN.noise)
    reference = GaussianProcessRegressor(sklearn_kernel(0), alpha=0.1, optimizer=None)
    mean, sd = reference.fit(points[0], targets).predict(there[0], return_std=True)
    process = MaternProcess(one, [points[0][:9]], [there[0]])
    for i in range(9, 15):
        process.add([points[0][[i]]])
    ours, variance = process.predict(targets)
    np.testing.assert_allclose(ours, mean, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(variance), sd, atol=1e-7)
    direct = posterior_mean(one, [points[0]], targets, [there[0]])
    np.testing.assert_allclose(direct, mean, atol=1e-8)


def test_points_that_are_nearly_one_and_hardly_any_noise():
    """Distances in single precision are wrong there, and no Cholesky factor was found."""
    rng = np.random.default_rng(0)
    middles = 0.13 * rng.normal(size=(8, 30))
    points = np.repeat(middles, 8, axis=0) + 1e-5 * rng.normal(size=(64, 30))
    block = points.astype(np.float32)
    edge = usual_prior(1).median
    short = Hyperparameters(100 * edge.amplitudes, edge.lengths / 40, edge.noise * np.exp(-7.5))
    gaps = distances(block, block).astype(np.float64)[None]
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(short.kernel([block], [block]) + short.noise * np.eye(64))
    targets = rng.normal(size=64)
    value, gradient = log_posterior(short.to_vector(), gaps, targets, usual_prior(1))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    process = MaternProcess(short, [block[:60]], [block])
    for row in range(60, 64):
        process.add([block[row : row + 1]])
    mean, variance = process.predict(targets)
    assert np.isfinite(mean).all()
    assert np.isfinite(variance).all()
    assert isinstance(fit([block], targets, usual_prior(1), [short]), Hyperparameters)


def test_two_blocks_are_one_process_on_a_sum():
    points, there, targets = two_blocks(15), two_blocks(8, 1), RNG(2).normal(size=15)
    process = MaternProcess(KNOWN, points, there)
    covariance = KNOWN.kernel(points, points) + KNOWN.noise * np.eye(15)
    cross = KNOWN.kernel(points, there)
    mean, variance = process.predict(targets)
    np.testing.assert_allclose(mean, cross.T @ np.linalg.solve(covariance, targets))
    explained = np.einsum("ij,ij->j", cross, np.linalg.solve(covariance, cross))
    np.testing.assert_allclose(variance, KNOWN.variance - explained)


def test_fit_finds_the_block_that_matters_and_the_noise():
    points = two_blocks(150)
    targets = np.sin(2 * points[1][:, 0]) + RNG(3).normal(scale=0.3, size=150)
    targets = (targets - targets.mean()) / targets.std()
    found = fit(points, targets, usual_prior(2))
    assert found.amplitudes[1] > 5 * found.amplitudes[0]
    assert found.noise == pytest.approx(0.09 / (0.5 + 0.09), rel=0.5)
    # The prior holds what two values cannot tell.
    few = fit([block[:2] for block in points], targets[:2], usual_prior(2))
    tight = Prior(usual_prior(2).median, 1e-3, 1e-3, 1e-3)
    held = fit(points, targets, tight)
    assert few.noise < 1
    np.testing.assert_allclose(held.to_vector(), tight.median.to_vector(), atol=0.02)


# Targets and candidates


def test_stretch_keeps_order_and_widens_the_top():
    signals = np.array([10.0, 60, 70, 80, 90, 91, 92])
    found = stretched(signals)
    assert (np.diff(found) > 0).all()
    assert found.max() == 0
    unit = np.quantile(signals, 0.9) - 80
    assert found[0] == pytest.approx(-np.log((92 + unit - 10) / unit))
    gain = (found[6] - found[5]) / (found[1] - found[0])
    assert gain > 3 * (92 - 91) / (60 - 10)
    assert (stretched(np.full(4, 5.0)) == 0).all()


def test_equal_signals_of_isomorphic_cells_tell_of_shared_trainings():
    classes = np.array([0, 1, 1, 2, 3, 3])
    assert shares_trainings(classes, np.array([1.0, 9, 9, 2, 3, 4]))
    assert not shares_trainings(classes, np.array([1.0, 9, 8, 2, 3, 4]))
    # Cells that do not learn all have one accuracy.
    assert not shares_trainings(classes, np.array([1.0, 1, 1, 8, 9, 7]))


def test_listing_is_of_all_cells_and_is_kept():
    space = SPACES.get("nasbench201")
    found = listing(space)
    assert found is listing(space)
    assert len(found.codes) == 15_625
    assert len(np.unique(found.classes)) == 6_466
    # Classes are whole within rows.
    assert len(np.unique(np.stack([found.classes, found.rows]), axis=1).T) == 6_466


def constant_by_class(space, values):
    codes = space.representatives()
    return lambda cells: values[np.searchsorted(codes, space.canonical(cells))]


@pytest.mark.parametrize(("sameness", "most"), [("class", 1), ("auto", 2), ("cell", 60)])
def test_sameness(sameness, most):
    space = SPACES.get("nasbench201")
    size = np.bincount(listing(space).classes)
    # Large classes are good, so that a search meets several cells of one.
    score = constant_by_class(space, np.log(size) + 1e-3 * RNG(0).random(len(size)))
    found, _ = evaluate(space, score, 60, sameness=sameness)
    codes = np.concatenate([space.pack(cells) for cells in found])
    assert len(np.unique(codes)) == 60
    classes = np.concatenate([space.canonical(cells) for cells in found])
    repeats = np.unique_counts(classes).counts
    assert repeats.max() <= most
    # "auto" repeats until it has seen one class that repeats at the top.
    assert (repeats > 1).sum() <= {"class": 0, "auto": 5, "cell": 60}[sameness]
    if sameness == "cell":
        assert repeats.max() > 2


def test_of_a_long_list_the_largest_means_are_looked_at(monkeypatch):
    monkeypatch.setattr(module, "MANY", 500)
    monkeypatch.setattr(module, "SHORT", 50)
    space = SPACES.get("nasbench201")
    listed = Listed(space, "cell")
    listed.take(listed.sample(8, RNG(0)), np.arange(8.0))
    everything = listing(space).blocks[0]
    for column in (0, 3):
        short = listed.shortlist(lambda blocks: blocks[0][:, column])[0]  # noqa: B023
        assert short.shape == (50, everything.shape[1])
        assert short[:, column].min() >= np.sort(everything[:, column])[-60]


def test_a_pool_holds_new_cells_near_the_best():
    space = SPACES.get("darts")
    pool = Pool(space, 80, RNG(0))
    cells = pool.sample(30, RNG(1))
    pool.take(cells, np.arange(30.0))
    blocks = pool.shortlist(lambda blocks: np.zeros(len(blocks[0])))
    scores = np.zeros(len(blocks[0]))
    scores[3] = 1
    chosen = pool.best(scores, RNG(2))
    assert len(chosen) == 1
    assert space.is_valid(chosen).all()
    codes = space.canonical(pool._candidates)
    assert len(np.unique(codes)) == len(codes) <= 80
    assert not np.isin(codes, space.canonical(cells)).any()
    best = cells[20:]
    near = [min(space.differences(best, pool._candidates[[i] * 10])) for i in range(len(codes))]
    assert np.mean(np.array(near) <= 3) > 0.5
    assert len(blocks) == 3


# The search


def test_it_finds_the_best_cell_of_an_artificial_table():
    space = SPACES.get("nasbench201")
    everything = space.enumerate()
    rows = path_features(space, space.unpack(space.canonical(everything)))
    goal = rows[RNG(5).integers(len(rows))]
    table = 90 - ((rows - goal) ** 2 / rows.var(axis=0).clip(1e-9)).sum(axis=1)
    table += 0.01 * RNG(6).random(len(rows))
    steps = []
    for seed in range(3):
        _, signals = evaluate(space, lambda cells: table[space.pack(cells)], 60, seed)
        steps.append(int(signals.argmax()))
        assert signals.max() > np.sort(table)[-5]
    assert max(steps) < 60


def test_trials_repeat_and_differ():
    space = SPACES.get("nasbench201")
    table = RNG(0).random(15_625)
    one, other, third = (
        evaluate(space, lambda cells: table[space.pack(cells)], 20, seed)[1] for seed in (0, 0, 1)
    )
    assert (one == other).all()
    assert (one != third).any()


def test_it_searches_vectors():
    space = VectorSpace("two", [Dimension("nodes", 3, 40, whole=True), Dimension("p", -1.0, 1.0)])

    def score(batch):
        return -(((batch[:, 0] - 21) / 20) ** 2) - (batch[:, 1] - 0.3) ** 2

    found, signals = evaluate(space, score, 40, pool=200)
    assert space.is_valid(np.concatenate(found)).all()
    random = score(space.sample(40, RNG(9))).max()
    assert signals.max() > -1e-3 > random


def test_a_small_space_of_vectors_is_spent():
    space = VectorSpace("few", [Dimension("nodes", 1, 6, whole=True)])
    found, _ = evaluate(space, lambda batch: batch[:, 0], 50)
    assert sorted(np.concatenate(found)[:, 0].tolist()) == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_it_is_quick_on_nasbench101_and_lists_it_once():
    space = SPACES.get("nasbench101")
    kept = listing(space)
    assert len(kept.codes) == 423_624
    assert kept.blocks[0].dtype == np.float32
    cells = space.unpack(kept.codes[:2000])
    assert (space.canonical(cells) == kept.codes[:2000]).all()
    _, signals = evaluate(space, lambda cells: space.madds(cells) / 1e9, 40)
    best = space.madds(space.enumerate()).max() / 1e9
    assert signals.max() == pytest.approx(best, rel=1e-3)
    assert listing(space) is kept
