"""Pictures of genotypes, as DARTS, GOAL and BONAS draw them: operations on the arrows to nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from dagnas.drawing.layout import Array, Edge, chain, place, ports
from dagnas.drawing.shapes import ADDED, KEPT, LETTERS, Look, Picture
from dagnas.spaces.cells import Cells
from dagnas.spaces.genotypes import NODES, Input

if TYPE_CHECKING:
    from dagnas.spaces.genotype_space import GenotypeSpace

#: Length and breadth of boxes: of the cells before and the output, of nodes, of operations.
_END, _NODE, _OPERATION = (np.array(shape) for shape in ((1.1, 0.6), (0.7, 0.6), (2.3, 0.5)))
_BETWEEN, _GAP = 0.9, 0.22
#: Room between two cells, and from a cell to its title.
_APART, _TITLE = 0.9, 0.45
_SOURCE, _HIDDEN, _RESULT = "#eeeeee", "#cfe2f3", "#eeeeee"
#: Height of letters of operations.
_SMALLER = 0.29
_INPUTS = ("$c_{k-2}$", "$c_{k-1}$")
#: Edges that every cell has.
_FIXED = Look("#9a9a9a", None, False)


def draw_genotype(
    space: GenotypeSpace, cell: Cells, ax: Axes | None = None, *, before: Cells | None = None
) -> Axes:
    """Draw the cells of one genotype, from left to right, below each other.

    Every input of a node is an arrow from its source with the operation on it; all nodes lead to
    the output. With ``before``, inputs that the same node of an earlier genotype did not have are
    green.

    Parameters
    ----------
    space : GenotypeSpace
    cell : Cells
        A batch of one.
    ax : Axes, optional
        Axes to draw on; by default those of a new figure that fits.
    before : Cells, optional
        The earlier genotype, a batch of one.

    Returns
    -------
    Axes
    """
    (now,) = space.genotypes(cell)
    old = now if before is None else space.genotypes(before)[0]
    titles = ("normal cell", "reduction cell")[: space.cells]
    if len(titles) == 1:
        titles = ("normal and reduction cell",)
    picture, top = Picture(), 0.0
    for title, inputs, earlier in zip(titles, now, old, strict=False):
        top = _draw(picture, title, inputs, _changed(inputs, earlier), top) - _APART
    return picture.onto(ax)


def _changed(inputs: Sequence[Input], earlier: Sequence[Input]) -> list[bool]:
    """Whether each input is none of those that its node had."""
    changed = []
    for node in range(0, len(inputs), 2):
        left = list(earlier[node : node + 2])
        for one in inputs[node : node + 2]:
            changed.append(one not in left)
            if one in left:
                left.remove(one)
    return changed


def _draw(
    picture: Picture, title: str, inputs: Sequence[Input], changed: Sequence[bool], top: float
) -> float:
    """Draw one cell below the height ``top``, and return the height where it ends.

    Vertices are the two cells before, the nodes, the output, and then the operations.
    """
    output = 2 + NODES
    operations = range(output + 1, output + 1 + len(inputs))
    layers = {0: 0, 1: 0}
    for node in range(NODES):
        # A node comes after the column of its operations.
        sources = (layers[source] for _, source in inputs[2 * node : 2 * node + 2])
        layers[2 + node] = max(sources) + 2
    layers[output] = max(layers.values()) + 1
    layers |= {vertex: layers[2 + n // 2] - 1 for n, vertex in enumerate(operations)}
    into = [(source, vertex) for vertex, (_, source) in zip(operations, inputs, strict=True)]
    out_of = [(vertex, 2 + n // 2) for n, vertex in enumerate(operations)]
    fixed = [(2 + node, output) for node in range(NODES)]
    placed = place(layers, [*into, *out_of, *fixed], float(_NODE[1]), _GAP)

    shapes = {0: _END, 1: _END, output: _END} | dict.fromkeys(operations, _OPERATION)
    shapes |= {2 + node: _NODE for node in range(NODES)}
    lengths = np.zeros(max(layers.values()) + 1)
    for vertex, layer in layers.items():
        lengths[layer] = max(lengths[layer], shapes[vertex][0])
    along = np.cumsum(lengths + _BETWEEN) - lengths / 2
    # Upside down, if need be: the older of the cells before comes first.
    up = 1 if placed[0][1] > placed[1][1] else -1
    at = {item: np.array([along[layer], up * breadth]) for item, (layer, breadth) in placed.items()}
    highest, lowest = (
        sign * max(sign * y + (item in shapes) * _NODE[1] / 2 for item, (_, y) in at.items())
        for sign in (1, -1)
    )
    for point in at.values():
        point[1] += top - _TITLE - highest

    ahead, aside = np.array([1.0, 0.0]), np.array([0.0, 1.0])

    def route(edge: Edge) -> list[Array]:
        """Places along an edge; it crosses a layer level, not to touch what is long there."""
        first, *bends, last = chain(edge, at)
        reach = {bend: (lengths[placed[bend][0]] / 2 + 0.05) * ahead for bend in bends}
        crossed = [at[bend] + sign * reach[bend] for bend in bends for sign in (-1, 1)]
        return [at[first], *crossed, at[last]]

    routes = {edge: route(edge) for edge in [*into, *out_of, *fixed]}
    ends = ports(routes, shapes, ahead, aside)
    looks = [ADDED if new else KEPT for new in changed]
    look_of = dict(zip(into, looks, strict=True)) | dict(zip(out_of, looks, strict=True))
    for edge, (_, *bends, _) in routes.items():
        (start, _), (tip, _) = ends[edge]
        points = [start, *bends, tip]
        look = look_of.get(edge, _FIXED)
        picture.arrow(points, [ahead] * len(points), look, head=edge not in into)
    labels = [*_INPUTS, *map(str, range(NODES)), "$c_k$"]
    fills = [_SOURCE, _SOURCE, *[_HIDDEN] * NODES, _RESULT]
    for vertex, (label, fill) in enumerate(zip(labels, fills, strict=True)):
        picture.box(at[vertex], shapes[vertex], label, label, KEPT._replace(fill=fill))
    for vertex, (operation, _), look in zip(operations, inputs, looks, strict=True):
        picture.box(at[vertex], _OPERATION, operation, operation, look, _SMALLER)
    left = along[0] - _END[0] / 2
    picture.text(np.array([left, top]), title, LETTERS * 0.95, KEPT.ink, anchor=0)
    return float(top - _TITLE - highest + lowest)
