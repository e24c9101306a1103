"""Survival analysis of the samples that a search takes until it finds the best cell.

A trial that was stopped before it found that cell is right-censored: it would have taken more
samples than it was given, and nothing else is known. No number here is extrapolated. Means are
restricted to what was sampled, and a median is given only if half of the trials got there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.paired import holm

if TYPE_CHECKING:
    import pandas as pd
    from scipy.stats import CensoredData


class CensoredTimes(NamedTuple):
    """Right-censored times to the best cell, in samples, of the trials of one method.

    Attributes
    ----------
    samples : ndarray of int, shape (trials,)
        Samples until the best cell, it included; of a stopped trial, all that it took.
    found : ndarray of bool, shape (trials,)
        True for a trial that found it.
    """

    samples: NDArray[np.int64]
    found: NDArray[np.bool_]

    def until(self, most: int) -> CensoredTimes:
        """Times that would be known if every trial had been stopped after ``most`` samples."""
        return CensoredTimes(np.minimum(self.samples, most), self.found & (self.samples <= most))

    def followed(self, cap: int) -> int:
        """Samples up to which every trial is known: ``cap``, or fewer where one ended early."""
        return int(min([cap, *self.samples[~self.found]]))


class Median(NamedTuple):
    """Median and its interval of 95 %; NaN if not reached, ``high`` infinite if unbounded."""

    value: float
    low: float
    high: float


class Summary(NamedTuple):
    """Statistics of the times of one method.

    Attributes
    ----------
    n, finished : int
        Trials, and those that found the best cell.
    cap : int
        Samples after which a trial was stopped.
    mean : float
        NaN unless all trials finished.
    restricted_mean : float
        Mean of the samples up to ``restricted_to``, a lower bound of the mean; the mean itself if
        all trials finished.
    restricted_to : float
        Samples up to which every trial is known; NaN if all finished.
    se : float
        Standard error of ``restricted_mean``.
    median, median_low, median_high : float
        See `Median`.
    """

    n: int
    finished: int
    cap: int
    mean: float
    restricted_mean: float
    restricted_to: float
    se: float
    median: float
    median_low: float
    median_high: float


class Comparison(NamedTuple):
    """Comparison of a method with a reference; ratios above 1 favour the reference.

    Attributes
    ----------
    upto : int
        Samples up to which every trial of both is known; the next attributes are of these alone.
    finished_upto, reference_finished_upto : float
        Trials that finished by then, %.
    ratio_upto : float
        Ratio of the means restricted to then; NaN if no trial of either finished by then.
    logrank_p : float
        See `log_rank`.
    sooner, later, sign_p : int, int, float
        See `sign_test`.
    mean_ratio, median_ratio : float
        Ratios of means and of medians; NaN unless both are known.
    mean_ratio_least, median_ratio_least : float
        The same, or a lower bound where the method's is not known but the reference's is.
    """

    upto: int
    finished_upto: float
    reference_finished_upto: float
    ratio_upto: float
    logrank_p: float
    sooner: int
    later: int
    sign_p: float
    mean_ratio: float
    mean_ratio_least: float
    median_ratio: float
    median_ratio_least: float


def times_to(traces: pd.DataFrame, least: float) -> dict[str, CensoredTimes]:
    """Times of every method until a cell is good enough, in the order of the trials' numbers.

    Parameters
    ----------
    traces : DataFrame
        As `Inputs.traces` gives them, of a study with ``until_best``.
    least : float
        Signal that is good enough; the benchmark's best for the times to the best cell.
    """
    found = {}
    for method, trials in traces.groupby("method", sort=False):
        ordered = trials.sort_values(["trial", "step"])
        last = ordered.groupby("trial")["step"].last()
        reached = ordered[ordered["signal"] >= least].groupby("trial")["step"].first()
        steps = reached.reindex(last.index).fillna(last)
        found[str(method)] = CensoredTimes(
            steps.to_numpy(np.int64) + 1, last.index.isin(reached.index)
        )
    return found


def tally(times: CensoredTimes) -> pd.DataFrame:
    """Count the trials that ended after each number of samples.

    Returns
    -------
    DataFrame
        Columns samples, in rising order; found (trials that found the best cell with that sample);
        and stopped (trials that were stopped after it).
    """
    import pandas as pd

    samples, places = np.unique(times.samples, return_inverse=True)
    found = np.bincount(places[times.found], minlength=len(samples))
    stopped = np.bincount(places[~times.found], minlength=len(samples))
    return pd.DataFrame({"samples": samples, "found": found, "stopped": stopped})


def from_tally(ends: pd.DataFrame) -> CensoredTimes:
    """Times that `tally` counted, without the order of the trials: first those that found it."""
    samples, found, stopped = (
        ends[column].to_numpy(np.int64) for column in ("samples", "found", "stopped")
    )
    return CensoredTimes(
        np.concatenate([np.repeat(samples, found), np.repeat(samples, stopped)]),
        np.arange(found.sum() + stopped.sum()) < found.sum(),
    )


def _censored(times: CensoredTimes) -> CensoredData:
    from scipy.stats import CensoredData

    return CensoredData(uncensored=times.samples[times.found], right=times.samples[~times.found])


def curve(times: CensoredTimes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Kaplan-Meier estimate of the fraction of trials that have found the best cell.

    Returns
    -------
    samples, fractions : ndarray
        The fraction from each number of samples up to the next; the last one is where the last
        trial ended.
    """
    from scipy.stats import ecdf

    rising = ecdf(_censored(times)).cdf
    return rising.quantiles.astype(np.int64), rising.probabilities


