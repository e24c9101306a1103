"""Size of the networks of DARTS genotypes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.genotypes import NODES, OPERATIONS
from dagnas.spaces.sizes.base import CLASSES, IMAGE, Complexity

_STEM_MULTIPLIER = 3
#: Width of the kernel and number of the depthwise separable convolutions of an operation.
_CONVOLUTIONS = {
    "sep_conv_3x3": (3, 2),
    "sep_conv_5x5": (5, 2),
    "dil_conv_3x3": (3, 1),
    "dil_conv_5x5": (5, 1),
}


def genotype_size(
    sources: NDArray[np.int64],
    operations: NDArray[np.int64],
    channels: int = 36,
    layers: int = 20,
) -> Complexity:
    """Size of the networks of genotypes on CIFAR-10, without auxiliary head.

    The network (Liu et al. 2019, appendix A.2, and the official code): a 3x3 convolution to three
    times the channels; cells, each of which brings the outputs of the two before to its channels by
    1x1 convolutions; reduction cells after one and two thirds of the layers, which double the
    channels; mean pooling and a linear layer. The output of a cell concatenates all nodes. A skip
    connection of stride 2 is a factorised reduction, and so is the 1x1 convolution of an output
    from before a reduction. A separable convolution is applied twice, a dilated one once. A batch
    norm follows each of these convolutions. The bias of the linear layer counts no multiply-adds.

    Parameters
    ----------
    sources, operations : ndarray of int, shape (B, 2, 4, 2)
        Inputs of all nodes of normal and reduction cell, as in `Inputs`.
    channels : int
        Of each node of the first cells.
    layers : int
        Cells in all, the two reductions included.

    Returns
    -------
    Complexity
        With ``madds`` of stem, inputs (of cells), sep_conv, dil_conv, skip and head.
    """
    batch = len(sources)
    madds = {
        kind: np.zeros(batch, dtype=np.int64)
        for kind in ("stem", "inputs", "sep_conv", "dil_conv", "skip", "head")
    }
    before = last = _STEM_MULTIPLIER * channels
    pixels = IMAGE**2
    madds["stem"] += pixels * 27 * last
    params = np.full(batch, 27 * last + 2 * last)
    for layer in range(layers):
        reduction = int(layer in (layers // 3, 2 * layers // 3))
        channels *= 1 + reduction
        weights = (before + last) * channels
        madds["inputs"] += pixels * weights
        params += weights + 4 * channels
        pixels //= 1 + 3 * reduction
        kinds = operations[:, reduction].reshape(batch, 2 * NODES)
        for name, (width, times) in _CONVOLUTIONS.items():
            weights = times * (width**2 + channels) * channels
            number = (kinds == OPERATIONS.index(name)).sum(axis=1)
            madds[name[:8]] += number * pixels * weights
            params += number * (weights + times * 2 * channels)
        if reduction:
            strided = (operations == OPERATIONS.index("skip_connect")) & (sources < 2)
            number = strided[:, 1].sum(axis=(1, 2))
            madds["skip"] += number * pixels * channels**2
            params += number * (channels**2 + 2 * channels)
        before, last = last, NODES * channels
    madds["head"] += last * CLASSES
    return Complexity(params + (last + 1) * CLASSES, madds)
