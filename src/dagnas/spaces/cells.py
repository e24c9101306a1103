"""Batches of cells and of relaxed cells, as a few arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Cells:
    """A batch of B cells of one space, each a typed acyclic graph on V vertices.

    Attributes
    ----------
    nodes : ndarray of int8, shape (B, V)
        Type of every vertex.
    edges : ndarray of int8, shape (B, V, V)
        Type of the edge i -> j at [:, i, j] for i < j; 0 elsewhere.
    """

    nodes: NDArray[np.int8]
    edges: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, index: Any) -> Cells:
        """Sub-batch; a single number gives a batch of one."""
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(index)
            index = slice(index, index + 1 or None)
        return Cells(self.nodes[index], self.edges[index])

    def __iter__(self) -> Iterator[Cells]:
        return (self[i] for i in range(len(self)))

    def same(self, other: Cells) -> NDArray[np.bool_]:
        """Compare cell b of one batch with cell b of the other, vertex by vertex; shape (B,)."""
        nodes: NDArray[np.bool_] = (self.nodes == other.nodes).all(axis=1)
        edges: NDArray[np.bool_] = (self.edges == other.edges).all(axis=(1, 2))
        return nodes & edges


def concatenate(batches: Iterable[Cells]) -> Cells:
    """One batch of all cells of ``batches``, in order."""
    batches = list(batches)
    return Cells(
        np.concatenate([batch.nodes for batch in batches]),
        np.concatenate([batch.edges for batch in batches]),
    )


class Graphs(NamedTuple):
    """One-hot or relaxed cells: ``Cells`` with a type axis, as floats.

    Attributes
    ----------
    nodes : float array, shape (B, V, T)
        Weight of every type at every vertex.
    edges : float array, shape (B, V, V, R)
        Weight of every type at the edge i -> j, i < j; all zero elsewhere.

    The arrays are NumPy's in ``spaces`` and torch tensors in ``predictors``.
    """

    nodes: Any
    edges: Any
