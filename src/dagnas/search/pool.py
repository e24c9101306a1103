"""Record of the cells that a trial has proposed, and random cells that are new."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: Equality of cells: the very cell, or any cell isomorphic to it.
Sameness = Literal["cell", "class"]


class Seen:
    """Cells that a trial has proposed.

    Parameters
    ----------
    space : CellSpace
    sameness : {"cell", "class"}
        What counts as the same cell.
    """

    def __init__(self, space: CellSpace, sameness: Sameness) -> None:
        self.sameness, self._space = sameness, space
        self._code = space.canonical if sameness == "class" else space.pack
        self._codes = np.empty(0, dtype=np.int64)

    def copy(self) -> Seen:
        """Independent copy."""
        other = Seen(self._space, self.sameness)
        other._codes = self._codes
        return other

    def add(self, cells: Cells) -> None:
        """Note cells as proposed."""
        self._codes = np.union1d(self._codes, self._code(cells))

    def new(self, cells: Cells) -> NDArray[np.int64]:
        """Indices, ascending, of cells not yet proposed; the first of each that is the same."""
        codes, first = np.unique(self._code(cells), return_index=True)
        return np.sort(first[~np.isin(codes, self._codes)])


def sample_new(
    space: CellSpace, n: int, rng: np.random.Generator, seen: Seen, attempts: int = 100
) -> Cells:
    """Draw up to ``n`` cells that are new and note them as proposed; fewer if the space is spent.

    A space counts as spent after ``attempts`` draws of at least 64 cells in a row without a
    single new one.
    """
    found = space.sample(0, rng)
    failures = 0
    while len(found) < n and failures < attempts:
        drawn = space.sample(max(n, 64), rng)
        fresh = drawn[seen.new(drawn)[: n - len(found)]]
        seen.add(fresh)
        found = concatenate([found, fresh])
        failures = 0 if len(fresh) else failures + 1
    return found
