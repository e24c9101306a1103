"""Shapes of pictures of cells: arrows, boxes, dots and letters, all in data units."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D, Bbox
from numpy.typing import NDArray

#: Short names of the types that the benchmarks use; other names are drawn as they are.
LABELS = {
    "input": "I",
    "output": "O",
    "conv3x3-bn-relu": "C3",
    "conv1x1-bn-relu": "C1",
    "maxpool3x3": "MP",
    "conv3x3": "C3",
    "sepconv3x3": "S3",
    "conv5x5": "C5",
    "sepconv5x5": "S5",
    "avgpool3x3": "AP",
    "skip_connect": "skip",
    "nor_conv_1x1": "conv 1\u00d71",
    "nor_conv_3x3": "conv 3\u00d73",
    "avg_pool_3x3": "avg pool 3\u00d73",
    "max_pool_3x3": "max pool 3\u00d73",
    "sep_conv_3x3": "sep conv 3\u00d73",
    "sep_conv_5x5": "sep conv 5\u00d75",
    "dil_conv_3x3": "dil conv 3\u00d73",
    "dil_conv_5x5": "dil conv 5\u00d75",
}
FILLS = {
    "conv3x3-bn-relu": "#cfe2f3",
    "conv1x1-bn-relu": "#fce5cd",
    "maxpool3x3": "#e6dcf0",
    "conv3x3": "#cfe2f3",
    "sepconv3x3": "#d9ead3",
    "conv5x5": "#cfe2f3",
    "sepconv5x5": "#d9ead3",
    "avgpool3x3": "#e6dcf0",
    "max_pool_3x3": "#e6dcf0",
    "avg_pool_3x3": "#e6dcf0",
    "sep_conv_3x3": "#d9ead3",
    "sep_conv_5x5": "#d9ead3",
    "dil_conv_3x3": "#fce5cd",
    "dil_conv_5x5": "#fce5cd",
}
PLAIN_FILL = "#eeeeee"
LETTERS, SMALL_LETTERS = 0.34, 0.2
ARROW = 0.19
INCHES_PER_UNIT = 0.55

Array = NDArray[np.float64]


class Look(NamedTuple):
    """Colours and line of a part."""

    ink: str
    fill: str | None
    dashed: bool


KEPT = Look("#222222", None, False)
ADDED = Look("#117733", "#c9ead0", False)
DELETED = Look("#8c8c8c", "#ffffff", True)


class Picture:
    """Shapes in data units, collected before they are drawn so that the axes can be sized."""

    def __init__(self) -> None:
        self.shapes: list[tuple[Path, dict[str, Any]]] = []

    def _add(self, path: Path, **style: Any) -> None:
        self.shapes.append((path, {"edgecolor": "none", "facecolor": "none", **style}))

    def arrow(
        self, points: list[Array], headings: list[Array], look: Look, head: bool = True
    ) -> None:
        """Smooth curve through points, with given unit headings there, and a head at its end."""
        tip, heading = points[-1], headings[-1]
        back = tip - ARROW * heading
        end = back + 0.2 * ARROW * heading if head else tip
        stops = list(zip([*points[:-1], end], headings, strict=True))
        vertices, codes = [points[0]], [Path.MOVETO]
        for (start, leave), (end, arrive) in itertools.pairwise(stops):
            # Control points half the way ahead make straight lines straight and bends round.
            vertices += [
                start + (end - start) @ leave / 2 * leave,
                end - (end - start) @ arrive / 2 * arrive,
                end,
            ]
            codes += [Path.CURVE4] * 3
        dashes = (0, (3, 2)) if look.dashed else "solid"
        self._add(Path(vertices, codes), edgecolor=look.ink, linewidth=1.4, linestyle=dashes)
        if not head:
            return
        side = np.array([-heading[1], heading[0]]) * ARROW * 0.42
        self._add(Path([tip, back + side, back - side, tip], closed=True), facecolor=look.ink)

    def text(
        self, at: Array, text: str, size: float, ink: str, anchor: float = 0.5, plate: bool = False
    ) -> None:
        """Text on a point that divides its width at ``anchor``; on a white plate over lines."""
        letters = TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans"))
        extent = letters.get_extents()
        # Centred by the height of a capital, so that descenders do not shift a line.
        origin = extent.x0 + anchor * extent.width, 0.365 * size
        placed = letters.transformed(Affine2D().translate(*(at - origin)))
        if plate:
            self._add(_round(placed.get_extents().padded(0.06)), facecolor="#ffffff")
        self._add(placed, facecolor=ink)

    def label(self, at: Array, kind: str, was: str, look: Look) -> None:
        """Operation of an edge, and below it the one it replaced."""
        below = np.array([0.0, -0.3])
        if was != kind:
            self.text(at + below, f"was {LABELS.get(was, was)}", SMALL_LETTERS, DELETED.ink, True)
        self.text(at, LABELS.get(kind, kind), LETTERS * 0.85, look.ink, plate=True)

    def box(
        self,
        at: Array,
        shape: Array,
        kind: str,
        was: str,
        look: Look,
        letters: float = LETTERS,
    ) -> None:
        """Vertex as a box with its type, and below it the one it replaced."""
        fill = look.fill or FILLS.get(kind, PLAIN_FILL)
        dashes = (0, (3, 2)) if look.dashed else "solid"
        self._add(
            _round(Bbox([at - shape / 2, at + shape / 2])),
            facecolor=fill,
            edgecolor=look.ink,
            linewidth=1.4,
            linestyle=dashes,
        )
        lift = np.array([0.0, 0.09 if was != kind else 0.0])
        self.text(at + lift, LABELS.get(kind, kind), letters, look.ink)
        if was != kind:
            self.text(at - 1.8 * lift, f"was {LABELS.get(was, was)}", SMALL_LETTERS, look.ink)

    def dot(self, at: Array, radius: float, look: Look) -> None:
        """Vertex without a choice."""
        self._add(
            Path.circle(tuple(at), radius), facecolor=look.fill or look.ink, edgecolor=look.ink
        )

    def onto(self, ax: Axes | None) -> Axes:
        """Draw all shapes on the axes (or a new figure that fits them) and frame them."""
        frame = Bbox.union([path.get_extents() for path, _ in self.shapes]).padded(0.15)
        if ax is None:
            figure = Figure(figsize=(frame.width * INCHES_PER_UNIT, frame.height * INCHES_PER_UNIT))
            ax = figure.add_axes((0, 0, 1, 1))
        for path, style in self.shapes:
            ax.add_artist(PathPatch(path, **style))
        ax.set(xlim=frame.intervalx, ylim=frame.intervaly, aspect="equal")
        ax.set_axis_off()
        return ax


def _round(box: Bbox) -> Path:
    """Box with round corners."""
    patch = FancyBboxPatch(
        (box.x0, box.y0), box.width, box.height, boxstyle="round,pad=0,rounding_size=0.1"
    )
    return patch.get_path()
