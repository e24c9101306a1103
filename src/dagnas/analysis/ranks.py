"""Ranks and ties of accuracies that are whole numbers of images, means of few trainings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def settled(values: Values) -> Values:
    """Values without the last digits, in which means of the same counts of images may differ."""
    return np.asarray(values, dtype=np.float64).round(9)


def spearman(one: Values, other: Values) -> float:
    """Spearman's rho; equal accuracies have equal ranks."""
    from scipy.stats import spearmanr

    return float(spearmanr(settled(one), settled(other)).statistic)


def places(values: Values) -> Values:
    """Rank of each in % of all, the largest first; equal ones share the mean of their ranks."""
    from scipy.stats import rankdata

    return 100 * rankdata(-settled(values)) / len(values)


def class_means(classes: NDArray[np.int64], values: Values) -> Values:
    """Mean over the cells of each class, in the order of the classes' numbers."""
    _, member = np.unique(classes, return_inverse=True)
    return np.bincount(member, weights=values) / np.bincount(member)


def mean_of_best(by: Values, of: Values, k: int) -> float:
    """Mean of ``of`` over the ``k`` best by ``by``.

    Where the k-th shares its value with others, the places left are shared among all of these, so
    that the order of the rows does not matter.
    """
    by = settled(by)
    last = np.sort(by)[-k]
    sure, tied = by > last, by == last
    return float((of[sure].sum() + (k - sure.sum()) * of[tied].mean()) / k)
