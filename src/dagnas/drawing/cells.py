"""Pictures of cells: layered graphs without overlaps, and what changed between two cells.

The layout follows the steps of Sugiyama, Tagawa and Toda (1981): vertices in layers by longest
path, edges that skip layers bent around what lies between, few crossings, then short edges. All
shapes and letters are drawn in data units, so that a picture scales as a whole with its axes.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D, Bbox
from numpy.typing import NDArray

from dagnas.spaces.cells import Cells
from dagnas.spaces.paths import prune as prune_edges
from dagnas.spaces.paths import vertices_on_paths

if TYPE_CHECKING:
    from dagnas.spaces.cell_space import CellSpace

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
}
PLAIN_FILL = "#eeeeee"
LETTERS, SMALL_LETTERS = 0.34, 0.2
ARROW = 0.19
INCHES_PER_UNIT = 0.55
#: Most that a gap may shrink so that a line becomes straight.
SLACK = 0.12

Array = NDArray[np.float64]
Edge = tuple[int, int]
#: A vertex, or the bend of the edge (i, j) in a layer that it crosses.
Item = int | tuple[int, int, int]


class Parts(NamedTuple):
    """Parts of a picture of a cell: types of vertices and of edges, by name."""

    nodes: dict[int, str]
    edges: dict[Edge, str]


class Look(NamedTuple):
    """Colours and line of a part."""

    ink: str
    fill: str | None
    dashed: bool


KEPT = Look("#222222", None, False)
ADDED = Look("#117733", "#c9ead0", False)
DELETED = Look("#8c8c8c", "#ffffff", True)


def parts(space: CellSpace, cell: Cells, prune: bool = True) -> Parts:
    """Vertices of a cell (a batch of one) and its edges other than those of type "none".

    With ``prune``, only those on a path from the first vertex to the last, and these two.
    """
    present = np.array([name != "none" for name in space.edge_types])
    edges = np.triu(present[cell.edges], 1)
    kept = np.ones(space.num_nodes, dtype=bool)
    if prune:
        edges, (kept,) = prune_edges(edges), vertices_on_paths(edges)
        kept[[0, -1]] = True
    types = {
        (i, j): space.edge_types[cell.edges[0, i, j]] for j, i in np.argwhere(edges[0].T).tolist()
    }
    return Parts(
        {v: space.node_types[cell.nodes[0, v]] for v in np.flatnonzero(kept).tolist()}, types
    )


def draw_cell(
    space: CellSpace,
    cell: Cells,
    ax: Axes | None = None,
    *,
    before: Cells | None = None,
    prune: bool = True,
) -> Axes:
    """Draw one cell, and its changes from an earlier one.

    Vertices whose type is a choice are labelled boxes, others are dots; edges are labelled where
    they choose among several operations, and left out where they are of type "none" (GOAL,
    figure 2). With ``before``, what was added or changed is green and what was deleted is grey
    and dashed (GOAL, figure 7).

    Parameters
    ----------
    space : CellSpace
    cell : Cells
        A batch of one.
    ax : Axes, optional
        Axes to draw on; by default those of a new figure that fits.
    before : Cells, optional
        The earlier cell, a batch of one.
    prune : bool
        Leave out all that lies on no path from the first vertex to the last.

    Returns
    -------
    Axes
    """
    now = parts(space, cell, prune)
    old = now if before is None else parts(space, before, prune)
    both = Parts(dict(sorted({**old.nodes, **now.nodes}.items())), {**old.edges, **now.edges})
    labelled = bool((space.edge_mask.sum(axis=2) > 2).any())
    boxed = bool((space.node_mask.sum(axis=1) > 1).any())

    # Labels of edges need length, labels of vertices do not: left to right, or top to bottom.
    ahead = np.array([1.0, 0.0] if labelled else [0.0, -1.0])
    aside = np.array([0.0, 1.0] if labelled else [1.0, 0.0])
    shape = np.array([0.8, 0.56] if boxed else [0.28, 0.28])
    step, gap = (3.0, 1.0) if labelled else (1.2, 0.4)
    at = {
        item: step * depth * ahead + breadth * aside
        for item, (depth, breadth) in _layout(both, float(shape @ aside), gap).items()
    }
    routes = {edge: [at[item] for item in _chain(edge, at)] for edge in both.edges}

    picture = _Picture()
    ends = _ports(routes, shape, ahead, aside) if boxed else _radii(routes, shape[0] / 2)
    for edge, route in routes.items():
        (start, leave), (tip, arrive) = ends[edge]
        points, headings = [start, *route[1:-1], tip], [leave, *[ahead] * len(route[1:-1]), arrive]
        picture.arrow(points, headings, _look(now.edges.get(edge), old.edges.get(edge)))
    for edge, kind in both.edges.items() if labelled else ():
        route = routes[edge]
        middle = (route[(len(route) - 1) // 2] + route[len(route) // 2]) / 2
        look = _look(now.edges.get(edge), old.edges.get(edge))
        picture.label(middle, kind, old.edges.get(edge, kind), look)
    for vertex, kind in both.nodes.items():
        look = _look(now.nodes.get(vertex), old.nodes.get(vertex))
        if boxed:
            picture.box(at[vertex], shape, kind, old.nodes.get(vertex, kind), look)
        else:
            picture.dot(at[vertex], shape[0] / 2, look)
            if vertex == 0:
                picture.text(at[vertex] - [0.28, 0], kind, LETTERS * 0.85, KEPT.ink, anchor=1)
            if vertex == space.num_nodes - 1:
                picture.text(at[vertex] + [0.28, 0], kind, LETTERS * 0.85, KEPT.ink, anchor=0)
    return picture.onto(ax)


def _look(now: str | None, old: str | None) -> Look:
    if now is None:
        return DELETED
    return KEPT if now == old else ADDED


# Layout.


def _chain(edge: Edge, items: dict[Item, Any]) -> list[Item]:
    """Items along an edge: its tail, its bends from layer to layer, its head."""
    bends = sorted(item for item in items if isinstance(item, tuple) and item[:2] == edge)
    return [edge[0], *bends, edge[1]]


def _layout(cell: Parts, width: float, gap: float) -> dict[Item, tuple[float, float]]:
    """Depth (number of the layer) and breadth of every vertex and of every bend."""
    depth: dict[Item, int] = {}
    for v in cell.nodes:
        depth[v] = max((depth[i] + 1 for i, j in cell.edges if j == v), default=int(v > 0))
    last = max(cell.nodes)
    depth[last] = max(depth[last], *(d + (v != last) for v, d in depth.items() if v))
    for i, j in cell.edges:
        depth.update({(i, j, layer): layer for layer in range(depth[i] + 1, depth[j])})
    layers: list[list[Item]] = [[] for _ in range(depth[last] + 1)]
    for item, layer in depth.items():
        layers[layer].append(item)
    links = [link for edge in cell.edges for link in itertools.pairwise(_chain(edge, depth))]
    _uncross(layers, links)
    breadth = _straighten(layers, links, width, gap)
    return {item: (float(depth[item]), breadth[item]) for item in depth}


def _uncross(layers: list[list[Item]], links: list[tuple[Item, Item]]) -> None:
    """Order the layers in place: swap items as long as crossings or lengths become fewer."""

    def cost() -> tuple[int, float]:
        rank = {v: k - (len(layer) - 1) / 2 for layer in layers for k, v in enumerate(layer)}
        layer_of = {v: number for number, layer in enumerate(layers) for v in layer}
        crossings = sum(
            (rank[a] - rank[c]) * (rank[b] - rank[d]) < 0
            for (a, b), (c, d) in itertools.combinations(links, 2)
            if layer_of[a] == layer_of[c]
        )
        return crossings, sum((rank[a] - rank[b]) ** 2 for a, b in links)

    best, improved = cost(), True
    while improved:
        improved = False
        for layer in layers:
            for i, j in itertools.combinations(range(len(layer)), 2):
                layer[i], layer[j] = layer[j], layer[i]
                if (now := cost()) < best:
                    best, improved = now, True
                else:
                    layer[i], layer[j] = layer[j], layer[i]


def _straighten(
    layers: list[list[Item]], links: list[tuple[Item, Item]], width: float, gap: float
) -> dict[Item, float]:
    """Breadths that keep the order and the gaps and make edges straight, long ones above all.

    Every item is drawn to the weighted mean of its neighbours; the best breadths of one layer
    under minimal distances are an isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    breadth: dict[Item, float] = {}
    distances = []
    for layer in layers:
        wide = np.array([width if isinstance(item, int) else 0.0 for item in layer])
        distances.append(np.concatenate([[0.0], np.cumsum((wide[1:] + wide[:-1]) / 2 + gap)]))
        breadth.update(zip(layer, distances[-1] - distances[-1][-1] / 2, strict=True))
    pull: dict[Item, list[tuple[Item, float]]] = {item: [] for item in breadth}
    for a, b in links:
        weight = 8.0 ** (isinstance(a, tuple) + isinstance(b, tuple))
        pull[a].append((b, weight))
        pull[b].append((a, weight))
    forth = list(zip(layers, distances, strict=True))
    for layer, distance in (forth + forth[::-1]) * 30:
        weights = np.array([sum((w for _, w in pull[v]), 1e-3) for v in layer])
        wanted = [sum(w * breadth[u] for u, w in pull[v]) for v in layer] / weights
        placed = isotonic_regression(wanted - distance, weights=weights).x + distance
        breadth.update(zip(layer, placed.tolist(), strict=True))
    _align(forth, links, breadth)
    return {item: round(place, 3) for item, place in breadth.items()}


