"""Statistics over trials: reports of each, confidence intervals of means, tests of two methods.

A trial is one repetition of a search with its own random stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dagnas.analysis.incumbents import METRICS, incumbent
from dagnas.analysis.ranks import Values, rounded

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 9999


class Comparison(NamedTuple):
    """Errors of a method compared with those of a reference.

    Attributes
    ----------
    difference : float
        Median over all pairs of a trial of the method and one of the reference of the error of
        the first less that of the second (Hodges and Lehmann, 1963); positive if the reference is
        better.
    lost : float
        Fraction of these pairs in which the method's error is the larger, ties counted as half.
    mann_whitney, wilcoxon : float
        Two-sided p-values of the rank-sum test, and of the signed-rank test on trials of equal
        numbers, in which zero differences are ranked and then left out (Pratt, 1959); NaN if
        trials are not paired.
    """

    difference: float
    lost: float
    mann_whitney: float
    wilcoxon: float


def reports(traces: pd.DataFrame, times: Values) -> pd.DataFrame:
    """Report of each trial at each time; see `incumbents.curves`.

    Before its first evaluation has ended a trial has no cell to report, and an error of 100 %:
    leaving it out would favour methods that are late.

    Parameters
    ----------
    traces : DataFrame
        As `Inputs.traces` gives them.
    times : ndarray, shape (times,)
        In simulated seconds.

    Returns
    -------
    DataFrame
        Columns method, trial, metric, seconds, error (%) and emulated (quantities
        behind the error that a model gave), in the order of the traces.
    """
    import pandas as pd

    frames = []
    for (method, trial), steps in traces.groupby(["method", "trial"], sort=False):
        best = incumbent(steps["signal"].to_numpy(), steps["epochs"].to_numpy())
        ended = np.searchsorted(steps["seconds"].to_numpy(), times, side="right")
        marks = set(steps["emulated"].iloc[0].split())
        for metric, column in METRICS.items():
            accuracy = steps[column].to_numpy()[best[ended - 1]]
            report = {
                "method": method,
                "trial": trial,
                "metric": metric,
                "seconds": times,
                "error": np.where(ended > 0, 100 - accuracy, 100.0),
                "emulated": " ".join(sorted(marks & {"signal", "seconds", column})),
            }
            frames.append(pd.DataFrame(report))
    return pd.concat(frames, ignore_index=True)


def interval(values: Values, rng: np.random.Generator) -> tuple[float, float]:
    """Bootstrap interval of 95 % for a mean, bias-corrected and accelerated (Efron, 1987).

    Parameters
    ----------
    values : ndarray, shape (trials,)
        A single one has no interval; equal ones have one of no width.
    rng : Generator
        Draws the resamples.
    """
    from scipy.stats import bootstrap

    if len(values) < 2:
        return np.nan, np.nan
    if np.ptp(rounded(values)) == 0:
        return float(values[0]), float(values[0])
    found = bootstrap((values,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=rng)
    low, high = found.confidence_interval
    return float(low), float(high)


def compare(method: Values, reference: Values, paired: bool = True) -> Comparison:
    """Compare the errors of two methods, shape (trials,) each, in the order of the trials.

    Without ``paired``, numbers of trials may differ, and there is no signed-rank test.
    """
    from scipy.stats import mannwhitneyu

    pairs = rounded(np.subtract.outer(method, reference))
    return Comparison(
        difference=float(np.median(pairs)),
        lost=float((pairs > 0).mean() + (pairs == 0).mean() / 2),
        # Where nothing differs, neither statistic is defined.
        mann_whitney=(
            float(mannwhitneyu(rounded(method), rounded(reference)).pvalue) if pairs.any() else 1.0
        ),
        wilcoxon=_signed_rank(rounded(method - reference)) if paired else np.nan,
    )


def _signed_rank(differences: Values) -> float:
    """Two-sided p-value of the signed-rank test."""
    from scipy.stats import wilcoxon

    if not differences.any():
        return 1.0
    return float(wilcoxon(differences, zero_method="pratt").pvalue)


def holm(p: Values) -> Values:
    """Correct the p-values of a family of tests for their number (Holm, 1979); shape (tests,)."""
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(corrected, 1.0)
