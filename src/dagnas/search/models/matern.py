"""Gaussian process with a sum of Matern kernels, one a block of features, over fixed candidates.

The kernel of points x and x' is ``sum_b a_b m(|x_b - x'_b| / l_b)`` over blocks b of features, with
``m(r) = (1 + s + s^2 / 3) exp(-s)``, ``s = sqrt(5) r``, the Matern kernel of smoothness 5/2
(Rasmussen and Williams 2006, equation 4.17). Hyperparameters are the most probable ones: normal
priors on the logarithms keep them sensible while evaluations are few.

scikit-learn has such processes, but no kernel on a part of the features, and it computes the
posterior of all candidates anew for each evaluation. Here a row is added for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

Array = NDArray[np.floating]
#: Features of N points in blocks, shape (N, d_b) each.
Blocks = Sequence[Array]

#: Points whose covariances are computed together, for the processor's cache.
CHUNK = 4096
#: Ranges of logarithms, in standard deviations of their priors.
RANGE = 5.0
#: What is added to the diagonal of a covariance, in parts of it: more where rounding made it
#: indefinite.
JITTERS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
#: Steps of the optimiser at most; more change nothing that a search would notice.
STEPS = 50


class Hyperparameters(NamedTuple):
    """Hyperparameters of the kernel and of the noise.

    Attributes
    ----------
    amplitudes, lengths : ndarray, shape (K,)
        Variance and length scale of each block.
    noise : float
        Variance of the noise.
    """

    amplitudes: NDArray[np.float64]
    lengths: NDArray[np.float64]
    noise: float

    def to_vector(self) -> NDArray[np.float64]:
        """Logarithms of all of them, shape (2 K + 1,)."""
        return np.asarray(np.log(np.concatenate([self.amplitudes, self.lengths, [self.noise]])))

    @staticmethod
    def from_vector(vector: NDArray[np.float64]) -> Hyperparameters:
        """Hyperparameters from their logarithms."""
        amplitudes, lengths, noise = np.split(np.exp(vector), [len(vector) // 2, len(vector) - 1])
        return Hyperparameters(amplitudes, lengths, float(noise[0]))

    @property
    def variance(self) -> float:
        """Prior variance of the function."""
        return float(self.amplitudes.sum())

    def kernel(self, one: Blocks, other: Blocks) -> Array:
        """Covariances of A and B points, shape (A, B)."""
        total: Array = np.zeros((len(one[0]), len(other[0])), dtype=one[0].dtype)
        for a, b, amplitude, length in zip(
            one, other, self.amplitudes.tolist(), self.lengths.tolist(), strict=True
        ):
            gaps = distances(a, b)
            gaps *= np.sqrt(5) / length
            decay = np.exp(-gaps)
            # 1 + s + s^2 / 3 in place, as this takes most of the time of a search.
            gaps *= gaps / 3 + 1
            gaps += 1
            gaps *= decay
            gaps *= amplitude
            total += gaps
        return total


class Prior(NamedTuple):
    """Normal priors of the logarithms of hyperparameters: medians, and sds of the logarithms.

    Attributes
    ----------
    median : Hyperparameters
    amplitude, length, noise : float
        Standard deviations.
    """

    median: Hyperparameters
    amplitude: float = 1.0
    length: float = 0.7
    noise: float = 1.5

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviations in the order of `Hyperparameters.to_vector`."""
        blocks = len(self.median.lengths)
        return np.repeat([self.amplitude, self.length, self.noise], [blocks, blocks, 1])


def usual_prior(blocks: int) -> Prior:
    """Prior for targets of variance 1 and blocks whose median distance is 1."""
    return Prior(Hyperparameters(np.full(blocks, 1 / blocks), np.full(blocks, 2.0), 0.05))


def distances(a: Array, b: Array) -> Array:
    """Euclidean distances of A and B points, shape (A, B)."""
    squares = a @ b.T
    squares *= -2
    squares += (a**2).sum(axis=1)[:, None]
    squares += (b**2).sum(axis=1)
    np.maximum(squares, 0, out=squares)
    return np.sqrt(squares, out=squares)


