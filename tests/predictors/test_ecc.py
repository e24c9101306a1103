"""ECC: equal to PyTorch Geometric's layers, and what its structure promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import as_tensors, gradient
from dagnas.spaces.cells import Graphs
from tests.predictors.common import SHAPES, any_space, as_double, one_hots, seeded
from tests.predictors.reference import NNConvECC


def build(vertices, node_types, edge_types, **sizes):
    space = any_space(vertices, node_types, edge_types)
    return PREDICTORS.get("ecc").build(space, seeded(), **sizes)


def collate(graphs):
    """PyTorch Geometric's batch, cell by cell and edge by edge."""
    vertices = graphs.nodes.shape[1]
    pairs = [(i, j) for j in range(vertices) for i in range(j)]
    return Batch.from_data_list(
        [
            Data(nodes, torch.tensor(pairs).T, torch.stack([edges[i, j] for i, j in pairs]))
            for nodes, edges in zip(*graphs, strict=True)
        ]
    )


def relaxed(seed, count, vertices, node_types, edge_types):
    """One-hots moved off the corners, as in the middle of a search."""
    graphs = as_double(one_hots(count, vertices, node_types, edge_types, seed))
    nodes, edges = (
        values + torch.randn(values.shape, generator=seeded(seed), dtype=values.dtype)
        for values in graphs
    )
    return Graphs(nodes, edges * torch.ones(vertices, vertices).triu(1)[..., None])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_equal_to_nnconv_forward_and_gradient(shape, dtype, tolerance):
    model = build(*shape).to(dtype)
    reference = NNConvECC(model, shape[-1])
    graphs = relaxed(1, 6, *shape)
    results = []
    for dense in (True, False):
        inputs = Graphs(*(values.to(dtype).requires_grad_() for values in graphs))
        if dense:
            scores = model(inputs)
        else:
            data = collate(inputs)
            scores = reference(data.x, data.edge_index, data.edge_attr, data.batch)
        # Each score weighs differently, so that cells that were mixed up would show.
        weighted = scores @ torch.arange(1, 7, dtype=dtype)
        nodes, edges = torch.autograd.grad(weighted, inputs)
        tails, heads = torch.triu_indices(shape[0], shape[0], 1)
        results.append([scores.detach(), nodes, edges[:, tails, heads]])
    for mine, theirs in zip(*results, strict=True):
        assert mine.abs().max() > 1e-3
        assert (mine - theirs).abs().max() <= tolerance * max(1, theirs.abs().max())


def test_gradient_of_weights_equals_nnconv():
    model = build(4, 3, 5).double()
    reference = NNConvECC(model, 5)
    graphs = relaxed(2, 6, 4, 3, 5)
    model(graphs).square().sum().backward()
    data = collate(graphs)
    reference(data.x, data.edge_index, data.edge_attr, data.batch).square().sum().backward()
    for kernel, layer in zip(model.kernels, reference.convolutions, strict=True):
        *parts, root = kernel.grad.split(len(kernel) // 6)
        assert torch.allclose(root.T, layer.lin.weight.grad, rtol=1e-9)
        theirs = layer.nn.weight.grad.T
        assert torch.allclose(torch.stack(parts).flatten(1), theirs, rtol=1e-9, atol=1e-12)
    gate = reference.readout.gate_nn.weight.grad[0]
    assert torch.allclose(model.attention.grad, gate, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["ecc", "mlp"])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**31), shape=st.sampled_from(SHAPES))
def test_gradients_agree_with_finite_differences(name, seed, shape):
    model = PREDICTORS.get(name).build(any_space(*shape), seeded(seed)).double()
    graphs = relaxed(seed, 2, *shape)
    inputs = [values.requires_grad_() for values in graphs]
    slopes = torch.autograd.grad(model(Graphs(*inputs)).sum(), inputs)
    upper = torch.ones(graphs.edges.shape[1:3]).triu(1)[..., None]
    ways = [torch.randn(v.shape, generator=seeded(seed), dtype=v.dtype) for v in inputs]
    ways[1] = ways[1] * upper
    step = 1e-7
    with torch.no_grad():
        ahead, behind = (
            model(Graphs(*(v + sign * step * w for v, w in zip(inputs, ways, strict=True))))
            for sign in (1, -1)
        )
    expected = float((ahead - behind).sum()) / (2 * step)
    actual = float(sum((s * w).sum() for s, w in zip(slopes, ways, strict=True)))
    assert np.isfinite(actual)
    assert actual == pytest.approx(expected, rel=1e-4, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), shape=st.sampled_from(SHAPES))
def test_each_score_depends_on_its_own_cell_only(seed, shape):
    model = build(*shape).double()
    graphs = relaxed(seed, 5, *shape)
    order = torch.randperm(5, generator=seeded(seed))
    together = model(graphs)
    assert torch.allclose(model(Graphs(*(v[order] for v in graphs))), together[order])
    alone = torch.cat([model(Graphs(*(v[i : i + 1] for v in graphs))) for i in range(5)])
    assert torch.allclose(alone, together)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), order=st.permutations(range(5)))
def test_scores_do_not_depend_on_the_numbering_of_vertices(seed, order):
    model = build(5, 3, 4).double()
    graphs = relaxed(seed, 3, 5, 3, 4)
    # Under another numbering edges may point backwards: the layers take any directed graph.
    renumbered = Graphs(graphs.nodes[:, order], graphs.edges[:, order][:, :, order])
    assert torch.allclose(model(renumbered), model(graphs))


def test_messages_follow_the_direction_of_edges():
    model = build(3, 2, 2, layers=1).double()
    graphs = relaxed(0, 1, 3, 2, 2)
    backwards = Graphs(graphs.nodes, graphs.edges.transpose(1, 2))
    assert not torch.allclose(model(backwards), model(graphs))


def test_disconnected_is_a_type_like_any_other():
    model = build(4, 3, 5)
    graphs = one_hots(8, 4, 3, 5)
    assert (gradient(model, graphs).edges[:, 0, 1].abs() > 0).all()
    swapped = Graphs(graphs.nodes, graphs.edges[..., [1, 0, 2, 3, 4]])
    assert not torch.allclose(model(as_tensors(swapped)), model(as_tensors(graphs)))


def test_paper_sizes_are_the_defaults():
    model = build(7, 5, 2)
    assert [tuple(k.shape) for k in model.kernels] == [(15, 64)] + [(192, 64)] * 3
    assert [tuple(p.shape) for p in model.head.parameters()] == [(64, 64), (64,), (1, 64), (1,)]