def _align(
    layers: list[tuple[list[Item], Array]],
    links: list[tuple[Item, Item]],
    breadth: dict[Item, float],
) -> None:
    """Put on one line, in place, the bends of an edge and what is nearly so, where there is room.

    Parameters
    ----------
    layers : list of (items, least distances from the first item)
    links : list of (item, item)
    breadth : dict
    """
    number = {item: k for k, (layer, _) in enumerate(layers) for item in layer}
    groups: dict[Item, list[Item]] = {item: [item] for item in breadth}

    def slant(link: tuple[Item, Item]) -> tuple[int, float]:
        a, b = link
        # Bends first: they are seen most. A vertex and a bend keep apart for the vertex's ports.
        kinds = isinstance(a, tuple) + isinstance(b, tuple)
        return (1, 2, 0)[kinds], round(abs(breadth[a] - breadth[b]), 6)

    for a, b in sorted(links, key=slant):
        merged = groups[a] + groups[b]
        order, slope = slant((a, b))
        if groups[a] is groups[b] or len({number[v] for v in merged}) < len(merged):
            continue
        if order == 2 or (order == 1 and slope > 0.3):
            continue
        line = sum(breadth[v] for v in merged) / len(merged)
        moved = {**breadth, **dict.fromkeys(merged, line)}
        if all(
            (np.diff([moved[v] for v in layer]) >= np.diff(distance) - SLACK).all()
            for layer, distance in layers
        ):
            breadth.update(moved)
            groups.update(dict.fromkeys(merged, merged))


