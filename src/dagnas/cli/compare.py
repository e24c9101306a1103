"""``dagnas compare``: methods side by side, from their traces."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.cli.plugin import add_plugin, load_plugins

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas compare goal.parquet random.parquet
  dagnas compare goal.parquet mine.parquet --plugin my_method --by evaluations \\
      --metric valid-error --out curves.svg --out curves.csv
  dagnas compare half.parquet one.parquet --labels "step 0.5" "step 1" --reference "step 1"

All traces must be of one benchmark and policy. Without --labels, traces of the same search are put
together, so the trials of a method may be spread over several files.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "compare",
        help="compare methods from their traces",
        description="Print what each method reports at the end of the shortest budget, with 95 % "
        "intervals and tests against the first one, and draw what it reports until then.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("traces", type=Path, nargs="+", metavar="TRACE.parquet")
    parser.add_argument(
        "--by",
        choices=("seconds", "evaluations"),
        help="what is spent; default: simulated seconds if all budgets are in them",
    )
    parser.add_argument(
        "--metric",
        metavar="M",
        help="test-error, valid-error, test, valid or signal; default: test-error on cells, test "
        "on decisions",
    )
    parser.add_argument(
        "--labels", nargs="+", metavar="NAME", help="one for each trace; default: methods' names"
    )
    parser.add_argument(
        "--reference", metavar="NAME", help="what the others are tested against; default: the first"
    )
    add_plugin(parser, "module with your own, whose labels and colours are used")
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=".png or .svg: curves with intervals; .csv: their numbers; may be repeated",
    )


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from dagnas.analysis.compare import check_kind, compare
    from dagnas.locks import writing

    for path in options.out:
        check_kind(path)
    load_plugins(options.plugin)
    with writing(*options.out, by="compare"):
        found = compare(
            *options.traces,
            by=options.by,
            metric=options.metric,
            labels=options.labels,
            reference=options.reference,
        )
        print(found.text())
        for path in options.out:
            found.save(path)
