"""Random search."""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from dagnas.search.core.method import Trial, method
from dagnas.spaces.core.space import CellSpace


@method()
def random_search(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    batch: PositiveInt = 8,
    distinct: bool = False,
) -> Trial:
    """Evaluate cells drawn independently (Ying et al. 2019; GOAL, appendix B).

    Parameters
    ----------
    batch : int
        Cells proposed at a time; it has no effect on what is found.
    distinct : bool
        Whether to draw from the space's list of cells, each one once, so that the best of n cells
        takes (n + 1) / 2 samples on average (BONAS, table 2).
    """
    if distinct:
        everything = space.enumerate()
        order = rng.permutation(len(everything))
        for start in range(0, len(order), batch):
            yield everything[order[start : start + batch]]
        return
    while True:
        yield space.sample(batch, rng)