def _ports(
    routes: dict[Edge, list[Array]], shape: Array, ahead: Array, aside: Array
) -> dict[Edge, list[tuple[Array, Array]]]:
    """Points and headings where edges leave and enter boxes, side by side in their order."""
    half, room = np.abs(shape @ ahead) / 2 * ahead, np.abs(shape @ aside) * 0.3
    ends: dict[Edge, list[tuple[Array, Array]]] = {edge: [] for edge in routes}
    for end, inner, border in ((0, 1, half), (-1, -2, -half)):
        for vertex in {edge[end] for edge in routes}:
            here = [edge for edge in routes if edge[end] == vertex]
            here.sort(key=lambda edge: float(routes[edge][inner] @ aside))
            offsets = np.linspace(-room, room, len(here)) if len(here) > 1 else np.zeros(1)
            for edge, offset in zip(here, offsets, strict=True):
                ends[edge].append((routes[edge][end] + border + offset * aside, ahead))
    return ends


def _radii(routes: dict[Edge, list[Array]], radius: float) -> dict[Edge, list[tuple[Array, Array]]]:
    """Points and headings where edges leave and enter dots, straight from and to the next."""
    ends = {}
    for edge, route in routes.items():
        leave, arrive = (
            d / np.linalg.norm(d) for d in (route[1] - route[0], route[-1] - route[-2])
        )
        ends[edge] = [(route[0] + radius * leave, leave), (route[-1] - radius * arrive, arrive)]
    return ends


# Shapes.


class _Picture:
    """Shapes in data units, collected before they are drawn so that the axes can be sized."""

    def __init__(self) -> None:
        self.shapes: list[tuple[Path, dict[str, Any]]] = []

    def _add(self, path: Path, **style: Any) -> None:
        self.shapes.append((path, {"edgecolor": "none", "facecolor": "none", **style}))

    def arrow(self, points: list[Array], headings: list[Array], look: Look) -> None:
        """Smooth curve through points, with given unit headings there, and a head at its end."""
        tip, heading = points[-1], headings[-1]
        back = tip - ARROW * heading
        stops = list(zip([*points[:-1], back + 0.2 * ARROW * heading], headings, strict=True))
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

    def box(self, at: Array, shape: Array, kind: str, was: str, look: Look) -> None:
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
        self.text(at + lift, LABELS.get(kind, kind), LETTERS, look.ink)
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
