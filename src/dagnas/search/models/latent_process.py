"""Sparse Gaussian process on points of a latent space.

The approximation is the deterministic training conditional, DTC (Quiñonero-Candela and Rasmussen,
"A unifying view of sparse approximate Gaussian process regression", JMLR 6, 2005, section 5): given
the function's values at the M inducing points, those at the N data are taken to be certain, while
values elsewhere keep their exact distribution. With all data inducing nothing is approximated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist

from dagnas.search.models.gaussian_process import Hyperparameters, fit

Array = NDArray[np.float64]

#: Added to the variance of inducing points, relative to it: equal points would be singular.
_JITTER = 1e-8


def _hyperparameters(noise: float, scale: float, rate: float) -> Hyperparameters:
    return Hyperparameters(noise, np.array([scale]), np.array([[rate]]))


#: For targets of variance 1 and squared distances of mean 1.
BOUNDS = _hyperparameters(0.001, 0.01, 0.01), _hyperparameters(1.0, 100.0, 100.0)
START = _hyperparameters(0.1, 1.0, 1.0)


class Posterior:
    """Posterior of the function at some points, which takes in further values there.

    A further value counts as one at a point that is neither inducing nor a datum, with its exact
    distribution under the posterior. Each costs O(M C).

    Parameters
    ----------
    points : ndarray, shape (C, J)
    hyperparameters : Hyperparameters
    mean : ndarray, shape (C,)
        Of the function at the points.
    explained, uncertain : ndarray, shape (M, C)
        The covariance of points a and b is ``k(a, b) - explained_a' explained_b + uncertain_a'
        uncertain_b``: the variance that the inducing points leave, and that of their own values.

    Attributes
    ----------
    mean, variance : ndarray, shape (C,)
        Of the function itself, without noise.
    """

    def __init__(
        self,
        points: Array,
        hyperparameters: Hyperparameters,
        mean: Array,
        explained: Array,
        uncertain: Array,
    ) -> None:
        self.mean = mean
        self.variance = (
            hyperparameters.variance - (explained**2).sum(axis=0) + (uncertain**2).sum(axis=0)
        )
        self._points, self._hyperparameters = points, hyperparameters
        self._explained, self._uncertain = explained, uncertain
        self._gains: list[Array] = []

    @property
    def sd(self) -> Array:
        """Standard deviation of the function, shape (C,)."""
        return np.asarray(np.sqrt(np.maximum(self.variance, 1e-12)))

    def covariance(self, row: int) -> Array:
        """Of the function at all points with that at one of them, shape (C,)."""
        prior = _kernel(self._hyperparameters, self._points[row : row + 1], self._points)[0]
        covariance: Array = (
            prior
            - self._explained[:, row] @ self._explained
            + self._uncertain[:, row] @ self._uncertain
        )
        for gain in self._gains:
            covariance -= gain[row] * gain
        return covariance

    def add(self, row: int, target: float) -> None:
        """Take in a noisy value at the point number ``row``: a change of rank one."""
        covariance = self.covariance(row)
        spread = np.sqrt(max(covariance[row], 0.0) + self._hyperparameters.noise)
        gain = covariance / spread
        self.mean = self.mean + gain * ((target - self.mean[row]) / spread)
        self.variance = self.variance - gain**2
        self._gains.append(gain)


class LatentProcess:
    """Posterior of a function with mean 0 and a radial basis function kernel, by DTC.

    The kernel is ``scale exp(-rate |a - b|^2)``, so that the length scale is
    ``1 / sqrt(2 rate)``.

    Parameters
    ----------
    hyperparameters : Hyperparameters
        Of one term and one distance, the squared one.
    inducing : ndarray, shape (M, J)
    codes : ndarray, shape (N, J)
        Points where the function is known.
    targets : ndarray, shape (N,)
        Noisy values there.
    """

    def __init__(
        self, hyperparameters: Hyperparameters, inducing: Array, codes: Array, targets: Array
    ) -> None:
        self.hyperparameters, self.inducing = hyperparameters, inducing
        noise, size = hyperparameters.noise, len(inducing)
        prior = _kernel(hyperparameters, inducing, inducing)
        self._factor = cholesky(
            prior + _JITTER * hyperparameters.variance * np.eye(size), lower=True
        )
        seen = self._explain(codes)
        # With K_uu = L L' this is I + L^-1 K_uf K_fu L'^-1 / noise, whose least eigenvalue is 1.
        self._inner = cholesky(np.eye(size) + seen @ seen.T / noise, lower=True)
        self._weights = solve_triangular(self._inner, seen @ targets, lower=True) / noise

    @classmethod
    def fitted(
        cls, codes: Array, targets: Array, inducing: int, rng: np.random.Generator
    ) -> LatentProcess:
        """Process on at most ``inducing`` of the data, drawn at random, and all of them as data.

        Hyperparameters are those of the largest marginal likelihood of the exact process on the
        drawn data.

        Parameters
        ----------
        codes : ndarray, shape (N, J)
        targets : ndarray, shape (N,)
            Of mean 0 and variance 1.
        inducing : int
        rng : numpy Generator
        """
        rows = rng.choice(len(codes), min(inducing, len(codes)), replace=False)
        squares = cdist(codes[rows], codes[rows], "sqeuclidean")
        unit = squares.mean() or 1.0
        found = fit(squares[None, None] / unit, targets[rows], [START], BOUNDS)
        return cls(found._replace(rates=found.rates / unit), codes[rows], codes, targets)

    def at(self, points: Array) -> Posterior:
        """Posterior at points, shape (C, J)."""
        explained = self._explain(points)
        uncertain = solve_triangular(self._inner, explained, lower=True)
        mean = uncertain.T @ self._weights
        return Posterior(points, self.hyperparameters, mean, explained, uncertain)

    def _explain(self, points: Array) -> Array:
        """Covariances with the inducing points, whitened by theirs; shape (M, C)."""
        covariance = _kernel(self.hyperparameters, self.inducing, points)
        return np.asarray(solve_triangular(self._factor, covariance, lower=True))


def _kernel(hyperparameters: Hyperparameters, a: Array, b: Array) -> Array:
    return hyperparameters.kernel(cdist(a, b, "sqeuclidean")[None, None])
