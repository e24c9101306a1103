"""Weights of a stack's networks under the names of the ordinary network, `Network201`."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from dagnas.networks.nasbench201 import Network201
from dagnas.networks.operations import Norm
from dagnas.spaces.cells import Cells
from dagnas.spaces.sizes.nasbench201 import Skeleton201
from dagnas.training.stacked import StackedNetworks

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
        ways += [[*way, j] for j in range(way[-1] + 1, 4) if edges[way[-1], j]]
    return sorted({step for way in whole for step in itertools.pairwise(way)})


def network_of(edges: np.ndarray, skeleton: Skeleton201) -> Network201:
    """Network of one cell, its edges of shape (4, 4), without those on no path."""
    pruned = np.zeros((1, 4, 4), dtype=np.int8)
    for i, j in on_a_path(edges):
        pruned[0, i, j] = edges[i, j]
    cell = Cells(np.zeros((1, 4), dtype=np.int8), pruned)
    return Network201(cell, skeleton, Norm(momentum=MOMENTUM))


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
        body = "" if stem in ("stem", "last") else "body."
        stem = stem.replace(".cell", "_cell")
        found[special.get(name, f"{body}{stem}.{module}")] = mine[0]
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
    network = network_of(edges, networks.skeleton).to(networks.device, networks.dtype)
    state = of_network(networks, g, networks.parameters | running(networks))
    shapes = network.state_dict()
    counters = {name for name in shapes if name.endswith("num_batches_tracked")}
    assert set(state) == set(shapes) - counters
    with torch.no_grad():
        for name, tensor in state.items():
            shapes[name].copy_(tensor.view(shapes[name].shape))
    return network
