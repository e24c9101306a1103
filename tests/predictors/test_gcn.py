"""BONAS's GCN: equal to a network of PyTorch's modules, and equation 3 by hand."""

import copy
import inspect
import itertools

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from dagnas.errors import DagnasError
from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import as_tensors, fit, gradient, predict
from dagnas.predictors.gcn.compiled import _compiled, loss_and_gradient
from dagnas.predictors.gcn.model import EPSILON, GCN, MOMENTUM
from dagnas.predictors.gcn.training import fit_square
from dagnas.predictors.losses import WEIGHTS, weighted_square
from dagnas.predictors.predictor import drawing_from
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Cells, Graphs
from tests.predictors.common import any_space, as_double, one_hots, seeded

#: Of vertices, types of vertices and types of edges; the last one is seen as a line graph.
SHAPES = [(7, 5, 2), (3, 2, 2), (4, 3, 5)]


class Norm(nn.BatchNorm1d):
    """PyTorch's batch norm, but for a running variance that is the biased one."""

    def forward(self, values):
        before, size = self.running_var.clone(), len(values)
        result = super().forward(values)
        if self.training:
            unbiased = (self.running_var - 0.9 * before) / 0.1
            self.running_var = 0.9 * before + 0.1 * unbiased * (size - 1) / size
        return result


class Reference(nn.Module):
    """The function of a `Body`, with its weights, from encoded graphs, vertex by vertex."""

    def __init__(self, body):
        super().__init__()
        *layers, head, bias = (part.detach().clone() for part in body.split(body.weights))
        self.kernels = nn.ParameterList(layers[::3])
        self.norms = nn.ModuleList(Norm(len(scale), dtype=scale.dtype) for scale in layers[1::3])
        for norm, scale, shift in zip(self.norms, layers[1::3], layers[2::3], strict=True):
            norm.weight, norm.bias = nn.Parameter(scale), nn.Parameter(shift)
        self.head, self.bias = nn.Parameter(head), nn.Parameter(bias)

    def forward(self, graphs):
        sums, messages = graphs
        there = torch.diagonal(messages, dim1=1, dim2=2) > 0
        states = torch.zeros(*sums.shape[:2], len(self.head), dtype=sums.dtype)
        for number, (kernel, norm) in enumerate(zip(self.kernels, self.norms, strict=True)):
            values = (messages @ states if number else sums) @ kernel
            if number == len(self.kernels) - 1:
                embedded = norm(values[:, -1]).relu()
            else:
                states = torch.zeros_like(values)
                states[there] = norm(values[there]).relu()
        return torch.sigmoid(-(embedded @ self.head + self.bias))

    def gradient(self):
        """Of all weights, in the order of a body's."""
        parts = []
        for kernel, norm in zip(self.kernels, self.norms, strict=True):
            parts += [kernel.grad, norm.weight.grad, norm.bias.grad]
        return [*parts, self.head.grad, self.bias.grad]


def build(shape, seed=0, **settings):
    """A GCN in double precision, whose scales, shifts and statistics are not the initial ones."""
    space = any_space(*shape)
    space.num_nodes = shape[0]
    model = PREDICTORS.get("gcn").build(space, seeded(seed), **settings).double()
    scatter(model.body, seed)
    return model


def scatter(body, seed=0):
    with torch.no_grad():
        noise = torch.randn(body.weights.shape, generator=seeded(seed), dtype=body.weights.dtype)
        body.weights += 0.3 * noise
    body.mean.normal_(0, 0.1, generator=seeded(seed))
    body.variance.uniform_(0.5, 2, generator=seeded(seed))


def close(mine, theirs, rtol=1e-9):
    np.testing.assert_allclose(mine.detach(), theirs.detach(), rtol=rtol, atol=1e-12)