def factorise(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower Cholesky factor of a covariance, with a jitter where there is none without.

    Distances are computed in single precision. Those of points that are nearly one are wrong by as
    much as they are long, which is more than little noise makes up for at short lengths.

    Raises
    ------
    LinAlgError
        The largest jitter does not do either.
    """
    unit = covariance.diagonal().mean() * np.eye(len(covariance))
    for jitter in JITTERS[:-1]:
        with suppress(LinAlgError):
            return np.asarray(cholesky(covariance + jitter * unit, lower=True))
    return np.asarray(cholesky(covariance + JITTERS[-1] * unit, lower=True))


def log_posterior(
    vector: NDArray[np.float64],
    gaps: NDArray[np.float64],
    targets: NDArray[np.float64],
    prior: Prior,
) -> tuple[float, NDArray[np.float64]]:
    """Log density of hyperparameters given targets, up to a constant, and its gradient.

    With K the covariance of the targets and a = K^-1 y, the derivative of the log likelihood in a
    parameter of K is ``sum((a a' - K^-1) * dK) / 2`` (Rasmussen and Williams 2006, equations 2.30
    and 5.9); that of m(d / l) in log l is ``s^2 (1 + s) exp(-s) / 3``.

    Parameters
    ----------
    vector : ndarray, shape (2 K + 1,)
        Logarithms, `Hyperparameters.to_vector`.
    gaps : ndarray, shape (K, n, n)
        Distances of the points in each block.
    targets : ndarray, shape (n,)
    prior : Prior
    """
    known = Hyperparameters.from_vector(vector)
    n = len(targets)
    scaled = np.sqrt(5) * gaps / known.lengths[:, None, None]
    decay = known.amplitudes[:, None, None] * np.exp(-scaled)
    terms = (1 + scaled + scaled**2 / 3) * decay
    factor = factorise(terms.sum(axis=0) + known.noise * np.eye(n))
    solved = cho_solve((factor, True), targets)
    # Of the inverse, the routine leaves the upper triangle empty.
    half, _ = dpotri(factor, lower=True)
    weights = (np.outer(solved, solved) - half - np.tril(half, -1).T) / 2
    from_median = (vector - prior.median.to_vector()) / prior.sd
    value = -targets @ solved / 2 - np.log(factor.diagonal()).sum() - from_median @ from_median / 2
    gradient = np.concatenate(
        [
            (weights * terms).sum(axis=(1, 2)),
            (weights * scaled**2 * (1 + scaled) * decay / 3).sum(axis=(1, 2)),
            [known.noise * weights.trace()],
        ]
    )
    return float(value), gradient - from_median / prior.sd


def fit(
    points: Blocks,
    targets: NDArray[np.float64],
    prior: Prior,
    starts: Sequence[Hyperparameters] = (),
) -> Hyperparameters:
    """Most probable hyperparameters that are found, by L-BFGS-B.

    Parameters
    ----------
    points : sequence of ndarray, shape (n, d_b)
    targets : ndarray, shape (n,)
        Of mean 0 under the prior.
    prior : Prior
        It begins at the median.
    starts : sequence of Hyperparameters
        Where to begin besides; the best end counts.
    """
    gaps = np.stack([distances(block, block) for block in points]).astype(np.float64)

    def loss(vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = log_posterior(vector, gaps, targets, prior)
        return -value, -gradient

    middle, reach = prior.median.to_vector(), RANGE * prior.sd
    limits = list(zip(middle - reach, middle + reach, strict=True))
    ends = [
        minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": STEPS}
        )
        for start in (middle, *(start.to_vector() for start in starts))
    ]
    return Hyperparameters.from_vector(min(ends, key=lambda end: end.fun).x)


class MaternProcess:
    """Posterior at fixed candidates, of a function with mean 0, given noisy values of it.

    The values come with `predict`, so that they may be scaled anew each time.

    Parameters
    ----------
    hyperparameters : Hyperparameters
    known : sequence of ndarray, shape (n, d_b)
        Points where there are values.
    candidates : sequence of ndarray, shape (N, d_b)
    """

    def __init__(self, hyperparameters: Hyperparameters, known: Blocks, candidates: Blocks) -> None:
        self.hyperparameters, self._known = hyperparameters, list(known)
        self._candidates = candidates
        covariance = hyperparameters.kernel(known, known).astype(np.float64)
        covariance[np.diag_indices_from(covariance)] = (
            hyperparameters.variance + hyperparameters.noise
        )
        self._factor = factorise(covariance)
        self._whitened = solve_triangular(
            self._factor, hyperparameters.kernel(known, candidates), lower=True
        )
        self._explained = (self._whitened**2).sum(axis=0)

    def add(self, point: Blocks) -> None:
        """Take in one more point: a row of the Cholesky factor, in O(n^2 + n N).

        Parameters
        ----------
        point : sequence of ndarray, shape (1, d_b)
        """
        of = self.hyperparameters
        before = of.kernel(self._known, point)[:, 0]
        row = solve_triangular(self._factor, before, lower=True)
        # Not below zero but by rounding.
        pivot = np.sqrt(max(of.variance + of.noise - row @ row, 1e-10))
        n = len(row)
        factor = np.zeros((n + 1, n + 1))
        factor[:n, :n], factor[n, :n], factor[n, n] = self._factor, row, pivot
        new = (of.kernel(point, self._candidates)[0] - row @ self._whitened) / pivot
        self._factor, self._whitened = factor, np.vstack([self._whitened, new])
        self._explained = self._explained + new**2
        self._known = [np.vstack(pair) for pair in zip(self._known, point, strict=True)]

    def predict(
        self, targets: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of the function at the candidates, without noise.

        Parameters
        ----------
        targets : ndarray, shape (n,)
            Values at the known points.

        Returns
        -------
        mean, variance : ndarray, shape (N,)
        """
        mean = solve_triangular(self._factor, targets, lower=True) @ self._whitened
        return mean, np.maximum(self.hyperparameters.variance - self._explained, 1e-10)


def posterior_mean(
    hyperparameters: Hyperparameters,
    known: Blocks,
    targets: NDArray[np.float64],
    points: Blocks,
) -> NDArray[np.float64]:
    """Mean at any number B of points, without their variance, so in O(n B); shape (B,).

    Covariances are computed in the precision of the points.
    """
    covariance = hyperparameters.kernel(known, known).astype(np.float64)
    covariance[np.diag_indices_from(covariance)] += hyperparameters.noise
    weights = cho_solve((cholesky(covariance, lower=True), True), targets)
    weights = weights.astype(points[0].dtype)
    parts = (
        hyperparameters.kernel([block[at : at + CHUNK] for block in points], known) @ weights
        for at in range(0, len(points[0]), CHUNK)
    )
    return np.concatenate(list(parts)).astype(np.float64)