def median(times: CensoredTimes) -> Median:
    """Samples by which half of the trials have found the best cell, by the Kaplan-Meier estimate.

    The interval holds all numbers of samples at which a half is within the pointwise interval of
    95 % of the curve on the log-log scale (Brookmeyer and Crowley, 1982).
    """
    from scipy.stats import ecdf

    waiting = ecdf(_censored(times)).sf
    with warnings.catch_warnings():
        # The interval is not defined before the first success and where no trial is left.
        warnings.simplefilter("ignore", RuntimeWarning)
        interval = waiting.confidence_interval(0.95, method="log-log")

    def first(survivors: NDArray[np.float64], otherwise: float) -> float:
        # A product of many fractions may miss one half by its last digit.
        below = np.flatnonzero(survivors <= 0.5 + 1e-9)
        return float(waiting.quantiles[below[0]]) if len(below) else otherwise

    return Median(
        first(waiting.probabilities, np.nan),
        first(interval.low.probabilities, np.nan),
        first(interval.high.probabilities, np.inf),
    )


def log_rank(one: CensoredTimes, other: CensoredTimes) -> float:
    """Two-sided p-value of the log-rank test that two methods find the best cell equally soon.

    NaN if no trial of either found it.
    """
    from scipy.stats import logrank

    if not (one.found.any() or other.found.any()):
        return np.nan
    with np.errstate(invalid="ignore"):
        return float(logrank(_censored(one), _censored(other)).pvalue)


def sign_test(one: CensoredTimes, other: CensoredTimes) -> tuple[int, int, float]:
    """Compare trials of equal numbers.

    Returns
    -------
    sooner, later : int
        Trials in which ``one`` took fewer samples, or more; neither if both were stopped first or
        took equally many.
    p : float
        Two-sided p-value of the sign test, 1 if there is no such trial.
    """
    from scipy.stats import binomtest

    a, b = (np.where(times.found, times.samples, np.inf) for times in (one, other))
    sooner, later = int((a < b).sum()), int((a > b).sum())
    decided = sooner + later
    return sooner, later, float(binomtest(sooner, decided).pvalue) if decided else 1.0


def summary(times: CensoredTimes, cap: int) -> Summary:
    """Statistics of the trials of one method, each of at most ``cap`` samples."""
    whole, most = bool(times.found.all()), times.followed(cap)
    counted = times.samples if whole else times.until(most).samples
    return Summary(
        len(times.samples),
        int(times.found.sum()),
        cap,
        float(counted.mean()) if whole else np.nan,
        float(counted.mean()),
        np.nan if whole else most,
        float(counted.std(ddof=1) / np.sqrt(len(counted))) if len(counted) > 1 else np.nan,
        *median(times),
    )


def chance(found: int, samples: float, mean: float) -> float:
    """Probability of so few successes, were waiting times exponential with a given mean.

    Then successes come at a constant rate, and their number in all samples that were taken is
    Poisson's: with n trials of c samples without any it is 0 with probability exp(-n c / mean).

    Parameters
    ----------
    found : int
        Trials that found it.
    samples : float
        Samples of all trials together.
    mean : float
    """
    from scipy.stats import poisson

    return float(poisson.cdf(found, samples / mean))


def comparison(
    times: CensoredTimes, reference: CensoredTimes, cap: int, reference_cap: int
) -> Comparison:
    """Comparison of a method with another, whose trials have caps of their own."""
    mine, other = summary(times, cap), summary(reference, reference_cap)
    upto = min(times.followed(cap), reference.followed(reference_cap))
    one, two = times.until(upto), reference.until(upto)
    anyone = one.found.any() or two.found.any()
    reached = times.followed(cap) if np.isnan(mine.median) else mine.median
    return Comparison(
        upto,
        float(100 * one.found.mean()),
        float(100 * two.found.mean()),
        float(one.samples.mean() / two.samples.mean()) if anyone else np.nan,
        log_rank(one, two),
        *sign_test(one, two),
        mine.mean / other.mean,
        mine.restricted_mean / other.mean,
        mine.median / other.median,
        reached / other.median,
    )


def table(
    methods: Mapping[str, CensoredTimes], caps: Mapping[str, int], reference: str
) -> pd.DataFrame:
    """Summary of every method, and its comparison with ``reference``, if that is among them.

    Returns
    -------
    DataFrame
        Columns method, and those of `Summary` and `Comparison`; the reference is not compared with
        itself.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for method, times in methods.items():
        row = {"method": method, **summary(times, caps[method])._asdict()}
        if method != reference and reference in methods:
            compared = comparison(times, methods[reference], caps[method], caps[reference])
            row |= compared._asdict()
        rows.append(row)
    return pd.DataFrame(rows, columns=["method", *Summary._fields, *Comparison._fields])


def corrected(tables: pd.DataFrame) -> pd.DataFrame:
    """Table whose p-values are corrected for their number by Holm's rule.

    Parameters
    ----------
    tables : DataFrame
        Tables as `table` makes them, with a column benchmark; each benchmark's tests are a family.
    """
    result = tables.copy()
    for _, rows in tables.groupby("benchmark"):
        for column in ("logrank_p", "sign_p"):
            known = rows[column].dropna()
            result.loc[known.index, column] = holm(known.to_numpy())
    return result
