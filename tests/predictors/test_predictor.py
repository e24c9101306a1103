"""Predictors: names, settings, weights, and the two of GOAL."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from dagnas.errors import DagnasError
from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import as_tensors, predict
from dagnas.predictors.predictor import predictor
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Graphs
from tests.predictors.common import any_space, one_hots, seeded


def test_names():
    assert PREDICTORS.names() == ["ecc", "gcn", "lstm", "mlp", "wide_mlp"]


def test_names_do_not_import_torch():
    code = (
        "import sys; from dagnas.predictors import PREDICTORS as p; "
        "p.names(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["ecc", "mlp"])
def test_says_what_it_is(name):
    entry = PREDICTORS.get(name)
    assert entry.name == name
    assert entry.module == PREDICTORS.module(name) == f"dagnas.predictors.{name}"
    assert entry.settings == {"layers": 4, "hidden": 64}


@pytest.mark.parametrize("name", ["ecc", "mlp"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hiden": 8}, "unknown setting of predictor .* 'hiden'.*hidden.*valid: hidden, layers"),
        ({"hidden": "many"}, "setting hidden='many'"),
        ({"layers": 0}, "setting layers=0"),
    ],
)
def test_wrong_settings_are_refused(name, settings, message):
    with pytest.raises(DagnasError, match=message):
        PREDICTORS.get(name).build(any_space(4, 3, 5), seeded(), **settings)


@pytest.mark.parametrize("name", ["ecc", "mlp"])
def test_weights_come_from_the_generator_alone(name):
    def weights(seed):
        model = PREDICTORS.get(name).build(any_space(4, 3, 5), seeded(seed))
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights(0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(weights(0), first)
    assert not torch.equal(weights(1), first)


def test_two_models_of_one_generator_differ():
    generator = seeded()
    build = PREDICTORS.get("mlp").build
    first, second = (build(any_space(4, 3, 5), generator).layers[0].weight for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", ["ecc", "mlp"])
@pytest.mark.parametrize("space", ["nasbench101", "nasbench201"])
def test_scores_cells_of_real_spaces(name, space):
    space = SPACES.get(space)
    model = PREDICTORS.get(name).build(space, seeded(), hidden=16)
    cells = space.unpack(torch.arange(1, 6).numpy())
    scores = predict(model, space.to_graph(cells))
    assert scores.shape == (5,)
    assert len(set(scores.tolist())) == 5


def test_mlp_sees_the_allowed_positions_only():
    space = any_space(3, 2, 2)
    space.node_mask[0, 1] = False
    model = PREDICTORS.get("mlp").build(space, seeded(), layers=2, hidden=8)
    assert [m.weight.shape for m in model.layers if isinstance(m, nn.Linear)] == [
        (8, 5 + 6),
        (8, 8),
        (1, 8),
    ]
    graphs = as_tensors(one_hots(4, 3, 2, 2))
    changed = Graphs(graphs.nodes.clone(), graphs.edges.clone())
    changed.nodes[:, 0, 1] += 7
    changed.edges[:, 2, 1] += 7
    assert torch.equal(model(changed), model(graphs))
    changed.edges[:, 1, 2, 0] += 7
    assert not torch.equal(model(changed), model(graphs))


def test_a_user_can_add_one(monkeypatch):
    monkeypatch.setattr(PREDICTORS, "_added", {})

    @predictor
    def count_edges(space, *, bias: float = 0.0):
        class Count(nn.Module):
            def __init__(self):
                super().__init__()
                self.factor = nn.Parameter(torch.ones(()))

            def forward(self, graphs):
                return self.factor * graphs.edges[..., 1:].sum((1, 2, 3)) + bias

        return Count()

    PREDICTORS.add("count_edges", count_edges)
    graphs = one_hots(3, 4, 3, 5)
    model = PREDICTORS.get("count_edges").build(any_space(4, 3, 5), seeded(), bias=1)
    assert model(as_tensors(graphs)).tolist() == (graphs.edges[..., 1:].sum((1, 2, 3)) + 1).tolist()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: None, "'broken' returns None, no module"),
        (lambda: 3, "'broken' returns a int, no module"),
        (nn.ReLU, "'broken' has no parameters"),
        (lambda: nn.Linear(2, 1).double(), r"'broken' has weights of torch\.float64"),
    ],
)
def test_builders_of_what_cannot_be_trained_are_refused(made, message):
    @predictor
    def broken(space):
        return made()

    with pytest.raises(DagnasError, match=message):
        broken.build(any_space(4, 3, 5), seeded())
