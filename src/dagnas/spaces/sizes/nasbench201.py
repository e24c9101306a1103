"""Size of NAS-Bench-201 networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dagnas.spaces.cells import Cells
from dagnas.spaces.sizes.base import CLASSES, IMAGE, Complexity


@dataclass(frozen=True)
class Skeleton201:
    """Network around a NAS-Bench-201 cell; the defaults are the benchmark's, on CIFAR-10.

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
        True: stacks are joined by a residual block of two 3x3 convolutions with a 1x1 on its
        pooled shortcut, as in the benchmark. False: by that shortcut alone with a batch norm.
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


def nasbench201_size(cells: Cells, skeleton: Skeleton201 = Skeleton201()) -> Complexity:
    """Size of NAS-Bench-201 networks.

    The network (Dong and Yang 2020, section 2.1): a 3x3 convolution, stacks of cells, between
    them a reduction that halves the image and doubles the channels, mean pooling and a linear
    layer. As in the official counts, operations on no path are counted, and the linear layer's
    bias counts as multiply-adds.

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
