"""Pictures of ResNet-style strings: blocks in a row, as high as they have channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from dagnas.drawing.shapes import KEPT, LETTERS, Picture
from dagnas.spaces.cells import Cells

if TYPE_CHECKING:
    from dagnas.spaces.resnet_strings import ResNetStringsSpace

#: Length of a block, and room between two in a stage and between stages.
_LENGTH, _GAP, _APART = 0.55, 0.12, 0.75
#: Breadth of the first blocks, and more for each doubling.
_BREADTH, _MORE = 0.7, 0.4
_CONVOLUTION, _REGULAR, _DOUBLING = "#fbe8c8", "#eeeeee", "#cfe2f3"
_CHANNELS = 64
_SMALL = 0.24


def draw_string(space: ResNetStringsSpace, cell: Cells, ax: Axes | None = None) -> Axes:
    """Draw one string from left to right, with resolutions below and base channels above.

    Parameters
    ----------
    space : ResNetStringsSpace
    cell : Cells
        A batch of one.
    ax : Axes, optional
        Axes to draw on; by default those of a new figure that fits.

    Returns
    -------
    Axes
    """
    (text,) = space.to_str(cell)
    picture, x, doublings = Picture(), 0.0, 0
    ahead, ink = np.array([1.0, 0.0]), KEPT.ink
    lowest = -(_BREADTH + _MORE * text.count("2")) / 2 - 0.3
    # The fixed convolutions begin the first stage and the second.
    for number, blocks in enumerate(["c", *text.split("-")], start=1):
        blocks = "c" + blocks if number == 2 else blocks
        first = x
        for block in blocks:
            doublings += block == "2"
            breadth = _BREADTH + _MORE * doublings
            fill = {"c": _CONVOLUTION, "1": _REGULAR, "2": _DOUBLING}[block]
            label = "3\u00d73" if block == "c" else block
            at, shape = np.array([x, 0.0]), np.array([_LENGTH, breadth])
            letters = 0.2 if block == "c" else LETTERS
            picture.box(at, shape, label, label, KEPT._replace(fill=fill), letters)
            if block == "2" or x == 0:
                channels = str(_CHANNELS * 2**doublings)
                picture.text(np.array([x, breadth / 2 + 0.22]), channels, _SMALL, ink)
            x += _LENGTH + _GAP
        last = x - _GAP - _LENGTH
        middle = (first + last) / 2
        picture.text(np.array([middle, lowest]), f"1/{2**number}", _SMALL, ink)
        if number < 5:
            start = last + _LENGTH / 2
            x = start + _APART + _LENGTH / 2
            picture.arrow(
                [np.array([start, 0.0]), np.array([start + _APART, 0.0])], [ahead, ahead], KEPT
            )
    return picture.onto(ax)
