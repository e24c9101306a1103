"""One NAS-Bench-201 network of ordinary modules, as Dong and Yang (2020, section 2.1) describe it.

Modules are named as the tensors of `StackedNetworks`, so that weights can be copied by name.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor, nn

from dagnas.spaces.sizes.nasbench201 import Skeleton201
from dagnas.training.stacked import StackedNetworks

NONE, SKIP, CONV1, CONV3, POOL = range(5)
#: Weight of the newest batch in running statistics; the benchmark has PyTorch's 0.1.
MOMENTUM = 0.25


def on_a_path(edges: np.ndarray) -> list[tuple[int, int]]:
    """Edges of one cell, shape (4, 4), that some way from vertex 0 to vertex 3 takes."""
    ways: list[list[int]] = [[0]]
    whole = []
    while ways:
        way = ways.pop()
        if way[-1] == 3:
            whole.append(way)
        ways += [[*way, j] for j in range(way[-1] + 1, 4) if edges[way[-1], j] != NONE]
    return sorted({step for way in whole for step in itertools.pairwise(way)})


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=MOMENTUM)


def _relu_conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(OrderedDict(relu=nn.ReLU(), conv=conv, norm=_norm(outputs)))


def _operation(kind: int, channels: int) -> nn.Module:
    if kind == POOL:
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return (
        nn.Identity()
        if kind == SKIP
        else _relu_conv_norm(channels, channels, {CONV1: 1, CONV3: 3}[kind])
    )


class _Cell(nn.Module):
    def __init__(self, edges: np.ndarray, channels: int) -> None:
        super().__init__()
        self.paths = on_a_path(edges)
        for i, j in self.paths:
            self.add_module(f"{i}{j}", _operation(int(edges[i, j]), channels))

    def forward(self, x: Tensor) -> Tensor:
        vertices = [x] + [torch.zeros_like(x)] * 3
        for i, j in sorted(self.paths, key=lambda step: step[1]):
            vertices[j] = vertices[j] + self.get_submodule(f"{i}{j}")(vertices[i])
        return vertices[3]


class _Reduction(nn.Module):
    """Half the pixels, twice the channels: residual, as in the benchmark, or the shortcut alone."""

    def __init__(self, channels: int, residual: bool) -> None:
        super().__init__()
        # An odd last row or column stays, averaged alone: 3x3 convolutions of stride 2 keep it.
        self.pool = nn.AvgPool2d(2, stride=2, ceil_mode=True)
        self.conv = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.residual = residual
        if residual:
            self.a = _relu_conv_norm(channels, 2 * channels, 3, 2)
            self.b = _relu_conv_norm(2 * channels, 2 * channels, 3)
        else:
            self.norm = _norm(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        short = self.conv(self.pool(x))
        return short + self.b(self.a(x)) if self.residual else self.norm(short)


class Network201(nn.Module):
    """The network of one cell, its edges of shape (4, 4); images have the shape (B, C, H, W)."""

    def __init__(self, edges: np.ndarray, skeleton: Skeleton201) -> None:
        super().__init__()
        channels, stride = skeleton.channels, skeleton.stem_stride
        conv = nn.Conv2d(skeleton.image_channels, channels, 3, stride, 1, bias=False)
        stem = nn.Sequential(OrderedDict(conv=conv, norm=_norm(channels)))
        self.body = nn.Sequential(OrderedDict(stem=stem))
        for stack in range(skeleton.stacks):
            if stack:
                self.body.add_module(f"reduction{stack}", _Reduction(channels, skeleton.residual))
                channels *= 2
            cells = [(f"cell{n}", _Cell(edges, channels)) for n in range(skeleton.cells)]
            self.body.add_module(f"stack{stack}", nn.Sequential(OrderedDict(cells)))
        self.body.add_module("last", nn.Sequential(OrderedDict(norm=_norm(channels))))
        self.head = nn.Linear(channels, skeleton.classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).relu().mean(dim=(2, 3)))


def of_network(networks: StackedNetworks, g: int, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of network g under the names of `Network201`, from those of a stack.

    Tensors keep their flat shapes; those of operations that the network lacks are left out.
    """
    found = {}
    for name, tensor in tensors.items():
        whose = torch.arange(networks.count)
        stem, _, kind = name.rpartition(".")
        if kind not in ("scale", "shift", "mean", "variance"):
            stem, kind = name, "weights"
        if stem.startswith("stack"):
            stem, operation = stem.rsplit(".", 1)
            (edge,) = (
                edge
                for edge in networks._edges
                if (f"{edge.i}{edge.j}", f"{edge.operation}") == (stem[-2:], operation)
            )
            whose = whose if edge.networks is None else edge.networks.cpu()
        mine = tensor.reshape(len(whose), -1)[whose == g]
        if not len(mine):
            continue
        module = {
            "weights": "conv.weight",
            "scale": "norm.weight",
            "shift": "norm.bias",
            "mean": "norm.running_mean",
            "variance": "norm.running_var",
        }[kind]
        special = {"head": "head.weight", "bias": "head.bias"}
        found[special.get(name, f"body.{stem}.{module}")] = mine[0]
    return found


def running(networks: StackedNetworks) -> dict[str, Tensor]:
    """Running statistics of all networks, as `of_network` takes them."""
    return {
        f"{name}.{kind}": tensor
        for name, both in networks._running.items()
        for kind, tensor in zip(("mean", "variance"), both, strict=True)
    }


def reference_of(networks: StackedNetworks, g: int, edges: np.ndarray) -> Network201:
    """Network g, whose cell has these edges, with its weights and running statistics."""
    network = Network201(edges, networks.skeleton).to(networks.device, networks.dtype)
    state = of_network(networks, g, networks.parameters | running(networks))
    shapes = network.state_dict()
    counters = {name for name in shapes if name.endswith("num_batches_tracked")}
    assert set(state) == set(shapes) - counters
    with torch.no_grad():
        for name, tensor in state.items():
            shapes[name].copy_(tensor.view(shapes[name].shape))
    return network
