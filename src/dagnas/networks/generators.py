"""Networks of generators as torch modules that fit a budget (NAGO, section 2.1).

A drawn network becomes a `Plan`: steps in their order, each with what it reads and writes. From the
plan alone follow the number of parameters and the memory of activations; the network runs it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from networkx import DiGraph
from torch import Tensor, nn

from dagnas.errors import DagnasError
from dagnas.networks.shape import NetworkShape
from dagnas.networks.wiring import Infeasible, draw
from dagnas.spaces.generators import OPERATIONS, GeneratorSpace
from dagnas.spaces.vectors import Vectors

#: Least height and width of images.
SMALLEST = 8
#: Sides of fewer pixels are not halved.
_HALVED = 4
#: Least features of the head. The released code has 1,280 at some 4 M parameters; here they are
#: what the budget leaves.
FEATURES = 16
DROPOUT = 0.2
#: Most that a network may be away from its budget, as a fraction.
TOLERANCE = 0.05
#: Bytes of a number, float32.
_BYTES = 4


# Parts.


class _Combination(torch.autograd.Function):
    """Weighted sum of maps and its ReLU, in one buffer.

    PyTorch's own operations would allocate and keep a map for every edge: this takes two thirds of
    their time in training, and in evaluation the memory of the sum alone.
    """

    @staticmethod
    def forward(ctx: Any, weights: Tensor, *maps: Tensor) -> Tensor:
        first, *others = weights.unbind()
        total = maps[0] * first
        for part, weight in zip(maps[1:], others, strict=True):
            total.addcmul_(part, weight)
        total.relu_()
        ctx.save_for_backward(weights, total, *maps)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        weights, total, *maps = ctx.saved_tensors
        grad = torch.ops.aten.threshold_backward(grads[0], total, 0)
        if weights.ndim == 1:
            flat = grad.reshape(-1)
            slopes = torch.stack([flat.dot(part.reshape(-1)) for part in maps])
        else:
            rows = grad.flatten(1)[:, None]
            slopes = torch.stack([(rows @ part.flatten(1)[:, :, None]).squeeze() for part in maps])
        return slopes.view_as(weights), *(grad * weight for weight in weights)


class WeightedSum(nn.Module):
    """ReLU of the sum of maps, each weighted by a sigmoid of a learned number.

    Numbers start at 1, as in the released code.

    Parameters
    ----------
    inputs : int
        Number of maps.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(inputs))

    def forward(self, *maps: Tensor) -> Tensor:
        """Sum of maps of one shape."""
        weights = torch.sigmoid(self.weights).to(maps[0].dtype)
        total: Tensor = _Combination.apply(weights, *maps)  # type: ignore[no-untyped-call]
        return total


class AttentionSum(nn.Module):
    """ReLU of the sum of maps, each weighted by attention to its means over pixels.

    The paper names it alone. Here the weights of an image are the softmax over maps of the product
    of their means with a learned vector, which starts at 0, so that all are equal at first.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(channels))

    def forward(self, *maps: Tensor) -> Tensor:
        """Sum of maps of one shape."""
        means = torch.stack([part.mean((2, 3)) for part in maps])
        weights = torch.softmax(means @ self.query.to(means.dtype), dim=0)
        weights = weights[:, :, None, None, None]
        total: Tensor = _Combination.apply(weights, *maps)  # type: ignore[no-untyped-call]
        return total


class Concatenation(nn.Module):
    """Channels of all maps."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Maps, one after another; shape (B, sum of channels, H, W)."""
        return torch.cat(maps, dim=1)


class Mean(nn.Module):
    """Mean of maps."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Mean of maps of one shape."""
        total = maps[0] + maps[1]
        for part in maps[2:]:
            total += part
        return total.mul_(1 / len(maps))


# Plans.


