"""Acquisition functions of Bayesian optimisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr


def expected_improvement(
    mean: NDArray[np.floating], sd: NDArray[np.floating], best: float
) -> NDArray[np.float64]:
    """Expected improvement over the best value so far, for maximisation (BONAS, equation 2).

    ``E[max(f - best, 0)]`` for f normal: ``(mean - best) Phi(u) + sd phi(u)`` with
    ``u = (mean - best) / sd``.

    Parameters
    ----------
    mean, sd : ndarray, shape (B,)
        Of the prediction at each candidate; sd is positive.
    best : float
        Largest value observed.

    Returns
    -------
    ndarray, shape (B,)
    """
    mean, sd = np.asarray(mean, np.float64), np.asarray(sd, np.float64)
    u = (mean - best) / sd
    density = np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi)
    return np.asarray((mean - best) * ndtr(u) + sd * density)
