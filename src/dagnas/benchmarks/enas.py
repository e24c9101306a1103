"""ENAS macro cells with weight-sharing accuracies on CIFAR-10: the data of D-VAE and of NGAE."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.core.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.core.policy import Policy
from dagnas.benchmarks.core.table import Table
from dagnas.spaces import SPACES

_SHARED = "cifar10/valid/0"

_POLICIES = {
    "ngae": Policy(
        signal=_SHARED,
        repeat="mean",
        seconds="cifar10/evaluations/0",
        valid=_SHARED,
        test=_SHARED,
        budget_evaluations=500,
        source="NGAE, section 5: the accuracy with shared weights is all that is known of a cell, "
        "so it is reported as validation and as test accuracy; no time is known, and an "
        "evaluation counts as one second. The budget is that of D-VAE's Bayesian optimisation",
    ),
}


class Split(NamedTuple):
    """Rows of a table to train on and to test on: int64 arrays, shapes (train,) and (test,)."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def dvae_split(rows: int, *, seed: int = 0, share: float = 0.9) -> Split:
    """Rows shuffled and divided as D-VAE's released code does; NGAE (section 5) states 90 % alone.

    Parameters
    ----------
    rows : int
        Of the table; 19,020 give 17,118 and 1,902.
    seed : int
        Of the shuffle, by Python's own generator as in that code.
    share : float
        To train on.
    """
    order = list(range(rows))
    random.Random(seed).shuffle(order)
    first = int(rows * share)
    return Split(np.array(order[:first], dtype=np.int64), np.array(order[first:], dtype=np.int64))


def complexity_target(values: NDArray) -> NDArray[np.float64]:
    """Complexities brought to [0, 1] over the set that is given (NGAE, section 3.2).

    The paper does not say how: here the least becomes 0 and the greatest 1.

    Parameters
    ----------
    values : ndarray, shape (N,)
        Such as the column ``madds`` of all rows.
    """
    low, high = float(values.min()), float(values.max())
    return (np.asarray(values, dtype=np.float64) - low) / ((high - low) or 1.0)


@benchmark(tables=("enas",))
def enas(data: Path) -> TabularBenchmark:
    """Open the 19,020 rows, of 19,015 cells; a cell's evaluation is that of its first row."""
    return TabularBenchmark("enas", SPACES.get("enas"), Table(data / "enas.parquet"), _POLICIES)
