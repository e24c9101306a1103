"""Pictures of drawn networks: a graph, a graph within it, and one within that (NAGO, figure 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, PathPatch, Polygon
from matplotlib.path import Path
from networkx import DiGraph
from numpy.typing import NDArray

from dagnas.spaces.generators import Hyperparameters

#: Fills of the stages, and of operations; those of more stages begin anew.
STAGES = ("#cfe2f3", "#fce5cd", "#d9ead3", "#e6dcf0")
OPERATIONS = {
    "conv_1x1": ("#009E73", "1\u00d71"),
    "conv_3x3": ("#0072B2", "3\u00d73"),
    "conv_5x5": ("#D55E00", "5\u00d75"),
    "conv_7x7": ("#CC79A7", "7\u00d77"),
}
#: Signs of the ways to merge.
MERGES = {"sum": "\u03a3", "attention": "att", "concatenation": "cat"}
INK, FAINT, PALE = "#222222", "#9a9a9a", "#555555"
#: Grounds of the rows that show the graph of a node.
CONES = ("#f5f2ec", "#e9e3d7")
#: Radius of the dots at the ends of a row.
_DOT = 0.1
#: Breadth of the rows, and most between two nodes of one, in data units.
_BREADTH, _APART = 13.0, 1.25
_INCHES = 0.72
#: Room for the names of the rows at the left.
_NAMES = 3.3

Point = NDArray[np.float64]


class _Row(NamedTuple):
    """Places of the nodes of a graph on a line."""

    graph: DiGraph
    x: dict[int, float]
    y: float
    radius: float

    def at(self, node: int, angle: float = 0.0, far: float = 0.0) -> Point:
        """Centre of a node, or a point of its rim at an angle in degrees."""
        turn = np.deg2rad(angle)
        return np.array([self.x[node], self.y]) + far * np.array([np.cos(turn), np.sin(turn)])

    @property
    def high(self) -> float:
        """Height of the highest arc above the line."""
        spans = [self.x[j] - self.x[i] for i, j in self.graph.edges if j - i > 1]
        return self.radius + max(map(_height, spans), default=0.0)


def draw_hierarchy(
    drawn: DiGraph,
    hyperparameters: Hyperparameters | None = None,
    ax: Axes | None = None,
    *,
    sizes: Mapping[int, str] | None = None,
    focus: tuple[int, int] | None = None,
) -> Axes:
    """Draw a network in three rows: the top graph, the graph of one of its nodes, and one of that.

    Data flow from left to right. Inside a node is its own graph, as a ring. Dots at the ends of a
    row are the input of its graph, which nodes without predecessors read, and its output, the mean
    of those without successors.

    Parameters
    ----------
    drawn : DiGraph
        As `dagnas.networks.wiring.draw` gives it.
    hyperparameters : Hyperparameters, optional
        Those it was drawn by, for the names of the rows.
    ax : Axes, optional
        Axes to draw on; by default those of a new figure.
    sizes : mapping of int to str, optional
        Words below the nodes of each stage, such as its resolution and channels.
    focus : (int, int), optional
        Top node and its middle node whose graphs are shown; by default those of the most nodes.

    Returns
    -------
    Axes
    """
    shown = focus[0] if focus else _largest(drawn)
    middle = drawn.nodes[shown]["graph"]
    inner = focus[1] if focus else _largest(middle)
    bottom = middle.nodes[inner]["graph"]
    many = _merges(drawn) > 1
    rows = _rows([drawn, middle, bottom])
    left, right = -_NAMES - 0.8, _BREADTH + 0.8
    ends = (rows[2].y - rows[2].radius - 1.35, rows[0].y + rows[0].high + 0.75)
    if ax is None:
        size = (_INCHES * (right - left), _INCHES * (ends[1] - ends[0]))
        ax = Figure(figsize=size).add_axes((0, 0, 1, 1))
    ax.set(xlim=(left, right), ylim=ends, aspect="equal")
    ax.set_axis_off()
    _cone(ax, rows[0], shown, rows[1], CONES[0])
    _cone(ax, rows[1], inner, rows[2], CONES[1])
    fills = {n: STAGES[about["stage"] % len(STAGES)] for n, about in drawn.nodes.items()}
    _draw_row(ax, rows[0], fills, many)
    _draw_row(ax, rows[1], dict.fromkeys(middle, fills[shown]), many)
    _draw_row(
        ax, rows[2], {n: OPERATIONS[o["operation"]][0] for n, o in bottom.nodes.items()}, many
    )
    for row, chosen in ((rows[0], shown), (rows[1], inner)):
        ring = Circle(tuple(row.at(chosen)), row.radius, fill=False, ec=INK, lw=2.6, zorder=5)
        ax.add_patch(ring)
    _name_rows(ax, rows, hyperparameters, (shown, inner))
    _name_stages(ax, rows[0], sizes or {})
    _legend(ax, rows[2], many, drawn)
    return ax


def _largest(graph: DiGraph) -> int:
    """Node whose graph has the most nodes; of several the one nearest the middle."""
    centre = (len(graph) - 1) / 2
    found: int = max(graph, key=lambda n: (len(graph.nodes[n]["graph"]), -abs(n - centre)))
    return found


def _merges(drawn: DiGraph) -> int:
    """Number of ways to merge that the network has."""
    return len(_found(drawn, "merge"))


def _found(graph: DiGraph, attribute: str) -> set[str]:
    """Values of an attribute at all levels."""
    found = {about[attribute] for about in graph.nodes.values() if attribute in about}
    return found.union(
        *(_found(a["graph"], attribute) for a in graph.nodes.values() if "graph" in a)
    )


def _rows(graphs: list[DiGraph]) -> list[_Row]:
    """Rows one below the other, as far apart as their arcs need."""
    rows: list[_Row] = []
    y = 0.0
    for graph in graphs:
        apart = min(_APART, _BREADTH / (len(graph) + 1))
        start = (_BREADTH - apart * (len(graph) - 1)) / 2
        row = _Row(graph, {n: start + apart * k for k, n in enumerate(graph)}, y, 0.38 * apart)
        if rows:
            row = row._replace(y=rows[-1].y - rows[-1].radius - 1.35 - row.high)
        rows.append(row)
    return rows


def _height(span: float) -> float:
    """Height of an arc of this breadth."""
    return 0.42 * float(np.sqrt(span))


def _arrow(ax: Axes, path: list[Point], ink: str, width: float) -> None:
    """Line or curve with a head at its end."""
    codes = [Path.MOVETO, *[Path.LINETO if len(path) == 2 else Path.CURVE4] * (len(path) - 1)]
    ax.add_patch(
        FancyArrowPatch(
            path=Path(path, codes),
            arrowstyle="-|>",
            mutation_scale=7,
            shrinkA=0,
            shrinkB=0,
            color=ink,
            lw=width,
            joinstyle="miter",
            zorder=2,
        )
    )


def _draw_row(ax: Axes, row: _Row, fills: Mapping[int, str], many: bool) -> None:
    """Graph of a row: edges to the next node straight, others as arcs, input and output below."""
    radius, up = row.radius, np.array([0.0, 1.0])
    for i, j in row.graph.edges:
        if j - i == 1:
            _arrow(ax, [row.at(i, 0, radius), row.at(j, 180, radius)], INK, 1.2)
            continue
        start, end = row.at(i, 62, radius), row.at(j, 118, radius)
        # Of a cubic curve, three quarters of the height of its control points are reached.
        lift = _height(row.x[j] - row.x[i]) / 0.75 * up
        _arrow(ax, [start, start + lift, end + lift, end], INK, 1.2)
    nodes = list(row.graph)
    apart = max(2.4 * radius, 0.6)
    source, sink = row.at(nodes[0], 180, apart), row.at(nodes[-1], 0, apart)
    for node in nodes:
        if not row.graph.in_degree(node):
            _end(ax, row, source, node, into=True, near=node == nodes[0])
        if not row.graph.out_degree(node):
            _end(ax, row, sink, node, into=False, near=node == nodes[-1])
    for place in (source, sink):
        ax.add_patch(Circle(tuple(place), _DOT, fc=INK, ec="none", zorder=4))
    for node, about in row.graph.nodes.items():
        ax.add_patch(Circle(tuple(row.at(node)), radius, fc=fills[node], ec=INK, lw=1.0, zorder=3))
        if "graph" in about:
            _ring(ax, about["graph"], row.at(node), radius)
        else:
            _write(
                ax, row.at(node), OPERATIONS[about["operation"]][1], min(9, 26 * radius), "white"
            )
        if many and row.graph.in_degree(node) > 1:
            below = row.at(node, 222, radius + 0.17)
            _write(ax, below, MERGES[about["merge"]], 7, INK)


def _end(ax: Axes, row: _Row, place: Point, node: int, *, into: bool, near: bool) -> None:
    """Arrow from the input of a graph to a node, or from a node to the output."""
    radius = row.radius
    if near:
        rim = row.at(node, 180 if into else 0, radius)
        end = place - np.array([_DOT, 0.0])
        _arrow(ax, [place, rim] if into else [rim, end], FAINT, 1.2)
        return
    rim = row.at(node, 242 if into else 298, radius)
    drop = np.array([0.0, -0.5 * _height(abs(row.x[node] - place[0]))])
    low = place + 1.4 * drop - np.array([0.0, radius])
    path = [place, low, rim + drop, rim]
    if not into:
        path = [rim, rim + drop, low, place - np.array([0.0, _DOT])]
    _arrow(ax, path, FAINT, 1.2)


def _ring(ax: Axes, graph: DiGraph, centre: Point, radius: float) -> None:
    """Small picture of a graph within its node: nodes on a ring, the first at the left."""
    turns = np.pi - 2 * np.pi * np.arange(len(graph)) / len(graph)
    far = 0.66 * radius if len(graph) > 1 else 0.0
    points = centre + far * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    lines = [p for i, j in graph.edges for p in (points[i], points[j])]
    if lines:
        path = Path(lines, [Path.MOVETO, Path.LINETO] * graph.number_of_edges())
        ax.add_patch(PathPatch(path, fill=False, ec=INK, lw=0.5, alpha=0.75, zorder=4))
    dot = min(0.1, 0.16 * radius) if len(graph) > 16 else 0.13 * radius
    for node, about in graph.nodes.items():
        fill = OPERATIONS[about["operation"]][0] if "operation" in about else INK
        ax.add_patch(Circle(tuple(points[node]), dot, fc=fill, ec="none", zorder=4))


def _cone(ax: Axes, row: _Row, node: int, below: _Row, fill: str) -> None:
    """Light from a node onto the row of its graph."""
    nodes = list(below.graph)
    sides = (below.x[nodes[0]] - below.radius - 1.1, below.x[nodes[-1]] + below.radius + 1.1)
    top = below.y + below.high + 0.1
    start, end = (row.at(node, angle, row.radius) for angle in (190, 350))
    base = below.y - below.radius - 0.45
    box = [(sides[0], top), (sides[0], base), (sides[1], base), (sides[1], top)]
    corners = np.array([start, *box, end])
    ax.add_patch(Polygon(corners, closed=True, fc=fill, ec="none", zorder=0))


def _write(
    ax: Axes,
    at: Point,
    text: str,
    size: float,
    ink: str,
    ha: str = "center",
    weight: str = "normal",
) -> None:
    ax.text(
        float(at[0]), float(at[1]), text,
        fontsize=size, color=ink, ha=ha, va="center", fontweight=weight, zorder=6,
    )  # fmt: skip


def _name_rows(
    ax: Axes, rows: list[_Row], hyperparameters: Hyperparameters | None, focus: tuple[int, int]
) -> None:
    """Level of each row, and below it the distribution that it was drawn from."""
    names = ("Top", f"Middle, of node {focus[0]}", f"Bottom, of node {focus[1]}")
    levels = ("top", "middle", "bottom")
    for row, name, level in zip(rows, names, levels, strict=True):
        x = -_NAMES - 0.5
        _write(ax, np.array([x, row.y + 0.25]), name, 11, INK, "left", "bold")
        words = f"{len(row.graph)} nodes, {row.graph.number_of_edges()} edges"
        if hyperparameters is not None:
            words = f"{_short(str(getattr(hyperparameters, level)))}\n{words}"
        lines = words.count("\n") + 1
        _write(ax, np.array([x, row.y + 0.1 - 0.12 * lines]), words, 8.5, PALE, "left")


def _short(text: str) -> str:
    """Name of a distribution, and its numbers in a line below, rounded."""
    name, _, numbers = text.rstrip(")").partition("(")
    rounded = re.sub(r"\d+\.\d+(e-?\d+)?", lambda found: f"{float(found[0]):.2g}", numbers)
    return f"{name}\n{rounded}" if rounded else name


def _name_stages(ax: Axes, row: _Row, sizes: Mapping[int, str]) -> None:
    """Number and words of each stage, above a line below its nodes."""
    stages: dict[int, list[int]] = {}
    for node, about in row.graph.nodes.items():
        stages.setdefault(about["stage"], []).append(node)
    y = row.y + row.high + 0.12
    for stage, nodes in stages.items():
        start, end = row.x[nodes[0]] - row.radius, row.x[nodes[-1]] + row.radius
        colour = STAGES[stage % len(STAGES)]
        ax.plot([start, end], [y, y], color=colour, lw=4, solid_capstyle="round", zorder=1)
        words = sizes.get(stage, f"stage {stage + 1}")
        _write(ax, np.array([(start + end) / 2, y + 0.33]), words, 8.5, PALE)


def _legend(ax: Axes, row: _Row, many: bool, drawn: DiGraph) -> None:
    """Operations, and signs of merges, that the network has."""
    x, y = 0.0, row.y - row.radius - 0.95
    used = _found(drawn, "operation")
    for name, (colour, sign) in OPERATIONS.items():
        if name in used:
            ax.add_patch(Circle((x, y), 0.11, fc=colour, ec="none"))
            _write(ax, np.array([x + 0.22, y]), f"convolution {sign}", 8.5, INK, "left")
            x += 2.3
    if many:
        for name in sorted(_found(drawn, "merge"), key=list(MERGES).index):
            words = {"sum": "weighted sum", "attention": "attention"}.get(name, name)
            _write(ax, np.array([x + 0.1, y]), MERGES[name], 8.5, INK, "right", "bold")
            _write(ax, np.array([x + 0.22, y]), words, 8.5, INK, "left")
            x += 2.1
