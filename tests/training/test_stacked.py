"""Stacked networks: each equals an ordinary network, whatever it is stacked with."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Cells
from dagnas.spaces.sizes.nasbench201 import Skeleton201, nasbench201_size
from dagnas.training import stacked
from dagnas.training.stacked import StackedNetworks
from tests.training.reference import network_of, of_network, on_a_path, reference_of, running

SPACE = SPACES.get("nasbench201")

SKELETONS = {
    "digits": Skeleton201(8, 8, 1, 10, 8, 2, 1, 2, False),
    "residual": Skeleton201(6, 6, 1, 3, 4, 3, 2, 1, True),
    "odd": Skeleton201(7, 5, 3, 4, 4, 3, 1, 2, False),
    "odd residual": Skeleton201(7, 5, 3, 4, 4, 2, 1, 1, True),
    # Its convolutions, and the pooling before the first reduction, are too large for matrices.
    "large": Skeleton201(24, 20, 3, 3, 4, 2, 1, 1, True),
}


def code(e01, e02, e12, e03, e13, e23):
    """Packed number of the cell with these operations."""
    return sum(edge * 5**place for place, edge in enumerate((e01, e02, e12, e03, e13, e23)))


NO_PATH = [code(0, 0, 0, 0, 0, 0), code(3, 2, 1, 0, 0, 0), code(0, 0, 3, 0, 2, 1)]
SKIPS = [code(0, 0, 0, 1, 0, 0), code(1, 1, 1, 1, 1, 1), code(1, 0, 1, 0, 0, 1)]
MIXED = [code(3, 2, 4, 1, 3, 2), code(4, 3, 3, 2, 4, 1), code(2, 4, 1, 3, 1, 3)]
OFF_THE_PATH = [code(3, 0, 3, 2, 0, 0), code(0, 4, 2, 1, 3, 4), code(2, 3, 0, 4, 1, 0)]

CODES = st.lists(st.integers(0, 5**6 - 1), min_size=1, max_size=4)


def cells_of(codes):
    return SPACE.unpack(np.array(codes, dtype=np.int64))


def stack_of(codes, skeleton, dtype=torch.float32):
    rngs = [stream("weights", int(number)) for number in codes]
    return StackedNetworks(cells_of(codes), skeleton, rngs, dtype=dtype)


def batch_of(skeleton, count, dtype=torch.float32, seed=0):
    size = (skeleton.image_channels, skeleton.height, skeleton.width, count)
    return torch.from_numpy(np.random.default_rng(seed).normal(size=size)).to(dtype)


def gradients(loss, tensors):
    """Gradient of every named tensor; zero where the loss does not depend on it."""
    grads = torch.autograd.grad(
        loss, list(tensors.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(tensors, grads, strict=True))


def unsettle(networks):
    """Move all weights, so that no scale is 1 and no shift 0, as in the middle of a training."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in networks.parameters.values():
            tensor += 0.3 * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)


def assert_close(mine, theirs):
    assert set(mine) == set(theirs)
    for name, tensor in theirs.items():
        torch.testing.assert_close(
            mine[name],
            tensor.flatten(),
            rtol=1e-8,
            atol=1e-10,
            msg=lambda why, n=name: f"{n} {why}",
        )


