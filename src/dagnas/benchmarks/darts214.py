"""Genotypes of the DARTS space whose trainings are known: to compare with, not to search."""

from __future__ import annotations

from pathlib import Path

from dagnas.benchmarks.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.policy import Policy
from dagnas.spaces import SPACES
from dagnas.tables.table import Table

_TEST = "cifar10/test/600"

_POLICIES = {
    "goal": Policy(
        signal=_TEST,
        repeat="mean",
        seconds="cifar10/evaluations/600",
        valid=_TEST,
        test=_TEST,
        source="Yang, Esperanca and Carlucci (2020): test accuracies alone are known, so they are "
        "reported as validation accuracies as well, and are no signal for a search",
        note="the signal is a test accuracy",
    ),
}


@benchmark(tables=("darts214",))
def darts214(data: Path) -> TabularBenchmark:
    """Open 214 random genotypes with their test accuracies after 600 epochs on CIFAR-10."""
    table = Table(data / "darts214.parquet")
    return TabularBenchmark("darts214", SPACES.get("darts"), table, _POLICIES)