class Value(NamedTuple):
    """Size of a tensor for one image.

    Attributes
    ----------
    channels : int
    halvings : int, optional
        How often the image's height and width are halved, rounded up; None for one pixel.
    """

    channels: int
    halvings: int | None

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """Shape for an image of this height and width, (C, H, W) or (C,)."""
        if self.halvings is None:
            return (self.channels,)
        part = 1 << self.halvings
        return self.channels, math.ceil(height / part), math.ceil(width / part)

    def pixels(self, height: int, width: int) -> int:
        """Number of pixels for an image of this height and width."""
        return math.prod(self.shape(height, width)[1:])


class Part(NamedTuple):
    """Size of a part of a network.

    Attributes
    ----------
    output : tuple of int
        Shape of its output for one image, (C, H, W) or (C,).
    parameters, multiply_adds : int
    """

    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


class Step(NamedTuple):
    """Module of a network.

    Attributes
    ----------
    name : str
    make : callable
        Makes the module.
    parameters : int
    multiplies : int
        Multiply-adds of a pixel of the output, as `count` has them.
    reads : tuple of int
        Numbers of the tensors that it reads.
    writes : int
        Number of the one that it writes.
    """

    name: str
    make: Callable[[], nn.Module]
    parameters: int
    multiplies: int
    reads: tuple[int, ...]
    writes: int


