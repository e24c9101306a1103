"""``dagnas claims``: check what the papers state against the results of a scale."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.errors import DagnasError, unknown
from dagnas.papers import PAPERS

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dagnas.papers.claims.check import Tables

EXAMPLES = """examples:
  dagnas claims                                        the ledger of config/desk.yaml, as a table
  dagnas claims --config config/smoke.yaml
  dagnas claims --config config/desk.yaml --out results/desk   claims.csv and claims.md
  dagnas claims --scale desk --papers goal --have goal/fig4 goal/fig5 --results results/desk

Each claim is reproduced, undecided, not reproduced, or not run (and what it needs). docs/claims.md
has the rule, and tells how to write one.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "claims",
        help="check what the papers state against results",
        description="Check the claims of a scale's papers against its results.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config", "desk.yaml"),
        metavar="FILE",
        help="scale file (default: config/desk.yaml)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="folder of PAPER/RESULT.csv (default: results/SCALE)",
    )
    whole = parser.add_argument_group(
        "without a scale file", "all of these, with --results, say what a scale file would"
    )
    whole.add_argument("--scale", metavar="NAME", help="name of the scale, for the title")
    whole.add_argument("--papers", nargs="*", metavar="PAPER", help="papers whose claims to check")
    whole.add_argument(
        "--have", nargs="*", metavar="PAPER/RESULT", help="results that the scale has"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write DIR/claims.csv and DIR/claims.md"
    )


def run(options: argparse.Namespace) -> None:
    """Write the ledger, or print it."""
    from dagnas.files import write_text
    from dagnas.locks import writing
    from dagnas.papers.claims.check import ledger
    from dagnas.papers.claims.page import counts, to_csv, to_lines, to_markdown

    scale, papers, tables = _asked(options)
    out = [options.out / f"claims.{kind}" for kind in ("csv", "md")] if options.out else []
    with writing(*out, by="claims"):
        entries = ledger(papers, tables)
        if not out:
            print(*to_lines(entries), sep="\n")
            return
        texts = to_csv(entries), to_markdown(entries, scale)
        for path, text in zip(out, texts, strict=True):
            write_text(text, path)
    print(counts(entries))


def _asked(options: argparse.Namespace) -> tuple[str, Sequence[str], Tables]:
    """Name of the scale, papers, and tables of the results that it has."""
    from dagnas.papers.claims.check import Tables
    from dagnas.papers.result import results
    from dagnas.pipeline import scales

    given = [options.scale, options.papers, options.have]
    if given != [None, None, None]:
        if None in (*given, options.results):
            raise DagnasError("--scale, --papers, --have and --results belong together: give all")
        for paper in options.papers:
            if paper not in PAPERS:
                raise unknown("paper", paper, PAPERS)
        known = [f"{paper}/{item}" for paper, items in PAPERS.items() for item in items]
        for result in options.have:
            if result not in known:
                raise unknown("result", result, known)
        _check_folder(options.results)
        return options.scale, options.papers, Tables(options.results, options.have)
    scale = scales.load(options.config)
    if options.results:
        _check_folder(options.results)
    folder = options.results or scale.results
    return scale.scale, scale.papers, Tables(folder, results(scale))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DagnasError(f"--results {folder}: no such folder")
