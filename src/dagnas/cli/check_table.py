"""``dagnas check-table``: check a table of one's own, row by row."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dagnas.tables.simple import Fault, SimpleTable

EXAMPLES = """examples:
  dagnas check-table mine.yaml
  dagnas search --plugin mine.yaml --benchmark mine --method goal --trials 0:10 --out goal.parquet

The file names a CSV or Parquet file and says what its columns are:

  table: mine.csv
  space: nasbench201
  architecture: cell
  signal: {column: val_acc, unit: fraction}
  test: test_acc
  seconds: train_s
  costs:
    latency: {column: ms, unit: ms}

docs/tutorial_table.md has all keys. The status is 1 if something is wrong in a row.
"""

#: Rows that are told of each kind of fault.
_TOLD = 10
_TITLES = {
    "architecture": "invalid architectures",
    "duplicate": "duplicates",
    "number": "missing or wrong numbers",
}


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "check-table",
        help="check a table of your own, row by row",
        description="Check a table that a YAML file describes: duplicates, invalid architectures, "
        "missing numbers; what part of its space it covers, and its best row.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE.yaml", help="description of the table")


def run(options: argparse.Namespace) -> int:
    """Print what is found; 1 if something is wrong."""
    from dagnas.errors import DagnasError
    from dagnas.tables.simple import SimpleTable, read_description

    if options.file.suffix != ".yaml":
        raise DagnasError(f"{options.file}: a description is a file whose name ends in .yaml")
    if not read_description(options.file).space:
        return _check_built(options.file)
    table = SimpleTable(options.file)
    about = table.described
    print(
        f"{table.file}: {len(table.texts):,} rows, cells of {about.space} in {about.architecture}"
    )
    faults = list(table.faults())
    for kind, title in _TITLES.items():
        _print(title, [fault for fault in faults if fault.kind == kind])
    print(f"coverage: {_coverage(table)}")
    print(f"best: {_best(table)}")
    if not faults:
        _print_usable(options.file)
    return 1 if faults else 0


def _check_built(path: Path) -> int:
    """Open a table that `dagnas build-table` made; it was checked as it was built."""
    from dagnas.benchmarks.simple import open_simple

    bench = open_simple(path)
    policy = bench.policies["goal"]
    part = bench.table.provenance.get("part")
    print(
        f"{bench.table.path}: {len(bench):,} rows, made by dagnas build-table"
        + (f" of {part}" if part else "")
    )
    print(f"signal: {policy.signal}" + (f"; {policy.note}" if policy.note else ""))
    _print_usable(path)
    return 0


def _print_usable(path: Path) -> None:
    """Say how it is used, once it can be: its name may be taken, or its rows too few."""
    from dagnas.benchmarks import BENCHMARKS
    from dagnas.benchmarks.simple import simple_entry

    entry = simple_entry(str(path))
    BENCHMARKS.add(entry.name, entry)
    entry.open(path.parent)
    print(f"it is a benchmark: --plugin {path} --benchmark {path.stem}")


def _print(title: str, faults: list[Fault]) -> None:
    print(f"{title}: {len(faults) or 'none'}")
    for fault in faults[:_TOLD]:
        print(f"  {fault.place}: {fault.words}")
    if len(faults) > _TOLD:
        print(f"  and {len(faults) - _TOLD:,} more")


def _coverage(table: SimpleTable) -> str:
    """Fraction of the space's cells, or classes, that the table holds."""
    import numpy as np

    from dagnas.spaces.base import TooMany

    by_class, space = table.described.by_class, table.space
    kind, found = "classes" if by_class else "cells", len(set(table.codes[table.codes >= 0]))
    try:
        count = len(space.representatives()) if by_class else len(space.enumerate())
    except TooMany:
        count = int(np.prod(space.sizes, dtype=object))
        return f"{found:,} {kind}, of about {count:.1e} vectors of values"
    return f"{found:,} of {count:,} {kind} ({found / count:.2%})"


def _best(table: SimpleTable) -> str:
    """Row of the best signal, the first of equals."""
    import numpy as np

    signal = table.signal
    if np.isnan(signal).all():
        return "no row has a signal"
    row = int(np.nanargmax(signal))
    costs = [
        f"{name} {values[row]:g} {table.described.costs[name].unit}".rstrip()
        for name, values in table.costs.items()
    ]
    numbers = [f"signal {signal[row]:.4g} %", f"test {table.test[row]:.4g} %", *costs]
    return f"{table.place(row)}: {table.texts[row]} ({', '.join(numbers)})"
