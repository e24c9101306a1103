"""Size of the networks of ENAS's macro cells."""

from __future__ import annotations

import numpy as np

from dagnas.spaces.cells import Cells
from dagnas.spaces.sizes.base import CLASSES, IMAGE, Complexity

LAYERS = 6
#: Taps of the kernels of an operation, by the type of the vertex: full and separable convolutions.
FULL = {1: 9, 3: 25}
SEPARABLE = {2: 9, 4: 25}


def enas_size(cells: Cells, channels: int = 36) -> Complexity:
    """Size of the networks of ENAS's macro cells on CIFAR-10.

    No paper states the network whose size NGAE's complexity predictor learns (NGAE, section 3.2).
    This one is our choice: the macro network of ENAS (Pham et al. 2018, section 2.3 and figure 3;
    12 layers in their released code) with the six layers and 36 channels of the search from which
    D-VAE's cells come. A stem, a 3x3 convolution; layers, each a 1x1 convolution followed by its
    operation, where a separable convolution is a depthwise and a pointwise one; in every layer but
    the first, the operation's output and what skip connections bring are concatenated and brought
    back to the channels by a 1x1 convolution; after one third and two thirds of the layers,
    factorised reductions, two 1x1 convolutions with stride 2 to half of the channels each; mean
    pooling and a linear layer without bias. A batch norm follows every convolution but a depthwise
    one, and a reduction has one. The released code reduces the outputs of all layers; counted here
    are only those that a later layer reads, so that parts without an effect cost nothing. That code
    also doubles the channels at a reduction when a found network is trained, though not in the
    search; here they stay the same.

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
    for v in range(1, LAYERS + 1):
        taps = {kind: np.zeros(batch, dtype=np.int64) for kind in ("conv", "sepconv")}
        for kind, sizes in (("conv", FULL), ("sepconv", SEPARABLE)):
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
        if v in (LAYERS // 3, 2 * LAYERS // 3):
            pixels //= 4
            read_later = cells.edges[:, : v + 1, v + 1 :].any(axis=2).sum(axis=1)
            madds["reduction"] += pixels * square * read_later
            params += (square + norm) * read_later
    return Complexity(params, madds)
