"""Bayesian linear regression with its precisions by evidence maximisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class BayesianLinear:
    """Posterior of linear weights under a Gaussian prior (BONAS, section 3.2; Bishop 2006, 3.5).

    No intercept. The precisions alpha (of the weights) and beta (of the noise) maximise the
    evidence, by the fixed-point steps of Bishop's equations 3.91 to 3.95. All of them happen in
    the eigenbasis of the design, where a step costs as much as a sum over features.

    Parameters
    ----------
    design : ndarray, shape (N, M)
        Phi, an embedding a row.
    targets : ndarray, shape (N,)
        t.
    start : float
        First alpha and beta.
    steps : int
        Fixed-point steps at most; they end where neither precision changes by 1 in 10,000.

    Attributes
    ----------
    alpha, beta : float
    mean : ndarray, shape (M,)
        m_N of equation 4.
    covariance : ndarray, shape (M, M)
        S_N of equation 4.
    """

    def __init__(
        self, design: NDArray[np.floating], targets: Array, start: float = 1e-5, steps: int = 200
    ) -> None:
        phi = np.asarray(design, np.float64)
        values, vectors = np.linalg.eigh(phi.T @ phi)
        values = values.clip(min=0)
        moment, total, size = vectors.T @ (phi.T @ targets), float(targets @ targets), len(phi)
        self.alpha = self.beta = start
        for _ in range(steps):
            before = self.alpha, self.beta
            weights = self.beta * moment / (self.alpha + self.beta * values)
            known = float((self.beta * values / (self.alpha + self.beta * values)).sum())
            error = total - 2 * weights @ moment + weights**2 @ values
            # Neither noise nor weights vanish where the design explains everything or nothing.
            self.alpha = max(known, 1e-10) / max(float(weights @ weights), 1e-10)
            self.beta = max(size - known, 1e-3) / max(float(error), 1e-10)
            if np.allclose((self.alpha, self.beta), before, rtol=1e-4, atol=0):
                break
        inverse = 1 / (self.alpha + self.beta * values)
        self.mean = vectors @ (self.beta * inverse * moment)
        self.covariance = (vectors * inverse) @ vectors.T

    def predict(self, design: NDArray[np.floating]) -> tuple[Array, Array]:
        """Mean (equation 4) and variance (equation 5) at embeddings; shape (B,) each."""
        phi = np.asarray(design, np.float64)
        spread = np.einsum("bm,mn,bn->b", phi, self.covariance, phi, optimize=True)
        return phi @ self.mean, spread + 1 / self.beta


def log_evidence(design: Array, targets: Array, alpha: float, beta: float) -> float:
    """Logarithm of p(t | alpha, beta) (BONAS, section 3.2).

    Parameters
    ----------
    design : ndarray, shape (N, M)
    targets : ndarray, shape (N,)
    alpha, beta : float
        Precisions of weights and noise.
    """
    size, features = design.shape
    precision = alpha * np.eye(features) + beta * design.T @ design
    mean = beta * np.linalg.solve(precision, design.T @ targets)
    error = targets - design @ mean
    return float(
        features / 2 * np.log(alpha)
        + size / 2 * np.log(beta)
        - beta / 2 * error @ error
        - alpha / 2 * mean @ mean
        - np.linalg.slogdet(precision)[1] / 2
        - size / 2 * np.log(2 * np.pi)
    )
