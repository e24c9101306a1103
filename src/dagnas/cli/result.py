"""`dagnas result`: make a figure or table of a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  dagnas result goal/fig4 --config config/desk.yaml
  dagnas result goal/fig7 --config config/desk.yaml --out figures

Reads the traces, rankings and tables that the result declares (the pipeline makes them:
`snakemake goal_fig4 --configfile config/desk.yaml`) and writes OUT/goal/fig4.csv, .svg, .png and
.md (the caption), all of them or none. `dagnas list results` names all results.
"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "result",
        help="make a figure or table of a paper",
        description="Make a figure or table of a paper from finished searches and rankings.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="PAPER/RESULT", help="such as goal/fig4")
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="scale file, config/SCALE.yaml"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of tables")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write (default: results/SCALE)"
    )


def run(options: argparse.Namespace) -> None:
    """Make the result and name its files."""
    from dagnas.locks import writing
    from dagnas.papers.inputs import Inputs
    from dagnas.papers.make import make
    from dagnas.papers.result import find, results
    from dagnas.pipeline.scales import load

    scale = load(options.config)
    result = find(options.name, results(scale))
    out = options.out or scale.results
    files = [out / f"{result.name}.{kind}" for kind in ("csv", "svg", "png", "md")]
    with writing(*files, by="result"):
        paths = make(Inputs(scale, result, data=options.data), out)
    print(*paths, sep="\n")
