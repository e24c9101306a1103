"""NASBOT: its distance, its Gaussian process and its evolution."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.stats import chisquare, multivariate_normal, norm, pearsonr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from dagnas.benchmarks import BENCHMARKS
from dagnas.search import METHODS
from dagnas.search.method import Proposal
from dagnas.search.methods import nasbot as module
from dagnas.search.methods.nasbot import BOUNDS, START, STEPS, _evolve, _Model, _mutate
from dagnas.search.models.distance import distances, features
from dagnas.search.models.gaussian_process import (
    GaussianProcess,
    Hyperparameters,
    fit,
    log_marginal_likelihood,
)
from dagnas.search.pool import Seen
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

CELLS = ["nasbench101", "nasbench201"]


class Toy(CellSpace):
    """A space of which every cell is a class."""

    def __init__(self, node_types, edge_types, node_mask, edge_mask):
        super().__init__("toy", node_types, edge_types, np.array(node_mask), np.array(edge_mask))

    def to_str(self, cells):
        return [str(code) for code in self.pack(cells)]

    def from_str(self, texts):
        return self.unpack(np.array(texts, dtype=np.int64))

    def canonical(self, cells):
        return self.pack(cells)

    def key(self, cells):
        return self.to_str(cells)

    def enumerate(self):
        return self.unpack(np.arange(int(np.prod(self.sizes))))


def chain():
    """Nine cells: two edges in a row, three operations each."""
    edges = np.zeros((3, 3, 3), dtype=bool)
    edges[[0, 1], [1, 2]] = True
    return Toy(("state",), ("skip", "conv3x3", "conv5x5"), np.ones((3, 1), dtype=bool), edges)


def mixed():
    """Operations on the middle one of three vertices and on edges, some of them plain ones."""
    edges = np.repeat(np.triu(np.ones((3, 3), dtype=bool), 1)[:, :, None], 3, axis=2)
    nodes = [[True, False, False], [False, True, True], [True, False, False]]
    return Toy(("end", "conv3x3", "max_pool"), ("none", "connected", "skip"), nodes, edges)


# The distance


def cell_101(operations, edges):
    size = len(operations) + 2
    matrix = np.zeros((size, size), dtype=int)
    for i, j in edges:
        matrix[i, j] = 1
    return SPACES.get("nasbench101").from_matrix(matrix, ["input", *operations, "output"])


def between(space, one, two):
    return distances(features(space, one), features(space, two))[:, :, 0, 0]


C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"


def test_distance_of_two_small_cells_by_hand():
    one = cell_101([C3], [(0, 1), (1, 2)])
    two = cell_101([C1, MP], [(0, 1), (1, 2), (2, 3)])
    plain, normalised = between(SPACES.get("nasbench101"), one, two)
    # The convolution is exchanged, the pooling is new. Of three lengths either way, the
    # convolution has one layer more behind it; the pooling has two up to it and one behind it;
    # the way through is longer by one, with the mass of half a layer.
    labels = 0.2 + 1
    places = (3 * 0 + 3 * 1) / 6 + (3 * 2 + 3 * 1) / 6 + 0.5 * 1
    assert plain == pytest.approx([labels, places])
    # From the empty cell: one layer and two; the places of all layers and the ways through.
    assert normalised == pytest.approx([labels / (1 + 2), places / (1.5 + (1.5 + 1.5 + 1))])


def test_distance_on_edges_with_a_random_walk_by_hand():
    space = SPACES.get("nasbench201")
    # 3x3 convolution, then pooling, and a skip connection past both; a skip connection alone.
    one = space.from_str(
        ["|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|none~2|"]
    )
    two = space.from_str(["|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"])
    plain, normalised = between(space, one, two)
    # The way through one has 1 layer, 2 or, at random, 1.5; through two it has 1.
    through = 0.6 * 2 * (0 + 1 + 0.5) / 6
    conv, pool = (3 * 1 + 3 * 2) / 6, (3 * 2 + 3 * 1) / 6
    assert plain == pytest.approx([2, conv + pool + through])
    whole = 2 * 0.6 * (1 + 2 + 1.5) / 6 + conv + pool + 1
    assert normalised == pytest.approx([2 / 4, (conv + pool + through) / (whole + 1.6)])


def test_distance_where_vertices_and_edges_hold_layers():
    space = mixed()
    # Types of the edges 0-1, 0-2 and 1-2, then of the vertex.
    values = {"conv": [1, 0, 1, 0], "skip conv": [2, 0, 1, 0], "skip": [0, 2, 0, 1]}
    cells = {name: space.from_values(np.array([value])) for name, value in values.items()}
    skip = between(space, cells["conv"], cells["skip conv"])[0]
    # A layer more before the convolution: 1 of label; 1 layer up to it and 2 behind; the
    # convolution has one more up to it; the way through has one more, of mass 0.1 x 4 places.
    assert skip == pytest.approx([1, (3 * 1 + 3 * 2) / 6 + 3 / 6 + 0.4])
    # The vertex that is on no path does not count.
    other = space.from_values(np.array([[0, 2, 0, 0]]))
    assert between(space, cells["skip"], other).max() == 0
    both = between(space, cells["conv"], cells["skip"])[0]
    assert both == pytest.approx([2, 1 + 1])


@pytest.mark.parametrize("name", CELLS)
def test_distances_are_metrics_and_blind_to_isomorphism(name):
    space = SPACES.get(name)
    cells = space.sample(60, np.random.default_rng(0))
    known = features(space, cells)
    gaps = distances(known, known)
    assert (gaps.diagonal(axis1=2, axis2=3) == 0).all()
    assert (gaps == gaps.swapaxes(2, 3)).all()
    assert gaps[1].max() <= 1 + 1e-12
    assert (gaps[0, :, :, None] <= gaps[0, :, :, :, None] + gaps[0, :, None] + 1e-9).all()
    everything = space.sample(3000, np.random.default_rng(1))
    classes = space.canonical(everything)
    many = np.flatnonzero(classes == np.unique(classes)[np.unique_counts(classes).counts.argmax()])
    assert not everything[many[0]].same(everything[many[1]])[0]
    same = features(space, everything[many])
    assert distances(same, same).max() == 0


def test_distance_of_relabelled_cells_is_zero():
    edges = [(0, 1), (0, 2), (1, 3), (2, 4), (3, 4)]
    one = cell_101([C3, C1, MP], edges)
    name = [0, 2, 1, 3, 4]
    two = cell_101([C1, C3, MP], [(name[i], name[j]) for i, j in edges])
    assert not one.same(two)[0]
    assert between(SPACES.get("nasbench101"), one, two).max() == 0
    exchanged = cell_101([C3, C3, MP], edges)
    assert between(SPACES.get("nasbench101"), one, exchanged)[0] == pytest.approx([0.2, 0])


def paths_from(follow, path):
    """All paths that go on from ``path`` to the vertex "end"."""
    if path[-1] == "end":
        return [path]
    return [whole for v in follow.get(path[-1], ()) for whole in paths_from(follow, [*path, v])]


def mean_walk(follow, start, goal):
    """Mean number of steps of random walks from ``start`` to ``goal``."""
    if start == goal:
        return 0
    return 1 + np.mean([mean_walk(follow, v, goal) for v in follow[start]])


def graph_of_layers(space, cell):
    """Labels of all layers, and which layers follow on which."""
    last = space.num_nodes - 1
    edges = {
        (i, j): space.edge_types[cell.edges[0, i, j]]
        for i, j in itertools.combinations(range(last + 1), 2)
        if space.edge_types[cell.edges[0, i, j]] != "none"
    }
    if "connected" in edges.values():
        name = {0: "start", last: "end"}
        label = {v: space.node_types[cell.nodes[0, v]] for v in range(1, last)}
        steps = [(name.get(i, i), name.get(j, j)) for i, j in edges]
    else:
        label = edges
        steps = [("start", e) for e in edges if e[0] == 0]
        steps += [(e, "end") for e in edges if e[1] == last]
        steps += [(e, f) for e, f in itertools.product(edges, edges) if e[1] == f[0]]
    follow = {}
    for v, w in steps:
        follow.setdefault(v, []).append(w)
    return label, follow


def layers_of(space, cells):
    """(label, six lengths) of all layers of each cell and its ways through, path by path."""
    everything = []
    for cell in space.unpack(space.canonical(cells)):
        label, follow = graph_of_layers(space, cell)
        paths = paths_from(follow, ["start"])
        steps = {step for path in paths for step in itertools.pairwise(path)}
        on = {v: [w for u, w in steps if u == v] for v, _ in steps}
        off = {v: [u for u, w in steps if w == v] for _, v in steps}
        found = []
        for v in {v for path in paths for v in path} - {"start", "end"}:
            up = [path.index(v) for path in paths if v in path]
            down = [len(path) - 1 - path.index(v) for path in paths if v in path]
            walks = mean_walk(off, v, "start"), mean_walk(on, v, "end")
            lengths = [min(up), max(up), walks[0], min(down), max(down), walks[1]]
            found.append((label[v], np.array(lengths, dtype=float)))
        way = np.zeros((2, 3))
        if paths:
            through = [len(path) - 2 for path in paths]
            way[:, :2] = min(through), max(through)
            way[:, 2] = mean_walk(off, "end", "start") - 1, mean_walk(on, "start", "end") - 1
        everything.append((found, way))
    return everything


def label_cost(one, two):
    if one == two:
        return 0.0
    return 0.2 if "conv" in one and "conv" in two else 2.0


def assign(costs_of_pairs, first, second):
    """Least cost of matching two lists, where a layer without a counterpart costs 1."""
    n, m = len(first), len(second)
    costs = np.ones((n + m, n + m))
    costs[n:, m:] = 0
    costs[:n, :m] = costs_of_pairs
    return costs[linear_sum_assignment(costs)].sum()


@pytest.mark.parametrize("name", CELLS)
def test_distance_follows_otmann(name):
    """Labels alone are OTMANN's; together with places the exact transport is hardly different."""
    space = SPACES.get(name)
    cells = space.sample(30, np.random.default_rng(2))
    layers = layers_of(space, cells)
    gaps = distances(features(space, cells), features(space, cells))[0]
    family = {
        label: "conv" if "conv" in label else label for found, _ in layers for label, _ in found
    }
    capacity = {"nasbench101": 5, "nasbench201": 6}[name]
    weights = [0.1, 0.2, 0.4, 0.8]
    pairs = list(itertools.combinations(range(len(cells)), 2))
    exact = np.zeros((len(weights), len(pairs)))
    for pair, (a, b) in enumerate(pairs):
        (one, way), (two, other_way) = layers[a], layers[b]
        labels = np.array([[label_cost(u, v) for v, _ in two] for u, _ in one]).reshape(
            len(one), len(two)
        )
        assert gaps[0, a, b] == pytest.approx(assign(labels, one, two))
        # Transport on the line of each family and length, "no layer" at 0.
        lines = 0.1 * capacity * np.abs(way - other_way).sum() / 6
        for kind, k in itertools.product(set(family.values()), range(6)):
            x, y = (
                np.sort([place[k] for label, place in found if family[label] == kind])
                for found in (one, two)
            )
            size = max(len(x), len(y))
            x, y = (np.concatenate([np.zeros(size - len(z)), z]) for z in (x, y))
            lines += np.abs(x - y).sum() / 6
        assert gaps[1, a, b] == pytest.approx(lines)
        places = np.array([[np.abs(u - v).mean() for _, v in two] for _, u in one])
        for w, weight in enumerate(weights):
            costs = labels + weight * places.reshape(labels.shape)
            exact[w, pair] = assign(costs, one, two)
    a, b = np.transpose(pairs)
    for w, weight in enumerate(weights):
        assert pearsonr(gaps[0, a, b] + weight * gaps[1, a, b], exact[w]).statistic > 0.95


