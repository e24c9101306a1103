"""Size of NAS-Bench-101 networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.cells import Cells
from dagnas.spaces.paths import prune
from dagnas.spaces.sizes.base import CLASSES, IMAGE, Complexity

STEM = 128
STACKS = 3
CELLS = 3
KERNEL = {1: 9, 2: 1}
OPERATION = {1: "conv3x3", 2: "conv1x1", 3: "maxpool3x3"}


def vertex_channels(edges: NDArray[np.bool_], channels: int) -> NDArray[np.int64]:
    """Channels of every vertex of NAS-Bench-101 cells that put out ``channels``.

    The channels of the output are divided among the vertices that feed it; the remainder of the
    division goes to the first ones, one channel each. Every other vertex is as wide as the widest
    vertex it feeds (Ying et al. 2019, supplement S1).

    Parameters
    ----------
    edges : ndarray of bool, shape (B, V, V)
        Pruned adjacency.
    channels : int
        Channels of the last vertex.

    Returns
    -------
    ndarray of int64, shape (B, V)
        0 at the first vertex, whose width is that of the cell before, and at unused ones.
    """
    vertices = edges.shape[1]
    last = edges[:, 1:-1, -1]
    even, rest = np.divmod(channels, np.maximum(last.sum(axis=1, keepdims=True), 1))
    width = np.zeros(edges.shape[:2], dtype=np.int64)
    width[:, -1] = channels
    width[:, 1:-1] = last * (even + (last.cumsum(axis=1) <= rest))
    for v in range(vertices - 3, 0, -1):
        widest = (edges[:, v, v + 1 : -1] * width[:, v + 1 : -1]).max(axis=1)
        width[:, v] = np.where(last[:, v - 1], width[:, v], widest)
    return width


def nasbench101_size(cells: Cells) -> Complexity:
    """Size of NAS-Bench-101 networks on CIFAR-10.

    The network (Ying et al. 2019, section 2.1 and supplement S1): a 3x3 convolution to 128
    channels, three stacks of three cells with a 2x2 max pooling and twice the channels from
    stack to stack, mean pooling and a linear layer. Edges out of a cell's input hold a 1x1
    projection. Unused vertices do not count. The remainder of an uneven division goes to the
    first vertices, so isomorphic cells can differ by a few parameters.

    Parameters
    ----------
    cells : Cells
        Node types 1, 2, 3 are conv3x3, conv1x1, maxpool3x3; any number of vertices.

    Returns
    -------
    Complexity
        With ``madds`` of stem, projection, conv3x3, conv1x1 and head.
    """
    edges = prune(cells.edges.astype(bool))
    batch = len(edges)
    stem = 3 * 9 * STEM
    head = STEM * 2 ** (STACKS - 1) * CLASSES
    madds = {"stem": np.full(batch, IMAGE**2 * stem), "head": np.full(batch, head)}
    madds |= {
        name: np.zeros(batch, dtype=np.int64) for name in ("projection", "conv3x3", "conv1x1")
    }
    params = np.full(batch, stem + 2 * STEM + head + CLASSES)
    for stack in range(STACKS):
        channels = STEM * 2**stack
        pixels = (IMAGE >> stack) ** 2
        width = vertex_channels(edges, channels)
        # The first cell of a later stack reads the channels of the stack before.
        inputs = CELLS * channels - (channels // 2 if stack else 0)
        projected = (edges[:, 0] * width).sum(axis=1)
        madds["projection"] += pixels * inputs * projected
        params += inputs * projected + 2 * CELLS * projected
        for kind, taps in KERNEL.items():
            chosen = width * (cells.nodes == kind)
            weights = CELLS * taps * (chosen**2).sum(axis=1)
            madds[OPERATION[kind]] += pixels * weights
            params += weights + 2 * CELLS * chosen.sum(axis=1)
    return Complexity(params, madds)
