"""``dagnas draw``: draw a result from its table alone, or a cell from its text."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.cli.plugin import add_plugin, load_plugins

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas draw results/desk/goal/fig4.csv                    redraw fig4.svg and fig4.png beside it
  dagnas draw results/desk/goal/fig4.csv --out talk --style mine.mplstyle
  dagnas draw --space resnet_strings --cell 1211-211-1111-12111 --out cell.svg
  dagnas draw --space darts --cell "$(cat genotype.txt)" --out cell.png

The last two parts of the path, here goal/fig4, name the result. `dagnas list results` lists all.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "draw",
        help="draw a figure or table from its CSV file alone, or a cell",
        description="Draw a figure or table of a paper as SVG and PNG from its CSV file alone, or "
        "a cell of a space from its text.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", type=Path, nargs="?", metavar="PAPER/RESULT.csv")
    parser.add_argument("--space", metavar="NAME", help="space of the cell to draw")
    parser.add_argument("--cell", metavar="TEXT", help="cell, as its space writes it")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR|FILE",
        help="folder, by default beside the table; of a cell, the .svg or .png file",
    )
    parser.add_argument(
        "--style",
        type=Path,
        metavar="FILE",
        help="matplotlib style sheet, over the project's style",
    )
    parser.add_argument(
        "--note", metavar="TEXT", help="write the caption too, RESULT.md, with TEXT at its end"
    )
    add_plugin(parser)


def run(options: argparse.Namespace) -> None:
    """Draw, and name the files."""
    load_plugins(options.plugin)
    if options.table is None:
        print(_draw_cell(options))
    else:
        _draw_table(options)


def _draw_table(options: argparse.Namespace) -> None:
    from dagnas.errors import DagnasError
    from dagnas.locks import writing
    from dagnas.papers.make import draw, read_table
    from dagnas.papers.result import declaration

    if options.space is not None or options.cell is not None:
        raise DagnasError("draw takes a table or --space and --cell, not both")
    table = options.table.absolute()
    try:
        result = declaration(f"{table.parent.name}/{table.stem}")
    except DagnasError:
        if not table.is_file():
            raise DagnasError(f"{options.table}: No such file or directory") from None
        raise
    folder = options.out or options.table.parent
    stem = folder / table.stem
    kinds = ("svg", "png") if options.note is None else ("svg", "png", "md")
    with writing(*(stem.with_suffix(f".{kind}") for kind in kinds), by="draw"):
        found = read_table(options.table)
        try:
            paths = draw(result, found, stem, options.note, options.style)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise DagnasError(
                f"{options.table} cannot be drawn as {table.parent.name}/{table.stem}: of its "
                f"{len(found)} rows some are missing or hold other values than `dagnas tabulate` "
                f"writes ({type(error).__name__}: {error})"
            ) from error
    print(*paths, sep="\n")


def _draw_cell(options: argparse.Namespace) -> Path:
    from dagnas.errors import DagnasError

    missing = [name for name in ("space", "cell", "out") if getattr(options, name) is None]
    if missing:
        raise DagnasError(
            f"draw lacks --{missing[0]}: give a table, or --space, --cell and --out FILE"
        )
    if options.note is not None:
        raise DagnasError("--note goes with a table: a cell has no caption")
    return draw_architecture(options.space, options.cell, options.out, style=options.style)


def draw_architecture(
    space: str,
    text: str,
    out: Path,
    *,
    by: str = "draw",
    style: Path | None = None,
    sample: int = 0,
    sizes: Mapping[int, str] | None = None,
) -> Path:
    """Draw a cell of a space from its text; the file's ending, .svg or .png, tells the format.

    Of a space of generators, the network is drawn that has the number ``sample``; ``sizes`` are
    words for its stages.
    """
    from dagnas.errors import DagnasError

    kind = out.suffix.lower().lstrip(".")
    if kind not in ("svg", "png"):
        option = "--out" if by == "draw" else "--draw"
        raise DagnasError(f"{option} {out}: a picture of a cell is a file .svg or .png")

    from matplotlib.figure import Figure

    from dagnas.drawing import style as styles
    from dagnas.drawing.cells import draw_cell
    from dagnas.files import atomic_path
    from dagnas.locks import writing
    from dagnas.spaces import SPACES
    from dagnas.spaces.generators import GeneratorSpace

    found = SPACES.get(space)
    architecture = found.from_str([text])
    if isinstance(found, GeneratorSpace):
        from dagnas.drawing.hierarchies import draw_hierarchy
        from dagnas.networks import wiring

        hyperparameters = found.hyperparameters(architecture)
        network = wiring.draw(hyperparameters, sample)
        make = functools.partial(draw_hierarchy, network, hyperparameters, sizes=sizes)
    else:
        make = functools.partial(draw_cell, found, architecture)
    with writing(out, by=by), styles.context(style):
        figure = make().figure
        assert isinstance(figure, Figure)
        with atomic_path(out) as temporary:
            styles.save(figure, temporary, kind)
    return out
