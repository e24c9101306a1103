"""Features of cells: what lies on the paths from input to output, and what follows on what.

A feature of a cell must be equal for isomorphic cells, cheap for hundreds of thousands of them, and
close for cells that compute alike. Statistics over all paths from input to output are: how many
operations of a kind does the longest path in that kind hold, the shortest, the mean one, and how
many paths avoid the kind? Kinds are all operations together, all but skip connections, each family
(convolutions, poolings) and each operation by itself. There may be exponentially many paths, yet a
pass over the vertices finds all of it, since each statistic at a vertex follows from those at the
vertices before it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.paths import prune

Array = NDArray[np.float64]

#: Types of edges that are no operation.
PLAIN = ("none", "connected")
#: Operations of one family have its name in theirs.
FAMILIES = ("conv", "pool")
#: Cells that are looked at together, for the memory of the pass.
CHUNK = 16_384


class Paths(NamedTuple):
    """Statistics over all paths from input to output, of B cells and G kinds of operations.

    All are 0 for a cell without such a path.

    Attributes
    ----------
    most, least, mean : ndarray, shape (B, G)
        Operations of the kind on a path: the largest number, the smallest, and the mean.
    without : ndarray, shape (B, G)
        Number of paths without the kind.
    number : ndarray, shape (B,)
        Number of paths.
    """

    most: Array
    least: Array
    mean: Array
    without: Array
    number: Array


def kinds(space: CellSpace) -> NDArray[np.bool_]:
    """Kinds of operations of a space: all, all that compute, families, single ones; each set once.

    Returns
    -------
    ndarray of bool, shape (G, T + R)
        Which types of vertices, then of edges, are of each kind.
    """
    names = (*space.node_types, *space.edge_types)
    free = space.node_mask[space.node_mask.sum(axis=1) > 1].any(axis=0)
    layer = np.array([name not in PLAIN for name in space.edge_types])
    operation = np.concatenate([free, space.edge_mask.any(axis=(0, 1)) & layer])
    operation &= np.array([name != "none" for name in names])
    # A path without any that computes is a residual connection.
    sets = [operation, operation & np.array(["skip" not in name for name in names])]
    sets += [operation & np.array([family in name for name in names]) for family in FAMILIES]
    sets += list(np.eye(len(names), dtype=bool)[operation])
    _, first = np.unique(sets, axis=0, return_index=True)
    return np.array([sets[i] for i in np.sort(first) if sets[i].any()])


def statistics(
    used: NDArray[np.bool_], on_node: NDArray[np.bool_], on_edge: NDArray[np.bool_]
) -> Paths:
    """Statistics over paths, by a pass over the vertices.

    Parameters
    ----------
    used : ndarray of bool, shape (B, V, V)
        Edges on a path from the first vertex to the last.
    on_node : ndarray of bool, shape (G, B, V)
        Vertices that are an operation of each kind.
    on_edge : ndarray of bool, shape (G, B, V, V)
        Edges that are one.
    """
    groups, batch, vertices = on_node.shape
    # Cells last, so that each step reads and writes whole rows.
    edges = np.ascontiguousarray(used.transpose(1, 2, 0)).astype(float)
    nodes = np.ascontiguousarray(on_node.transpose(2, 0, 1)).astype(float)
    held = np.ascontiguousarray(on_edge.transpose(2, 3, 0, 1)).astype(float)
    most, least = np.full((vertices, groups, batch), -np.inf), np.full_like(held[0], np.inf)
    total, without = np.zeros_like(least), np.zeros_like(least)
    number = np.zeros((vertices, batch))
    most[0] = least[0] = total[0] = nodes[0]
    without[0], number[0] = 1 - nodes[0], 1
    for v in range(1, vertices):
        for u in range(v):
            there, on = edges[u, v], held[u, v]
            if not there.any():
                continue
            most[v] = np.maximum(most[v], np.where(there > 0, most[u] + on, -np.inf))
            least[v] = np.minimum(least[v], np.where(there > 0, least[u] + on, np.inf))
            total[v] += there * (total[u] + number[u] * on)
            without[v] += there * without[u] * (1 - on)
            number[v] += there * number[u]
        most[v] += nodes[v]
        least[v] += nodes[v]
        total[v] += number[v] * nodes[v]
        without[v] *= 1 - nodes[v]
    some = number[-1] > 0
    return Paths(
        np.where(some, most[-1], 0).T,
        np.where(some, least[-1], 0).T,
        (total[-1] / np.maximum(number[-1], 1)).T,
        without[-1].T,
        number[-1],
    )


def path_features(space: CellSpace, cells: Cells) -> Array:
    """Features of cells that are representatives of their classes.

    Parameters
    ----------
    space : CellSpace
    cells : Cells
        Representatives, ``space.unpack(space.canonical(cells))``, so that isomorphic cells have
        equal features. What lies on no path from input to output does not count.

    Returns
    -------
    ndarray, shape (B, d)
        For each kind of operation how many there are; edges, vertices, and the logarithm of one
        more than the number of paths; for each kind the statistics of `Paths`, the numbers of
        paths without it as such logarithms.
    """
    parts = [_features(space, cells[at : at + CHUNK]) for at in range(0, len(cells), CHUNK)]
    return np.concatenate(parts) if parts else _features(space, cells)


def _features(space: CellSpace, cells: Cells) -> Array:
    kind = kinds(space)
    drawn = np.array([name != "none" for name in space.edge_types])
    used = prune(drawn[cells.edges] & space.edge_mask.any(axis=2))
    alive = used.any(axis=1) | used.any(axis=2)
    on_node = kind[:, cells.nodes] & alive & (space.node_mask.sum(axis=1) > 1)
    on_edge = kind[:, len(space.node_types) + cells.edges] & used
    paths = statistics(used, on_node, on_edge)
    count = on_node.sum(axis=2) + on_edge.sum(axis=(2, 3))
    shape = [used.sum(axis=(1, 2)), alive.sum(axis=1), np.log1p(paths.number)]
    return np.hstack(
        [
            count.T,
            np.stack(shape, axis=1),
            paths.most,
            paths.least,
            paths.mean,
            np.log1p(paths.without),
        ]
    )


def size_features(space: CellSpace, cells: Cells) -> Array:
    """Logarithm of multiply-adds, shape (B, 1), or (B, 0) where the space does not know them."""
    try:
        return np.log(space.madds(cells).astype(np.float64))[:, None]
    except DagnasError:
        return np.empty((len(cells), 0))


def place_features(space: CellSpace, cells: Cells) -> Array:
    """One-hot values of all variables, shape (B, sum of ``space.sizes``)."""
    values = space.to_values(cells)
    one_hot = [
        values[:, [variable]] == np.arange(size) for variable, size in enumerate(space.sizes)
    ]
    return np.hstack(one_hot).astype(np.float64)
