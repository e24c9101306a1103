"""Networks of generators: what they compute, their size, their memory, and their budgets."""

from __future__ import annotations

import re
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.networks.count import count, parameters
from dagnas.networks.generators import (
    AttentionSum,
    GeneratedNetwork,
    WeightedSum,
    build_generated,
    measure,
    plan,
    sized,
)
from dagnas.networks.shape import NetworkShape
from dagnas.networks.wiring import Infeasible, draw
from dagnas.spaces import SPACES
from dagnas.spaces.generators import Chain, ErdosRenyi, Hyperparameters, WattsStrogatz

NAGO, CODE = SPACES.get("nago"), SPACES.get("nago_code")
DIGITS = NetworkShape(image_channels=1, height=8, width=8)
ALL = Hyperparameters(
    top=WattsStrogatz(5, 4, 0.5),
    middle=ErdosRenyi(3, 0.7),
    bottom=WattsStrogatz(4, 2, 0.5),
    stages=(0.3, 0.3, 0.4),
    channels=(1, 2, 4),
    merges={"sum": 1, "attention": 1, "concatenation": 1},
    operations={"conv_1x1": 1, "conv_3x3": 1, "conv_5x5": 1, "conv_7x7": 1},
)
TEXT = "top_n=4 top_k=2 top_p=0.5 mid_n=3 mid_p=0.9 bottom_n=4 bottom_k=2 bottom_p=0.5"


def network(hyperparameters=ALL, channels=(3, 6, 12), features=20, shape=DIGITS, sample=0):
    torch.manual_seed(0)
    drawn = draw(hyperparameters, sample)
    return GeneratedNetwork(plan(drawn, channels, features, shape), drawn)


# What they compute.


