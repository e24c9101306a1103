"""Parts of spaces of cells: those cells alone of which something is known."""

from __future__ import annotations

import copy
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs

S = TypeVar("S", bound=CellSpace)

#: Cells that are compared with others together, for the memory of their one-hot forms.
_CHUNK = 4096


class _Part(CellSpace):
    """What a part of a space does otherwise than the space; see `part_of`."""

    _members: NDArray[np.int64]
    _by_class: bool

    def __repr__(self) -> str:
        return f"<{len(self._members):,} cells of space {self.name}>"

    def is_valid(self, cells: Cells) -> NDArray[np.bool_]:
        """Check which cells are members, or isomorphic to one if these stand for classes."""
        codes = self.canonical(cells) if self._by_class else self.pack(cells)
        place = np.minimum(np.searchsorted(self._members, codes), len(self._members) - 1)
        member: NDArray[np.bool_] = self._members[place] == codes
        return member & super().is_valid(cells)

    def enumerate(self) -> Cells:
        """All members in the order of their packed numbers."""
        return self.unpack(self._members)

    def representatives(self) -> NDArray[np.int64]:
        """Packed numbers of one member of each class, ascending."""
        if self._by_class:
            return self._members
        first = np.unique(self.canonical(self.enumerate()), return_index=True)[1]
        return np.sort(self._members[first])

    def sample(self, n: int, rng: np.random.Generator) -> Cells:
        """Draw ``n`` members uniformly; by "classes", uniformly one of each class."""
        codes = self._drawn_from if self.draw == "classes" else self._members
        return self.unpack(codes[rng.integers(len(codes), size=n)])

    def mutate(self, cells: Cells, rng: np.random.Generator) -> Cells:
        """Replace every cell by one of its `neighbours`, uniformly."""
        codes = np.empty(len(cells), dtype=np.int64)
        for number in range(len(cells)):
            near = self.pack(self.neighbours(cells[number : number + 1]))
            codes[number] = near[rng.integers(len(near))]
        return self.unpack(codes)

    def neighbours(self, cell: Cells) -> Cells:
        """Members that differ from one cell in one variable, or else in the fewest variables."""
        near = super().neighbours(cell)
        if len(near):
            return near
        others = self.unpack(self._members[self._members != self.pack(cell)])
        distance = (self.to_values(others) != self.to_values(cell)).sum(axis=1)
        return others[distance == distance.min()]

    def project(self, graphs: Graphs) -> Cells:
        """Nearest members (Euclidean distance of one-hot forms), by comparing with each of them.

        For a one-hot form e, ||x - e||^2 = ||x||^2 - 2 x . e + ||e||^2. Ties go to the smallest
        number. Of a class the member itself counts, not the cells isomorphic to it.
        """
        batch = len(graphs.nodes)
        relaxed = _flat(graphs)
        best, found = np.full(batch, -np.inf), np.zeros(batch, dtype=np.int64)
        for start in range(0, len(self._members), _CHUNK):
            codes = self._members[start : start + _CHUNK]
            members = _flat(self.to_graph(self.unpack(codes)))
            nearness = 2 * relaxed @ members.T - (members**2).sum(axis=1)
            place = nearness.argmax(axis=1)
            value = nearness[np.arange(batch), place]
            closer = value > best
            best[closer], found[closer] = value[closer], codes[place[closer]]
        return self.unpack(found)


def _flat(graphs: Graphs) -> NDArray[np.float64]:
    """One-hot or relaxed forms as rows of numbers."""
    parts = [np.asarray(part, np.float64).reshape(len(part), -1) for part in graphs]
    return np.concatenate(parts, axis=1)


def part_of(space: S, codes: NDArray[np.int64], by_class: bool = False) -> S:
    """Space of some cells of another one.

    Sampling, mutation, neighbours and projection lead to these cells alone, and no other cell is
    valid. Name, variables and texts are those of the whole space. Methods that draw the values of
    variables until the cell is valid take as long as the part is small.

    Parameters
    ----------
    space : CellSpace
    codes : ndarray of int64
        Packed numbers of the cells, in any order, or canonical ones of classes.
    by_class : bool
        True: each stands for all cells isomorphic to it.

    Raises
    ------
    DagnasError
        There are fewer than two cells.

    Examples
    --------
    >>> from dagnas.spaces.nasbench201 import nasbench201
    >>> part_of(nasbench201, np.arange(100))
    <100 cells of space nasbench201>
    """
    members = np.unique(np.asarray(codes, dtype=np.int64))
    if len(members) < 2:
        raise DagnasError(f"a part of {space.name} has two cells at least, not {len(members)}")
    part = copy.copy(space)
    # What was listed of the whole space is not that of the part.
    part.__dict__.pop("_drawn_from", None)
    part.__class__ = type("Part", (_Part, type(space)), {})
    assert isinstance(part, _Part)
    part._members, part._by_class = members, by_class
    return part
