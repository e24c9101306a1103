"""ENAS macro cells with weight-sharing accuracies on CIFAR-10: the data of D-VAE and of NGAE."""

from __future__ import annotations

from pathlib import Path

from dagnas.benchmarks.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.policy import Policy
from dagnas.spaces import SPACES
from dagnas.tables.table import Table

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


@benchmark(tables=("enas",))
def enas(data: Path) -> TabularBenchmark:
    """Open 19,020 rows of 19,015 cells; a cell that occurs twice is evaluated by its first row."""
    return TabularBenchmark("enas", SPACES.get("enas"), Table(data / "enas.parquet"), _POLICIES)
