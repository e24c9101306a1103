"""Weisfeiler-Lehman kernel of cells (Shervashidze et al. 2011; Ru et al. 2021, section 3).

A cell is a graph whose vertices are operations. Every vertex has a label, its operation at first;
in each of h iterations it becomes the pair of the label and the sorted labels of the vertices that
follow. The subtree kernel is the inner product of how often each label of all iterations occurs.
The kernel of optimal assignment (Kriege et al. 2016) has the smaller of two counts in place of
their product. Both are normalised, so that a cell has the kernel 1 with itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.paths import prune

#: Types of edges that pass on what they are given: no operations.
PLAIN = ("connected", "skip_connect")


class Operations(NamedTuple):
    """Cells as graphs of operations.

    Attributes
    ----------
    labels : ndarray of int, shape (B, n)
        Operation of every vertex, -1 where there is none.
    edges : ndarray of bool, shape (B, n, n)
        Upper triangular.
    """

    labels: NDArray[np.int64]
    edges: NDArray[np.bool_]


def operations(space: CellSpace, cells: Cells) -> Operations:
    """Graphs of the operations of cells; the first and the last vertex stay in all of them.

    Where edges have a choice among operations, each is a vertex, unless it is "none", or passes on
    what it is given: then those before it and those behind it are joined. So are those around
    vertices that stand for nothing but a sum, which is the type that several vertices share. What
    is on no path from the first vertex to the last is left out.
    """
    drawn = np.array([name != "none" for name in space.edge_types])
    used = drawn[cells.edges] & space.edge_mask.any(axis=2)
    if space.edge_mask.shape[-1] == 2:
        labels, edges = cells.nodes.astype(np.int64), used
    else:
        labels, edges = _with_edges_as_vertices(space, cells, used)
    edges = prune(edges)
    there = np.asarray(edges.any(axis=1) | edges.any(axis=2))
    there[:, [0, -1]] = True
    return Operations(np.where(there, labels, -1), edges)


def _with_edges_as_vertices(
    space: CellSpace, cells: Cells, used: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Labels and edges of the graph that has a vertex for each vertex and edge of the cell."""
    # In this order edges lead forward: a vertex, then the edges that leave it.
    tails, heads = np.nonzero(space.edge_mask.any(axis=2))
    place = np.arange(space.num_nodes) + np.searchsorted(tails, np.arange(space.num_nodes))
    middle = np.arange(len(tails)) + tails + 1
    size = space.num_nodes + len(tails)
    labels = np.empty((len(cells), size), dtype=np.int64)
    labels[:, place] = cells.nodes
    labels[:, middle] = len(space.node_types) + cells.edges[:, tails, heads]
    edges = np.zeros((len(cells), size, size), dtype=bool)
    edges[:, place[tails], middle] = edges[:, middle, place[heads]] = used[:, tails, heads]

    shared = space.node_mask.sum(axis=0) > 1
    fixed = space.node_mask.sum(axis=1) == 1
    passing = np.zeros((len(cells), size), dtype=bool)
    passing[:, place[1:-1]] = (fixed & shared[cells.nodes])[:, 1:-1]
    plain = np.array([name in PLAIN for name in space.edge_types])
    passing[:, middle] = plain[cells.edges[:, tails, heads]]
    for vertex in range(size):
        passed = passing[:, vertex, None]
        before, behind = edges[:, :, vertex] & passed, edges[:, vertex] & passed
        edges |= before[:, :, None] & behind[:, None]
        edges[:, :, vertex] &= ~passed
        edges[:, vertex] &= ~passed
    return labels, edges


class Labelling:
    """Labels of Weisfeiler and Lehman, numbered as they are met.

    Parameters
    ----------
    space : CellSpace
    iterations : int
        h, at most.

    Attributes
    ----------
    size : int
        Number of labels met so far.
    """

    def __init__(self, space: CellSpace, iterations: int) -> None:
        self.space, self.iterations = space, iterations
        self._numbers: dict[tuple[int, ...], int] = {}

    @property
    def size(self) -> int:
        """Number of labels met so far."""
        return len(self._numbers)

    def __call__(self, cells: Cells) -> NDArray[np.int64]:
        """Labels of all vertices in every iteration, shape (h + 1, B, n); -1 for no vertex."""
        graphs = operations(self.space, cells)
        found = np.full((self.iterations + 1, *graphs.labels.shape), -1)
        for cell, (labels, edges) in enumerate(zip(*graphs, strict=True)):
            there = np.flatnonzero(labels >= 0)
            behind = {int(v): np.flatnonzero(edges[v]).tolist() for v in there}
            # The iteration begins the key, so that labels of two iterations are never the same.
            known = {v: self._number((0, int(labels[v]))) for v in behind}
            found[0, cell, there] = list(known.values())
            for iteration in range(1, self.iterations + 1):
                known = {
                    v: self._number((iteration, known[v], *sorted(known[w] for w in follow)))
                    for v, follow in behind.items()
                }
                found[iteration, cell, there] = list(known.values())
        return found

    def _number(self, key: tuple[int, ...]) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def counts(self, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """How often each label occurs in each cell, shape (B, size), of labels as above."""
        iterations, batch, vertices = labels.shape
        flat = labels.transpose(1, 0, 2).reshape(batch, iterations * vertices)
        counts = np.zeros((batch, self.size + 1))
        # The last column is that of no vertex.
        np.add.at(counts, (np.arange(batch)[:, None], flat), 1)
        return counts[:, :-1]


def kernel(
    one: NDArray[np.float64], other: NDArray[np.float64], assignment: bool = False
) -> NDArray[np.float64]:
    """Normalised kernel of all cells of two batches, from counts of the same labels.

    Parameters
    ----------
    one, other : ndarray, shapes (A, L) and (B, L)
        As `Labelling.counts` gives them.
    assignment : bool
        Optimal assignment instead of subtrees.

    Returns
    -------
    ndarray, shape (A, B)
        In (0, 1].
    """
    if assignment:
        most = int(max(one.max(), other.max()))
        # The smaller of two counts is the number of thresholds that both reach.
        pairs = [(one >= t, other >= t) for t in range(1, most + 1)]
        product = np.sum([a.astype(float) @ b.T.astype(float) for a, b in pairs], axis=0)
        norms = one.sum(axis=1), other.sum(axis=1)
    else:
        product = one @ other.T
        norms = (one**2).sum(axis=1), (other**2).sum(axis=1)
    return np.asarray(product / np.sqrt(np.multiply.outer(*norms)))
