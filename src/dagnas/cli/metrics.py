"""``dagnas metrics``: a ledger of claims in a few numbers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas metrics results/desk/claims.csv
  dagnas metrics results/desk/claims.csv --out results/desk/metrics.json
  dvc metrics diff                          # what changed since the last commit
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the command's parser."""
    parser = commands.add_parser(
        "metrics",
        help="count the claims of a ledger by status",
        description="Count, for each paper, the claims that were reproduced, undecided, not "
        "reproduced, or not run, as JSON that `dvc metrics` reads.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ledger", type=Path, metavar="CLAIMS.csv")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    return parser


def run(options: argparse.Namespace) -> None:
    """Print or write the counts."""
    from dagnas.files import write_text
    from dagnas.locks import writing
    from dagnas.papers.claims.page import count_statuses

    if options.out:
        with writing(options.out, by="metrics"):
            write_text(count_statuses(options.ledger), options.out)
    else:
        print(count_statuses(options.ledger), end="")
