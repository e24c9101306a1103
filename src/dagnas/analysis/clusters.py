"""Means of clusters of trials, such as searches on one supernet, whose trials are alike."""

from __future__ import annotations

import math

from dagnas.analysis.ranks import Values


def interval_of_clusters(means: Values) -> tuple[float, float]:
    """Interval of 95 % for the mean of the means of clusters, by Student's t.

    Trials of a cluster share its luck, so that the clusters, and not their trials, are what was
    drawn independently.

    Parameters
    ----------
    means : ndarray, shape (clusters,)
        A single one has no interval: NaN.
    """
    from scipy.stats import t

    if len(means) < 2:
        return math.nan, math.nan
    half = float(t.ppf(0.975, len(means) - 1)) * means.std(ddof=1) / math.sqrt(len(means))
    return float(means.mean() - half), float(means.mean() + half)
