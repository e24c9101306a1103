"""The DARTS space: a normal and a reduction cell of four nodes (Liu et al. 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.cells import Cells, Graphs
from dagnas.spaces.genotype_space import GenotypeSpace, Inputs
from dagnas.spaces.genotypes import CELLS, NODES, OPERATIONS, Genotype

__all__ = ["DARTSSpace", "Genotype", "darts"]

#: Types of edges: no edge, an operation, and the edges that every cell has.
EDGES = ("none", *OPERATIONS, "connected")
_OPERATION = slice(1, 1 + len(OPERATIONS))
#: Vertices of a cell: two inputs, the nodes, and the output.
SIZE = NODES + 3
_OUTPUT = SIZE - 1
#: Whether a vertex of a cell, of those that can be sources, comes before a node; shape (4, 5).
_BEFORE = np.arange(_OUTPUT - 1) < 2 + np.arange(NODES)[:, None]


class DARTSSpace(GenotypeSpace):
    """(180 x 7^8)^2 = 1,076,746,950,455,072,400 pairs of cells (Liu et al. 2019, section 2.1).

    Both cells are one graph, so that predictors and methods see them together: vertices 0 to 6 are
    the normal cell and 7 to 13 the reduction cell, each the outputs of the two cells before,
    c_{k-2} and c_{k-1}, four nodes, and the output c_k. Operations are on the edges that lead to
    nodes, two to each. Further edges are the same in every cell: from all nodes to the output,
    which concatenates them; from c_{k-2} to c_{k-1}, which was computed from it; and from the
    output of the normal cell to the first input of the reduction cell, so that the graph is one.
    Types of vertices are fixed and serve predictors only.
    """

    def __init__(self) -> None:
        vertices = len(CELLS) * SIZE
        edges = np.zeros((vertices, vertices, len(EDGES)), dtype=bool)
        for start in range(0, vertices, SIZE):
            for node in range(start + 2, start + _OUTPUT):
                edges[start:node, node, :-1] = True
                edges[node, start + _OUTPUT, -1] = True
            edges[start, start + 1, -1] = True
        edges[_OUTPUT, SIZE, -1] = True
        roles = ("c_{k-2}", "c_{k-1}", "node", "c_k")
        of_cell = np.array([0, 1, *[2] * NODES, 3])
        super().__init__(
            "darts",
            len(CELLS),
            True,
            tuple(f"{cell} {role}" for cell in CELLS for role in roles),
            EDGES,
            np.eye(len(CELLS) * len(roles), dtype=bool)[[*of_cell, *of_cell + len(roles)]],
            edges,
        )

    def to_inputs(self, cells: Cells) -> Inputs:
        """Inputs of the nodes; the first two of each if there are more."""
        types = _into_nodes(cells.edges).astype(np.int64)
        there = _BEFORE & (types > 0)
        sources = (~there).argsort(axis=3, kind="stable")[..., :2]
        operations = np.take_along_axis(types, sources, axis=3) - _OPERATION.start
        return Inputs(sources, operations.clip(0, len(OPERATIONS) - 1)).sorted()

    def from_inputs(self, inputs: Inputs) -> Cells:
        """Cells from the inputs of their nodes."""
        batch = len(inputs.sources)
        edges = np.repeat(self._fixed.edges, batch, axis=0)
        cells = SIZE * np.arange(len(CELLS))[:, None, None]
        heads = cells + 2 + np.arange(NODES)[:, None]
        rows = np.arange(batch)[:, None, None, None]
        edges[rows, cells + inputs.sources, heads] = inputs.operations + _OPERATION.start
        return Cells(np.repeat(self._fixed.nodes, batch, axis=0), edges)

    def project(self, graphs: Graphs) -> Cells:
        """Nearest cells, exactly: each node keeps its two best inputs with their best operations.

        With the gain of an edge its best operation's component less that of "none", the nearest
        cell has the greatest total gain, and every node the two inputs of the largest gains. Ties
        go to the first operation and the first source.
        """
        weights = _into_nodes(np.asarray(graphs.edges, dtype=np.float64))
        best = weights[..., _OPERATION]
        gains = best.max(axis=4) - weights[..., 0]
        order = np.where(_BEFORE, -gains, np.inf).argsort(axis=3, kind="stable")
        sources = order[..., :2]
        operations = np.take_along_axis(best.argmax(axis=4), sources, axis=3)
        return self.from_inputs(Inputs(sources, operations).sorted())


def _into_nodes(edges: NDArray[Any]) -> NDArray[Any]:
    """What edges hold, by cell, node and source: from (B, V, V, ...) to (B, 2, 4, 5, ...)."""
    starts = range(0, len(CELLS) * SIZE, SIZE)
    parts = [edges[:, at : at + _OUTPUT - 1, at + 2 : at + _OUTPUT] for at in starts]
    return np.stack(parts, axis=1).swapaxes(2, 3)


darts = DARTSSpace()