def cells(shape, count=9, seed=0):
    """Random graphs; where edges only connect, some vertices have none."""
    graphs = as_double(one_hots(count, *shape, seed))
    if shape[2] == 2:
        away = torch.rand(count, shape[0], generator=seeded(seed)) < 0.3
        graphs.edges[..., 1] *= ~(away[:, :, None] | away[:, None])
    return graphs


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("normalized", [True, False])
def test_equals_a_network_of_modules_in_training_and_after(shape, normalized):
    model = build(shape, normalized=normalized, hidden=6)
    reference = Reference(model.body)
    for norm, mean, variance in zip(
        reference.norms, model.body.mean, model.body.variance, strict=True
    ):
        norm.running_mean, norm.running_var = mean.clone(), variance.clone()
    for seed in range(3):  # running statistics take several steps
        encoded = model.encode(cells(shape, 9 + seed, seed))
        mine, theirs = model.body(encoded), reference(encoded)
        close(mine, theirs)
        # Every cell weighs differently, so that cells that were mixed up would show.
        for scores, network in ((mine, model), (theirs, reference)):
            network.zero_grad()
            (scores @ torch.arange(1, len(scores) + 1, dtype=torch.float64)).backward()
        parts = model.body.split(model.body.weights.grad)
        for part, expected in zip(parts, reference.gradient(), strict=True):
            assert expected.abs().max() > 1e-4
            close(part, expected, rtol=1e-7)
    running = torch.stack([norm.running_mean for norm in reference.norms])
    close(model.body.mean, running)
    running = torch.stack([norm.running_var for norm in reference.norms])
    close(model.body.variance, running)
    encoded, reference = model.eval().encode(cells(shape, 5, 9)), reference.eval()
    close(model.body(encoded), reference(encoded))
    output = model.body.embed(encoded) @ reference.head + reference.bias
    close(torch.sigmoid(-output), reference(encoded))


def by_pytorch(model, graphs, errors, loss, epochs, batch_size=128, lr=1e-3):
    """A copy of the model's body, trained by PyTorch in double precision."""
    body = copy.deepcopy(model.body).train()
    optimizer = torch.optim.Adam(body.parameters(), lr=lr)
    with drawing_from(seeded(1)):
        orders = [torch.randperm(len(errors)) for _ in range(epochs)]
    for batch in itertools.chain.from_iterable(order.split(batch_size) for order in orders):
        if len(batch) > 1:
            optimizer.zero_grad()
            scores = body(Graphs(*(values[batch] for values in graphs)))
            weighted_square(loss)(scores, errors[batch]).backward()
            optimizer.step()
    return body


def by_hand(body, graphs, errors, importances, weights):
    """Loss, gradient, means and variances of the compiled step at some weights."""
    gradient, mean, variance = np.empty_like(weights), body.mean.numpy(), body.variance.numpy()
    mean, variance = mean.copy(), variance.copy()
    arrays = [values.numpy() for values in (*graphs, errors, importances)]
    loss = loss_and_gradient(*arrays, weights, gradient, mean, variance, EPSILON, MOMENTUM)
    return loss, gradient, mean, variance


