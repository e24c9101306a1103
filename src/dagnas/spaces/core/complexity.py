"""Parameters and multiply-adds of cells in their benchmark's network, computed from arrays.

A cell stands for one network: a fixed skeleton that repeats the cell, or in ENAS's macro space
holds it once. Its size follows from the cell alone, so it need not be read from a table, and is
known for cells that no table holds. Counting follows the benchmarks: weights and batch-norm scales
and shifts are parameters; a multiply-add is one of a convolution or of the final linear layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.core.cells import Cells

IMAGE = 32
CLASSES = 10

STEM_101 = 128
STACKS_101 = 3
CELLS_101 = 3
KERNEL_101 = {1: 9, 2: 1}
OPERATION_101 = {1: "conv3x3", 2: "conv1x1", 3: "maxpool3x3"}

LAYERS_ENAS = 6
#: Taps of the kernels of an operation, by the type of the vertex: full and separable convolutions.
FULL_ENAS = {1: 9, 3: 25}
SEPARABLE_ENAS = {2: 9, 4: 25}


@dataclass(frozen=True)
class Skeleton201:
    """The network around a NAS-Bench-201 cell; the defaults are the benchmark's, on CIFAR-10.

    Attributes
    ----------
    height, width, image_channels : int
        Of an image.
    classes : int
    channels : int
        After the stem, a 3x3 convolution; twice as many from stack to stack.
    stacks, cells : int
        Stacks, and cells in each.
    stem_stride : int
    residual : bool
        Whether stacks are joined by a residual block of two 3x3 convolutions with a 1x1 on its
        pooled shortcut, as in the benchmark, or by that shortcut alone with a batch norm.
    """

    height: int = IMAGE
    width: int = IMAGE
    image_channels: int = 3
    classes: int = CLASSES
    channels: int = 16
    stacks: int = 3
    cells: int = 5
    stem_stride: int = 1
    residual: bool = True

    def last_pixels(self) -> tuple[int, int]:
        """Height and width of the feature maps of the last stack."""
        shrink = self.stem_stride * 2 ** (self.stacks - 1)
        return -(-self.height // shrink), -(-self.width // shrink)


@dataclass(frozen=True)
class Complexity:
    """Size of the networks of a batch of B cells.

    Attributes
    ----------
    params : ndarray of int64, shape (B,)
        Trainable parameters.
    madds : dict of str to ndarray of int64, shape (B,)
        Multiply-adds of one 32x32 image forward, by the kind of operation that makes them.
    """

    params: NDArray[np.int64]
    madds: dict[str, NDArray[np.int64]]

    def total_madds(self) -> NDArray[np.int64]:
        """Multiply-adds of all operations, shape (B,)."""
        return np.sum(list(self.madds.values()), axis=0)


def prune(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop the edges that lie on no path from the first vertex to the last.

    Parameters
    ----------
    edges : ndarray of bool, shape (B, V, V)
        Upper triangular.

    Returns
    -------
    ndarray of bool, shape (B, V, V)
    """
    batch, vertices = edges.shape[:2]
    from_input = np.zeros((batch, vertices), dtype=bool)
    to_output = np.zeros((batch, vertices), dtype=bool)
    from_input[:, 0] = to_output[:, -1] = True
    for v in range(1, vertices):
        from_input[:, v] = (edges[:, :v, v] & from_input[:, :v]).any(axis=1)
    for v in range(vertices - 2, -1, -1):
        to_output[:, v] = (edges[:, v, v + 1 :] & to_output[:, v + 1 :]).any(axis=1)
    used = from_input & to_output
    return edges & used[:, :, None] & used[:, None, :]


