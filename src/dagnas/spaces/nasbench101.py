"""NAS-Bench-101: up to seven vertices and nine edges, operations on vertices (Ying et al. 2019)."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs, concatenate
from dagnas.spaces.draws import Draw
from dagnas.spaces.paths import vertices_on_paths
from dagnas.spaces.sizes.nasbench101 import nasbench101_size

#: Operations of interior vertices in the official order.
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
MAX_EDGES = 9
_V = 7
_INTERIOR = _V - 2
_NUM_EDGES = _V * (_V - 1) // 2
_CHUNK = 16_384


class _Choices(NamedTuple):
    """Labellings and paths that `NASBench101Space.project` chooses among; see there.

    Attributes
    ----------
    path, inner : ndarray of bool, shape (243, 21)
        For each set of alive vertices and each path through some of them: the edges of the path,
        and all edges among alive vertices.
    room : ndarray of int, shape (243,)
        Edges that may be added to the path.
    paths_of : ndarray of int, shape (32, 32)
        Rows of ``path`` that belong to each set of alive vertices, padded with the first one.
    free : ndarray of bool, shape (243, 21)
        For each labelling: the free edges.
    alive : ndarray of int, shape (243,)
        Set of alive vertices of each labelling.
    """

    path: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    room: NDArray[np.int64]
    paths_of: NDArray[np.int64]
    free: NDArray[np.bool_]
    alive: NDArray[np.int64]


class NASBench101Space(CellSpace):
    """423,624 classes of cells (GOAL, appendix A).

    A cell has vertices 0 (input) to 6 (output). Vertices and edges off every path from input to
    output have no effect: `prune` clears them; what is left must be a path at least and nine
    edges at most, which is the official rule. A cell of fewer vertices is embedded with
    unconnected vertices, which pruning restores. `pack` puts the edge x -> y at bit
    x + y (y - 1) / 2 and the operations above, in base 3.

    Where random cells come from matters here more than elsewhere. By "variables" 0.31 % of them
    have seven vertices after pruning, of the classes 84.8 %; the best class of the table has
    1.07e-8 of the draws, 220 times less than by "classes", which draws as from the table's rows:
    each cell as its pruned representative, under which vertices come in one order of the several
    possible ones. By "script" variables are uniform as well, but a cell is valid only if it has
    nine edges at most even before pruning, as in the benchmark's public scripts (automl's
    nas_benchmarks); this concerns mutations and neighbours too, but not `project`.

    Parameters
    ----------
    size : int, optional
        Vertices that a pruned cell has, input and output included; any number up to seven by
        default (BONAS, section 4.4.2, searches among cells of one size).
    """

    draws: ClassVar[tuple[Draw, ...]] = ("variables", "classes", "script")

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        upper = np.triu(np.ones((_V, _V), dtype=bool), k=1)
        nodes = np.zeros((_V, len(OPERATIONS) + 2), dtype=bool)
        nodes[0, 0] = nodes[-1, -1] = True
        nodes[1:-1, 1:-1] = True
        super().__init__(
            "nasbench101",
            ("input", *OPERATIONS, "output"),
            ("none", "connected"),
            nodes,
            np.repeat(upper[:, :, None], 2, axis=2),
        )

    # Pruning and validity.

    def prune(self, cells: Cells) -> Cells:
        """Cells without edges off every path from input to output.

        Vertices keep their places; those off every path get the first operation.
        """
        alive = vertices_on_paths(cells.edges > 0)
        edges = cells.edges * (alive[:, :, None] & alive[:, None, :])
        nodes = np.where(alive, cells.nodes, self._fixed.nodes)
        return Cells(nodes, edges)

    def is_valid(self, cells: Cells) -> NDArray[np.bool_]:
        """Check that the pruned cell has a path from input to output and at most nine edges.

        By the draw "script", edges are counted before pruning.
        """
        edges = cells.edges > 0
        alive = vertices_on_paths(edges)
        if self.draw != "script":
            # Edges whose ends are both alive are those of the pruned cell.
            edges = edges & alive[:, :, None] & alive[:, None, :]
        valid: NDArray[np.bool_] = alive[:, 0] & (edges.sum(axis=(1, 2)) <= MAX_EDGES)
        return valid if self.size is None else valid & (alive.sum(axis=1) == self.size)

    # Isomorphism.

    @cached_property
    def _relabellings(self) -> NDArray[np.float64]:
        """Weights (variables, 120) whose product with values gives packed relabelled cells.

        Column p renames interior vertices by the p-th permutation. An edge that would then point
        backwards weighs more than any packed number. Doubles hold all sums exactly, and a product
        of matrices of doubles is far faster than one of integers.
        """
        backwards = 2.0**40
        tails, heads = self._tails, self._heads
        columns = []
        for order in itertools.permutations(range(1, _V - 1)):
            name = np.array([0, *order, _V - 1])
            x, y = name[tails], name[heads]
            edges = np.where(x < y, 2.0 ** (x + y * (y - 1) // 2), backwards)
            nodes = 2.0**_NUM_EDGES * 3.0 ** (name[1:-1] - 1)
            columns.append(np.concatenate([edges, nodes]))
        return np.stack(columns, axis=1)

    def canonical(self, cells: Cells) -> NDArray[np.int64]:
        """Smallest packed number among all relabellings of each pruned cell; shape (B,)."""
        codes = np.empty(len(cells), dtype=np.int64)
        for start in range(0, len(cells), _CHUNK):
            part = slice(start, start + _CHUNK)
            values = self.to_values(self.prune(cells[part])).astype(np.float64)
            codes[part] = (values @ self._relabellings).min(axis=1)
        return codes

    def key(self, cells: Cells) -> list[str]:
        """Official hash of each pruned cell, which isomorphic cells share.

        Computed by the ``nasbench_pytorch`` package, as the official table was keyed.
        """
        from nasbench_pytorch.model.graph_util import hash_module

        keys = []
        for matrix, operations in self.to_matrices(self.prune(cells)):
            labels = [-1, *(OPERATIONS.index(name) for name in operations[1:-1]), -2]
            keys.append(hash_module(matrix, labels))
        return keys

    def enumerate(self) -> Cells:
        """One cell of each of the 423,624 classes, in the order of their packed numbers.

        Takes a few seconds the first time.
        """
        return self.unpack(self.representatives())

    def representatives(self) -> NDArray[np.int64]:
        """Packed numbers of one pruned cell of each class, ascending."""
        codes = nasbench101._all_codes
        return codes if self.size is None else codes[self.is_valid(self.unpack(codes))]

    @cached_property
    def _all_codes(self) -> NDArray[np.int64]:
        """Canonical numbers of all classes; graphs without operations are reduced first."""
        shapes = []
        for interior in range(_INTERIOR + 1):
            # All graphs on the first vertices, the output taking the place after them; then the
            # output is moved to its own place.
            size = interior + 2
            bits = np.arange(2 ** (size * (size - 1) // 2), dtype=np.int64)
            bits = bits[np.bitwise_count(bits) <= MAX_EDGES]
            small = np.zeros((len(bits), size, size), dtype=np.int8)
            for tail, head in itertools.combinations(range(size), 2):
                small[:, tail, head] = bits >> (tail + head * (head - 1) // 2) & 1
            full = vertices_on_paths(small > 0).all(axis=1)
            place = np.array([*range(interior + 1), _V - 1])
            edges = np.zeros((full.sum(), _V, _V), dtype=np.int8)
            edges[:, place[:, None], place] = small[full]
            nodes = np.repeat(self._fixed.nodes, len(edges), axis=0)
            classes = np.unique(self.canonical(Cells(nodes, edges)))
            labels = np.array(list(itertools.product(range(3), repeat=interior)), dtype=np.int64)
            alive = vertices_on_paths(self.unpack(classes).edges > 0)[:, 1:-1]
            for code, interior_alive in zip(classes, alive, strict=True):
                weights = 3 ** np.flatnonzero(interior_alive)
                shapes.append(code + 2**_NUM_EDGES * (labels @ weights))
        return np.unique(self.canonical(self.unpack(np.concatenate(shapes))))

    # Projection.

    def project(self, graphs: Graphs) -> Cells:
        """Nearest valid cells, exactly: after pruning, at most nine edges and some path.

        With the gain of an edge its "connected" less its "none" component, the nearest cell has
        the greatest total gain. In every valid cell each interior vertex is *alive* (on a path
        from input to output), or it is not and is *behind* the input (reachable from it) or
        *apart*. Edges among alive vertices are the pruned cell; other edges are free as long as
        none leaves a vertex behind for an alive one or one apart, or an alive one for one apart.
        For each of the 243 ways to label the vertices, the best cell takes all such free edges of
        positive gain. Among alive vertices it holds some path; with each of the paths possible,
        it adds the edges of largest positive gain until nine are reached.

        Raises
        ------
        DagnasError
            The space is of cells of one size, for which this is not solved.
        """
        if self.size is not None:
            raise DagnasError(f"no projection to NAS-Bench-101 cells of {self.size} vertices alone")
        nodes = np.where(self.node_mask, graphs.nodes, -np.inf).argmax(axis=2).astype(np.int8)
        weights = np.asarray(graphs.edges, dtype=np.float64)
        gains = (weights[..., 1] - weights[..., 0])[:, self._tails, self._heads]
        choices = self._choices
        # Edges in order of falling gain, so that "the largest" are the first ones.
        order = np.argsort(-gains, axis=1, kind="stable")
        gains = np.take_along_axis(gains, order, axis=1)
        positive = gains > 0
        chosen = np.empty((len(gains), _NUM_EDGES), dtype=bool)
        for cell, (rank, gain, useful) in enumerate(zip(order, gains, positive, strict=True)):
            path, inner = choices.path[:, rank], choices.inner[:, rank]
            extra = inner & ~path & useful
            pruned = path | (extra & (np.cumsum(extra, axis=1) <= choices.room[:, None]))
            free = choices.free[:, rank] & useful
            # Best path for each set of alive vertices, then the best labelling.
            within = np.where(pruned, gain, 0).sum(axis=1)
            outside = np.where(free, gain, 0).sum(axis=1)
            best = within[choices.paths_of].argmax(axis=1)
            path_of = choices.paths_of[np.arange(len(best)), best]
            labelling = (outside + within[path_of][choices.alive]).argmax()
            chosen[cell] = free[labelling] | pruned[path_of[choices.alive[labelling]]]
        edges = np.zeros((len(gains), _V, _V), dtype=np.int8)
        rows = np.arange(len(gains))[:, None]
        edges[rows, self._tails[order], self._heads[order]] = chosen
        return Cells(nodes, edges)

    @cached_property
    def _choices(self) -> _Choices:
        tails, heads = self._tails, self._heads
        path: list[list[bool]] = []
        inner, free, alive = [], [], []
        paths_of = np.zeros((2**_INTERIOR, 2**_INTERIOR), dtype=np.int64)
        for members in range(2**_INTERIOR):
            is_alive = np.array([True, *(members >> i & 1 for i in range(_INTERIOR)), True], bool)
            inside = is_alive[tails] & is_alive[heads]
            first = len(path)
            for through in range(2**_INTERIOR):
                if through & ~members:
                    continue
                stops = [0, *(1 + i for i in range(_INTERIOR) if through >> i & 1), _V - 1]
                steps = set(itertools.pairwise(stops))
                edges = zip(tails.tolist(), heads.tolist(), strict=True)
                path.append([edge in steps for edge in edges])
                inner.append(inside)
            paths_of[members] = first
            paths_of[members, : len(path) - first] = range(first, len(path))
            dead = np.flatnonzero(~is_alive)
            for behind in itertools.product([False, True], repeat=len(dead)):
                is_behind = np.zeros(_V, dtype=bool)
                is_behind[dead] = behind
                is_apart = ~is_alive & ~is_behind
                from_behind = is_behind[tails] & ~is_behind[heads]
                free.append(~inside & ~from_behind & ~(is_alive[tails] & is_apart[heads]))
                alive.append(members)
        paths = np.array(path)
        return _Choices(
            paths,
            np.array(inner),
            MAX_EDGES - paths.sum(axis=1),
            paths_of,
            np.array(free),
            np.array(alive),
        )

    # Text and matrices.

    def to_matrices(self, cells: Cells) -> list[tuple[NDArray[np.int8], list[str]]]:
        """Official form of each cell, unconnected vertices left out.

        Returns
        -------
        list of (matrix, operations)
            Upper triangular adjacency, shape (v, v) with 2 <= v <= 7, and v names, the first
            "input" and the last "output".
        """
        used = (cells.edges.any(axis=1) | cells.edges.any(axis=2)) | (
            np.isin(np.arange(_V), [0, _V - 1])
        )
        return [
            (edges[np.ix_(keep, keep)], [self.node_types[node] for node in nodes[keep]])
            for nodes, edges, keep in zip(cells.nodes, cells.edges, used, strict=True)
        ]

    def from_matrix(self, matrix: NDArray[np.integer], operations: list[str]) -> Cells:
        """Cell (a batch of one) from an official adjacency matrix and its operations.

        Parameters
        ----------
        matrix : array-like of int, shape (v, v), 2 <= v <= 7
            Upper triangular adjacency.
        operations : list of str, length v
            Names of `OPERATIONS`; the first and the last are not looked at.

        Raises
        ------
        DagnasError
            The matrix is not such a cell, has more than nine edges or no path to the output.
        """
        matrix = np.asarray(matrix)
        text = f"{matrix.tolist()} {list(operations)}"
        size = len(matrix)
        if matrix.shape != (size, size) or not 2 <= size <= _V or len(operations) != size:
            raise self._refuse(text, "expected a v x v matrix and v operations, v from 2 to 7")
        if np.tril(matrix).any() or not np.isin(matrix, (0, 1)).all():
            raise self._refuse(text, "the matrix must be upper triangular, of zeros and ones")
        if not set(operations[1:-1]) <= set(OPERATIONS):
            raise self._refuse(text, f"valid operations are {', '.join(OPERATIONS)}")
        place = np.array([*range(size - 1), _V - 1])
        cell = Cells(self._fixed.nodes.copy(), np.zeros((1, _V, _V), dtype=np.int8))
        cell.edges[0, place[:, None], place] = matrix
        cell.nodes[0, 1 : size - 1] = [1 + OPERATIONS.index(name) for name in operations[1:-1]]
        if not self.is_valid(cell)[0]:
            raise self._refuse(text, "more than nine edges, or no path from input to output")
        return cell

    def madds(self, cells: Cells) -> NDArray[np.int64]:
        """Multiply-adds of each cell's network, shape (B,); see `nasbench101_size`."""
        return nasbench101_size(cells).total_madds()

    def to_str(self, cells: Cells) -> list[str]:
        """Rows of the upper triangle and operations: ``"11|0:conv3x3-bn-relu"`` has 3 vertices.

        All seven vertices are written, whether connected or not.
        """
        return [
            "|".join("".join(map(str, edges[i, i + 1 :])) for i in range(_V - 1))
            + ":"
            + ",".join(self.node_types[node] for node in nodes[1:-1])
            for nodes, edges in zip(cells.nodes, cells.edges, strict=True)
        ]

    def from_str(self, texts: list[str]) -> Cells:
        """Cells from texts as `to_str` writes them; fewer than seven vertices are embedded."""
        return concatenate(self._parse(text) for text in texts)

    def _parse(self, text: str) -> Cells:
        triangle, _, names = text.partition(":")
        rows = triangle.split("|")
        size = len(rows) + 1
        if [len(row) for row in rows] != list(range(size - 1, 0, -1)) or set(triangle) - set("01|"):
            raise self._refuse(text, "expected rows of the upper triangle, such as 11|1:maxpool3x3")
        matrix = np.zeros((size, size), dtype=np.int8)
        for i, row in enumerate(rows):
            matrix[i, i + 1 :] = [int(bit) for bit in row]
        return self.from_matrix(matrix, ["input", *(names.split(",") if names else []), "output"])


#: The space, whose list of classes those of one size and of other draws share.
nasbench101 = NASBench101Space()
