"""Kernel density of points of the unit cube, as BOHB has it for continuous and whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

#: Least bandwidth, and the factor by which bandwidths are multiplied to draw samples.
LEAST, FACTOR = 1e-3, 3.0


class NormalDensity:
    """Mean over points of a product of normal kernels, one for each dimension.

    That of ``statsmodels`` (``KDEMultivariate``) as ``hpbandster`` 0.7.4 uses it for numbers
    (Falkner et al. 2018). Whole numbers count as continuous: they are the middles of
    equal parts of the side. No part of a kernel that reaches over the cube is made up for.

    Parameters
    ----------
    data : ndarray, shape (n, d)
        Points of the unit cube.
    least : float
        Least bandwidth.

    Attributes
    ----------
    bandwidth : ndarray, shape (d,)
        1.06 sigma n^(-1 / (4 + d)), or the least; sigma is the standard deviation.
    """

    def __init__(self, data: NDArray[np.float64], least: float = LEAST) -> None:
        self.data = data
        n, d = data.shape
        self.bandwidth = np.maximum(1.06 * data.std(axis=0) * n ** (-1 / (4 + d)), least)

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density at points of shape (m, d); shape (m,)."""
        away = (points[:, None] - self.data) / self.bandwidth
        kernels = np.exp(-(away**2).sum(axis=2) / 2)
        unit = np.prod(np.sqrt(2 * np.pi) * self.bandwidth)
        return np.asarray(kernels.mean(axis=1) / unit)

    def sample(
        self, m: int, rng: np.random.Generator, factor: float = FACTOR
    ) -> NDArray[np.float64]:
        """Draw ``m`` points, shape (m, d), each around one of the data, drawn uniformly.

        Its distribution is a normal one truncated to the cube, of sd ``factor`` bandwidths: wider
        than the kernel, as in ``hpbandster``, so that neighbours are tried too.
        """
        centre = self.data[rng.integers(len(self.data), size=m)]
        sd = factor * self.bandwidth
        below, above = ndtr(-centre / sd), ndtr((1 - centre) / sd)
        drawn = centre + sd * ndtri(below + rng.random(centre.shape) * (above - below))
        return np.asarray(np.clip(drawn, 0, 1))