def vertex_channels(edges: NDArray[np.bool_], channels: int) -> NDArray[np.int64]:
    """Channels of every vertex of NAS-Bench-101 cells that put out ``channels``.

    The vertices that feed the output share its channels, the first ones one more where the
    division leaves a rest; every other vertex is as wide as the widest vertex it feeds
    (Ying et al. 2019, supplement S1).

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
    share, rest = np.divmod(channels, np.maximum(last.sum(axis=1, keepdims=True), 1))
    width = np.zeros(edges.shape[:2], dtype=np.int64)
    width[:, -1] = channels
    width[:, 1:-1] = last * (share + (last.cumsum(axis=1) <= rest))
    for v in range(vertices - 3, 0, -1):
        widest = (edges[:, v, v + 1 : -1] * width[:, v + 1 : -1]).max(axis=1)
        width[:, v] = np.where(last[:, v - 1], width[:, v], widest)
    return width


def nasbench101(cells: Cells) -> Complexity:
    """Size of NAS-Bench-101 networks on CIFAR-10.

    The network (Ying et al. 2019, section 2.1 and supplement S1): a 3x3 convolution to 128
    channels, three stacks of three cells with a 2x2 max pooling and twice the channels from
    stack to stack, mean pooling and a linear layer. Edges out of a cell's input hold a 1x1
    projection. Unused vertices count nothing. The rest of an uneven division goes to the first
    vertices, so isomorphic cells can differ by a few parameters.

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
    stem = 3 * 9 * STEM_101
    head = STEM_101 * 2 ** (STACKS_101 - 1) * CLASSES
    madds = {"stem": np.full(batch, IMAGE**2 * stem), "head": np.full(batch, head)}
    madds |= {
        name: np.zeros(batch, dtype=np.int64) for name in ("projection", "conv3x3", "conv1x1")
    }
    params = np.full(batch, stem + 2 * STEM_101 + head + CLASSES)
    for stack in range(STACKS_101):
        channels = STEM_101 * 2**stack
        pixels = (IMAGE >> stack) ** 2
        width = vertex_channels(edges, channels)
        # The first cell of a later stack reads the channels of the stack before.
        inputs = CELLS_101 * channels - (channels // 2 if stack else 0)
        projected = (edges[:, 0] * width).sum(axis=1)
        madds["projection"] += pixels * inputs * projected
        params += inputs * projected + 2 * CELLS_101 * projected
        for kind, taps in KERNEL_101.items():
            chosen = width * (cells.nodes == kind)
            weights = CELLS_101 * taps * (chosen**2).sum(axis=1)
            madds[OPERATION_101[kind]] += pixels * weights
            params += weights + 2 * CELLS_101 * chosen.sum(axis=1)
    return Complexity(params, madds)


def nasbench201(cells: Cells, skeleton: Skeleton201 = Skeleton201()) -> Complexity:
    """Size of NAS-Bench-201 networks.

    The network (Dong and Yang 2020, section 2.1): a 3x3 convolution, stacks of cells, between
    them a reduction that halves the image and doubles the channels, mean pooling and a linear
    layer. As the official counts do, these keep operations that no path reaches, and take the
    linear layer's bias for multiply-adds.

    Parameters
    ----------
    cells : Cells
        Edge types none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3.
    skeleton : Skeleton201, optional
        The benchmark's own, if not given.

    Returns
    -------
    Complexity
        With ``madds`` of skeleton, nor_conv_1x1 and nor_conv_3x3.
    """
    upper = np.triu_indices(cells.edges.shape[1], 1)
    kinds = cells.edges[:, *upper]
    ones, threes = ((kinds == kind).sum(axis=1, dtype=np.int64) for kind in (2, 3))
    channels = skeleton.channels
    last = channels * 2 ** (skeleton.stacks - 1)
    height, width = (-(-n // skeleton.stem_stride) for n in (skeleton.height, skeleton.width))
    stem = 9 * skeleton.image_channels * channels
    params = stem + 2 * channels + 2 * last + (last + 1) * skeleton.classes
    fixed = height * width * stem + (last + 1) * skeleton.classes
    weights = pixels_weights = norms = 0
    for stack in range(skeleton.stacks):
        if stack:
            height, width = -(-height // 2), -(-width // 2)
            block = channels * 2 * channels
            if skeleton.residual:
                block += 9 * channels * 2 * channels + 9 * (2 * channels) ** 2
            channels *= 2
            params += block + (4 if skeleton.residual else 2) * channels
            fixed += height * width * block
        weights += skeleton.cells * channels**2
        norms += skeleton.cells * 2 * channels
        pixels_weights += skeleton.cells * height * width * channels**2
    madds = {
        "skeleton": np.full(len(kinds), fixed),
        "nor_conv_1x1": ones * pixels_weights,
        "nor_conv_3x3": threes * 9 * pixels_weights,
    }
    return Complexity(params + ones * (weights + norms) + threes * (9 * weights + norms), madds)


def enas(cells: Cells, channels: int = 36) -> Complexity:
    """Size of the networks of ENAS's macro cells on CIFAR-10.

    No paper states the network whose size NGAE's complexity predictor learns (NGAE, section 3.2).
    This is ours: the macro network of ENAS (Pham et al. 2018, section 2.3 and figure 3; 12 layers
    in their released code) with the six layers and 36 channels of the search from which D-VAE's
    cells come. A stem, a 3x3 convolution; layers, each a 1x1 convolution followed by its
    operation, where a separable convolution is a depthwise and a pointwise one; in every layer but
    the first, the operation's output and what skip connections bring are concatenated and brought
    back to the channels by a 1x1 convolution; after one third and two thirds of the layers,
    factorised reductions, two 1x1 convolutions with stride 2 to half of the channels each; mean
    pooling and a linear layer without bias. A batch norm follows every convolution but a depthwise
    one, and a reduction has one. The released code reduces the outputs of all layers; counted here
    are those that a later layer reads, so that what has no effect costs nothing. It also doubles
    the channels at a reduction when a found network is trained, though not in the search; here
    they stay.

    Parameters
    ----------
    cells : Cells
        Of the space ``enas``.
    channels : int
        Of every layer.

    Returns
    -------
    Complexity
        With ``madds`` of stem, calibration, conv, sepconv, skip, reduction and head.
    """
    batch, square, norm = len(cells), channels**2, 2 * channels
    kinds = ("stem", "calibration", "conv", "sepconv", "skip", "reduction", "head")
    madds = {kind: np.zeros(batch, dtype=np.int64) for kind in kinds}
    stem, head = 3 * 9 * channels, channels * CLASSES
    madds["stem"] += IMAGE**2 * stem
    madds["head"] += head
    params = np.full(batch, stem + norm + head)
    pixels = IMAGE**2
    for v in range(1, LAYERS_ENAS + 1):
        taps = {kind: np.zeros(batch, dtype=np.int64) for kind in ("conv", "sepconv")}
        for kind, sizes in (("conv", FULL_ENAS), ("sepconv", SEPARABLE_ENAS)):
            for operation, size in sizes.items():
                taps[kind][cells.nodes[:, v] == operation] = size
        separable = taps["sepconv"] > 0
        skips = cells.edges[:, : v - 1, v].sum(axis=1, dtype=np.int64)
        weights = {
            "calibration": np.full(batch, square),
            "conv": taps["conv"] * square,
            "sepconv": taps["sepconv"] * channels + separable * square,
            "skip": (1 + skips) * square * (v > 1),
        }
        for kind, count in weights.items():
            madds[kind] += pixels * count
            params += count
        convolves = (taps["conv"] > 0) | separable
        params += norm * (1 + convolves + (v > 1))
        if v in (LAYERS_ENAS // 3, 2 * LAYERS_ENAS // 3):
            pixels //= 4
            read_later = cells.edges[:, : v + 1, v + 1 :].any(axis=2).sum(axis=1)
            madds["reduction"] += pixels * square * read_later
            params += (square + norm) * read_later
    return Complexity(params, madds)
