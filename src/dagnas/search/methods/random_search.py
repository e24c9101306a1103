"""Random search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import PositiveInt

from dagnas.search.method import Trial, method
from dagnas.search.pool import Seen, sample_new
from dagnas.spaces.base import Space, TooMany
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells

_BLOCK = 64


@method(space=Space)
def random_search(
    space: Space[Any],
    rng: np.random.Generator,
    *,
    batch: PositiveInt = 8,
    distinct: bool = False,
) -> Trial:
    """Evaluate architectures drawn independently (Ying et al. 2019; GOAL, appendix B).

    The public script of NAS-Bench-101 refuses cells of more than nine edges even where pruning
    would leave nine or fewer; the draw "script" of that space is its rule.

    Parameters
    ----------
    batch : int
        Architectures proposed at a time; it has no effect on what is found.
    distinct : bool
        Whether to draw from the space's list, each one once, so that the best of n cells
        takes (n + 1) / 2 samples on average (BONAS, table 2). Where cells are too many to list,
        those drawn before are drawn again.
    """
    if not distinct:
        while True:
            yield space.sample(batch, rng)
    try:
        codes = rng.permutation(space.pack(space.enumerate()))
    except TooMany:
        if not isinstance(space, CellSpace):
            raise
        yield from _new_cells(space, rng, batch)
        return
    for start in range(0, len(codes), batch):
        yield space.unpack(codes[start : start + batch])


def _new_cells(space: CellSpace, rng: np.random.Generator, batch: int) -> Iterator[Cells]:
    """Batches of random cells that were in none before."""
    seen = Seen(space, "cell")
    while len(cells := sample_new(space, _BLOCK, rng, seen)):
        for start in range(0, len(cells), batch):
            yield cells[start : start + batch]
