"""How good SGHMC's posteriors are: ``python -m studies.sghmc_posterior [--splits N]``.

First, a network without hidden layers, whose posterior is known but for one integral: how far means
and standard deviations of weights are off, in sds of the posterior, with steps on all points and
with minibatches. Then the task of NAGO's table 1 on an invented function whose noise grows with one
input: median NLL and RMSE, the fraction of test targets in intervals of 90 %, and Spearman's
correlation of predicted with true noise, for noise that varies and noise that does not, as chains
get longer. At last processor seconds of a fit on 100 points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, norm, spearmanr

from dagnas.predictors.sghmc import (
    CENTRE,
    FLOOR,
    PUBLIC,
    SPREAD,
    BayesianNetwork,
    Chain,
    Noise,
    negative_log_likelihood,
    root_mean_square_error,
    scaled,
)
from perf.common import command_line, least, run

Array = NDArray[np.float64]

KINDS: tuple[Noise, ...] = ("homoscedastic", "heteroscedastic")


def linear_posterior(points: Array, targets: Array) -> tuple[Array, Array]:
    """Mean and sd of kernel, bias and noise of a linear network, shape (P,) each.

    Parameters
    ----------
    points : ndarray, shape (N, d)
        Points of the unit cube.
    targets : ndarray, shape (N,)
        Standardised.
    """
    design = np.c_[scaled(points), np.ones(len(points))]
    logs, means, squares = [], [], []
    for noise in np.linspace(-5, 5, 1001):
        variance = FLOOR + np.exp(CENTRE + SPREAD * noise)
        covariance = np.linalg.inv(design.T @ design / variance + np.eye(design.shape[1]))
        mean = covariance @ design.T @ targets / variance
        prior = variance * np.eye(len(design)) + design @ design.T
        logs.append(multivariate_normal(cov=prior).logpdf(targets) + norm.logpdf(noise))
        means.append(np.append(mean, noise))
        squares.append(np.append(mean**2 + covariance.diagonal(), noise**2))
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    mean = weights @ np.array(means)
    return mean, np.sqrt(weights @ np.array(squares) - mean**2)


def compare_linear(steps: int) -> None:
    """Print how far samples are from the posterior of a linear network."""
    rng = np.random.default_rng(0)
    points = rng.random((40, 3))
    targets = points @ np.array([2.0, -1.0, 0.0]) + rng.normal(scale=0.5, size=40)
    targets = (targets - targets.mean()) / targets.std()
    mean, sd = linear_posterior(points, targets)
    print(
        f"linear network, 40 points, {steps:,} steps: largest error of a mean (sds), ratio of sds"
    )
    for batch in (40, 20, 5):
        chain = Chain(steps=steps, burn_in=PUBLIC.burn_in if steps > 5000 else 1000, batch=batch)
        network = BayesianNetwork(
            points, targets, np.random.default_rng(1), noise="homoscedastic", hidden=(), chain=chain
        )
        off = np.abs(network.samples.mean(axis=0) - mean) / sd
        ratio = network.samples.std(axis=0) / sd
        print(f"  batches of {batch:2}: {off.max():5.2f}  {ratio.min():.2f} to {ratio.max():.2f}")


def noisy(size: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Points of the unit cube (N, 4), targets there, and the sd of their noise."""
    points = rng.random((size, 4))
    sd = 0.02 + 0.6 * points[:, 0] ** 2
    truth = np.sin(3 * points[:, 1]) + points[:, 0] * points[:, 2]
    return points, truth + sd * rng.normal(size=size), sd


def compare_noise(splits: int, chains: Sequence[Chain]) -> None:
    """Print the rows of table 1 on the invented function, for chains of some lengths."""
    print("noise that grows, 50 points (NAGO, table 1): medians over splits")
    print("  surrogate         steps    NLL   RMSE  in 90 %  correlation")
    for chain in chains:
        for kind in KINDS:
            rows = np.median([_scores(split, kind, chain) for split in range(splits)], axis=0)
            print(f"  {kind:15} {chain.steps:7,}" + "{:7.2f}{:7.3f}{:9.2f}{:13.2f}".format(*rows))


def _scores(split: int, kind: Noise, chain: Chain) -> list[float]:
    rng = np.random.default_rng(split)
    points, targets, _ = noisy(50, rng)
    network = BayesianNetwork(points, targets, rng, noise=kind, chain=chain)
    there, truth, sd = noisy(100, rng)
    found = network.predict(there)
    inside = np.abs(truth - found.mean) < norm.ppf(0.95) * np.sqrt(found.variance)
    # Noise that does not vary has no correlation.
    agree = spearmanr(found.noise, sd).statistic if network.varies else np.nan
    return [
        negative_log_likelihood(found, truth),
        root_mean_square_error(found, truth),
        float(inside.mean()),
        float(agree),
    ]


def main() -> None:
    """Print the three tables."""
    parser = command_line("studies.sghmc_posterior", __doc__)
    parser.add_argument("--splits", type=int, default=10, metavar="N", help="random splits (10)")
    options = parser.parse_args()
    if options.smallest:
        compare_linear(3_000)
        compare_noise(1, [Chain(steps=600, burn_in=200)])
        return
    compare_linear(400_000)
    compare_noise(options.splits, [Chain(4_000, 1_500), PUBLIC, Chain(33_000, 3_000)])
    points, targets, _ = noisy(100, np.random.default_rng(0))
    for kind in KINDS:
        seconds = least(
            lambda kind=kind: BayesianNetwork(  # type: ignore[misc]
                points, targets, np.random.default_rng(0), noise=kind
            ),
            3,
        )
        print(f"a fit on 100 points, {kind}: {seconds:.2f} s of processor time")


if __name__ == "__main__":
    run(main)