def assert_equals_references(codes, skeleton):
    networks, cells = stack_of(codes, skeleton, torch.float64), cells_of(codes)
    unsettle(networks)
    references = [reference_of(networks, g, cells.edges[g]) for g in range(len(codes))]
    for seed in range(2):
        images = batch_of(skeleton, 5, torch.float64, seed)
        logits = networks.forward(images, training=True)
        assert logits.shape == (len(codes), skeleton.classes, 5)
        # Every logit weighs differently, so that gradients of mixed up ones would show.
        weights = torch.linspace(-1, 2, 5 * skeleton.classes).view(-1, 5).double()
        grads = gradients((logits * weights).sum(), networks.parameters)
        for g, reference in enumerate(references):
            theirs = reference(images.permute(3, 0, 1, 2)).T
            torch.testing.assert_close(logits[g], theirs, rtol=1e-8, atol=1e-10)
            theirs = gradients((theirs * weights).sum(), dict(reference.named_parameters()))
            assert_close(of_network(networks, g, grads), theirs)
    batches = [batch_of(skeleton, count, torch.float64, 7 + count) for count in (3, 1)]
    evaluated = networks.evaluate(batches)
    assert torch.equal(evaluated[..., 3:], networks.forward(batches[1], training=False))
    for g, reference in enumerate(references):
        buffers = {
            name: values
            for name, values in reference.named_buffers()
            if not name.endswith("num_batches_tracked")
        }
        assert_close(of_network(networks, g, running(networks)), buffers)
        with torch.no_grad():
            theirs = reference.eval()(torch.cat(batches, dim=-1).permute(3, 0, 1, 2)).T
        torch.testing.assert_close(evaluated[g], theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize("number", [NO_PATH[0], SKIPS[0], SKIPS[1], MIXED[0]])
def test_a_network_alone_equals_the_reference(number, skeleton):
    assert_equals_references([number], skeleton)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_networks_equal_references(skeleton):
    assert_equals_references(NO_PATH + SKIPS + MIXED + OFF_THE_PATH, skeleton)


@settings(max_examples=10)
@given(codes=CODES, name=st.sampled_from(["digits", "residual", "odd", "odd residual"]))
def test_any_networks_equal_references(codes, name):
    assert_equals_references(codes, SKELETONS[name])


def test_evaluation_is_by_the_weights_of_its_time():
    networks = stack_of(MIXED, SKELETONS["digits"])
    images = batch_of(networks.skeleton, 4)
    for _ in range(2):
        unsettle(networks)
        expected = networks.forward(images, training=False)
        assert torch.equal(networks.evaluate([images]), expected)
    assert expected.requires_grad
    assert not networks.evaluate([images]).requires_grad


def test_only_the_large_skeleton_leaves_matrices():
    for name, skeleton in SKELETONS.items():
        networks = stack_of(MIXED[:1], skeleton)
        grid = stacked._Grid(skeleton.height, skeleton.width).strided(skeleton.stem_stride)
        for channels in (1, skeleton.channels):
            assert networks._is_dense(channels, channels, grid, grid) == (name != "large")


@pytest.mark.parametrize("name", ["odd", "odd residual", "residual"])
def test_matrices_and_convolutions_give_the_same(name, monkeypatch):
    skeleton, codes = SKELETONS[name], [*MIXED, *SKIPS, *NO_PATH[:1]]
    images = batch_of(skeleton, 4, torch.float64)
    results = []
    for most in (0, 2**62):
        monkeypatch.setattr(stacked, "_DENSE", most)
        networks = stack_of(codes, skeleton, torch.float64)
        logits = networks.forward(images, training=True)
        grads = gradients((logits * logits.detach().sin()).sum(), networks.parameters)
        # What matrices are made of is kept, and only then.
        assert bool(networks._constants) == (most > 0)
        state = {"logits": logits.detach(), "evaluated": networks.evaluate([images])}
        results.append(state | grads | running(networks))
    for key, values in results[0].items():
        torch.testing.assert_close(values, results[1][key], rtol=1e-8, atol=1e-10)


def trained(codes, skeleton):
    """Numbers of every network in a training of a few steps, by name."""
    networks = stack_of(codes, skeleton)
    images = batch_of(skeleton, 32)
    labels = torch.arange(32) % skeleton.classes
    for _ in range(2):
        logits = networks.forward(images, training=True)
        loss = F.cross_entropy(logits, labels.expand(len(codes), -1), reduction="sum") / 32
        grads = gradients(loss, networks.parameters)
        with torch.no_grad():
            for name, grad in grads.items():
                networks.parameters[name] -= 0.1 * grad
    evaluated = networks.evaluate([images])
    tensors = networks.parameters | running(networks)
    return [
        of_network(networks, g, tensors) | {"logits": logits[g], "evaluated": evaluated[g]}
        for g in range(len(codes))
    ]


def companies():
    """Stacks of 32: any cells, neighbours by number, all with the same last operation."""
    rng = np.random.default_rng(0)
    first = code(0, 0, 4, 2, 3, 1)
    last = [3 * 5**5 + int(rest) for rest in rng.integers(0, 5**5, 31)]
    return {
        "any": [*rng.integers(0, 5**6, 20), *NO_PATH, *SKIPS, *MIXED, *OFF_THE_PATH],
        "neighbours": list(range(first, first + 32)),
        "one operation shared": [code(1, 2, 3, 1, 2, 3), *last],
    }


@pytest.mark.parametrize(
    ("name", "company"),
    [
        *itertools.product(["digits", "odd residual"], companies()),
        pytest.param("large", "any", marks=pytest.mark.slow),
    ],
)
def test_no_number_of_a_network_depends_on_its_company(name, company):
    codes = companies()[company]
    together = trained(codes, SKELETONS[name])
    # The last ones too: among any cells, those are the special ones.
    for some in ([0], [16], [25], [31], range(7), range(18, 25), range(25, 32)):
        apart = trained([codes[g] for g in some], SKELETONS[name])
        for g, mine in zip(some, apart, strict=True):
            assert set(mine) == set(together[g])
            for key, values in mine.items():
                assert torch.equal(values, together[g][key]), (len(some), codes[g], key)


def test_weights_are_uniform_in_the_root_of_the_fan_in():
    skeleton = SKELETONS["residual"]
    networks = stack_of(MIXED * 10, skeleton)
    fan_in = {"stem": 9, "head": 16, "bias": 16, "reduction1": 4, "reduction1.b": 72}
    for name, inputs in fan_in.items():
        values = networks.parameters[name].detach().abs() * inputs**0.5
        assert values.max() <= 1
        assert values.mean() == pytest.approx(0.5, abs=0.1)
    for name, tensor in networks.parameters.items():
        if name.endswith(("scale", "shift")):
            assert (tensor == float(name.endswith("scale"))).all()
    twice = (
        of_network(networks, 0, networks.parameters),
        of_network(networks, 3, networks.parameters),
    )
    assert all(torch.equal(twice[0][name], twice[1][name]) for name in twice[0])


@settings(max_examples=50)
@given(number=st.integers(0, 5**6 - 1), name=st.sampled_from(list(SKELETONS)))
@example(number=NO_PATH[1], name="digits")
@example(number=OFF_THE_PATH[0], name="residual")
def test_as_many_parameters_as_counted(number, name):
    cell = cells_of([number])
    paths = on_a_path(cell.edges[0])
    used = np.zeros_like(cell.edges)
    for i, j in paths:
        used[0, i, j] = cell.edges[0, i, j]
    networks = stack_of([number], SKELETONS[name])
    actual = sum(tensor.numel() for tensor in networks.parameters.values())
    assert nasbench201_size(Cells(cell.nodes, used), SKELETONS[name]).params == [actual]
    # The whole cell counts for more where it has convolutions that nothing reaches.
    unused = np.isin((cell.edges - used)[0], (2, 3)).any()
    assert (nasbench201_size(cell, SKELETONS[name]).params[0] > actual) == unused


def madds(network, skeleton):
    """Multiply-adds of one image, counted module by module."""
    total = 0

    def add(layer, inputs, output):
        nonlocal total
        bias = 0 if layer.bias is None else layer.bias.numel()
        total += layer.weight.numel() * output[0, 0].numel() * (output.ndim == 4)
        total += (layer.weight.numel() + bias) * (output.ndim == 2)

    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(add)
    with torch.no_grad():
        network.eval()(batch_of(skeleton, 1).permute(3, 0, 1, 2))
    return total


@pytest.mark.parametrize("number", [*MIXED, *SKIPS, code(0, 0, 0, 0, 0, 0), code(*[3] * 6)])
@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_multiply_adds_are_those_of_the_reference(number, skeleton):
    cell = cells_of([number])
    network = network_of(cell.edges[0], skeleton)
    assert nasbench201_size(cell, skeleton).total_madds() == [madds(network, skeleton)]


@pytest.mark.parametrize(
    ("operations", "millions"), [((4, 2, 1, 2, 1, 1), 15.64737), ((3, 3, 4, 0, 3, 4), 113.95137)]
)
def test_default_skeleton_is_the_benchmarks(operations, millions):
    # Cells 0 and 11 of NATS-Bench with the multiply-adds that its files state; all is on a path.
    cell = cells_of([code(*operations)])
    network = network_of(cell.edges[0], Skeleton201())
    assert madds(network, Skeleton201()) == round(millions * 1e6)
    size = nasbench201_size(cell)
    assert size.params == [sum(tensor.numel() for tensor in network.parameters())]
    assert size.total_madds() == [round(millions * 1e6)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["digits", "large"])
def test_a_gpu_gives_the_same(name):
    skeleton, cells = SKELETONS[name], cells_of(MIXED + NO_PATH)
    images, results = batch_of(skeleton, 8, torch.float64), []
    for device in ("cpu", "cuda"):
        rngs = [stream("weights", g) for g in range(len(cells))]
        networks = StackedNetworks(cells, skeleton, rngs, device, torch.float64)
        logits = networks.forward(images.to(device), training=True)
        grads = gradients(logits.square().sum(), networks.parameters)
        evaluated = networks.evaluate([images.to(device)])
        state = {"logits": logits.detach(), "evaluated": evaluated} | grads
        results.append({key: values.cpu() for key, values in state.items()})
    for key, values in results[0].items():
        torch.testing.assert_close(values, results[1][key], rtol=1e-7, atol=1e-9)