@dataclass
class Plan:
    """Steps of a network in their order, written one by one.

    Attributes
    ----------
    values : list of Value
        Sizes of tensors by their numbers; the first is the image.
    steps : list of Step
    """

    values: list[Value]
    steps: list[Step] = field(default_factory=list)
    _rectified: dict[int, int] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(step.parameters for step in self.steps)

    def multiply_adds(self, height: int, width: int) -> int:
        """Multiply-adds of convolutions and the linear layer for one image."""
        return sum(
            step.multiplies * self.values[step.writes].pixels(height, width) for step in self.steps
        )

    def schedule(self) -> Iterator[tuple[Step, tuple[int, ...]]]:
        """Steps, each with the tensors that nothing reads after it."""
        last = {number: place for place, step in enumerate(self.steps) for number in step.reads}
        for place, step in enumerate(self.steps):
            yield step, tuple(n for n in sorted(set(step.reads)) if last[n] == place)

    def peak_bytes(self, height: int, width: int) -> int:
        """Most bytes of activations at once, in evaluation, of one image in float32.

        While a step runs, there are its inputs, its output, and what later steps read. The image is
        there all the time, since the caller holds it.
        """
        sizes = [_BYTES * v.channels * v.pixels(height, width) for v in self.values]
        alive = peak = sizes[0]
        for step, freed in self.schedule():
            alive += sizes[step.writes]
            peak = max(peak, alive)
            alive -= sum(sizes[number] for number in freed if number)
        return peak

    def parts(self, height: int, width: int) -> dict[str, Part]:
        """Sizes of the stem, of each top node with what fits its inputs, and of the head, by name.

        The head has the means of outputs before it.
        """
        found: dict[str, Part] = {}
        for step in self.steps:
            name = step.name.split("_")[0]
            name = "head" if name == "out" else name
            value = self.values[step.writes]
            before = found.get(name, Part((), 0, 0))
            found[name] = Part(
                value.shape(height, width),
                before.parameters + step.parameters,
                before.multiply_adds + step.multiplies * value.pixels(height, width),
            )
        return found

    # Steps.

    def _add(
        self,
        name: str,
        make: Callable[[], nn.Module],
        reads: Sequence[int],
        value: Value,
        parameters: int = 0,
        multiplies: int = 0,
    ) -> int:
        self.values.append(value)
        number = len(self.values) - 1
        self.steps.append(Step(name, make, parameters, multiplies, tuple(reads), number))
        return number

    def convolve(self, name: str, source: int, channels: int, kernel: int) -> int:
        """Convolution without bias that keeps height and width."""
        value = self.values[source]
        make = functools.partial(
            nn.Conv2d, value.channels, channels, kernel, padding=kernel // 2, bias=False
        )
        weights = value.channels * channels * kernel**2
        return self._add(name, make, [source], value._replace(channels=channels), weights, weights)

    def normalise(self, name: str, source: int) -> int:
        """Batch norm."""
        value = self.values[source]
        make = functools.partial(nn.BatchNorm2d, value.channels)
        return self._add(name, make, [source], value, 2 * value.channels)

    def rectify(self, name: str, source: int) -> int:
        """ReLU, computed once for all that read it."""
        if source not in self._rectified:
            found = self._add(name, nn.ReLU, [source], self.values[source])
            self._rectified[source] = found
        return self._rectified[source]

    def merge(self, name: str, sources: Sequence[int], how: str) -> int:
        """ReLU of the inputs of a node, which are of one size, merged.

        Nodes begin with a ReLU, and so do the graphs that are nodes, so that merging ends with it.
        A single input is not weighted.
        """
        if len(sources) == 1:
            return self.rectify(f"{name}_relu", sources[0])
        value, many = self.values[sources[0]], len(sources)
        if how == "sum":
            return self._add(
                f"{name}_sum", functools.partial(WeightedSum, many), sources, value, many
            )
        if how == "attention":
            make = functools.partial(AttentionSum, value.channels)
            return self._add(f"{name}_attention", make, sources, value, value.channels)
        wide = value._replace(channels=many * value.channels)
        together = self._add(f"{name}_concatenation", Concatenation, sources, wide)
        narrow = self.convolve(f"{name}_narrow", together, value.channels, 1)
        return self.rectify(f"{name}_relu", narrow)

    def average(self, name: str, sources: Sequence[int]) -> int:
        """Mean of the outputs of a graph, which are of one size."""
        if len(sources) == 1:
            return sources[0]
        return self._add(f"{name}_mean", Mean, sources, self.values[sources[0]])

    def fit(self, name: str, source: int, like: Value) -> int:
        """Tensor pooled to the resolution of another, then with a 1x1 convolution to its channels.

        In this order, which is the cheaper.
        """
        value = self.values[source]
        assert value.halvings is not None
        assert like.halvings is not None
        if (more := like.halvings - value.halvings) > 0:
            # A last row or column that is left over is averaged alone.
            make = functools.partial(nn.AvgPool2d, 2**more, ceil_mode=True, count_include_pad=False)
            pooled = value._replace(halvings=like.halvings)
            source = self._add(f"{name}_pool", make, [source], pooled)
        if value.channels != like.channels:
            source = self.convolve(f"{name}_conv_1x1", source, like.channels, 1)
        return source

    # Graphs.

    def inner(self, name: str, graph: DiGraph, entry: int) -> int:
        """Middle or bottom graph that reads a ReLU; its output is not one."""
        found: dict[int, int] = {}
        for node, about in graph.nodes.items():
            place = f"{name}_{node}"
            sources = [found[before] for before in sorted(graph.predecessors(node))]
            source = self.merge(place, sources, about["merge"]) if sources else entry
            if "graph" in about:
                found[node] = self.inner(place, about["graph"], source)
            else:
                kernel, channels = OPERATIONS[about["operation"]], self.values[source].channels
                found[node] = self.normalise(
                    f"{place}_norm",
                    self.convolve(f"{place}_{about['operation']}", source, channels, kernel),
                )
        return self.average(name, [found[node] for node in graph if not graph.out_degree(node)])

    def top(self, graph: DiGraph, entry: int, of_stage: Sequence[Value]) -> int:
        """Top graph, whose nodes have the size of their stage."""
        found: dict[int, int] = {}
        for node, about in graph.nodes.items():
            name, like = f"top{node}", of_stage[about["stage"]]
            before = sorted(graph.predecessors(node))
            sources = [self.fit(f"{name}_from{b}", found[b], like) for b in before]
            sources = sources or [self.fit(f"{name}_from_stem", entry, like)]
            found[node] = self.inner(
                name, about["graph"], self.merge(name, sources, about["merge"])
            )
        leaves = [node for node in graph if not graph.out_degree(node)]
        # The last node is one of them, and no stage is later than its own.
        like = self.values[found[leaves[-1]]]
        return self.average("out", [self.fit(f"out_from{n}", found[n], like) for n in leaves])