@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_by_hand_is_autograds_and_that_of_finite_differences(shape, layers):
    model = build(shape, hidden=6, layers=layers)
    graphs = model.encode(cells(shape, 11))
    errors = torch.rand(11, generator=seeded(4), dtype=torch.float64)
    importances = torch.rand(11, generator=seeded(5), dtype=torch.float64)
    weights = model.body.weights.detach().numpy().copy()
    loss, gradient, mean, variance = by_hand(model.body, graphs, errors, importances, weights)

    reference = Reference(model.body)
    for norm, old, spread in zip(
        reference.norms, model.body.mean, model.body.variance, strict=True
    ):
        norm.running_mean, norm.running_var = old.clone(), spread.clone()
    expected = (importances * (reference(graphs) - errors).square()).mean()
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    theirs = np.concatenate([part.numpy().ravel() for part in reference.gradient()])
    assert (abs(theirs) > 1e-6).mean() > 0.3
    np.testing.assert_allclose(gradient, theirs, rtol=1e-7, atol=1e-12)
    for found, statistic in ((mean, "running_mean"), (variance, "running_var")):
        running = np.stack([getattr(norm, statistic).numpy() for norm in reference.norms])
        np.testing.assert_allclose(found, running, rtol=1e-9)

    rng, step = np.random.default_rng(0), 1e-6
    for _ in range(5):
        way = rng.normal(size=len(weights))
        ahead, behind = (
            by_hand(model.body, graphs, errors, importances, weights + s * way)[0]
            for s in (step, -step)
        )
        assert (ahead - behind) / (2 * step) == pytest.approx(gradient @ way, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("loss", WEIGHTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_training_is_that_of_pytorch(shape, loss):
    model = build(shape)
    graphs = model.encode(cells(shape, 13))
    errors = torch.rand(13, generator=seeded(4), dtype=torch.float64)
    # The last batch of each epoch is a single cell, which is left out.
    given = {"loss": loss, "epochs": 5, "batch_size": 4, "lr": 0.01}
    expected = by_pytorch(model, graphs, errors, **given)
    fit_square(model.body, graphs, errors, **given, generator=seeded(1))
    close(model.body.weights, expected.weights, rtol=1e-6)
    close(model.body.mean, expected.mean, rtol=1e-6)
    close(model.body.variance, expected.variance, rtol=1e-6)


def test_compiled_training_of_relaxed_cells_and_few_layers():
    for layers in (1, 2):
        model = build((7, 5, 2), layers=layers)
        graphs = cells((7, 5, 2), 12)
        graphs.edges[4:8, ..., 1] *= 0.7
        encoded = model.encode(graphs)
        errors = torch.rand(12, generator=seeded(4), dtype=torch.float64)
        expected = by_pytorch(model, encoded, errors, "mse", 3)
        fit_square(model.body, encoded, errors, loss="mse", epochs=3, generator=seeded(1))
        close(model.body.weights, expected.weights, rtol=1e-6)


def test_other_devices_learn_the_same_cells(monkeypatch):
    results = []
    for elsewhere in (False, True):
        if elsewhere:
            monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda self: False))
        model = build((4, 3, 5)).float()
        graphs = model.encode(as_tensors(cells((4, 3, 5), 60)))
        errors = graphs.nodes[:, -1, 0] / 10
        fit_square(model.body, graphs, errors, loss="mse", epochs=60, lr=0.01, generator=seeded())
        results.append(model.eval().body(graphs).detach())
    assert (results[0] - results[1]).abs().max() < 0.05
    assert (results[1] - errors).abs().mean() < 0.05


def test_compiled_training_that_diverges_is_refused():
    model = build((3, 2, 2))
    graphs = model.encode(cells((3, 2, 2), 8))
    errors = torch.full((8,), torch.inf, dtype=torch.float64)
    with pytest.raises(DagnasError, match="NaN or infinity"):
        fit_square(model.body, graphs, errors, loss="mse", epochs=1, generator=seeded())


def test_a_network_of_one_layer_works_as_well():
    model = build((7, 5, 2), layers=1, hidden=6)
    reference, encoded = Reference(model.body), model.encode(cells((7, 5, 2)))
    close(model.body(encoded), reference(encoded))
    model.body.mean.zero_(), model.body.variance.fill_(1)
    reference = Reference(model.body).eval()
    close(model.eval().body(encoded), reference(encoded))


def test_vertices_without_edges_change_nothing():
    small = build((5, 5, 2), hidden=6)
    large = build((7, 5, 2), hidden=6)
    large.load_state_dict(small.state_dict())
    graphs = cells((5, 5, 2))
    place = torch.tensor([0, 2, 3, 4, 6])
    nodes = as_double(one_hots(9, 7, 5, 2)).nodes
    nodes[:, place] = graphs.nodes
    edges = torch.zeros(9, 7, 7, 2, dtype=torch.float64)
    edges[:, place[:, None], place] = graphs.edges
    scores = [small(graphs), large(Graphs(nodes, edges))]
    close(*scores)
    for result in scores:
        result[:4].sum().backward()
    close(small.body.weights.grad, large.body.weights.grad)
    close(small.body.mean, large.body.mean)
    close(small.body.variance, large.body.variance)
    close(small.eval()(graphs), large.eval()(Graphs(nodes, edges)))


