"""Random search."""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from dagnas.search.core.method import Trial, method
from dagnas.spaces.core.space import CellSpace


@method()
def random_search(space: CellSpace, rng: np.random.Generator, *, batch: PositiveInt = 8) -> Trial:
    """Evaluate cells drawn independently (Ying et al. 2019; GOAL, appendix B).

    Parameters
    ----------
    batch : int
        Cells proposed at a time; it has no effect on what is found.
    """
    while True:
        yield space.sample(batch, rng)