@pytest.mark.parametrize("name", CELLS)
def test_the_kernel_is_positive_definite(name):
    space = SPACES.get(name)
    known = features(space, space.sample(250, np.random.default_rng(3)))
    for part in distances(known, known).reshape(4, 250, 250):
        for rate in (0.01, 0.1, 1, 10):
            assert np.linalg.eigvalsh(np.exp(-rate * part)).min() > -1e-8


# The Gaussian process


def one_dimension(n=40, seed=0, noise=0.1):
    """Points on a line, and one distance in one term: the kernel is a Matern one with nu 1/2."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, n)
    y = np.sin(x) + rng.normal(0, noise, n)
    return x, y


def gaps_1d(a, b):
    return np.abs(np.subtract.outer(a, b))[None, None]


def test_posterior_and_likelihood_are_those_of_scikit_learn():
    x, y = one_dimension()
    known = Hyperparameters(0.05, np.array([1.7]), np.array([[0.4]]))
    kernel = ConstantKernel(1.7, "fixed") * Matern(1 / 0.4, "fixed", nu=0.5)
    reference = GaussianProcessRegressor(kernel, alpha=0.05, optimizer=None).fit(x[:, None], y)
    asked = np.linspace(-1, 12, 30)
    mean, sd = GaussianProcess(known, gaps_1d(x, x), y).predict(gaps_1d(x, asked))
    expected_mean, expected_sd = reference.predict(asked[:, None], return_std=True)
    assert mean == pytest.approx(expected_mean)
    assert sd == pytest.approx(expected_sd)
    value, _ = log_marginal_likelihood(known, gaps_1d(x, x), y)
    assert value == pytest.approx(reference.log_marginal_likelihood_value_)


def test_values_one_by_one_give_the_posterior_of_all():
    x, y = one_dimension()
    known = Hyperparameters(0.05, np.array([1.7]), np.array([[0.4]]))
    whole = GaussianProcess(known, gaps_1d(x, x), y)
    grown = GaussianProcess(known, gaps_1d(x[:5], x[:5]), y[:5])
    for i in range(5, len(x)):
        grown.add(gaps_1d(x[:i], x[i : i + 1])[..., 0], y[i])
    asked = gaps_1d(x, np.linspace(-1, 12, 30))
    assert np.array(grown.predict(asked)) == pytest.approx(np.array(whole.predict(asked)))


def two_terms(n=25):
    space = SPACES.get("nasbench201")
    known = features(space, space.sample(n, np.random.default_rng(4)))
    rates = np.array([[0.3, 0.1], [2.0, 0.7]])
    return Hyperparameters(0.1, np.array([1.5, 0.6]), rates), distances(known, known)


def test_marginal_likelihood_and_its_slope():
    known, gaps = two_terms()
    covariance = 0.1 * np.eye(25)
    covariance += 1.5 * np.exp(-0.3 * gaps[0, 0] - 0.1 * gaps[0, 1])
    covariance += 0.6 * np.exp(-2.0 * gaps[1, 0] - 0.7 * gaps[1, 1])
    targets = np.random.default_rng(5).normal(size=25)
    value, gradient = log_marginal_likelihood(known, gaps, targets)
    assert value == pytest.approx(multivariate_normal(cov=covariance).logpdf(targets))

    def at(vector):
        return log_marginal_likelihood(Hyperparameters.from_vector(vector, 2), gaps, targets)[0]

    assert gradient == pytest.approx(approx_fprime(known.to_vector(), at, 1e-6), abs=1e-4)


def test_fit_finds_the_maximum_that_scikit_learn_finds():
    x, y = one_dimension(60, noise=0.3)
    bounds = [Hyperparameters(v, np.array([v]), np.array([[v]])) for v in (1e-3, 1e3)]
    start = Hyperparameters(1.0, np.array([1.0]), np.array([[1.0]]))
    best = fit(gaps_1d(x, x), y, [start], (bounds[0], bounds[1]))
    value, gradient = log_marginal_likelihood(best, gaps_1d(x, x), y)
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(1.0, (1e-3, 1e3), nu=0.5)
    reference = GaussianProcessRegressor(kernel, alpha=best.noise).fit(x[:, None], y)
    assert value == pytest.approx(reference.log_marginal_likelihood_value_, abs=1e-4)
    assert gradient == pytest.approx(np.zeros(3), abs=0.01)
    # Of several starts the better end counts, and bounds hold.
    far = Hyperparameters(1e3, np.array([1e3]), np.array([[1e3]]))
    two = fit(gaps_1d(x, x), y, [far, start], (bounds[0], bounds[1]))
    assert log_marginal_likelihood(two, gaps_1d(x, x), y)[0] >= value - 1e-6
    tight = Hyperparameters(0.5, np.array([1e3]), np.array([[1e3]]))
    assert fit(
        gaps_1d(x, x),
        y,
        [start],
        (tight._replace(scales=bounds[0].scales, rates=bounds[0].rates), tight),
    ).noise == pytest.approx(0.5)


# The method


def test_the_papers_settings_are_the_defaults():
    for space in CELLS:
        assert METHODS.get("nasbot").settings(space) == {
            "initial": 10,
            "pool": 10,
            "refit": 7,
            "sameness": "class",
        }
    assert sum(STEPS) == 1


def known_model(n=40, seed=6):
    space = SPACES.get("nasbench201")
    cells = space.sample(n, np.random.default_rng(seed))
    signals = 50 + 5.0 * (space.to_values(cells) == 3).sum(axis=1)
    return space, cells, signals, _Model(space, cells, signals, [START])


def test_improvement_is_the_mean_gain_over_the_best_signal():
    space, cells, signals, model = known_model()
    asked = space.sample(5, np.random.default_rng(7))
    gaps = distances(features(space, cells), features(space, asked))
    mean, sd = model.process.predict(gaps)
    # Back in %: the model's unit is the signals' sd.
    mean, sd = np.median(signals) + signals.std() * mean, signals.std() * sd
    gains = [
        quad(
            lambda y, m=m, s=s: (y - signals.max()) * norm.pdf(y, m, s), signals.max(), m + 12 * s
        )[0]
        for m, s in zip(mean, sd, strict=True)
    ]
    assert model.improvement(asked) * signals.std() == pytest.approx(np.array(gains), rel=1e-6)


def test_a_model_that_grew_predicts_as_one_of_all():
    space, cells, signals, model = known_model()
    more = space.sample(3, np.random.default_rng(8))
    gained = np.array([61.0, 90.0, 40.0])
    for cell, signal in zip(more, gained, strict=True):
        model.add(cell, np.array([signal]))
    asked = space.sample(20, np.random.default_rng(9))
    known = features(space, concatenate([cells, more]))
    targets = (np.concatenate([signals, gained]) - model.centre) / model.unit
    process = GaussianProcess(model.process.hyperparameters, distances(known, known), targets)
    mean, sd = process.predict(distances(known, features(space, asked)))
    again = model.process.predict(distances(model.known, features(space, asked)))
    assert np.array(again) == pytest.approx(np.array([mean, sd]))
    assert model.best == pytest.approx((90 - model.centre) / model.unit)


def test_the_model_ranks_cells_that_it_has_not_seen():
    space, _, _, model = known_model(80)
    asked = space.sample(200, np.random.default_rng(10))
    mean, _ = model.process.predict(distances(model.known, features(space, asked)))
    assert pearsonr(mean, (space.to_values(asked) == 3).sum(axis=1)).statistic > 0.8


class Told:
    """A model that likes 3x3 convolutions and notes what it was asked."""

    def __init__(self, space):
        self.space, self.asked = space, []

    def improvement(self, cells):
        self.asked.append(cells)
        return (self.space.to_values(cells) == 3).sum(axis=1).astype(float)


@pytest.mark.parametrize(("known", "births", "generations"), [(16, 30, 3), (900, 67, 7)])
def test_evolution_gives_the_best_new_cell_it_met(known, births, generations):
    space = SPACES.get("nasbench201")
    rng = np.random.default_rng(11)
    cells = space.sample(known, rng)
    signals = rng.normal(size=known)
    seen = Seen(space, "class")
    seen.add(cells)
    model = Told(space)
    new, parent = _evolve(space, rng, model, cells, signals, seen, 10)
    first, *later = model.asked
    best_ten = np.argsort(-signals)[:10]
    assert first.same(cells[best_ten]).all()
    assert len(later) == generations
    assert max(map(len, later)) <= births
    met = concatenate(later)
    assert len(np.unique(space.canonical(met))) == len(met)
    assert not np.isin(space.canonical(met), space.canonical(cells)).any()
    assert Told(space).improvement(new) == Told(space).improvement(met).max()
    assert parent in best_ten


def test_evolution_names_the_evaluated_cell_that_a_new_one_descends_from(monkeypatch):
    space = SPACES.get("nasbench201")

    # Only the first two edges change, so that the others tell the ancestor.
    def mutate(space, cells, rng):
        values = space.to_values(cells)
        values[:, :2] = rng.integers(5, size=(len(values), 2))
        return space.from_values(values)

    monkeypatch.setattr(module, "_mutate", mutate)
    rng = np.random.default_rng(17)
    others = rng.choice(5**4, 30, replace=False)[:, None] // 5 ** np.arange(4) % 5
    cells = space.from_values(np.hstack([rng.integers(5, size=(30, 2)), others]))
    for signals in rng.normal(size=(5, 30)):
        seen = Seen(space, "class")
        seen.add(cells)
        new, parent = _evolve(space, rng, Told(space), cells, signals, seen, 10)
        ancestor = space.to_values(cells[parent])
        assert (space.to_values(new)[:, 2:] == ancestor[:, 2:]).all()


def test_evolution_favours_the_fit():
    space = SPACES.get("nasbench201")
    rng = np.random.default_rng(12)
    cells = space.sample(100, rng)
    seen = Seen(space, "class")
    seen.add(cells)
    model = Told(space)
    _evolve(space, rng, model, cells, np.zeros(100), seen, 10)
    means = [Told(space).improvement(asked).mean() for asked in model.asked]
    assert means[-1] > means[1] > 0


def test_mutations_take_one_to_five_steps():
    class Counting:
        def mutate(self, cells, rng):
            return Cells(cells.nodes + 1, cells.edges)

    cells = Cells(np.zeros((20_000, 1), dtype=np.int8), np.zeros((20_000, 1, 1), dtype=np.int8))
    steps = _mutate(Counting(), cells, np.random.default_rng(13)).nodes[:, 0]
    assert chisquare(np.bincount(steps, minlength=6)[1:], 20_000 * np.array(STEPS)).pvalue > 0.001


@pytest.mark.parametrize("name", CELLS)
def test_proposals_are_new_and_valid(name):
    space = SPACES.get(name)
    trial = METHODS.get("nasbot").start(
        space, np.random.default_rng(14), METHODS.get("nasbot").settings(name)
    )
    cells = next(trial)
    assert len(cells) == 10
    codes = list(space.canonical(cells))
    for step in range(10, 22):
        proposal = trial.send(space.to_values(cells).sum(axis=1).astype(float))
        assert isinstance(proposal, Proposal)
        cells = proposal.cells
        assert len(cells) == 1
        assert space.is_valid(cells).all()
        assert 0 <= proposal.parents[0] < step
        codes += list(space.canonical(cells))
    assert len(set(codes)) == 22


def test_a_spent_space_ends_the_trial():
    space = chain()
    trial = METHODS.get("nasbot").function(space, np.random.default_rng(15), initial=2)
    proposals = [next(trial)]
    # All signals alike, so that there is nothing to learn either.
    proposals += [trial.send(np.full(2, 10.0)).cells]
    proposals += [trial.send(np.full(1, 10.0)).cells for _ in range(6)]
    with pytest.raises(StopIteration):
        trial.send(np.full(1, 10.0))
    codes = np.concatenate([space.pack(cells) for cells in proposals])
    assert sorted(codes) == list(range(9))


def test_hyperparameters_are_fitted_at_intervals_that_grow(monkeypatch):
    sizes = []

    def note(gaps, targets, starts, bounds):
        sizes.append((len(targets), len(starts)))
        assert bounds is BOUNDS
        return START

    monkeypatch.setattr(module, "fit", note)
    monkeypatch.setattr(module, "_evolve", lambda space, rng, *rest: (space.sample(1, rng), 0))
    space = SPACES.get("nasbench201")
    trial = METHODS.get("nasbot").function(space, np.random.default_rng(16), refit=4)
    cells = next(trial)
    trial.send(np.arange(len(cells), dtype=float))
    for value in range(60):
        trial.send(np.array([float(value)]))
    fitted = [10, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 55, 60, 66]
    assert sizes == [(size, 1 if size == 10 else 2) for size in fitted]


@pytest.mark.slow
def test_nasbot_beats_random_search():
    bench = BENCHMARKS.get("digits201").open(Path("nowhere"))

    def means(method):
        chosen = Search(bench, METHODS.get(method), budget_evaluations=60)
        runs = [run_trial(chosen, trial)["signal"].to_numpy() for trial in range(5)]
        return np.mean([run.max() for run in runs]), np.mean([run[20:].mean() for run in runs])

    best, later = means("nasbot")
    random_best, random_later = means("random_search")
    assert best > random_best
    # It looks where cells are good.
    assert later > random_later + 3
