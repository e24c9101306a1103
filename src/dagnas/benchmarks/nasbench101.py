"""NAS-Bench-101, whole or cells of one size (CIFAR-10)."""

from pathlib import Path

from dagnas.benchmarks.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.policy import Policy, bonas_policy, with_realisations
from dagnas.spaces import SPACES
from dagnas.spaces.nasbench101 import NASBench101Space
from dagnas.tables.table import Table

_POLICIES = {
    "goal": Policy(
        signal="cifar10/valid/108",
        repeat="random",
        seconds="cifar10/seconds/108",
        valid="cifar10/valid/108",
        test="cifar10/test/108",
        budget_seconds=5e5,
        draw="variables",
        source="GOAL, section 6.3",
    ),
    # The best of the table is sought, so that random cells are rows of the table.
    "bonas": bonas_policy("cifar10", 108, draw="classes"),
}


@benchmark(tables=("nasbench101",))
def nasbench101(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-101, one row per class of isomorphic cells."""
    space = SPACES.get("nasbench101")
    table = Table(data / "nasbench101.parquet")
    policies = with_realisations(_POLICIES, table)
    return TabularBenchmark("nasbench101", space, table, policies, by_class=True)


def open_sized(name: str, size: int, data: Path) -> TabularBenchmark:
    """Open the classes of NAS-Bench-101 whose pruned cells have ``size`` vertices."""
    space = NASBench101Space(size)
    table = Table(data / "nasbench101.parquet")
    part = table.only(space.is_valid(space.unpack(table["code"])))
    policies = with_realisations(_POLICIES, table)
    return TabularBenchmark(name, space, part, policies, by_class=True)


@benchmark(tables=("nasbench101",))
def nasbench101_six(data: Path) -> TabularBenchmark:
    """Open the 62,010 classes of six vertices (BONAS, section 4.4.2)."""
    return open_sized("nasbench101_six", 6, data)


@benchmark(tables=("nasbench101",))
def nasbench101_seven(data: Path) -> TabularBenchmark:
    """Open the 359,082 classes of seven vertices (BONAS, section 4.4.2)."""
    return open_sized("nasbench101_seven", 7, data)
