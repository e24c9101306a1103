"""What spaces of genotypes share: values, moves and identity in terms of the inputs of nodes."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.spaces.base import TooMany
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.draws import Draw
from dagnas.spaces.genotypes import NODES, OPERATIONS, Genotype, check, read, write
from dagnas.spaces.sizes.base import Complexity
from dagnas.spaces.sizes.genotypes import genotype_size

_ORDERS = np.array(list(itertools.permutations(range(NODES))))
#: New places of sources, and node at each new place, in every order of the nodes.
_PLACES = np.concatenate([np.tile([0, 1], (len(_ORDERS), 1)), 2 + _ORDERS], axis=1)
_NODE_AT = _ORDERS.argsort(axis=1)
#: Cells that are looked at together, for the memory of all their orders.
_CHUNK = 4096


class Inputs(NamedTuple):
    """Inputs of the nodes of B genotypes, each of C cells.

    Attributes
    ----------
    sources : ndarray of int, shape (B, C, 4, 2)
        Sources of both inputs of every node, the smaller first: 0 and 1 are the cells before, 2 to
        5 the nodes.
    operations : ndarray of int, shape (B, C, 4, 2)
        Numbers of `OPERATIONS`.
    """

    sources: NDArray[np.int64]
    operations: NDArray[np.int64]

    def sorted(self) -> Inputs:
        """Inputs of every node in the order of their sources; equal ones stay as they are."""
        return self._in_order_of(self.sources)

    def sorted_by_operation(self) -> Inputs:
        """Inputs of every node in the order of their sources, equal ones of their operations."""
        return self._in_order_of(self.sources * len(OPERATIONS) + self.operations)

    def _in_order_of(self, values: NDArray[np.int64]) -> Inputs:
        order = values.argsort(axis=-1, kind="stable")
        return Inputs(*(np.take_along_axis(part, order, axis=-1) for part in self))


class GenotypeSpace(CellSpace):
    """Cells of four nodes, each the sum of operations on two sources before it.

    A node's sources are one variable, whose values are the pairs that there are, and its operations
    one each, that of the smaller source first. So every vector of values is a cell: node by node
    the pair and both operations, cell by cell. What has one value alone is no variable.

    Parameters
    ----------
    name : str
    cells : int
        Cells of a genotype: 2 (normal and reduction), or 1 for both.
    distinct : bool
        Whether the two sources of a node differ.
    node_types, edge_types, node_mask, edge_mask
        As of `CellSpace`.
    """

    #: Classes cannot be listed, so that none can be drawn.
    draws: ClassVar[tuple[Draw, ...]] = ("variables",)
    variables_are_places = False

    def __init__(
        self,
        name: str,
        cells: int,
        distinct: bool,
        node_types: tuple[str, ...],
        edge_types: tuple[str, ...],
        node_mask: NDArray[np.bool_],
        edge_mask: NDArray[np.bool_],
    ) -> None:
        super().__init__(name, node_types, edge_types, node_mask, edge_mask)
        self.cells, self.distinct = cells, distinct
        choose = itertools.combinations if distinct else itertools.combinations_with_replacement
        #: Pairs of sources that each node can have, ascending; shape (n, 2) a node.
        self.pairs = [np.array(list(choose(range(2 + node), 2))) for node in range(NODES)]
        self._number = np.zeros((NODES, 1 + NODES, 1 + NODES), dtype=np.int64)
        for number, (first, second) in zip(self._number, (p.T for p in self.pairs), strict=True):
            number[first, second] = np.arange(len(first))
        sizes = np.array([(len(p), len(OPERATIONS), len(OPERATIONS)) for p in self.pairs]).ravel()
        self._is_free = sizes > 1
        self._per_cell = int(self._is_free.sum())
        self.sizes = np.tile(sizes[self._is_free], cells)

    @property
    def count(self) -> int:
        """Number of cells."""
        return math.prod(self.sizes.tolist())

    # Cells as inputs of nodes, as values, as genotypes and as text.

    @abstractmethod
    def to_inputs(self, cells: Cells) -> Inputs:
        """Inputs of the nodes; any, but in range, for what is no cell of the space."""

    @abstractmethod
    def from_inputs(self, inputs: Inputs) -> Cells:
        """Cells from the inputs of their nodes."""

    def to_values(self, cells: Cells) -> NDArray[np.int64]:
        """Values of all variables, shape (B, number of variables)."""
        return self._values_of(self.to_inputs(cells))

    def from_values(self, values: NDArray[np.integer]) -> Cells:
        """Cells from the values of all variables, shape (B, number of variables)."""
        return self.from_inputs(self._inputs_of(np.asarray(values)))

    def _values_of(self, inputs: Inputs) -> NDArray[np.int64]:
        pairs = self._number[np.arange(NODES), inputs.sources[..., 0], inputs.sources[..., 1]]
        values = np.concatenate([pairs[..., None], inputs.operations], axis=-1)
        batch, cells = values.shape[:2]
        free = values.reshape(batch, cells, 3 * NODES)[..., self._is_free]
        return free.reshape(batch, cells * self._per_cell)

    def _inputs_of(self, values: NDArray[np.integer]) -> Inputs:
        batch = len(values)
        cells = values.shape[1] // self._per_cell
        by_node = np.zeros((batch, cells, 3 * NODES), dtype=np.int64)
        by_node[..., self._is_free] = values.reshape(batch, cells, self._per_cell)
        by_node = by_node.reshape(batch, cells, NODES, 3)
        sources = [pairs[by_node[:, :, node, 0]] for node, pairs in enumerate(self.pairs)]
        return Inputs(np.stack(sources, axis=2), by_node[..., 1:])

    def genotypes(self, cells: Cells) -> list[Genotype]:
        """Genotype of every cell; where one cell serves for both, normal and reduction are equal.

        The inputs of a node come in the order of their sources.
        """
        inputs = self.to_inputs(cells)
        found = []
        for sources, operations in zip(*(part.tolist() for part in inputs), strict=True):
            halves = [
                tuple(
                    (OPERATIONS[operation], source)
                    for node in zip(froms, whats, strict=True)
                    for source, operation in zip(*node, strict=True)
                )
                for froms, whats in zip(sources, operations, strict=True)
            ]
            found.append(Genotype(halves[0], halves[-1]))
        return found

    def from_genotypes(self, genotypes: Sequence[Genotype]) -> Cells:
        """Cells from genotypes, whose nodes may have their inputs in either order.

        Raises
        ------
        DagnasError
            A genotype is not of the space, or one cell serves for both, and its normal and
            reduction cell differ.
        """
        for genotype in genotypes:
            check(genotype, self.distinct)
        shape = (len(genotypes), 2, NODES, 2)
        edges = [edge for genotype in genotypes for half in genotype for edge in half]
        sources = np.array([source for _, source in edges], dtype=np.int64).reshape(shape)
        operations = np.array([OPERATIONS.index(name) for name, _ in edges], dtype=np.int64)
        inputs = Inputs(sources, operations.reshape(shape)).sorted()
        if self.cells == 1:
            differs = np.any([part[:, 0] != part[:, 1] for part in inputs], axis=(0, 2, 3))
            if differs.any():
                raise self._refuse(
                    write(genotypes[int(differs.argmax())]),
                    "normal and reduction cell differ; one cell serves for both",
                )
            inputs = Inputs(*(part[:, :1] for part in inputs))
        return self.from_inputs(inputs)

    def to_str(self, cells: Cells) -> list[str]:
        """Official texts, ``Genotype(normal=[('sep_conv_3x3', 0), ...], ...)``."""
        return list(map(write, self.genotypes(cells)))

    def from_str(self, texts: list[str]) -> Cells:
        """Cells from official texts; see `dagnas.spaces.genotypes.read`."""
        return self.from_genotypes(list(map(read, texts)))

    def size(self, cells: Cells) -> Complexity:
        """Size of the networks on CIFAR-10; see `genotype_size`."""
        # Where one cell serves for both, the last is the first.
        sources, operations = (part[:, [0, -1]] for part in self.to_inputs(cells))
        return genotype_size(sources, operations)

    def madds(self, cells: Cells) -> NDArray[np.int64]:
        """Multiply-adds of each network, shape (B,); see `genotype_size`."""
        return self.size(cells).total_madds()

    # Identity.

    def is_valid(self, cells: Cells) -> NDArray[np.bool_]:
        """Check that every node has its two inputs, and that all else is in place; shape (B,)."""
        return self.from_inputs(self.to_inputs(cells)).same(cells)

    def canonical(self, cells: Cells) -> NDArray[np.int64]:
        """Smallest packed number of each cell with its nodes in any order that edges allow."""
        parts = [self._smallest(cells[at : at + _CHUNK]) for at in range(0, len(cells), _CHUNK)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _smallest(self, cells: Cells) -> NDArray[np.int64]:
        inputs = Inputs(*(part.reshape(-1, NODES, 2) for part in self.to_inputs(cells)))
        # Node i takes the place `order[i]`, if its sources then still come before it.
        sources = _PLACES[:, inputs.sources]
        forward = (sources < _PLACES[:, None, 2:, None]).all(axis=(2, 3))
        number, row = np.nonzero(forward)
        node_at = row[:, None], _NODE_AT[number]
        moved = Inputs(sources[number[:, None], *node_at], inputs.operations[node_at])
        moved = Inputs(*(part[:, None] for part in moved))
        values = self._values_of(moved.sorted_by_operation())
        codes = np.full(forward.shape, np.iinfo(np.int64).max)
        codes[forward] = values @ self._radix[: self._per_cell]
        per_cell = codes.min(axis=0).reshape(len(cells), self.cells)
        return np.asarray(per_cell @ self._radix[:: self._per_cell])

    def key(self, cells: Cells) -> list[str]:
        """Official text of each cell's class representative."""
        return self.to_str(self.unpack(self.canonical(cells)))

    # What needs a list of all cells.

    def enumerate(self) -> Cells:
        """Refuse: there are more cells than fit in memory.

        Raises
        ------
        TooMany
            Always.
        """
        raise TooMany(self.name, self.count, self.kind)

    def drawing(self, draw: str) -> Self:
        """Same space; it draws by "variables" alone.

        Raises
        ------
        DagnasError
            Another way is asked for.
        """
        if draw == "classes":
            raise DagnasError(
                f"{self.name} has {self.count:,} cells, too many to list their classes and draw "
                "from these; valid: variables"
            )
        return super().drawing(draw)

    # Moves.

    def sample(self, n: int, rng: np.random.Generator) -> Cells:
        """Draw ``n`` cells, uniformly over the values of all variables."""
        # Whole blocks, as in other spaces.
        values = rng.integers(self.sizes, size=(-(-n // 64) * 64, len(self.sizes)))
        return self.from_values(values[:n])

    def mutate(self, cells: Cells, rng: np.random.Generator) -> Cells:
        """Give one input of every genotype another operation or another source; see `change`."""
        return self.from_values(self.change(self.to_values(cells), rng))

    def change(self, values: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Give one input of every genotype another operation or another source.

        With equal probability one or the other, as Real et al. (2019) mutate; then any input that
        can change so, and any other operation, or any other source that its node does not have. An
        operation moves with its source.
        """
        inputs, batch = self._inputs_of(values), len(values)
        sources, operations = inputs.sources.copy(), inputs.operations.copy()
        renamed = rng.random(batch) < 0.5
        # Of distinct sources the first node has two to choose from, and has both.
        first = np.where(renamed, 0, int(self.distinct))
        node = first + rng.integers(NODES - first)
        place = (
            np.arange(batch),
            rng.integers(self.cells, size=batch),
            node,
            rng.integers(2, size=batch),
        )
        step = 1 + rng.integers(np.where(renamed, len(OPERATIONS), self._others(node) + 1) - 1)
        operations[place] = (operations[place] + np.where(renamed, step, 0)) % len(OPERATIONS)
        # The step counts the sources that remain, from the smallest.
        moved = step - 1
        for taken in (
            np.moveaxis(inputs.sources[place[:3]], -1, 0) if self.distinct else [sources[place]]
        ):
            moved = moved + (moved >= taken)
        sources[place] = np.where(renamed, sources[place], moved)
        return self._values_of(Inputs(sources, operations).sorted())

    def _others(self, node: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of sources that an input of each node can change to."""
        return node if self.distinct else node + 1

    def neighbours(self, cell: Cells) -> Cells:
        """All cells that differ from one cell (a batch of one) in one operation or one source."""
        (sources,), (operations,) = self.to_inputs(cell)
        near = []
        for place in np.ndindex(sources.shape):
            *_, node, _ = place
            taken = sources[place[:2]].tolist() if self.distinct else [sources[place]]
            for operation in set(range(len(OPERATIONS))) - {operations[place]}:
                near.append((sources, _with(operations, place, operation)))
            for source in set(range(2 + node)) - set(taken):
                near.append((_with(sources, place, source), operations))
        cells = self.from_inputs(Inputs(*map(np.array, zip(*near, strict=True))).sorted())
        # Two equal inputs of a node become the same by a move of either.
        return cells[np.sort(np.unique(self.pack(cells), return_index=True)[1])]

    def differences(self, cells: Cells, others: Cells) -> NDArray[np.int64]:
        """Number of operations and sources that must change to get one cell from the other."""
        mine, theirs = self.to_inputs(cells), self.to_inputs(others)
        # Inputs are matched as they are and crosswise, whichever is less.
        ways = [
            sum(
                (mine_part != part[..., order]).astype(np.int64)
                for mine_part, part in zip(mine, theirs, strict=True)
            ).sum(axis=-1)
            for order in ([0, 1], [1, 0])
        ]
        return np.asarray(np.minimum(*ways).sum(axis=(1, 2)))


def _with(array: NDArray[np.int64], place: tuple[int, ...], value: int) -> NDArray[np.int64]:
    """Copy of an array with another value in one place."""
    changed = array.copy()
    changed[place] = value
    return changed
