"""Gaussian process on the unit cube: a rate for each dimension, and noise of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dagnas.search.models.gaussian_process import GaussianProcess, Hyperparameters, fit

Array = NDArray[np.float64]


def squares(one: Array, other: Array) -> Array:
    """Squared differences of points in each dimension, as distances of a Gaussian process.

    Parameters
    ----------
    one : ndarray, shape (A, d)
    other : ndarray, shape (B, d)

    Returns
    -------
    ndarray, shape (1, d, A, B)
    """
    return np.asarray(((one.T[:, :, None] - other.T[:, None, :]) ** 2)[None])


def hyperparameters(noise: float, scale: float, rates: float | Array, d: int) -> Hyperparameters:
    """Hyperparameters of ``scale exp(-sum_p rate_p (x_p - z_p)^2)`` and of the noise.

    A rate is ``1 / (2 l^2)`` of a length scale l.
    """
    return Hyperparameters(noise, np.array([scale]), np.broadcast_to(rates, (1, d)).copy())


def bounds(d: int) -> tuple[Hyperparameters, Hyperparameters]:
    """Smallest and largest values, in units of the variance of the signals.

    Length scales are 0.1 to 7 sides of the cube, so that a dimension may not matter.
    """
    return hyperparameters(1e-4, 0.05, 0.01, d), hyperparameters(2.0, 20.0, 50.0, d)


class CubeProcess:
    """Gaussian process of signals, less their mean and over their standard deviation.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Points of the unit cube.
    signals : ndarray, shape (n,)
    known : Hyperparameters, optional
        Those to take, or with ``refit`` to begin a fit with beside the usual ones.
    refit : bool
        Whether hyperparameters are fitted by marginal likelihood.
    """

    def __init__(
        self,
        points: Array,
        signals: Array,
        known: Hyperparameters | None = None,
        refit: bool = True,
    ) -> None:
        self.points = points
        self.centre, self.unit = float(signals.mean()), float(signals.std()) or 1.0
        targets = (signals - self.centre) / self.unit
        gaps, d = squares(points, points), points.shape[1]
        if refit or known is None:
            starts = [hyperparameters(0.1, 1.0, rate, d) for rate in (2.0, 0.2)]
            known = fit(gaps, targets, [*starts, *([known] if known else [])], bounds(d))
        self.process = GaussianProcess(known, gaps, targets)
        #: Largest mean at the points, in units of the signals' standard deviation.
        self.best = float(self.process.predict(gaps)[0].max())

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Those in force."""
        return self.process.hyperparameters

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the signal without noise, standardised; shape (B,)."""
        return self.process.predict(squares(self.points, points))
