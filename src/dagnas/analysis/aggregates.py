"""Statistics over several benchmarks, each with its own trials, and bootstrap intervals of them.

Counts say how often a resample has each trial, so that no value is copied: a mean over resamples is
a product of matrices, and an interquartile mean needs one sort in all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.paired import RESAMPLES
from dagnas.analysis.ranks import Values, rounded

Counts = NDArray[np.uint16]


def resample(n: int, rng: np.random.Generator) -> Counts:
    """Draw resamples of ``n`` trials with replacement (Efron, 1979).

    Returns
    -------
    ndarray, shape (1 + RESAMPLES, n)
        How often each resample has each trial; the first row is the trials themselves, once each.
    """
    chosen = rng.integers(n, size=(RESAMPLES, n)) + n * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(chosen.ravel(), minlength=RESAMPLES * n).reshape(RESAMPLES, n)
    return np.concatenate([np.ones((1, n)), counts]).astype(np.uint16)


def means(values: Values, counts: Counts) -> Values:
    """Mean over trials in each resample, shape (resamples, ...), of ``values`` (trials, ...)."""
    return np.asarray(counts.astype(float) @ values / len(values))


def interquartile_mean(values: Sequence[Values], counts: Sequence[Counts]) -> Values:
    r"""Mean of the middle half of all trials of all benchmarks, each benchmark weighing the same.

    With the :math:`K` trials of all benchmarks sorted, :math:`x_{(1)} \le \dots \le x_{(K)}`,
    weights :math:`w_{(k)}` that sum to 1 and :math:`W_k = w_{(1)} + \dots + w_{(k)}`,

    .. math:: \mathrm{IQM} = 2 \sum_{k=1}^{K} x_{(k)}
       \left[ \min(\max(W_k, 1/4), 3/4) - \min(\max(W_{k-1}, 1/4), 3/4) \right].

    A trial of a benchmark with :math:`N_m` trials, one of :math:`M`, weighs
    :math:`1 / (M N_m)` times its count in the resample. Where all have as many trials and their
    number is a multiple of four, this is the mean without the least and the greatest quarter of
    Agarwal et al. (2021, *Deep reinforcement learning at the edge of the statistical precipice*,
    section 4.3), and resampling the trials of each benchmark by themselves is their stratified
    bootstrap (section 4.1).

    Parameters
    ----------
    values : sequence of ndarray, shape (trials,)
        A score for each trial, by benchmark; not finite where it is undefined.
    counts : sequence of ndarray, shape (resamples, trials)
        By benchmark.

    Returns
    -------
    ndarray, shape (resamples,)
        NaN if any score is not finite.
    """
    scores = np.concatenate(values)
    if not np.isfinite(scores).all():
        return np.full(len(counts[0]), np.nan)
    order = np.argsort(scores, kind="stable")
    weights = np.concatenate([each / each.shape[1] for each in counts], axis=1)[:, order]
    reached = np.cumsum(weights, axis=1) / len(values)
    inner = np.diff(np.clip(reached, 0.25, 0.75), axis=1, prepend=0.25)
    return np.asarray(2 * inner @ scores[order])


def improvement(one: Values, other: Values, one_counts: Counts, other_counts: Counts) -> Values:
    r"""Probability that a trial of one method has less regret than one of another.

    .. math:: P(X < Y) = \frac{1}{N K} \sum_{i=1}^{N} \sum_{j=1}^{K} S(x_i, y_j),
       \qquad S(x, y) = 1 \text{ if } x < y, \; 1/2 \text{ if } x = y, \; 0 \text{ if } x > y,

    which is the statistic of Mann and Whitney by :math:`N K`. The probability of improvement of
    Agarwal et al. (2021, section 4.3) is its mean over benchmarks.

    Parameters
    ----------
    one, other : ndarray, shape (trials, shares)
        Regrets of the two methods on one benchmark; numbers of trials may differ.
    one_counts, other_counts : ndarray, shape (resamples, trials)

    Returns
    -------
    ndarray, shape (resamples, shares)
    """
    difference = rounded(one[:, None] - other[None])
    wins = ((difference < 0) + (difference == 0) / 2).swapaxes(1, 2)
    sums = one_counts.astype(float) @ wins.reshape(len(one), -1)
    of_each = sums.reshape(len(one_counts), -1, len(other))
    weights = other_counts.astype(float)
    return np.asarray(np.einsum("rsk,rk->rs", of_each, weights) / (len(one) * len(other)))


def over_benchmarks(values: Values, rng: np.random.Generator) -> Values:
    """Mean over benchmarks, which are drawn again too: benchmarks first, then trials of each.

    The hierarchical bootstrap with replacement at both levels (Davison and Hinkley, 1997, section
    3.8). A benchmark that is drawn twice has other trials each time: the k-th draw takes the
    resamples of trials from a place shifted by k parts, and these are independent.

    Parameters
    ----------
    values : ndarray, shape (benchmarks, 1 + RESAMPLES, ...)
        A statistic of every benchmark, of the trials themselves and of resamples of them.
    rng : Generator
        Draws the benchmarks.

    Returns
    -------
    ndarray, shape (1 + RESAMPLES, ...)
        The first row is the mean over the benchmarks themselves.
    """
    n, resamples = len(values), values.shape[1] - 1
    chosen = rng.integers(n, size=(n, resamples))
    mean = np.zeros(values.shape[1:])
    mean[0] = values[:, 0].mean(axis=0)
    for place, benchmarks in enumerate(chosen):
        trials = (np.arange(resamples) + place * resamples // n) % resamples
        mean[1:] += values[benchmarks, 1 + trials] / n
    return mean


def limits(name: str, values: Values) -> dict[str, Values]:
    """Interval of 95 % from all rows but the first: columns ``name``_low and ``name``_high."""
    low, high = np.percentile(values[1:], [2.5, 97.5], axis=0)
    return {f"{name}_low": low, f"{name}_high": high}


def with_interval(name: str, values: Values) -> dict[str, Values]:
    """What was found and its interval, from the first row and from the others."""
    return {name: values[0], **limits(name, values)}
