"""``dagnas claims``: check what the papers state against the results of a scale."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas claims                                        the ledger of config/desk.yaml, as a table
  dagnas claims --config config/smoke.yaml
  dagnas claims --config config/desk.yaml --out results/desk   claims.csv and claims.md

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
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write DIR/claims.csv and DIR/claims.md"
    )


def run(options: argparse.Namespace) -> None:
    """Write the ledger, or print it."""
    from dagnas.files import write_text
    from dagnas.locks import writing
    from dagnas.papers.claims.check import Tables, ledger
    from dagnas.papers.claims.page import counts, to_csv, to_lines, to_markdown
    from dagnas.papers.result import results
    from dagnas.pipeline import scales

    scale = scales.load(options.config)
    out = [options.out / f"claims.{kind}" for kind in ("csv", "md")] if options.out else []
    with writing(*out, by="claims"):
        entries = ledger(scale.papers, Tables(options.results or scale.results, results(scale)))
        if not out:
            print(*to_lines(entries), sep="\n")
            return
        for path, text in zip(
            out, (to_csv(entries), to_markdown(entries, scale.scale)), strict=True
        ):
            write_text(text, path)
    print(counts(entries))
