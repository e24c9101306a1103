"""Processor time of tables: ``python -m perf.tables [BENCHMARK ...]``.

Three figures, each beside a yardstick that took turns with it: opening a benchmark with the columns
that GOAL's policy needs, beside reading the whole file with pyarrow; looking up every row, beside
indexing one column in NumPy; and finding the rows of 1,000 random cells, beside packing these cells
to numbers. Tables that are not at hand (`dagnas fetch` makes them) are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.tables.place import data_folder
from perf.common import add_data, at_hand, command_line, least_seconds, open_table, run

TABLES: Sequence[str] = ("digits201", "nasbench201", "nasbench101")
CELLS = 1000


def opened(name: str, data: Path) -> TabularBenchmark:
    """Open a benchmark and read all that its policy needs."""
    benchmark = open_table(name, data)
    rules, rng = benchmark.policies["goal"], np.random.default_rng(0)
    benchmark.look_up(np.zeros(1, dtype=np.int64), rules, rng)
    return benchmark


def measure(name: str, data: Path, rounds: int) -> None:
    """Print the figures of one benchmark."""
    benchmark, rng = opened(name, data), np.random.default_rng(0)
    rules, rows = benchmark.policies["goal"], np.arange(len(benchmark))
    cells, column = benchmark.space.sample(CELLS, rng), benchmark.values(rules.test)
    seconds = least_seconds(
        {
            "open": lambda: opened(name, data),
            "pyarrow reads the file": lambda: pq.read_table(benchmark.table.path),
            "look up all rows": lambda: benchmark.look_up(rows, rules, rng),
            "NumPy indexes a column": lambda: column[rows],
            f"rows of {CELLS:,} cells": lambda: benchmark.rows(cells),
            f"numbers of {CELLS:,} cells": lambda: benchmark.space.pack(cells),
        },
        rounds,
    )
    print(f"{name}, {len(benchmark):,} rows{'ms':>15}{'ratio':>9}")
    items = list(seconds.items())
    for (work, taken), (yardstick, least) in zip(items[::2], items[1::2], strict=True):
        print(f"  {work:26}{1e3 * taken:10.3f}{taken / max(least, 1e-9):9.1f} to: {yardstick}")


def main() -> None:
    """Print the figures of all tables."""
    parser = command_line("perf.tables", __doc__, "nasbench201 --data tables")
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help="default: all tables")
    add_data(parser)
    options = parser.parse_args()
    data, rounds = data_folder(options.data), 1 if options.smallest else 10
    names = ["digits201"] if options.smallest else options.benchmarks or TABLES
    for benchmark in at_hand(names, data):
        measure(benchmark.name, data, rounds)


if __name__ == "__main__":
    run(main)
