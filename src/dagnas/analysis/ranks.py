"""Ranks and ties of accuracies that are whole numbers of images, means of few trainings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def rounded(values: Values) -> Values:
    """Values without the last digits, in which means of the same counts of images may differ."""
    return np.asarray(values, dtype=np.float64).round(9)


def spearman(one: Values, other: Values) -> float:
    """Spearman's rank correlation; ties share the mean of their ranks."""
    from scipy.stats import spearmanr

    return float(spearmanr(rounded(one), rounded(other)).statistic)


def percent_ranks(values: Values) -> Values:
    """Ranks in % of the number of values, largest first; ties share the mean of their ranks."""
    from scipy.stats import rankdata

    ranks: Values = rankdata(-rounded(values))
    return 100 * ranks / len(values)


def class_means(classes: NDArray[np.int64], values: Values) -> Values:
    """Mean over the cells of each class, in the order of the classes' numbers."""
    _, member = np.unique(classes, return_inverse=True)
    return np.bincount(member, weights=values) / np.bincount(member)


def mean_of_best(by: Values, of: Values, k: int) -> float:
    """Mean of ``of`` over the ``k`` best by ``by``.

    Values tied with the k-th share the ranks that are left, so that the order of the rows does not
    matter.
    """
    by = rounded(by)
    last = np.sort(by)[-k]
    above, tied = by > last, by == last
    return float((of[above].sum() + (k - above.sum()) * of[tied].mean()) / k)
