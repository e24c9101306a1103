"""Benchmarks from tables made by `dagnas build-table`: the shipped one and users' own."""

from __future__ import annotations

import functools
import importlib
import re
from pathlib import Path

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import BenchmarkEntry, TabularBenchmark
from dagnas.benchmarks.policy import Policy, bonas_policy
from dagnas.errors import DagnasError
from dagnas.names import check_name
from dagnas.spaces import SPACES
from dagnas.tables.table import Table

#: The search signal is taken after the epochs divided by this. GOAL's on NAS-Bench-201 comes after
#: 12 of 200 epochs, from a training whose learning rate has decayed to zero by then. In the middle
#: of a training the rate is still high, and a quarter of the epochs ranks cells about as well
#: (docs/digits201.md).
SIGNAL_DIVISOR = 4
#: Evaluations that the budget of a search pays for on average, as in GOAL, section 6.3.
BUDGET = 240


def open_built(name: str, path: Path) -> TabularBenchmark:
    """Open a built table, with the policies ``goal`` and ``bonas``.

    Parameters
    ----------
    name : str
        Name of the benchmark.
    path : Path

    Raises
    ------
    DagnasError
        The table is missing, damaged, or not made by `dagnas build-table`.
    """
    table = Table(path)
    if "recipe" not in table.provenance:
        raise DagnasError(f"{path} was not made by `dagnas build-table`")
    images = table.provenance.get("images", "")
    pattern = re.compile(rf"{re.escape(images)}/valid/(\d{{1,9}})/s0")
    lengths = [int(found[1]) for found in map(pattern.fullmatch, table.columns) if found]
    if not lengths:
        raise DagnasError(f"{path} is damaged: it has no accuracies on the images {images:.50}")
    last = max(lengths)
    early = max(1, last // SIGNAL_DIVISOR)
    signal, seconds = f"{images}/valid/{early}", f"{images}/seconds/{early}"
    valid, test = f"{images}/valid/{last}", f"{images}/test/{last}"
    policies = {
        "goal": Policy(
            signal=signal,
            repeat="random",
            seconds=seconds,
            valid=valid,
            test=test,
            budget_seconds=float(f"{BUDGET * table.quantity(seconds, 'mean').mean():.1g}"),
            source="GOAL, section 6.3, with epochs and budget in proportion",
        ),
        "bonas": bonas_policy(images, last),
    }
    space = SPACES.get(table.provenance.get("space", ""))
    return TabularBenchmark(name, space, table, policies)


@functools.cache
def built_entry(name: str) -> BenchmarkEntry:
    """Benchmark of the table ``NAME.parquet`` in the folder of tables."""
    return BenchmarkEntry(
        name, __name__, lambda data: open_built(name, data / f"{name}.parquet"), (name,)
    )


def find_benchmark(name: str, data: Path) -> BenchmarkEntry:
    """Benchmark of that name, or of a built table, scores or a supernet in the folder ``data``.

    Raises
    ------
    DagnasError
        Neither exists, or the name cannot be that of a file.
    """
    if name not in BENCHMARKS.names():
        table = data / f"{check_name('benchmark', name)}.parquet"
        if table.is_file():
            return _other("scored", name) if _is_scores(table) else built_entry(name)
        if table.with_suffix(".pt").is_file():
            return _other("oneshot", name)
    return BENCHMARKS.get(name)


def _is_scores(table: Path) -> bool:
    return "scores" in Table(table).provenance


def _other(module: str, name: str) -> BenchmarkEntry:
    """Benchmark of a file that another module opens.

    Imported by name, as by a registry, so that no search on a table depends on code of supernets.
    """
    opener = importlib.import_module(f"dagnas.benchmarks.{module}")
    entry: BenchmarkEntry = getattr(opener, f"{module}_entry")(name)
    return entry
