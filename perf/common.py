"""Command line, timing and tables that the scripts of ``perf`` and ``studies`` share."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import Benchmark, TabularBenchmark
from dagnas.errors import DagnasError

#: Root of the checkout, which holds config/ and results/.
ROOT = Path(__file__).resolve().parents[1]

Work = Callable[[], object]
Key = TypeVar("Key", bound=Hashable)


def command_line(script: str, about: str | None, *examples: str) -> argparse.ArgumentParser:
    """Parser with the options that every script has.

    Parameters
    ----------
    script : str
        Dotted name, such as "perf.search".
    about : str
        Docstring of the script.
    *examples : str
        Arguments worth showing, beside none and ``--smallest``.
    """
    command = f"python -m {script}"
    shown = [command, *(f"{command} {words}" for words in (*examples, "--smallest"))]
    parser = argparse.ArgumentParser(
        prog=command,
        description=about,
        epilog="examples:\n  " + "\n  ".join(shown),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--smallest",
        action="store_true",
        help="run in seconds, on shipped or invented data: shows that the script works, not "
        "numbers to rely on",
    )
    return parser


def run(main: Callable[[], None]) -> None:
    """Run a script; a `DagnasError` ends it with status 1 and its message alone."""
    try:
        main()
    except DagnasError as error:
        sys.exit(f"error: {error}")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--data``."""
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of tables (default: DAGNAS_DATA or ./data)"
    )


def add_mirror(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--mirror``."""
    parser.add_argument(
        "--mirror", type=Path, metavar="DIR", help="folder of the files (default: DAGNAS_MIRROR)"
    )


def mirror_of(options: argparse.Namespace) -> Path:
    """Folder of the files that ``--mirror`` or DAGNAS_MIRROR names.

    Raises
    ------
    DagnasError
        Neither does.
    """
    mirror = options.mirror or os.environ.get("DAGNAS_MIRROR")
    if not mirror:
        raise DagnasError("give --mirror or set DAGNAS_MIRROR: the folder of the files")
    return Path(mirror)


def cpu_seconds(work: Work) -> float:
    """Processor time of one run of ``work``."""
    start = time.process_time()
    work()
    return time.process_time() - start


def least_seconds(works: Mapping[Key, Work], rounds: int) -> dict[Key, float]:
    """Least processor time of each work over some rounds, after one round to warm up.

    In each round every work has its turn, so that a busy spell of the machine slows all of them
    and their ratios stay comparable.
    """
    seconds = [{key: cpu_seconds(work) for key, work in works.items()} for _ in range(rounds + 1)]
    return {key: min(taken[key] for taken in seconds[1:]) for key in works}


def least(work: Work, rounds: int) -> float:
    """Least processor time of one work; see `least_seconds`."""
    return least_seconds({"": work}, rounds)[""]


def open_table(name: str, data: Path) -> TabularBenchmark:
    """Benchmark ``name``, looked up in a table.

    Raises
    ------
    DagnasError
        There is none of that name, it is no table, or its table is missing or damaged.
    """
    benchmark = BENCHMARKS.get(name).open(data)
    if not isinstance(benchmark, TabularBenchmark):
        raise DagnasError(f"{name} is no table")
    return benchmark


def at_hand(names: Iterable[str], data: Path) -> Iterator[Benchmark]:
    """Benchmarks that can be opened; of the others a line says why they are left out."""
    for name in names:
        try:
            benchmark = BENCHMARKS.get(name).open(data)
        except DagnasError as error:
            print(f"{name}: left out, {error}", flush=True)
        else:
            yield benchmark
