"""Size of the networks of ResNet-style strings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.sizes.base import CLASSES, IMAGE, Complexity

_EXPANSION = 4


def resnet_strings_size(
    blocks: NDArray[np.int64], doubling: NDArray[np.int64], channels: int = 64
) -> Complexity:
    """Size of ResNet-style networks on CIFAR-10, whose stem is one 3x3 convolution of stride 1.

    Every stage but the first begins with a stride of 2. A bottleneck block has a 1x1, a 3x3 and a
    1x1 convolution, the last one to four times the channels, and a 1x1 convolution beside them
    where shapes differ; a batch norm follows each (BONAS, appendix D; He et al. 2016). The bias of
    the linear layer counts no multiply-adds.

    Parameters
    ----------
    blocks, doubling : ndarray of int, shape (B, 4)
        Blocks of each stage, and which of them doubles the channels, from 1; 0 for none.
    channels : int
        Base channels, 64 in the paper.

    Returns
    -------
    Complexity
        With ``madds`` of stem, blocks and head.
    """
    batch, stages = blocks.shape
    width = np.full(batch, channels)
    inputs = width.copy()
    total = np.zeros(batch, dtype=np.int64)
    params = 27 * width + 2 * width
    pixels = np.full(batch, IMAGE**2)
    for stage in range(stages):
        for number in range(1, int(blocks.max(initial=0)) + 1):
            there = number <= blocks[:, stage]
            width = np.where(there & (doubling[:, stage] == number), 2 * width, width)
            first = int(bool(stage) and number == 1)
            outputs = _EXPANSION * width
            shortcut = np.where((inputs != outputs) | (first > 0), inputs * outputs, 0)
            strided = 9 * width**2 + width * outputs + shortcut
            after = pixels // 4 if first else pixels
            # The first convolution of a block comes before its stride.
            total += there * (pixels * inputs * width + after * strided)
            norms = 2 * (2 * width + outputs + np.where(shortcut > 0, outputs, 0))
            params += there * (inputs * width + strided + norms)
            pixels = np.where(there, after, pixels)
            inputs = np.where(there, outputs, inputs)
    madds = {"stem": np.full(batch, IMAGE**2 * 27 * channels), "blocks": total}
    return Complexity(params + (inputs + 1) * CLASSES, madds | {"head": inputs * CLASSES})