def test_weighted_sums():
    maps = [torch.randn(2, 3, 2, 1, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    module = WeightedSum(3).double()
    assert module.weights.tolist() == [1, 1, 1]
    gates = 1 / (1 + np.exp(-1))
    torch.testing.assert_close(module(*maps), (gates * sum(maps)).relu())
    assert torch.autograd.gradcheck(
        lambda weights, *parts: torch.func.functional_call(module, {"weights": weights}, parts),
        (torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64, requires_grad=True), *maps),
    )


def test_attention_weighted_sums():
    maps = [torch.randn(2, 3, 2, 1, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    module = AttentionSum(3).double()
    torch.testing.assert_close(module(*maps), (sum(maps) / 3).relu())
    query = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64, requires_grad=True)

    def call(query, *parts):
        return torch.func.functional_call(module, {"query": query}, parts)

    scores = torch.stack([part.mean((2, 3)) @ query for part in maps])
    weights = scores.softmax(0)[:, :, None, None, None]
    torch.testing.assert_close(call(query, *maps), (weights * torch.stack(maps)).sum(0).relu())
    assert torch.autograd.gradcheck(call, (query, *maps))


def by_definition(net, images):
    """Logits from the drawn graph and the parts, by recursion and with nothing released."""
    parts, drawn = net.parts, net.drawn

    def merge(name, sources, how):
        if len(sources) == 1:
            return sources[0]
        if how == "sum":
            gates = parts[f"{name}_sum"].weights.sigmoid()
            return sum(gate * source for gate, source in zip(gates, sources, strict=True))
        if how == "attention":
            query = parts[f"{name}_attention"].query
            scores = torch.stack([source.mean((2, 3)) @ query for source in sources]).softmax(0)
            return sum(s[:, None, None, None] * x for s, x in zip(scores, sources, strict=True))
        return parts[f"{name}_narrow"](torch.cat(sources, 1))

    def fit(name, source):
        for step in (f"{name}_pool", f"{name}_conv_1x1"):
            source = parts[step](source) if step in parts else source
        return source

    def graph(name, graph, entry):
        found = {}
        for node in graph:
            place, about = f"{name}_{node}", graph.nodes[node]
            sources = [found[i] for i in sorted(graph.predecessors(node))] or [entry]
            source = merge(place, sources, about["merge"])
            if "graph" in about:
                found[node] = graph_of(place, about["graph"], source)
            else:
                source = parts[f"{place}_{about['operation']}"](source.relu())
                found[node] = parts[f"{place}_norm"](source)
        return torch.stack([found[n] for n in graph if not list(graph.successors(n))]).mean(0)

    graph_of = graph
    stem = parts["stem_norm"](parts["stem_conv"](images))
    found = {}
    for node in drawn:
        sources = [fit(f"top{node}_from{i}", found[i]) for i in sorted(drawn.predecessors(node))]
        sources = sources or [fit(f"top{node}_from_stem", stem)]
        source = merge(f"top{node}", sources, drawn.nodes[node]["merge"])
        found[node] = graph(f"top{node}", drawn.nodes[node]["graph"], source)
    leaves = [n for n in drawn if not list(drawn.successors(n))]
    out = torch.stack([fit(f"out_from{n}", found[n]) for n in leaves]).mean(0)
    out = parts["head_norm"](parts["head_conv"](out)).relu().mean((2, 3))
    return parts["head_classifier"](out)


@pytest.mark.parametrize("sample", range(3))
def test_networks_compute_what_their_graphs_say(sample):
    net = network(sample=sample).double()
    for _ in range(2):
        net(torch.randn(8, 1, 8, 8, dtype=torch.float64))  # Statistics of batch norms.
    net.eval()
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(net(images), by_definition(net, images))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 13), (32, 32)])
def test_resolutions_halve_as_far_as_images_allow(height, width):
    shape = NetworkShape(image_channels=2, height=height, width=width, classes=7)
    chain = Hyperparameters(
        top=Chain(5), middle=Chain(1), bottom=Chain(1), stages=(1,) * 5, channels=(1, 2, 1, 3, 2)
    )
    net = network(chain, (2, 4, 2, 6, 4), 9, shape)
    seen = []
    for name, part in net.parts.items():
        if name.endswith("conv_3x3"):
            part.register_forward_hook(lambda _, __, found: seen.append(tuple(found.shape[1:])))
    assert net(torch.randn(2, 2, height, width)).shape == (2, 7)
    expected, h, w = [], height, width
    for channels in (2, 4, 2, 6, 4):
        expected.append((channels, h, w))
        if min(h, w) >= 4:
            h, w = -(-h // 2), -(-w // 2)
    assert seen == expected


def test_steps_have_names_of_their_own():
    for sample in range(3):
        names = [step.name for step in network(sample=sample).plan.steps]
        assert len(set(names)) == len(names)


def test_training_moves_every_parameter():
    net = network()
    before = {name: value.clone() for name, value in net.named_parameters()}
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    # The query of attention starts at 0, but its gradient does not.
    nn.functional.cross_entropy(net(torch.randn(16, 1, 8, 8)), torch.arange(16) % 10).backward()
    optimiser.step()
    still = [name for name, value in net.named_parameters() if torch.equal(before[name], value)]
    assert not still


def test_memory_format_and_bfloat16():
    net, images = network().eval(), torch.randn(4, 1, 8, 8)
    plain = net(images)
    last = net.to(memory_format=torch.channels_last)
    torch.testing.assert_close(
        last(images.to(memory_format=torch.channels_last)), plain, rtol=1e-3, atol=1e-4
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net.train()(images).isfinite().all()


# Sizes.


@pytest.mark.parametrize("space", [NAGO, CODE], ids=lambda space: space.name)
def test_sizes_are_those_that_are_counted(space):
    rest = TEXT + (
        " stage_1=0.2 stage_2=1 stage_3=0.5 channels_1=4 channels_2=1 channels_3=4 sum=1 "
        "attention=1 concatenation=1 conv_3x3=1 conv_5x5=1"
    )
    vector = space.from_str([TEXT if space is CODE else rest])
    net = build_generated(space, vector, 0, DIGITS, 30_000)
    found = count(net, DIGITS.image)
    assert measure(net, DIGITS.image)[:2] == (found.parameters, found.multiply_adds)
    parts = net.plan.parts(8, 8)
    assert sum(part.parameters for part in parts.values()) == found.parameters
    assert sum(part.multiply_adds for part in parts.values()) == found.multiply_adds
    assert parts["head"].output == (10,)
    by_name = {layer.name.removeprefix("parts."): layer.shape for layer in found.layers}
    shapes = [net.plan.values[step.writes].shape(8, 8) for step in net.plan.steps]
    # The mean over pixels keeps two axes of one pixel.
    found_shapes = {**by_name, "head_pool": by_name["head_pool"][:1]}
    assert [found_shapes[step.name] for step in net.plan.steps] == shapes


class Alive(TorchDispatchMode):
    """Bytes of maps, (1, C, H, W), that are alive; their release tells when they are not.

    Weights of merges, which are a few numbers, and the logits are left out.
    """

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.known = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if (
                    tensor.ndim == 4
                    and tensor.shape[1:] != (1, 1, 1)
                    and storage._cdata not in self.known
                ):
                    self.known.add(storage._cdata)
                    self.now += storage.nbytes()
                    weakref.finalize(storage, self.release, storage._cdata, storage.nbytes())
        self.peak = max(self.peak, self.now)
        return found

    def release(self, key, size):
        self.known.discard(key)
        self.now -= size


def lifetimes(net, height, width):
    """Most bytes at once, by brute force: at each moment, what was written and is read later."""
    steps, values = net.plan.steps, net.plan.values
    sizes = [4 * int(np.prod(value.shape(height, width))) for value in values]
    peaks = []
    for moment in range(len(steps)):
        written = {step.writes for step in steps[: moment + 1]}
        needed = {number for step in steps[moment:] for number in step.reads}
        alive = (written & needed) | {steps[moment].writes, 0}
        peaks.append(sum(sizes[number] for number in alive))
    return max(peaks)


@pytest.mark.parametrize("sample", range(4))
def test_peak_memory_is_that_of_tensors_in_fact(sample):
    net = network(sample=sample).eval()
    predicted = net.plan.peak_bytes(8, 8)
    assert predicted == lifetimes(net, 8, 8)
    images = torch.randn(1, 1, 8, 8)
    with torch.no_grad(), Alive() as alive:
        net(images)
    # The image was there before.
    assert alive.peak + images.nbytes == predicted


def test_peak_memory_by_hand():
    # 1 x 8 x 8 image; a stem and a node of 2 channels; 512 bytes a map, 256 of the image.
    one = Hyperparameters(
        top=Chain(1), middle=Chain(1), bottom=Chain(1), stages=(1,), channels=(1,)
    )
    assert network(one, (2,), 2).plan.peak_bytes(8, 8) == 256 + 2 * 512
    # A triangle reads its first node twice, so that it stays beside two others.
    ring = Hyperparameters(
        top=Chain(1), middle=Chain(1), bottom=WattsStrogatz(3, 2, 0), stages=(1,), channels=(1,)
    )
    # Last, the sum of both: its two inputs and itself. In the second node: what it reads, a ReLU of
    # the first, its output, and the first.
    assert network(ring, (2,), 2).plan.peak_bytes(8, 8) == 256 + 3 * 512


# Budgets.


@pytest.mark.parametrize("budget", [20_000, 50_000, 150_000, 1_000_000])
def test_budgets_are_met(budget):
    for sample in range(2):
        found = sized(draw(ALL, sample), ALL.channels, DIGITS, budget)
        assert 0.95 * budget <= found.parameters <= budget
        assert found.parameters == weights_of(found, sample)


def weights_of(found, sample):
    """Parameters of the network of a plan, on the device meta."""
    with torch.device("meta"):
        return parameters(GeneratedNetwork(found, draw(ALL, sample)))


def test_channels_are_in_their_ratio():
    chain = Hyperparameters(
        top=Chain(9), middle=Chain(2), bottom=Chain(3), channels=(4, 1, 4), stages=(1, 1, 1)
    )
    found = sized(draw(chain), chain.channels, DIGITS, 200_000)
    one, two, three = (found.parts(8, 8)[name].output[0] for name in ("top0", "top3", "top6"))
    assert max(abs(one - three), abs(one - 4 * two)) <= 4
    assert one > 20


def test_a_budget_that_is_too_small_is_infeasible():
    with pytest.raises(Infeasible, match=r"budget 100: this network has [\d,]+ parameters with"):
        build_generated(CODE, CODE.from_str([TEXT]), 0, DIGITS, 100)


def test_sizing_takes_few_plans(monkeypatch):
    from dagnas.networks import generators

    made = []
    own = generators.plan
    monkeypatch.setattr(generators, "plan", lambda *args: made.append(1) or own(*args))
    for budget in (20_000, 200_000, 5_000_000):
        made.clear()
        sized(draw(ALL), ALL.channels, DIGITS, budget)
        # A plan of a thousand nodes takes some ten milliseconds.
        assert len(made) < 40


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"height": 7}, "images of 7 x 32 pixels are too small .* need 8 x 8"),
        ({"channels": 8}, "channels 8: networks of generators have those of their budget"),
        ({"auxiliary": True}, "no auxiliary head"),
        ({"stem": "imagenet"}, "no stem 'imagenet'; valid: cifar"),
    ],
)
def test_shapes_that_they_cannot_have(shape, message):
    with pytest.raises(DagnasError, match=message):
        build_generated(CODE, CODE.from_str([TEXT]), 0, NetworkShape(**shape), 50_000)


def test_only_their_networks_are_measured():
    with pytest.raises(DagnasError, match="a Linear is not a network of a generator"):
        measure(nn.Linear(2, 2), (1, 8, 8))
    with pytest.raises(DagnasError, match="images of 3 channels: this network is for 1"):
        measure(network(), (3, 8, 8))


def test_drawn_graphs_stay_with_networks():
    net = build_generated(CODE, CODE.from_str([TEXT]), 2, DIGITS, 50_000)
    drawn = draw(CODE.hyperparameters(CODE.from_str([TEXT])), 2)
    assert set(net.drawn.edges) == set(drawn.edges)


def test_the_generator_of_the_documentation_is_a_plugin(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "generators.md").read_text()
    module, use = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "my_generator.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(SPACES, "_added", {})
    monkeypatch.delitem(sys.modules, "my_generator", raising=False)
    names = {}
    exec(use, names)
    assert 0.95 * 50_000 <= names["parameters"] <= 50_000
    words = ["--plugin", "my_generator", "--space", "my_generator"]
    assert main(["describe", *words, "--cell", "nodes=8 joined=2 wide=1.5"]) == 0
    assert "budget 100,000" in capsys.readouterr().out
    del sys.modules["my_generator"]
