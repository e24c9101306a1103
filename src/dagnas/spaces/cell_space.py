"""Spaces of cells, written once in terms of their free variables."""

from __future__ import annotations

import copy
from abc import abstractmethod
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError, unknown
from dagnas.spaces.base import Space
from dagnas.spaces.cells import Cells, Graphs
from dagnas.spaces.draws import Draw


class CellSpace(Space[Cells]):
    """A set of typed acyclic graphs on a fixed number of vertices.

    A cell has a type at every vertex and at every edge i -> j, i < j, among those that two masks
    allow. Places with more than one allowed type are the *variables* of the space, edges
    first (by head, then tail), then vertices; a cell is also the vector of their values. A space in
    which places depend on each other may have other variables (`GenotypeSpace`).

    Parameters
    ----------
    name : str
    node_types, edge_types : tuple of str
        Names of the T vertex types and the R edge types.
    node_mask : ndarray of bool, shape (V, T)
        Types allowed at every vertex.
    edge_mask : ndarray of bool, shape (V, V, R)
        Types allowed at every edge; no type for i >= j.

    Attributes
    ----------
    draw : str
        How `sample` draws: "variables" by default; `drawing` gives the space with another way.
    """

    kind = "cells"
    #: Ways in which `sample` can draw.
    draws: ClassVar[tuple[Draw, ...]] = ("variables", "classes")
    draw: Draw = "variables"
    #: Whether the variables are the free places, each by itself, and no others.
    variables_are_places: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        node_types: tuple[str, ...],
        edge_types: tuple[str, ...],
        node_mask: NDArray[np.bool_],
        edge_mask: NDArray[np.bool_],
    ) -> None:
        self.name, self.node_types, self.edge_types = name, node_types, edge_types
        self.node_mask, self.edge_mask = node_mask, edge_mask
        self.num_nodes = len(node_mask)
        heads, tails = np.nonzero(edge_mask.sum(axis=2).T > 1)
        self._tails, self._heads = tails, heads
        self._vertices = np.flatnonzero(node_mask.sum(axis=1) > 1)
        allowed = [*edge_mask[tails, heads], *node_mask[self._vertices]]
        #: Number of values of every variable.
        self.sizes = np.array([int(mask.sum()) for mask in allowed])
        self._types = np.zeros((len(allowed), self.sizes.max()), dtype=np.int8)
        self._values = np.zeros((len(allowed), max(map(len, allowed))), dtype=np.int64)
        for row, values, mask in zip(self._types, self._values, allowed, strict=True):
            row[: mask.sum()] = np.flatnonzero(mask)
            values[: len(mask)] = np.cumsum(mask) - 1
        self._fixed = Cells(
            node_mask.argmax(axis=1).astype(np.int8)[None],
            edge_mask.argmax(axis=2).astype(np.int8)[None],
        )

    def __repr__(self) -> str:
        return f"<space {self.name}>"

    # Cells as vectors of values, as numbers and as text.

    @cached_property
    def _radix(self) -> NDArray[np.int64]:
        return np.concatenate([[1], np.cumprod(self.sizes[:-1], dtype=np.int64)])

    def to_values(self, cells: Cells) -> NDArray[np.int64]:
        """Values of all variables, shape (B, number of variables)."""
        types = np.concatenate(
            [cells.edges[:, self._tails, self._heads], cells.nodes[:, self._vertices]], axis=1
        )
        values: NDArray[np.int64] = self._values[np.arange(len(self.sizes)), types]
        return values

    def from_values(self, values: NDArray[np.integer]) -> Cells:
        """Cells from the values of all variables, shape (B, number of variables)."""
        types = self._types[np.arange(len(self.sizes)), values]
        edges = np.repeat(self._fixed.edges, len(values), axis=0)
        nodes = np.repeat(self._fixed.nodes, len(values), axis=0)
        edges[:, self._tails, self._heads] = types[:, : len(self._tails)]
        nodes[:, self._vertices] = types[:, len(self._tails) :]
        return Cells(nodes, edges)

    def pack(self, cells: Cells) -> NDArray[np.int64]:
        """Number of every cell in mixed radix, first variable least significant; shape (B,)."""
        codes: NDArray[np.int64] = self.to_values(cells) @ self._radix
        return codes

    def unpack(self, codes: NDArray[np.int64]) -> Cells:
        """Cells of the numbers that ``pack`` gives."""
        return self.from_values(np.asarray(codes)[:, None] // self._radix % self.sizes)

    # Identity up to isomorphism.

    @abstractmethod
    def canonical(self, cells: Cells) -> NDArray[np.int64]:
        """Packed number of each cell's class representative: equal for isomorphic cells only."""

    @abstractmethod
    def key(self, cells: Cells) -> list[str]:
        """Text that isomorphic cells share, and no others."""

    def representatives(self) -> NDArray[np.int64]:
        """Packed numbers of one cell of each class, ascending."""
        return np.unique(self.canonical(self.enumerate()))

    # Moves.

    def is_valid(self, cells: Cells) -> NDArray[np.bool_]:
        """Check which cells belong to the space; shape (B,)."""
        return np.ones(len(cells), dtype=bool)

    def drawing(self, draw: str) -> Self:
        """Same space with another way of drawing in `sample`, one of `draws`.

        Raises
        ------
        DagnasError
            It cannot draw so.
        """
        for known in self.draws:
            if known == draw:
                other = copy.copy(self)
                other.draw = known
                return other
        raise unknown(f"draw of {self.name}", draw, self.draws)

    @cached_property
    def _drawn_from(self) -> NDArray[np.int64]:
        return self.representatives()

    def sample(self, n: int, rng: np.random.Generator) -> Cells:
        """Draw ``n`` cells, independently and as `draw` says.

        By "variables" they are uniform over the values of all variables that give a valid cell;
        by "classes" over the classes of isomorphic cells, each of which stands for itself by its
        representative, as a row of a table does. Where many vectors of values are the same cell,
        these are far apart.
        """
        if self.draw == "classes":
            codes = self._drawn_from
            return self.unpack(codes[rng.integers(len(codes), size=n)])
        values = np.empty((0, len(self.sizes)), dtype=np.int64)
        while len(values) < n:
            # Whole blocks, so that the first cells drawn do not depend on how many are asked for.
            blocks = -(-(n - len(values)) // 64)
            draw = rng.integers(self.sizes, size=(64 * blocks, len(self.sizes)))
            values = np.concatenate([values, draw[self.is_valid(self.from_values(draw))]])
        return self.from_values(values[:n])

    def mutate(self, cells: Cells, rng: np.random.Generator) -> Cells:
        """Give one variable of every cell another value, uniformly among valid results."""
        values = self.to_values(cells)
        pending = np.arange(len(values))
        while len(pending):
            trial = self.change(values[pending], rng)
            accepted = self.is_valid(self.from_values(trial))
            values[pending[accepted]] = trial[accepted]
            pending = pending[~accepted]
        return self.from_values(values)

    def change(self, values: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Give one variable of every cell another value, whether the result is valid or not.

        Parameters
        ----------
        values : ndarray of int, shape (B, number of variables)
            Values of all variables, as `to_values` gives them.
        """
        changed, rows = values.copy(), np.arange(len(values))
        variable = rng.integers(len(self.sizes), size=len(values))
        size = self.sizes[variable]
        step = 1 + rng.integers(size - 1)
        changed[rows, variable] = (changed[rows, variable] + step) % size
        return changed

    def neighbours(self, cell: Cells) -> Cells:
        """All valid cells that differ from one cell (a batch of one) in one variable."""
        (value,) = self.to_values(cell)
        near = []
        for variable, size in enumerate(self.sizes):
            block = np.repeat(value[None], size - 1, axis=0)
            block[:, variable] = np.delete(np.arange(size), value[variable])
            near.append(block)
        cells = self.from_values(np.concatenate(near))
        return cells[self.is_valid(cells)]

    def differences(self, cells: Cells, others: Cells) -> NDArray[np.int64]:
        """Number of variables in which cell b of one batch and of the other differ; shape (B,)."""
        return np.asarray((self.to_values(cells) != self.to_values(others)).sum(axis=1))

    # Relaxation.

    def to_graph(self, cells: Cells) -> Graphs:
        """One-hot form, float32: nodes (B, V, T), edges (B, V, V, R)."""
        nodes = cells.nodes[:, :, None] == np.arange(len(self.node_types))
        edges = cells.edges[:, :, :, None] == np.arange(len(self.edge_types))
        return Graphs(
            (nodes & self.node_mask).astype(np.float32), (edges & self.edge_mask).astype(np.float32)
        )

    def project(self, graphs: Graphs) -> Cells:
        """Nearest cells (Euclidean distance of one-hot forms): q of GOAL, equation 4.

        For a one-hot vector e_k, ||x - e_k||^2 = ||x||^2 + 1 - 2 x_k, so that without further
        constraints every place takes its largest allowed component. Ties go to the first type.

        Parameters
        ----------
        graphs : Graphs of ndarray
            Relaxed cells: nodes (B, V, T), edges (B, V, V, R).
        """
        nodes = np.where(self.node_mask, graphs.nodes, -np.inf).argmax(axis=2)
        edges = np.where(self.edge_mask, graphs.edges, -np.inf).argmax(axis=3)
        return Cells(nodes.astype(np.int8), edges.astype(np.int8))

    def prune(self, cells: Cells) -> Cells:
        """Cells without the parts that have no effect; here the cells as they are.

        A space that can tell such parts overrides this. On NAS-Bench-201 operations on no path
        from input to output have no effect, yet they are kept: methods that prune see them there.
        """
        return cells

    def madds(self, cells: Cells) -> NDArray[np.int64]:
        """Multiply-adds of each cell's network on one CIFAR image, shape (B,).

        Raises
        ------
        DagnasError
            The space's networks are not known.
        """
        raise DagnasError(f"the size of networks of {self.name} is not known: it has no `madds`")

    def _refuse(self, text: str, why: str) -> DagnasError:
        return DagnasError(f"{text!r} is no {self.name} cell: {why}")
