"""Parts of spaces so large that hardly two of their cells differ in one variable."""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.part import part_of

S = TypeVar("S", bound=CellSpace)

#: Cells that are neighbours of one.
NEAR = 10
#: Cells that are compared with all others at a time, for the memory that this takes.
_CHUNK = 512


class _Nearest(CellSpace):
    """What a part whose vectors of values all stand for a cell does otherwise; see `nearest_part`.

    It comes before the class of a part, of which it takes the members.
    """

    _members: NDArray[np.int64]
    _by_class: bool

    @cached_property
    def _one_hot(self) -> NDArray[np.float32]:
        return self._expanded(self._members[:, None] // self._radix % self.sizes)

    def _expanded(self, values: NDArray[np.integer]) -> NDArray[np.float32]:
        """One-hot values of all variables, shape (B, sum of the sizes)."""
        blocks = [
            values[:, [variable]] == np.arange(size) for variable, size in enumerate(self.sizes)
        ]
        return np.concatenate(blocks, axis=1).astype(np.float32)

    def from_values(self, values: NDArray[np.integer]) -> Cells:
        """Members that differ from the values in the fewest variables; shape (B, variables)."""
        values = np.asarray(values)
        places = [np.empty(0, dtype=np.int64)]
        for at in range(0, len(values), _CHUNK):
            # The first of several, which has the smallest number.
            equal = self._expanded(values[at : at + _CHUNK]) @ self._one_hot.T
            places.append(equal.argmax(axis=1))
        codes = self._members[np.concatenate(places)]
        return super().from_values(codes[:, None] // self._radix % self.sizes)

    def differences(self, cells: Cells, others: Cells) -> NDArray[np.int64]:
        """Number of variables in which cell b of one batch and of the other differ; shape (B,)."""
        return CellSpace.differences(self, cells, others)

    @cached_property
    def _near(self) -> NDArray[np.int64]:
        """Places of the neighbours of each member, shape (members, `NEAR` or fewer)."""
        count = len(self._members)
        near = min(NEAR, count - 1)
        found = []
        for at in range(0, count, _CHUNK):
            equal = (self._one_hot[at : at + _CHUNK] @ self._one_hot.T).astype(np.int64)
            # Distinct numbers, in which fewer differences come first, then the smaller number.
            rank = (len(self.sizes) - equal) * count + np.arange(count)
            own = np.arange(len(rank))
            rank[own, at + own] = np.iinfo(np.int64).max
            found.append(np.sort(np.partition(rank, near - 1, axis=1)[:, :near], axis=1) % count)
        return np.concatenate(found)

    def _places(self, cells: Cells) -> NDArray[np.int64]:
        """Place of each cell among the members.

        Raises
        ------
        DagnasError
            A cell is no member.
        """
        codes = self.canonical(cells) if self._by_class else self.pack(cells)
        places = np.searchsorted(self._members, codes).clip(max=len(self._members) - 1)
        if (absent := self._members[places] != codes).any():
            (text,) = self.to_str(cells[int(absent.argmax())])
            raise self._refuse(text, f"it is none of the {len(self._members):,} of the table")
        return places

    def mutate(self, cells: Cells, rng: np.random.Generator) -> Cells:
        """One of the neighbours of every cell."""
        near = self._near[self._places(cells)]
        chosen = near[np.arange(len(near)), rng.integers(near.shape[1], size=len(near))]
        return self.unpack(self._members[chosen])

    def neighbours(self, cell: Cells) -> Cells:
        """The ten members that differ from one (a batch of one) in the fewest variables."""
        return self.unpack(self._members[self._near[self._places(cell)[0]]])


def nearest_part(space: S, codes: NDArray[np.int64], by_class: bool = False) -> S:
    """Part of a space, as of `part_of`, in which every vector of values stands for a cell.

    Of random cells of a large space hardly two differ in one variable, so that no method could move
    from one to the next, or draw one by its variables. Here a vector stands for the member that
    differs from it in the fewest of them, that of the smallest number among several. The neighbours
    of a member are the ten others that differ from it least, and a mutation is one of these.

    Parameters
    ----------
    space : CellSpace
    codes : ndarray of int64
        Packed numbers of cells of the space, or canonical ones of classes.
    by_class : bool
        True: each stands for all cells isomorphic to it.

    Raises
    ------
    DagnasError
        There are fewer than two cells, or a number is that of none.
    """
    codes = np.unique(np.asarray(codes, dtype=np.int64))
    known = (codes >= 0) & (codes < np.prod(space.sizes))
    cells = space.unpack(codes[known])
    known[known] = space.is_valid(cells) & (space.pack(cells) == codes[known])
    if not known.all():
        raise DagnasError(f"the number {codes[~known][0]} is no cell of {space.name}")
    part = part_of(space, codes, by_class)
    part.__class__ = type("NearestPart", (_Nearest, type(part)), {})
    return part
