"""BONAS's rivals of the GCN: the LSTM's equations by hand, and the wide perceptron's inputs."""

import numpy as np
import pytest
import torch
from torch import nn

from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import as_tensors, gradient
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Graphs
from tests.predictors.common import any_space, as_double, one_hots, seeded


def build(name, space, **settings):
    return PREDICTORS.get(name).build(space, seeded(), **settings)


def small():
    """Three vertices, of which the first has but one type; edges into the last are all free."""
    space = any_space(3, 2, 2)
    space.node_mask[0, 1] = False
    space.edge_mask[0, 1, 0] = False
    return space


def test_edges_into_a_vertex_come_before_it_and_fixed_places_are_left_out():
    # Vertices are 0 to 2 and edges 3 + 3 i + j: vertex 1; edges 0 -> 2 and 1 -> 2; vertex 2.
    assert build("lstm", small(), hidden=4).places.tolist() == [1, 5, 8, 2]


@pytest.mark.parametrize(("space", "length"), [("nasbench101", 26), ("nasbench201", 6)])
def test_all_free_places_are_read(space, length):
    space = SPACES.get(space)
    model = build("lstm", space)
    assert len(model.places) == len(set(model.places.tolist())) == len(space.sizes) == length
    assert model.of_edges.shape[1] == model.lstm.hidden_size == 100


def test_equals_the_equations_of_an_lstm():
    model = build("lstm", small(), hidden=4).double()
    graphs = as_double(one_hots(5, 3, 2, 2))
    kinds = [graphs.nodes[:, 1], graphs.edges[:, 0, 2], graphs.edges[:, 1, 2], graphs.nodes[:, 2]]
    tables = [model.of_nodes, model.of_edges, model.of_edges, model.of_nodes]
    w, u, b, c = (part.detach() for part in model.lstm.parameters())
    state = memory = torch.zeros(5, 4, dtype=torch.float64)
    for kind, table in zip(kinds, tables, strict=True):
        token = table.detach()[kind.argmax(dim=1)]
        enter, forget, new, leave = (token @ w.T + state @ u.T + b + c).chunk(4, dim=1)
        memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
        state = leave.sigmoid() * memory.tanh()
    expected = torch.sigmoid(state @ model.head.weight.detach()[0] + model.head.bias.detach())
    torch.testing.assert_close(model(graphs).detach(), expected)


@pytest.mark.parametrize("name", ["lstm", "wide_mlp"])
def test_gradients_at_relaxed_cells_agree_with_finite_differences(name):
    model = build(name, any_space(3, 2, 2), **({"hidden": 5} if name == "lstm" else {})).double()
    graphs = as_double(one_hots(2, 3, 2, 2))
    relaxed = Graphs(*(0.5 * part + 0.2 for part in graphs))
    inputs = [part.clone().requires_grad_() for part in relaxed]
    assert torch.autograd.gradcheck(lambda *parts: model(Graphs(*parts)), inputs)


@pytest.mark.parametrize("name", ["lstm", "wide_mlp"])
def test_every_free_place_counts_and_no_other(name):
    space = small()
    nodes, edges = gradient(build(name, space), as_tensors(one_hots(3, 3, 2, 2)))
    assert nodes[:, 1:].abs().amin() > 0
    assert edges[:, [0, 1], 2].abs().amin() > 0
    assert not nodes[:, 0].any()
    assert not edges[:, 0, 1].any()


def test_wide_mlp_has_the_papers_layers():
    for space, inputs in (("nasbench101", 5 * 3 + 21 * 2), ("nasbench201", 6 * 5)):
        layers = [m for m in build("wide_mlp", SPACES.get(space)).layers if hasattr(m, "weight")]
        widths = [layer.out_features for layer in layers]
        assert (layers[0].in_features, widths) == (inputs, [512, 2048, 2048, 512, 1])
    assert not isinstance(build("wide_mlp", small()).layers[-1], nn.ReLU)


def test_lstm_predicts_shares():
    space = SPACES.get("nasbench201")
    graphs = as_tensors(space.to_graph(space.sample(50, np.random.default_rng(0))))
    scores = build("lstm", space)(graphs)
    assert scores.min() > 0
    assert scores.max() < 1
    assert len(scores.unique()) > 40
