"""``dagnas search``: run trials of a method on a benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagnas.errors import DagnasError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  # Ten trials of GOAL on NAS-Bench-201, under GOAL's protocol and budget.
  dagnas search --benchmark nasbench201 --method goal --trials 0:10 --out goal.parquet

  # Another setting, a budget in evaluations, a method of your own from my_method.py.
  dagnas search --benchmark nasbench101 --method goal --set step_size=0.5 \\
      --trials 0:5 --budget-evaluations 100 --out half.parquet
  dagnas search --benchmark nasbench201 --plugin my_method --method my_method \\
      --trials 0:5 --out mine.parquet

An interrupted search goes on where it stopped when the same command is run again.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "search",
        help="run trials of a method on a benchmark",
        description="Run trials of a search method on a benchmark and write their trace.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--benchmark", required=True, metavar="B", help="see `dagnas list`")
    parser.add_argument("--method", required=True, metavar="M", help="see `dagnas list`")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="setting of the method; may be repeated",
    )
    parser.add_argument(
        "--trials", required=True, metavar="A:B", help="trials A to B - 1, such as 0:50"
    )
    parser.add_argument("--budget-seconds", type=float, metavar="S", help="simulated, per trial")
    parser.add_argument("--budget-evaluations", type=int, metavar="N", help="per trial")
    parser.add_argument("--policy", default="goal", metavar="P", help="default: goal")
    parser.add_argument(
        "--until-best", action="store_true", help="stop at the benchmark's best cell; keep records"
    )
    parser.add_argument(
        "--prior", metavar="B", help="benchmark whose evaluations the method is told beforehand"
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument(
        "--study", default="", metavar="NAME", help="names the random streams; default: B"
    )
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="MODULE", help="module with your own"
    )
    add_data(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.parquet")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the option that tells where tables are."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of tables; default: $DAGNAS_DATA, else ./data",
    )


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from dagnas import plugins
    from dagnas.benchmarks.benchmark import TabularBenchmark
    from dagnas.benchmarks.built import find_benchmark
    from dagnas.search import METHODS
    from dagnas.search.runner import Search
    from dagnas.search.runner import run as run_search
    from dagnas.tables.place import data_folder
    from dagnas.training.device import choose_device

    trials = parse_range("--trials", options.trials)
    if options.out.suffix != ".parquet":
        raise DagnasError(f"--out {options.out}: expected a name that ends in .parquet")
    plugins.load(options.plugin)
    method = METHODS.get(options.method)
    data = data_folder(options.data)
    entry = find_benchmark(options.benchmark, data)
    prior = find_benchmark(options.prior, data).open(data) if options.prior else None
    if prior is not None and not isinstance(prior, TabularBenchmark):
        raise DagnasError(f"--prior {options.prior}: it is no table, so what it holds is unknown")
    given = dict(parse_setting(text) for text in options.set)
    search = Search(
        benchmark=entry.open(data),
        method=method,
        given=given,
        policy=options.policy,
        budget_seconds=options.budget_seconds,
        budget_evaluations=options.budget_evaluations,
        until_best=options.until_best,
        prior=prior,
        device=choose_device(options.device) if method.takes("device") else "cpu",
        study=options.study,
    )
    run_search(search, trials, options.out)


def parse_range(option: str, text: str) -> range:
    """Range from ``A:B``.

    Raises
    ------
    DagnasError
        It is no range, or an empty one.
    """
    first, colon, last = text.partition(":")
    if colon and first.isdecimal() and last.isdecimal() and int(first) < int(last):
        return range(int(first), int(last))
    raise DagnasError(f"{option} {text}: expected A:B with 0 <= A < B, such as 0:50")


def parse_setting(text: str) -> tuple[str, Any]:
    """Name and value from ``KEY=VALUE``; the value is read as YAML, so 3 is a number.

    Raises
    ------
    DagnasError
        There is no ``=``.
    """
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise DagnasError(f"--set {text}: expected KEY=VALUE, such as step_size=0.5")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        return key, value
