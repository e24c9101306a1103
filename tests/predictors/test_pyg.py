"""PyTorch Geometric models as predictors, the tutorial's one among them."""

import importlib
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn
from torch_geometric.nn import GATv2Conv, GCNConv, Sequential, global_mean_pool

from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import as_tensors, fit, gradient, predict
from dagnas.predictors.pyg import from_pyg
from dagnas.spaces.cells import Graphs
from tests.predictors.common import any_space, one_hots, seeded
from tests.predictors.reference import NNConvECC

PAGE = Path(__file__).parents[2] / "docs" / "tutorial_predictor.md"
SHAPE = (4, 3, 5)


def gat():
    return Sequential(
        "x, edge_index, edge_attr, batch",
        [
            (GATv2Conv(3, 16, edge_dim=5), "x, edge_index, edge_attr -> x"),
            nn.ReLU(),
            (global_mean_pool, "x, batch -> x"),
            nn.Linear(16, 1),
        ],
    )


def gcn():
    return Sequential(
        "x, edge_index, edge_weight, batch",
        [
            (GCNConv(3, 16), "x, edge_index, edge_weight -> x"),
            nn.ReLU(),
            (global_mean_pool, "x, batch -> x"),
            nn.Linear(16, 1),
        ],
    )


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def tutorial(tmp_path, monkeypatch):
    """Folder with the file that the page tells its reader to save."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "my_predictor.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("my_predictor", None)


def test_adapter_gives_nnconv_what_ecc_computes():
    model = PREDICTORS.get("ecc").build(any_space(*SHAPE), seeded())
    adapted = from_pyg(NNConvECC(model, 5))
    graphs = as_tensors(one_hots(6, *SHAPE))
    assert torch.allclose(adapted(graphs), model(graphs), atol=1e-5)
    mine, theirs = gradient(adapted, graphs), gradient(model, graphs)
    assert torch.allclose(mine.nodes, theirs.nodes, atol=1e-5)
    assert torch.allclose(mine.edges, theirs.edges, atol=1e-5)


def test_edge_attributes_have_gradients():
    graphs = one_hots(6, *SHAPE)
    found = gradient(from_pyg(gat()), graphs)
    upper = torch.ones(4, 4).triu(1).bool()
    assert (found.nodes.abs().sum((1, 2)) > 0).all()
    assert (found.edges[:, upper].abs().sum(0) > 0).all()
    assert not found.edges[:, ~upper].any()


def test_edge_weight_is_what_is_not_the_first_type():
    model = from_pyg(gcn(), "x, edge_index, edge_weight, batch")
    graphs = one_hots(6, *SHAPE)
    found = gradient(model, graphs).edges
    assert found[..., 1:].abs().sum() > 0
    assert not found[..., 0].any()
    # Only presence counts: another operation on the same connections gives the same score.
    other = Graphs(graphs.nodes, graphs.edges[..., [0, 2, 3, 4, 1]])
    assert torch.equal(model(as_tensors(other)), model(as_tensors(graphs)))
    absent = Graphs(graphs.nodes, np.zeros_like(graphs.edges))
    assert not torch.allclose(model(as_tensors(absent)), model(as_tensors(graphs)))


def test_models_blind_to_edges_have_zero_gradient_there():
    class Nodes(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Linear(3, 1)

        def forward(self, x, batch):
            return global_mean_pool(self.score(x), batch)

    found = gradient(from_pyg(Nodes(), "x, batch"), one_hots(2, *SHAPE))
    assert found.nodes.any()
    assert found.edges.shape == (2, 4, 4, 5)
    assert not found.edges.any()


def test_scores_must_be_one_a_graph():
    unpooled = Sequential("x, edge_index", [(GCNConv(3, 1), "x, edge_index -> x")])
    with pytest.raises(DagnasError, match=r"shape \(8, 1\) for 2 graphs"):
        from_pyg(unpooled, "x, edge_index")(as_tensors(one_hots(2, *SHAPE)))


def test_names_of_inputs_are_checked():
    with pytest.raises(
        DagnasError, match=r"'edge_atr' \(did you mean 'edge_attr'\?\); valid: batch"
    ):
        from_pyg(gat(), "x, edge_index, edge_atr, batch")


def test_tutorial_predictor_learns_to_rank(tutorial):
    entry = importlib.import_module("my_predictor").my_gnn
    model = entry.build(any_space(*SHAPE), seeded(), hidden=32)
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(4, 4, 5))
    train, test = one_hots(96, *SHAPE, seed=1), one_hots(96, *SHAPE, seed=2)
    truth = [(graphs.edges * weights).sum((1, 2, 3)) for graphs in (train, test)]
    before = spearmanr(predict(model, test), truth[1]).statistic
    fit(model, train, truth[0], epochs=15, generator=seeded())
    after = spearmanr(predict(model, test), truth[1]).statistic
    assert after > max(0.5, before + 0.3)
    assert gradient(model, test).edges.any()
    again = entry.build(any_space(*SHAPE), seeded(), hidden=32)
    fit(again, train, truth[0], epochs=15, generator=seeded())
    assert torch.equal(predict(again, test), predict(model, test))


def test_tutorial_command_searches_with_it(tutorial, data, monkeypatch):
    (command,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    program, *arguments = shlex.split(command.replace("\\\n", "").replace("0:10", "0:1"))
    assert program == "dagnas"
    monkeypatch.chdir(tutorial)
    monkeypatch.setattr(PREDICTORS, "_added", {})
    short = ["--budget-evaluations", "37", "--device", "cpu", "--data", str(data)]
    assert not main([*arguments, *short])
    trace = pq.read_table(tutorial / "my_gnn.parquet")
    assert len(trace) == 37
    assert b"my_gnn" in trace.schema.metadata[b"dagnas.settings"]


def test_edges_are_sorted_by_head_for_aggregations_over_sequences():
    seen = []

    class Listening(nn.Module):
        def forward(self, edge_index, edge_attr):
            seen.extend([edge_index, edge_attr])
            return torch.zeros(2)

    graphs = as_tensors(one_hots(2, *SHAPE))
    from_pyg(Listening(), "edge_index, edge_attr")(graphs)
    (tails, heads), types = seen
    assert (heads.diff() >= 0).all()
    assert (tails < heads).all()
    assert torch.equal(types, graphs.edges[tails // 4, tails % 4, heads % 4])
    assert len(set(zip(tails.tolist(), heads.tolist(), strict=True))) == 2 * 6


def test_what_is_no_module_or_gives_no_tensor_is_refused():
    class Silent(nn.Module):
        def forward(self, x):
            return None

    with pytest.raises(DagnasError, match="Silent gave NoneType; a predictor gives a tensor"):
        from_pyg(Silent(), "x")(as_tensors(one_hots(2, *SHAPE)))
    with pytest.raises(DagnasError, match="takes a module of torch, not NoneType"):
        from_pyg(None)
