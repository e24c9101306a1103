"""``dagnas tabulate``: make the table of a result from inputs that are given in full."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas tabulate goal/fig4 --inputs "$DESCRIPTION" --out fig4.csv

The pipeline calls it, with a description of the inputs in JSON (`snakemake -np goal_fig4` prints
it). By hand, `dagnas result goal/fig4 --config FILE` reads the same from a scale file.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    from dagnas.cli.jobs import add_data

    parser = commands.add_parser(
        "tabulate",
        help="make the table of a result",
        description="Make the table of a figure or table of a paper from finished artifacts.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="PAPER/RESULT", help="such as goal/fig4")
    parser.add_argument(
        "--inputs", required=True, metavar="JSON", help="artifacts, and what the scale says of them"
    )
    add_data(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.csv")


def run(options: argparse.Namespace) -> None:
    """Write the table."""
    from dagnas.locks import writing
    from dagnas.papers.inputs import parse_inputs
    from dagnas.papers.make import write_table

    inputs = parse_inputs(options.name, options.inputs, options.data)
    with writing(options.out, by="tabulate"):
        write_table(inputs, options.out)
