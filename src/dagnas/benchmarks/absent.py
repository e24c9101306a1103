"""Costs of what has none, such as a generator that draws no network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Cost that is absent. The runner lets only finite numbers pass, so it is the largest of these:
#: whatever minimises costs turns from it, and no limit on a cost admits it.
ABSENT = float(np.finfo(np.float64).max)


def present(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each cost is a number to reckon with; the same shape."""
    return np.asarray(costs < ABSENT)