def plan(drawn: DiGraph, channels: Sequence[int], features: int, shape: NetworkShape) -> Plan:
    """Plan of a drawn network.

    The stem is a 3x3 convolution with batch norm, of stride 1 and the first stage's channels. The
    head is a 1x1 convolution with batch norm and ReLU, the mean over pixels, dropout and a linear
    layer.

    Parameters
    ----------
    drawn : DiGraph
        As `dagnas.networks.wiring.draw` gives it.
    channels : sequence of int
        Channels of each stage.
    features : int
        Channels of the head.
    shape : NetworkShape
    """
    made = Plan([Value(shape.image_channels, 0)])
    deepest = _halvings(shape)
    of_stage = [Value(number, min(s, deepest)) for s, number in enumerate(channels)]
    stem = made.normalise("stem_norm", made.convolve("stem_conv", 0, channels[0], 3))
    last = made.top(drawn, stem, of_stage)
    last = made.normalise("head_norm", made.convolve("head_conv", last, features, 1))
    last = made.rectify("head_relu", last)
    pixel = Value(features, None)
    last = made._add("head_pool", functools.partial(nn.AdaptiveAvgPool2d, 1), [last], pixel)
    made._add(
        "head_classifier",
        functools.partial(_classifier, features, shape.classes),
        [last],
        Value(shape.classes, None),
        (features + 1) * shape.classes,
        features * shape.classes,
    )
    return made


def _classifier(features: int, classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(features, classes))


def _halvings(shape: NetworkShape) -> int:
    """How often an image can be halved: a side of 4 becomes 2, one of 3 stays."""
    side, times = min(shape.height, shape.width), 0
    while side >= _HALVED:
        side, times = math.ceil(side / 2), times + 1
    return times


# Networks.


