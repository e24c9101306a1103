"""Groups of alike things: how much of the variance is between groups, and how much within."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dagnas.analysis.ranks import Values
from dagnas.errors import DagnasError


class OneWay(NamedTuple):
    """One-way analysis of variance with random effects.

    Attributes
    ----------
    between, within : float
        Standard deviation of the groups' expectations, 0 if its square is estimated below 0, and
        that of members of a group.
    correlation, low, high : float
        Intraclass correlation, the fraction of the variance that is between groups, and its
        interval of 95 %.
    ratio, p : float
        Ratio of mean squares, and its p-value if groups were all alike: one-sided.
    groups, members : int
        Number of groups, and of members of each.
    """

    between: float
    within: float
    correlation: float
    low: float
    high: float
    ratio: float
    p: float
    groups: int
    members: int


def one_way(values: Values) -> OneWay:
    """Variance between and within groups of one size (McGraw and Wong 1996, ICC(1) and its tables).

    The interval is exact for normal values whose variance within groups is the same in all. Where
    it differs from group to group, it is approximate.

    Parameters
    ----------
    values : ndarray, shape (groups, members)

    Raises
    ------
    DagnasError
        There are fewer than two groups or members.
    """
    from scipy.stats import f

    groups, members = values.shape
    if min(groups, members) < 2:
        raise DagnasError(f"{groups} groups of {members}: expected at least two of two")
    means = values.mean(axis=1)
    first, second = groups - 1, groups * (members - 1)
    square = members * means.var(ddof=1)
    inside = ((values - means[:, None]) ** 2).sum() / second
    with np.errstate(divide="ignore"):
        ratio = np.float64(square) / inside if square else np.float64(1)

    def correlation(of: np.float64) -> float:
        return 1.0 if np.isinf(of) else float((of - 1) / (of + members - 1))

    return OneWay(
        between=float(np.sqrt(max((square - inside) / members, 0))),
        within=float(np.sqrt(inside)),
        correlation=correlation(ratio),
        low=correlation(ratio / f.ppf(0.975, first, second)),
        high=correlation(ratio * f.ppf(0.975, second, first)),
        ratio=float(ratio),
        p=float(f.sf(ratio, first, second)),
        groups=groups,
        members=members,
    )
