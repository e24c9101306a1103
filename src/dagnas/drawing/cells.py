"""Pictures of cells: layered graphs without overlaps, and what changed between two cells.

Vertices are in layers by longest path. All shapes and letters are drawn in data units, so that a
picture scales as a whole with its axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from dagnas.drawing.genotypes import draw_genotype
from dagnas.drawing.layout import Edge, Item, chain, place, ports, radii
from dagnas.drawing.shapes import ADDED, DELETED, KEPT, LETTERS, Look, Picture
from dagnas.drawing.shapes import INCHES_PER_UNIT as INCHES_PER_UNIT
from dagnas.drawing.strings import draw_string
from dagnas.spaces.cells import Cells
from dagnas.spaces.genotype_space import GenotypeSpace
from dagnas.spaces.paths import prune as prune_edges
from dagnas.spaces.paths import vertices_on_paths
from dagnas.spaces.resnet_strings import ResNetStringsSpace

if TYPE_CHECKING:
    from dagnas.spaces.cell_space import CellSpace


class Parts(NamedTuple):
    """Parts of a picture of a cell: types of vertices and of edges, by name."""

    nodes: dict[int, str]
    edges: dict[Edge, str]


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
    and dashed (GOAL, figure 7). Genotypes and ResNet-style strings have pictures of
    their own, `draw_genotype` and `draw_string`.

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
    if isinstance(space, GenotypeSpace):
        return draw_genotype(space, cell, ax, before=before)
    if isinstance(space, ResNetStringsSpace) and before is None:
        return draw_string(space, cell, ax)
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
    routes = {edge: [at[item] for item in chain(edge, at)] for edge in both.edges}

    picture = Picture()
    ends = (
        ports(routes, dict.fromkeys(both.nodes, shape), ahead, aside)
        if boxed
        else radii(routes, shape[0] / 2)
    )
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


def _layout(cell: Parts, width: float, gap: float) -> dict[Item, tuple[int, float]]:
    """Depth (number of the layer) and breadth of every vertex and of every bend."""
    depth: dict[int, int] = {}
    for v in cell.nodes:
        depth[v] = max((depth[i] + 1 for i, j in cell.edges if j == v), default=int(v > 0))
    last = max(cell.nodes)
    depth[last] = max(depth[last], *(d + (v != last) for v, d in depth.items() if v))
    return place(depth, cell.edges, width, gap)