class GeneratedNetwork(nn.Module):
    """Network of a plan.

    A tensor that no later step reads is released at once, so that in evaluation the memory of
    activations is that of `Plan.peak_bytes`.

    Parameters
    ----------
    plan : Plan
    drawn : DiGraph
        Network that the plan was made of; kept for pictures and descriptions.

    Attributes
    ----------
    plan, drawn
    parts : ModuleDict
        Modules of the steps by name, such as ``top3_0_2_conv_3x3`` of top node 3, middle node 0 and
        bottom node 2.
    """

    def __init__(self, plan: Plan, drawn: DiGraph) -> None:
        super().__init__()
        self.plan, self.drawn = plan, drawn
        self.parts = nn.ModuleDict({step.name: step.make() for step in plan.steps})
        self._schedule = [
            (step.name, step.reads, step.writes, freed) for step, freed in plan.schedule()
        ]

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (B, classes), of images (B, C, H, W)."""
        alive, written = {0: images}, 0
        parts = dict(self.parts.items())
        for name, reads, written, freed in self._schedule:
            alive[written] = parts[name](*[alive[number] for number in reads])
            for number in freed:
                del alive[number]
        return alive[written]


def build_generated(
    space: GeneratorSpace, vector: Vectors, sample: int, shape: NetworkShape, budget: int
) -> GeneratedNetwork:
    """Network of one vector of a space, untrained, that fits a budget of parameters.

    Channels of the stages are the largest in the vector's ratio, rounded, that fit, and the
    features of the head are as many as fit then; see `sized`.

    Parameters
    ----------
    space : GeneratorSpace
    vector : ndarray
        Shape (d,) or (1, d).
    sample : int
        Number of the network among those of the vector.
    shape : NetworkShape
        Images and classes.
    budget : int
        Parameters.

    Raises
    ------
    Infeasible
        A graph could not be drawn, or the network cannot have so few parameters.
    DagnasError
        It is no vector of the space, or networks of generators cannot have this shape.
    """
    drawn, found = plan_generated(space, vector, sample, shape, budget)
    return GeneratedNetwork(found, drawn)


def plan_generated(
    space: GeneratorSpace, vector: Vectors, sample: int, shape: NetworkShape, budget: int
) -> tuple[DiGraph, Plan]:
    """Drawn network and its plan; arguments and errors as of `build_generated`."""
    _check(shape)
    hyperparameters = space.hyperparameters(vector)
    drawn = draw(hyperparameters, sample)
    return drawn, sized(drawn, hyperparameters.channels, shape, budget)


def sized(drawn: DiGraph, ratio: Sequence[float], shape: NetworkShape, budget: int) -> Plan:
    """Plan of a drawn network within 5 % below a budget of parameters.

    The multiplier of the channel ratio is the largest whose channels, rounded down (and 1 at
    least), leave room for the smallest head. Then channels are rounded up where that fits, stages
    with the most first. Whole channels are coarse steps: the head takes what is left.

    Parameters
    ----------
    drawn : DiGraph
    ratio : sequence of float
        Relative channels of the stages.
    shape : NetworkShape
    budget : int
        Parameters.

    Raises
    ------
    Infeasible
        The network has more parameters with one channel in each stage, or steps are too coarse.
    """
    # Stages of no nodes do not count, but that the first has the stem's channels.
    used = {0, *(about["stage"] for about in drawn.nodes.values())}

    def needed(channels: Sequence[int]) -> int:
        return plan(drawn, channels, FEATURES, shape).parameters

    def times(multiplier: float) -> list[int]:
        return [max(1, math.floor(multiplier * part + 1e-9)) for part in ratio]

    smallest = needed(times(0))
    if smallest > budget:
        raise Infeasible(
            f"budget {budget:,}: this network has {smallest:,} parameters with one channel in "
            "each stage"
        )
    low, high = 0.0, 1 / min(ratio)
    while needed(times(high)) <= budget:
        low, high = high, 2 * high
    while times(low) != times(high) and high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if needed(times(middle)) <= budget else (low, middle)
    channels = times(low)
    for stage in sorted(used, key=lambda stage: -ratio[stage]):
        wider = [*channels[:stage], channels[stage] + 1, *channels[stage + 1 :]]
        if needed(wider) <= budget:
            channels = wider
    one, two = (plan(drawn, channels, FEATURES + k, shape).parameters for k in (0, 1))
    found = plan(drawn, channels, FEATURES + (budget - one) // (two - one), shape)
    if found.parameters < (1 - TOLERANCE) * budget:
        raise Infeasible(f"budget {budget:,}: the nearest network has {found.parameters:,}")
    return found


def measure(network: nn.Module, image: tuple[int, int, int]) -> tuple[int, int, int]:
    """Parameters, multiply-adds and peak memory of activations in bytes, for one image.

    They follow from the plan. Parameters and multiply-adds are those of
    `dagnas.networks.count.count`, which runs the network on torch's device ``meta`` and takes a
    hundred times as long.

    Parameters
    ----------
    network : GeneratedNetwork
        On any device.
    image : (int, int, int)
        Channels, height and width.

    Raises
    ------
    DagnasError
        It is not a network of a generator, or one for other images.
    """
    if not isinstance(network, GeneratedNetwork):
        raise DagnasError(f"a {type(network).__name__} is not a network of a generator")
    plan, (channels, height, width) = network.plan, image
    if channels != plan.values[0].channels:
        raise DagnasError(
            f"images of {channels} channels: this network is for {plan.values[0].channels}"
        )
    pixels = (height, width)
    return plan.parameters, plan.multiply_adds(*pixels), plan.peak_bytes(*pixels)


def _check(shape: NetworkShape) -> None:
    if min(shape.height, shape.width) < SMALLEST:
        raise DagnasError(
            f"images of {shape.height} x {shape.width} pixels are too small for networks of "
            f"generators, which need {SMALLEST} x {SMALLEST}"
        )
    for name in ("channels", "layers"):
        if (value := getattr(shape, name)) is not None:
            raise DagnasError(f"{name} {value}: networks of generators have those of their budget")
    if shape.auxiliary:
        raise DagnasError("networks of generators have no auxiliary head")
    if shape.stem != "cifar":
        raise DagnasError(f"networks of generators have no stem {shape.stem!r}; valid: cifar")
