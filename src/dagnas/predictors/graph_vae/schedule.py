"""Schedule of a graph VAE's training: numbers alone, so that scale files are read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Weights:
    """Weights of the parts of the objective.

    Attributes
    ----------
    divergence : float
        Of the Kullback-Leibler divergence: D-VAE's by default; NGAE's equation 6 has 1.
    performance, complexity : float
        Of the squared errors of the predictors. NGAE without complexity predictor has no weight on
        the second, D-VAE none on either.
    """

    divergence: float = 0.005
    performance: float = 1.0
    complexity: float = 1.0


@dataclass(frozen=True)
class Schedule:
    """Schedule of a graph VAE's training; the defaults are D-VAE's (released code).

    Attributes
    ----------
    batch_size : int
    lr : float
        Of Adam, at the beginning.
    factor, patience : float and int
        The rate is multiplied by ``factor`` when the epoch's objective has not fallen for more
        than ``patience`` epochs.
    weights : Weights
        Of the parts of the objective.
    noise : float
        What the posterior's noise is multiplied by; 1 is the posterior itself.
    """

    batch_size: int = 32
    lr: float = 1e-4
    factor: float = 0.1
    patience: int = 10
    weights: Weights = field(default_factory=Weights)
    noise: float = 0.01
