"""``dagnas draw``: draw a result from its table alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas draw results/desk/goal/fig4.csv                    redraw fig4.svg and fig4.png beside it
  dagnas draw results/desk/goal/fig4.csv --out talk --style mine.mplstyle

The last two parts of the path, here goal/fig4, name the result. `dagnas list results` lists all.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "draw",
        help="draw a figure or table from its CSV file alone",
        description="Draw a figure or table of a paper as SVG and PNG from its CSV file alone.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", type=Path, metavar="PAPER/RESULT.csv")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder; default: beside the table")
    parser.add_argument(
        "--style",
        type=Path,
        metavar="FILE",
        help="matplotlib style sheet, over the project's style",
    )
    parser.add_argument(
        "--note", metavar="TEXT", help="write the caption too, RESULT.md, with TEXT at its end"
    )
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="MODULE", help="module with your own"
    )


def run(options: argparse.Namespace) -> None:
    """Draw, and name the files."""
    from dagnas import plugins
    from dagnas.locks import writing
    from dagnas.papers.make import draw, read_table
    from dagnas.papers.result import declaration

    plugins.load(options.plugin)
    table = options.table.absolute()
    result = declaration(f"{table.parent.name}/{table.stem}")
    folder = options.out or options.table.parent
    stem = folder / table.stem
    kinds = ("svg", "png") if options.note is None else ("svg", "png", "md")
    with writing(*(stem.with_suffix(f".{kind}") for kind in kinds), by="draw"):
        paths = draw(result, read_table(options.table), stem, options.note, options.style)
    print(*paths, sep="\n")
