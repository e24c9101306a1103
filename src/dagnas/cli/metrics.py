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
        description="Count, for each paper, the claims that were reproduced, not reproduced, "
        "or not run, as JSON that `dvc metrics` reads.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ledger", type=Path, metavar="CLAIMS.csv")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    return parser


def run(options: argparse.Namespace) -> None:
    """Print or write the counts."""
    import csv
    import json
    from collections import Counter

    from dagnas.errors import DagnasError
    from dagnas.files import write_text

    try:
        with options.ledger.open(encoding="utf-8", newline="") as file:
            counts: dict[str, Counter[str]] = {}
            for claim in csv.DictReader(file):
                counts.setdefault(claim["paper"], Counter())[claim["status"]] += 1
    except OSError as error:
        raise DagnasError(f"{options.ledger}: {error.strerror}") from error
    except (KeyError, ValueError) as error:
        raise DagnasError(f"{options.ledger} is no ledger of claims") from error
    text = json.dumps(counts, indent=2, sort_keys=True) + "\n"
    if options.out:
        write_text(text, options.out)
    else:
        print(text, end="")
