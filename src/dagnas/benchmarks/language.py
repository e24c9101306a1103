"""Benchmarks of language models: tables of recurrent cells, among whose cells alone is searched."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from dagnas.benchmarks.benchmark import BenchmarkEntry, TabularBenchmark
from dagnas.benchmarks.built import open_built
from dagnas.spaces.listed import nearest_part


def open_language(name: str, path: Path) -> TabularBenchmark:
    """Open a table of recurrent cells, with the policies of built tables.

    Its accuracies are the share of the perplexity of guessing that a model saves, in %
    (`dagnas.training.language.saved`). Searches see its cells alone.

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
    found = open_built(name, path)
    return replace(found, space=nearest_part(found.space, found.table["code"]))


@functools.cache
def language_entry(name: str) -> BenchmarkEntry:
    """Benchmark of the table ``NAME.parquet`` in the folder of tables."""
    return BenchmarkEntry(
        name, __name__, lambda data: open_language(name, data / f"{name}.parquet"), (name,)
    )


#: The paper's number of cells and its training, and a table that one core makes in hours.
lstm12k = language_entry("lstm12k")
lstm1k = language_entry("lstm1k")
