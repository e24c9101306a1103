"""Random search."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import PositiveInt

from dagnas.search.method import Trial, method
from dagnas.spaces.base import Space


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
        takes (n + 1) / 2 samples on average (BONAS, table 2).
    """
    if distinct:
        codes = rng.permutation(space.pack(space.enumerate()))
        for start in range(0, len(codes), batch):
            yield space.unpack(codes[start : start + batch])
        return
    while True:
        yield space.sample(batch, rng)
