"""Gaussian process regression on distances: exact, with hyperparameters by marginal likelihood."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

Array = NDArray[np.float64]


class Hyperparameters(NamedTuple):
    """Those of the kernel ``sum_t scale_t exp(-sum_p rate_tp d_tp)`` and of the noise.

    Attributes
    ----------
    noise : float
        Variance of the noise.
    scales : ndarray, shape (T,)
        Variance of each term.
    rates : ndarray, shape (T, P)
        Weight of each distance in each term.
    """

    noise: float
    scales: Array
    rates: Array

    def to_vector(self) -> Array:
        """Logarithms of all of them, shape (1 + T + T P,)."""
        return np.asarray(np.log(np.concatenate([[self.noise], self.scales, self.rates.ravel()])))

    @staticmethod
    def from_vector(vector: Array, terms: int) -> Hyperparameters:
        """Hyperparameters of T terms from their logarithms."""
        noise, scales, rates = np.split(np.exp(vector), [1, 1 + terms])
        return Hyperparameters(float(noise[0]), scales, rates.reshape(terms, -1))

    def terms(self, distances: Array) -> Array:
        """Terms of the kernel, shape (T, A, B), from distances of shape (T, P, A, B)."""
        weighted = np.einsum("tp,tpab->tab", self.rates, distances)
        return np.asarray(self.scales[:, None, None] * np.exp(-weighted))

    def kernel(self, distances: Array) -> Array:
        """Covariances, shape (A, B), from distances of shape (T, P, A, B)."""
        return np.asarray(self.terms(distances).sum(axis=0))

    @property
    def variance(self) -> float:
        """Covariance of a point with itself, where all distances are 0."""
        return float(self.scales.sum())


def log_marginal_likelihood(
    hyperparameters: Hyperparameters, distances: Array, targets: Array
) -> tuple[float, Array]:
    """Logarithm of the density of targets under the prior, and its gradient.

    With K the covariance of the targets and a = K^-1 y, the derivative in a parameter of K is
    ``sum((a a' - K^-1) * dK) / 2`` (Rasmussen and Williams 2006, equations 2.30 and 5.9).

    Parameters
    ----------
    hyperparameters : Hyperparameters
    distances : ndarray, shape (T, P, n, n)
        Between all points.
    targets : ndarray, shape (n,)
        Of mean 0 under the prior.

    Returns
    -------
    float
    ndarray, shape (1 + T + T P,)
        Gradient with respect to `Hyperparameters.to_vector`, the logarithms.
    """
    n = len(targets)
    terms = hyperparameters.terms(distances)
    factor = cholesky(terms.sum(axis=0) + hyperparameters.noise * np.eye(n), lower=True)
    solved = cho_solve((factor, True), targets)
    # Of the inverse, the routine leaves the upper triangle empty.
    half, _ = dpotri(factor, lower=True)
    gradient = (np.outer(solved, solved) - half - np.tril(half, -1).T) / 2
    by_term = gradient * terms
    value = -targets @ solved / 2 - np.log(factor.diagonal()).sum() - n * np.log(2 * np.pi) / 2
    rates = -hyperparameters.rates * np.einsum("tab,tpab->tp", by_term, distances)
    return float(value), np.concatenate(
        [[hyperparameters.noise * gradient.trace()], by_term.sum(axis=(1, 2)), rates.ravel()]
    )


def fit(
    distances: Array,
    targets: Array,
    starts: list[Hyperparameters],
    bounds: tuple[Hyperparameters, Hyperparameters],
) -> Hyperparameters:
    """Hyperparameters of the largest marginal likelihood that is found, by L-BFGS-B.

    Parameters
    ----------
    distances : ndarray, shape (T, P, n, n)
    targets : ndarray, shape (n,)
        Of mean 0 under the prior.
    starts : list of Hyperparameters
        Where to begin; the best end counts.
    bounds : pair of Hyperparameters
        Smallest and largest value of each.
    """
    terms = len(distances)

    def loss(vector: Array) -> tuple[float, Array]:
        value, gradient = log_marginal_likelihood(
            Hyperparameters.from_vector(vector, terms), distances, targets
        )
        return -value, -gradient

    limits = list(zip(*(bound.to_vector() for bound in bounds), strict=True))
    ends = [
        minimize(loss, start.to_vector(), jac=True, method="L-BFGS-B", bounds=limits)
        for start in starts
    ]
    return Hyperparameters.from_vector(min(ends, key=lambda end: end.fun).x, terms)


class GaussianProcess:
    """Posterior of a function with mean 0, given noisy values of it.

    Parameters
    ----------
    hyperparameters : Hyperparameters
    distances : ndarray, shape (T, P, n, n)
        Between the points where it is known.
    targets : ndarray, shape (n,)
        Values there.
    """

    def __init__(self, hyperparameters: Hyperparameters, distances: Array, targets: Array) -> None:
        self.hyperparameters = hyperparameters
        covariance = hyperparameters.kernel(distances)
        self._factor = cholesky(
            covariance + hyperparameters.noise * np.eye(len(targets)), lower=True
        )
        self._whitened = solve_triangular(self._factor, targets, lower=True)

    def add(self, distances: Array, target: float) -> None:
        """Take in one more value: one more row of the Cholesky factor, in O(n^2).

        Parameters
        ----------
        distances : ndarray, shape (T, P, n)
            To the points known so far.
        target : float
        """
        known = self.hyperparameters
        row = solve_triangular(self._factor, known.kernel(distances[..., None])[:, 0], lower=True)
        pivot = np.sqrt(known.variance + known.noise - row @ row)
        self._factor = np.block([[self._factor, np.zeros((len(row), 1))], [row, pivot]])
        self._whitened = np.append(self._whitened, (target - row @ self._whitened) / pivot)

    def predict(self, distances: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the function itself, without noise.

        Parameters
        ----------
        distances : ndarray, shape (T, P, n, B)
            From the known points to those asked for.

        Returns
        -------
        mean, sd : ndarray, shape (B,)
        """
        kernel = self.hyperparameters.kernel(distances)
        explained = solve_triangular(self._factor, kernel, lower=True)
        variance = self.hyperparameters.variance - (explained**2).sum(axis=0)
        return explained.T @ self._whitened, np.sqrt(np.maximum(variance, 1e-12))
