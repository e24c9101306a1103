"""Benchmarks of tables of one's own, which a YAML file describes, and of parts of built tables."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from dagnas.benchmarks.benchmark import BenchmarkEntry, TabularBenchmark
from dagnas.benchmarks.built import open_built
from dagnas.benchmarks.costed import CostedBenchmark, only_cells_of
from dagnas.benchmarks.policy import Policy
from dagnas.spaces.listed import nearest_part
from dagnas.tables.simple import SimpleTable, read_description, table_file

#: Vectors of values for each cell of a table, beyond which methods cannot draw vectors until one is
#: a cell of it.
_VECTORS = 1e5


def open_simple(path: Path) -> TabularBenchmark:
    """Open the benchmark that a YAML file describes; its name is the file's.

    Searches are among the cells of the table alone. A table that `dagnas build-table` made, whole
    or in part, has the policies of such tables; any other has one, ``goal``.

    Raises
    ------
    DagnasError
        The description or the table is missing or wrong, or the table has faults.
    """
    described = read_description(path)
    if not described.space:
        return _of_cells(open_built(path.stem, table_file(path, described)))
    table = SimpleTable(path)
    name = path.stem
    policy = Policy(
        signal=f"{name}/signal/0",
        repeat="mean",
        seconds=f"{name}/seconds/0",
        valid=f"{name}/valid/0",
        test=f"{name}/test/0",
        budget_evaluations=described.budget_evaluations,
        source=described.source,
        note="" if described.seconds else "an evaluation counts as one second",
        costs=tuple(described.costs),
    )
    found = CostedBenchmark(
        name,
        table.space,
        table.as_table(),
        {"goal": policy},
        by_class=described.by_class,
        costs=table.costs,
    )
    return _of_cells(found)


def _of_cells(benchmark: TabularBenchmark) -> TabularBenchmark:
    """Benchmark as it is if it has all cells, else one whose space is those that it has.

    Where these are so few of the space that hardly a vector of values is one of them, each vector
    stands for the nearest.
    """
    whole = float(np.prod(benchmark.space.sizes, dtype=np.float64))
    if len(benchmark) == whole:
        return benchmark
    found = only_cells_of(benchmark)
    if whole < _VECTORS * len(benchmark):
        return found
    codes, by_class = benchmark.table["code"], benchmark.by_class
    return replace(found, space=nearest_part(benchmark.space, codes, by_class))


def simple_entry(file: str) -> BenchmarkEntry:
    """Entry of the registry for a YAML file.

    The same for the same file, so that it can be registered again.

    Raises
    ------
    DagnasError
        The file is missing or no such description, or there is no table.
    """
    return _entry(file, Path(file).resolve())


@functools.cache
def _entry(file: str, path: Path) -> BenchmarkEntry:
    files = (path, table_file(path, read_description(path)))
    # The file is what a scale lists under `plugins`, and stands for its code (dagnas.closure).
    return BenchmarkEntry(path.stem, file, lambda data: open_simple(path), tuple(map(str, files)))
