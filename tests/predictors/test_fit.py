"""Training, scores and gradients."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from dagnas.errors import DagnasError
from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import as_tensors, fit, gradient, predict
from dagnas.spaces.cells import Graphs
from tests.predictors.common import any_space, one_hots, seeded

SHAPE = (4, 3, 5)


def build(name="ecc", seed=0, **settings):
    return PREDICTORS.get(name).build(any_space(*SHAPE), seeded(seed), **settings)


def task(count, seed=0):
    """Cells, and a made-up error: the sum of a value for every type of vertex and of edge."""
    graphs = one_hots(count, *SHAPE, seed)
    rng = np.random.default_rng(99)
    values = graphs.nodes @ rng.normal(size=3), graphs.edges @ rng.normal(size=5)
    return graphs, values[0].sum(1) + values[1].sum((1, 2))


def bits(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(these, those):
    return all(torch.equal(a, b) for a, b in zip(these, those, strict=True))


@pytest.mark.parametrize("name", ["ecc", "mlp"])
def test_learns_to_rank_cells_it_has_not_seen(name):
    model = build(name)
    graphs, targets = task(128)
    unseen, truth = task(256, seed=1)
    before = spearmanr(predict(model, unseen), truth).statistic
    result = fit(model, graphs, targets, generator=seeded())
    after = spearmanr(predict(model, unseen), truth).statistic
    assert result.losses[-1] < result.losses[0] / 2
    assert after > 0.8 > abs(before)


def test_same_generator_gives_identical_weights_whatever_the_global_state():
    graphs, targets = task(40)
    results = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        model = build("ecc", hidden=8)
        fit(model, graphs, targets, epochs=2, generator=seeded(5))
        assert torch.equal(torch.get_rng_state(), state)
        results.append(bits(model))
    assert same(*results)
    other = build("ecc", hidden=8)
    fit(other, graphs, targets, epochs=2, generator=seeded(6))
    assert not same(results[0], bits(other))


def test_dropout_draws_from_the_generator_too():
    graphs, targets = task(40)
    results = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        model = build("mlp", hidden=8)
        model.layers.insert(2, nn.Dropout(0.5))
        fit(model, graphs, targets, epochs=1, generator=seeded(5))
        results.append(bits(model))
    assert same(*results)


def test_one_epoch_is_adam_on_the_shuffled_minibatches():
    graphs, targets = task(7)
    model = build("mlp", hidden=4)
    expected = copy.deepcopy(model)
    orders = []

    def squares(scores, truth):
        orders.append(truth)
        return (scores - truth).square().sum()

    settings = {"lr": 0.1, "weight_decay": 0.5}
    fit(
        model, graphs, targets, epochs=1, batch_size=3, generator=seeded(), loss=squares, **settings
    )
    # Batches of 3, 3 and 1; the last one is left out.
    assert [len(batch) for batch in orders] == [3, 3]
    seen = torch.cat(orders).tolist()
    assert len(set(seen)) == 6
    assert set(seen) < set(np.float32(targets).tolist())
    optimizer = torch.optim.Adam(expected.parameters(), **settings)
    for truth in list(orders):
        rows = [np.float32(targets).tolist().index(value) for value in truth.tolist()]
        optimizer.zero_grad()
        batch = as_tensors(Graphs(graphs.nodes[rows], graphs.edges[rows]))
        squares(expected(batch), truth).backward()
        optimizer.step()
    for mine, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_epochs_are_shuffled_anew():
    graphs, targets = task(64)
    orders = []

    def recorded(scores, truth):
        orders.append(truth.tolist())
        return scores.sum()

    fit(build("mlp"), graphs, targets, epochs=2, generator=seeded(), loss=recorded)
    assert len(orders) == 4
    assert sorted(orders[0] + orders[1]) == sorted(orders[2] + orders[3])
    assert orders[0] != orders[2]


def test_training_can_go_on_or_start_a_new_optimizer():
    graphs, targets = task(40)
    first = build("mlp")
    optimizer = fit(first, graphs, targets, epochs=3, generator=seeded()).optimizer
    again = copy.deepcopy(first)
    kept = fit(first, graphs, targets, epochs=1, generator=seeded(), optimizer=optimizer)
    assert kept.optimizer is optimizer
    fit(again, graphs, targets, epochs=1, generator=seeded())
    assert not same(bits(first), bits(again))


def test_cells_of_one_batch_less_than_a_pair_leave_the_weights():
    graphs, targets = task(1)
    model = build("mlp")
    before = bits(model)
    assert fit(model, graphs, targets, epochs=2, generator=seeded()).losses.tolist() == [0, 0]
    assert same(before, bits(model))


def test_predict_does_not_depend_on_the_chunk():
    graphs, _ = task(50)
    model = build()
    whole = predict(model, graphs)
    assert whole.shape == (50,)
    assert torch.allclose(predict(model, graphs, batch=7), whole, atol=1e-6)
    none = Graphs(graphs.nodes[:0], graphs.edges[:0])
    assert predict(model, none).shape == (0,)


def test_gradient_is_of_each_score_alone_and_leaves_no_trace():
    graphs, _ = task(5)
    model = build()
    whole = gradient(model, graphs)
    for cell in range(5):
        one = gradient(model, Graphs(*(values[cell : cell + 1] for values in graphs)))
        assert torch.allclose(one.nodes[0], whole.nodes[cell], atol=1e-6)
        assert torch.allclose(one.edges[0], whole.edges[cell], atol=1e-6)
    assert all(parameter.grad is None for parameter in model.parameters())
    lower = torch.ones(4, 4).tril().bool()
    assert not whole.edges[:, lower].any()
    assert whole.edges[:, ~lower].any()


def test_a_step_against_the_gradient_lowers_the_score():
    graphs, targets = task(64)
    model = build()
    fit(model, graphs, targets, epochs=5, generator=seeded())
    found = gradient(model, graphs)
    moved = Graphs(
        graphs.nodes - 1e-4 * found.nodes.numpy(), graphs.edges - 1e-4 * found.edges.numpy()
    )
    assert (predict(model, moved) < predict(model, graphs)).all()


@pytest.mark.parametrize("name", ["nodes", "edges", "targets"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(name, value):
    graphs, targets = task(4)
    data = {"nodes": graphs.nodes, "edges": graphs.edges, "targets": targets}
    data[name] = data[name].copy()
    data[name].flat[1] = value
    model = build("mlp")
    before = bits(model)
    with pytest.raises(DagnasError, match=f"{name} to train on hold NaN or infinity"):
        fit(model, Graphs(data["nodes"], data["edges"]), data["targets"], generator=seeded())
    assert same(before, bits(model))


def test_scores_and_gradients_that_are_not_finite_are_refused():
    graphs, _ = task(4)
    graphs.nodes[2, 0, 0] = np.nan
    with pytest.raises(DagnasError, match="scores of cells hold NaN"):
        predict(build(), graphs)
    with pytest.raises(DagnasError, match="gradients at cells hold NaN"):
        gradient(build(), graphs)


def test_training_that_diverges_is_an_error():
    graphs, targets = task(40)
    with pytest.raises(DagnasError, match="losses in training"):
        fit(build("mlp"), graphs, targets, epochs=5, lr=1e30, generator=seeded())


def test_as_many_targets_as_cells():
    graphs, targets = task(4)
    with pytest.raises(DagnasError, match="4 cells to train on, but 3 targets"):
        fit(build("mlp"), graphs, targets[:3], generator=seeded())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["ecc", "mlp"])
def test_gpu_stays_on_its_device_and_agrees_with_the_cpu(name):
    graphs, targets = task(64)
    results = []
    for device in ("cpu", "cuda"):
        model = build(name).to(device)
        state = torch.cuda.get_rng_state()
        result = fit(model, as_tensors(graphs, device), targets, epochs=2, generator=seeded())
        assert torch.equal(torch.cuda.get_rng_state(), state)
        assert result.losses.device.type == device
        scores, found = predict(model, graphs), gradient(model, graphs)
        assert scores.device.type == found.edges.device.type == device
        results.append(scores.cpu())
    assert torch.allclose(*results, atol=0.05)
