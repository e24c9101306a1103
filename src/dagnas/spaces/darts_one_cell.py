"""BONAS's variant of the DARTS space: one cell for both, operations on vertices."""

from __future__ import annotations

import numpy as np

from dagnas.spaces.cells import Cells, Graphs
from dagnas.spaces.darts import darts
from dagnas.spaces.genotype_space import GenotypeSpace, Inputs
from dagnas.spaces.genotypes import NODES, OPERATIONS, read, read_cell

#: Vertices: two inputs, two operations a node, and the output.
SIZE = 2 + 2 * NODES + 1
#: Sources of nodes, as vertices that lead from them: an input, or both operations of a node.
_FROM = np.zeros((2 + NODES - 1, SIZE), dtype=bool)
for _source in range(len(_FROM)):
    _FROM[_source, [_source] if _source < 2 else [2 * _source - 2, 2 * _source - 1]] = True


class OneCellSpace(GenotypeSpace):
    """2700 x 7^8 = 15,564,962,700 cells for normal and reduction layers (BONAS, 4.3 and A.2).

    "We regard the operation as the node and regard the data flow as the edge": vertices 0 and 1 are
    the outputs of the cells before, c_{k-2} and c_{k-1}, vertices 2 to 9 the operations, those on
    the two inputs of node i at 2 + 2i and 3 + 2i, that of the smaller source first, and vertex 10
    is the output. A node is the sum of its operations, so that whatever reads it has an edge from
    both. The two sources of a node may be the same, as they are in the cell that BONAS found
    (figure 8; its inputs are then alike, and isomorphic if exchanged). All operations lead to the
    output, and c_{k-2} to c_{k-1}, which was computed from it.
    """

    def __init__(self) -> None:
        nodes = np.zeros((SIZE, len(OPERATIONS) + 3), dtype=bool)
        nodes[0, 0] = nodes[1, 1] = nodes[-1, -1] = True
        nodes[2:-1, 2:-1] = True
        edges = np.zeros((SIZE, SIZE, 2), dtype=bool)
        for node in range(NODES):
            edges[: 2 + 2 * node, 2 + 2 * node : 4 + 2 * node] = True
        edges[2:-1, -1, 1] = edges[0, 1, 1] = True
        types = ("c_{k-2}", "c_{k-1}", *OPERATIONS, "c_k")
        super().__init__("darts_one_cell", 1, False, types, ("none", "connected"), nodes, edges)

    def to_inputs(self, cells: Cells) -> Inputs:
        """Inputs of the nodes; the first source of an operation if there are more."""
        into = cells.edges[:, :, 2:-1].swapaxes(1, 2) > 0
        # The first vertex of a source tells it from others.
        first = into[:, :, _FROM.argmax(axis=1)].argmax(axis=2).reshape(-1, 1, NODES, 2)
        sources = first.clip(max=1 + np.arange(NODES)[:, None])
        operations = cells.nodes[:, 2:-1].astype(np.int64).reshape(-1, 1, NODES, 2) - 2
        return Inputs(sources, operations.clip(0, len(OPERATIONS) - 1)).sorted()

    def from_inputs(self, inputs: Inputs) -> Cells:
        """Cells from the inputs of their nodes."""
        batch = len(inputs.sources)
        nodes = np.repeat(self._fixed.nodes, batch, axis=0)
        edges = np.repeat(self._fixed.edges, batch, axis=0)
        nodes[:, 2:-1] = 2 + inputs.operations.reshape(batch, 2 * NODES)
        edges[:, :, 2:-1] = _FROM[inputs.sources.reshape(batch, 2 * NODES)].swapaxes(1, 2)
        return Cells(nodes, edges)

    def project(self, graphs: Graphs) -> Cells:
        """Nearest cells, exactly.

        The types of vertices do not depend on each other. The gain of a source for a vertex is the
        sum of "connected" less "none" over the source's edges; the two vertices of a node take the
        pair of sources of the largest gain. Ties go to the first type and the first pair.
        """
        nodes = np.where(self.node_mask, graphs.nodes, -np.inf).argmax(axis=2)
        weights = np.asarray(graphs.edges, dtype=np.float64)[:, :, 2:-1]
        gains = np.einsum("bvo,sv->bos", weights[..., 1] - weights[..., 0], _FROM)
        sources = []
        for node, pairs in enumerate(self.pairs):
            first, second = pairs.T
            total = gains[:, 2 * node, first] + gains[:, 2 * node + 1, second]
            sources.append(pairs[total.argmax(axis=1)])
        operations = nodes[:, 2:-1].reshape(-1, 1, NODES, 2) - 2
        return self.from_inputs(Inputs(np.stack(sources, axis=1)[:, None], operations))

    def to_two_cells(self, cells: Cells) -> Cells:
        """Cells of `dagnas.spaces.darts.darts` whose normal and reduction cell are both this one.

        Raises
        ------
        DagnasError
            A node has one source twice, which that space has not.
        """
        return darts.from_genotypes(self.genotypes(cells))

    def from_str(self, texts: list[str]) -> Cells:
        """Cells from official texts, or from one cell's alone, ``[('skip_connect', 0), ...]``."""
        return self.from_genotypes(
            [read_cell(text) if text.lstrip().startswith("[") else read(text) for text in texts]
        )


darts_one_cell = OneCellSpace()