def test_isomorphic_cells_of_nasbench101_have_equal_scores():
    space = SPACES.get("nasbench101")
    drawn = space.prune(space.sample(15, np.random.default_rng(0)))
    pairs = [(cell, other) for cell in drawn for other in relabelled(cell)]
    assert len(pairs) > 50
    model = PREDICTORS.get("gcn").build(space, seeded()).double().eval()
    scatter(model.body)
    one, two = (
        model(as_double(space.to_graph(Cells(*map(np.concatenate, zip(*side, strict=True))))))
        for side in zip(*([(c.nodes, c.edges) for c in pair] for pair in pairs), strict=True)
    )
    close(one, two)
    assert len(np.unique(one.detach().numpy().round(9))) > 10


def relabelled(cell):
    """All cells that other orders of the interior vertices give, with edges forward."""
    for order in itertools.permutations(range(1, 6)):
        name = np.array([0, *order, 6])
        nodes, edges = np.zeros_like(cell.nodes), np.zeros_like(cell.edges)
        nodes[0, name] = cell.nodes[0]
        edges[0, name[:, None], name] = cell.edges[0]
        if not np.tril(edges[0]).any():
            yield Cells(nodes, edges)


def chain():
    """Vertices of types 0, 1, 1 with edges 0 -> 1, 0 -> 2 and 1 -> 2."""
    nodes = np.eye(2)[[[0, 1, 1]]]
    edges = np.zeros((1, 3, 3, 2))
    edges[0, [0, 0, 1], [1, 2, 2], 1] = 1
    return as_double(Graphs(nodes, edges))


def test_equation_3_by_hand():
    # Vertices hear 1, 2, 3 and, the global one, 4 vertices, themselves included.
    sums, messages = build((3, 2, 2)).encode(chain())
    a, b, c, d = 1, 2, 3, 4
    expected = [
        [1, 0, 0, 0],
        [(a * b) ** -0.5, 1 / b, 0, 0],
        [(a * c) ** -0.5, (b * c) ** -0.5, 1 / c, 0],
        [(a * d) ** -0.5, (b * d) ** -0.5, (c * d) ** -0.5, 1 / d],
    ]
    np.testing.assert_allclose(messages[0], expected)
    features = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(sums[0], np.array(expected) @ features)


def test_without_normalisation_features_are_summed():
    sums, messages = build((3, 2, 2), normalized=False).encode(chain())
    assert messages[0].tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    assert sums[0].tolist() == [[1, 0, 0], [1, 1, 0], [1, 2, 0], [1, 2, 1]]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_global_vertex_hears_all_that_are_there_and_is_heard_by_none(shape):
    graphs = cells(shape, 40)
    messages = build(shape, normalized=False).encode(graphs).edges
    assert not messages[:, :-1, -1].any()
    assert (messages[:, -1, -1] == 1).all()
    if shape[2] == 2:
        edges = graphs.edges[..., 1]
        there = (edges.sum(1) + edges.sum(2) > 0).double()
        assert 0 < there.mean() < 1
    else:
        there = torch.ones(40, 6 + 2)
    assert (messages[:, -1, :-1] == there).all()
    # What is not there neither speaks nor hears, not even itself.
    away = there == 0
    assert not messages[:, :-1][away].any()
    assert not messages[:, :, :-1].transpose(1, 2)[away].any()


def test_operations_on_edges_are_the_vertices_of_a_line_graph():
    space = SPACES.get("nasbench201")
    cell = space.from_str(
        ["|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"]
    )
    sums, messages = GCN(space, 4, 8, normalized=False).encode(as_tensors(space.to_graph(cell)))
    names = ["input", "01", "02", "03", "12", "13", "23", "output", "global"]
    heard = {
        "input": [],
        "01": ["input"],
        "02": ["input"],
        "03": ["input"],
        "12": ["01"],
        "13": ["01"],
        "23": ["02", "12"],
        "output": ["03", "13", "23"],
        "global": names[:-1],
    }
    expected = [[float(j in {i, *heard[i]}) for j in names] for i in names]
    assert messages[0].tolist() == expected
    # none, skip, 1x1, 3x3, pooling, input, output, global
    features = torch.eye(8)[[5, 3, 0, 4, 1, 2, 0, 6, 7]]
    close(sums[0], torch.tensor(expected) @ features)


