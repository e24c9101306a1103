"""Size of a batch of networks, and the images that they are counted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IMAGE = 32
CLASSES = 10


@dataclass(frozen=True)
class Complexity:
    """Size of the networks of a batch of B cells.

    Attributes
    ----------
    params : ndarray of int64, shape (B,)
        Trainable parameters.
    madds : dict of str to ndarray of int64, shape (B,)
        Multiply-adds of one 32x32 image forward, by the kind of operation that makes them.
    """

    params: NDArray[np.int64]
    madds: dict[str, NDArray[np.int64]]

    def total_madds(self) -> NDArray[np.int64]:
        """Multiply-adds of all operations, shape (B,)."""
        total: NDArray[np.int64] = np.sum(list(self.madds.values()), axis=0)
        return total
