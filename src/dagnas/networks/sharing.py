"""Weight sharing by space: the network, what its forward takes, and cells from mixtures."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dagnas.errors import unknown
from dagnas.networks import supernet201, supernet_darts
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.genotype_space import GenotypeSpace
from dagnas.spaces.genotypes import NODES, OPERATIONS, Genotype, Input
from dagnas.spaces.nasbench201 import OPERATIONS as OPERATIONS201

_SKIPS = "skip_connect"


class Sharing(Protocol):
    """How the cells of a space share the weights of a supernet."""

    @property
    def space(self) -> CellSpace:
        """Space of the cells."""

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Edges and operations of each cell of a mixture."""

    def architectures(self, cells: Cells) -> list[Any]:
        """Argument of the supernet's forward for each cell."""

    def keys(self, cells: Cells) -> list[Hashable]:
        """What cells share that compute the same with the same weights."""

    def mixture(self, weights: Sequence[Tensor]) -> Any:
        """Argument of the supernet's forward for weights of `shapes`."""

    def derive(self, weights: Sequence[NDArray[np.floating[Any]]]) -> Cells:
        """Cell of weights of `shapes`, a batch of one."""

    def skips(self, cells: Cells) -> NDArray[np.int64]:
        """Number of skip connections of each cell."""


class Sharing201:
    """NAS-Bench-201: equal after pruning is the same."""

    shapes: tuple[tuple[int, int], ...] = ((len(supernet201.EDGES), len(OPERATIONS201)),)

    def __init__(self) -> None:
        self.space: CellSpace = SPACES.get("nasbench201")

    def architectures(self, cells: Cells) -> list[Any]:
        """Operations of each cell, pruned; shape (6,)."""
        return list(supernet201.pruned(cells))

    def keys(self, cells: Cells) -> list[Hashable]:
        """Operations of each cell, pruned."""
        return [row.tobytes() for row in supernet201.pruned(cells)]

    def mixture(self, weights: Sequence[Tensor]) -> Tensor:
        """Weights of the cell."""
        return weights[0]

    def derive(self, weights: Sequence[NDArray[np.floating[Any]]]) -> Cells:
        """Strongest operation of each edge, zero among them, as the benchmark's own DARTS."""
        return self.space.from_values(weights[0].argmax(axis=1)[None])

    def skips(self, cells: Cells) -> NDArray[np.int64]:
        """Number of skip connections of each cell."""
        values = self.space.to_values(cells)
        counts: NDArray[np.int64] = (values == OPERATIONS201.index(_SKIPS)).sum(axis=1)
        return counts


class SharingDarts:
    """DARTS space; every cell is used in full.

    Parameters
    ----------
    name : str
        "darts", or "darts_one_cell", where one cell serves as normal and as reduction cell.
    """

    def __init__(self, name: str) -> None:
        space = SPACES.get(name)
        assert isinstance(space, GenotypeSpace)
        self.space = space
        shape = (len(supernet_darts.EDGES), 1 + len(OPERATIONS))
        self.shapes: tuple[tuple[int, int], ...] = (shape,) * space.cells

    def architectures(self, cells: Cells) -> list[Any]:
        """Genotype of each cell."""
        return list(self.space.genotypes(cells))

    def keys(self, cells: Cells) -> list[Hashable]:
        """Genotype of each cell."""
        return list(self.space.genotypes(cells))

    def mixture(self, weights: Sequence[Tensor]) -> supernet_darts.Mixture:
        """Weights of the normal and of the reduction cell."""
        return weights[0], weights[-1]

    def derive(self, weights: Sequence[NDArray[np.floating[Any]]]) -> Cells:
        """Two inputs of each node whose strongest operation, zero left out, is strongest.

        So the official code does it (Liu et al. 2019, section 2.4).
        """
        halves = [_strongest(each) for each in weights]
        cells: Cells = self.space.from_genotypes([Genotype(halves[0], halves[-1])])
        return cells

    def skips(self, cells: Cells) -> NDArray[np.int64]:
        """Number of skip connections of each genotype, in both cells."""
        return np.array(
            [
                sum(name == _SKIPS for half in genotype for name, _ in half)
                for genotype in self.space.genotypes(cells)
            ]
        )


def _strongest(weights: NDArray[np.floating[Any]]) -> tuple[Input, ...]:
    inputs: list[Input] = []
    for node in range(2, 2 + NODES):
        edges = [supernet_darts.EDGES.index((source, node)) for source in range(node)]
        own = weights[edges, 1:]
        chosen = np.sort(np.argsort(-own.max(axis=1), kind="stable")[:2])
        inputs += [(OPERATIONS[own[source].argmax()], int(source)) for source in chosen]
    return tuple(inputs)


def find_sharing(space: str) -> Sharing:
    """Weight sharing of a space.

    Raises
    ------
    DagnasError
        There is none for it.
    """
    if space == "nasbench201":
        return Sharing201()
    if space in ("darts", "darts_one_cell"):
        return SharingDarts(space)
    raise unknown("space of supernets", space, ("nasbench201", "darts", "darts_one_cell"))