def test_gradients_at_relaxed_cells_agree_with_finite_differences():
    space = SPACES.get("nasbench101")
    model = PREDICTORS.get("gcn").build(space, seeded()).train()
    scatter(model.body)
    rng = np.random.default_rng(0)
    graphs = space.to_graph(space.sample(6, rng))
    graphs = Graphs(*(0.6 * part + rng.uniform(0.05, 0.2, part.shape) for part in graphs))
    upper = np.triu(np.ones((7, 7)), 1)[..., None]
    graphs = Graphs(graphs.nodes, graphs.edges * upper)
    found = gradient(model, graphs)
    assert found.nodes.shape == graphs.nodes.shape
    assert (found.edges[..., 0] == 0).all(), "what is not connected sends nothing"
    assert ((found.edges[..., 1] != 0) == (upper[..., 0] > 0)).all()
    model.double()
    ways = [rng.normal(size=part.shape) for part in graphs]
    ways[1] = ways[1] * upper
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (
            model(as_double(Graphs(*(p + s * w for p, w in zip(graphs, ways, strict=True)))))
            for s in (step, -step)
        )
    actual = sum((s.numpy() * w).reshape(6, -1).sum(1) for s, w in zip(found, ways, strict=True))
    np.testing.assert_allclose(actual, (ahead - behind) / (2 * step), rtol=2e-3, atol=1e-5)


def test_it_learns_accuracies_of_cells_it_has_not_seen():
    space = SPACES.get("nasbench101")
    rng = np.random.default_rng(0)

    def task(count):
        drawn = space.prune(space.sample(count, rng))
        # 3x3 convolutions help, pooling harms, edges help.
        worth = np.array([0.0, 2.0, 1.0, -2.0, 0.0])[drawn.nodes]
        worth = (worth * drawn.edges.any(axis=1)).sum(axis=1) + drawn.edges.sum(axis=(1, 2)) / 2
        return space.to_graph(drawn), 0.3 - worth / 50

    model = PREDICTORS.get("gcn").build(space, seeded())
    graphs, targets = task(150)
    unseen, truth = task(200)
    settings = {"epochs": 25, "lr": 1e-3, "weight_decay": 0.0, "batch_size": 32}
    losses = fit(
        model, graphs, targets, generator=seeded(), loss=weighted_square("mse"), **settings
    ).losses
    assert losses[-1] < losses[0] / 10
    scores = predict(model, unseen)
    assert ((scores > 0) & (scores < 1)).all()
    assert spearmanr(scores, truth).statistic > 0.8


def test_the_papers_sizes_are_the_defaults():
    entry = PREDICTORS.get("gcn")
    assert entry.settings == {"layers": 4, "hidden": 64, "normalized": True}
    body = entry.build(SPACES.get("nasbench101"), seeded()).body
    *layers, head, bias = body.split(body.weights)
    assert [tuple(kernel.shape) for kernel in layers[::3]] == [(6, 64)] + [(64, 64)] * 3
    assert all(0.045 < kernel.abs().max() <= 0.05 for kernel in [*layers[::3], head])
    assert all((scale == 1).all() for scale in layers[1::3])
    assert all((shift == 0).all() for shift in layers[2::3])
    assert (tuple(head.shape), tuple(bias.shape)) == ((64,), (1,))
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(fit_square).parameters.items()
        if parameter.default is not parameter.empty
    }
    assert defaults == {"batch_size": 128, "lr": 1e-3}


def test_functions_compile_where_no_cache_can_be_kept(monkeypatch):
    import numba

    monkeypatch.setattr("numba.core.caching.CompileResultCacheImpl._locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(abs_plus_one)
    assert _compiled(abs_plus_one)(-1.0) == 2


def abs_plus_one(number):
    return abs(number) + 1
