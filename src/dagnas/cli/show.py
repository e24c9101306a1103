"""``dagnas show``: what a trace holds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas show goal.parquet
  dagnas show results/desk/traces/goal_nasbench201/goal/0000-0005.parquet
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "show",
        help="show what a trace holds",
        description="Show of every trial of a trace: evaluations, simulated seconds, and the cell "
        "with the best signal with what is reported of it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trace", type=Path, metavar="TRACE.parquet")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from rich.console import Console
    from rich.table import Table as View

    from dagnas.files import read_parquet
    from dagnas.search.runner import TRACE

    trace = read_parquet(options.trace, TRACE.names)
    about = {
        key.decode().removeprefix("dagnas."): value.decode()
        for key, value in (trace.schema.metadata or {}).items()
        if key.startswith(b"dagnas.")
    }
    console = Console(highlight=False, soft_wrap=True)
    for key in ("study", "benchmark", "method", "settings", "policy", "rules", "emulated"):
        console.print(f"{key:10} {about.get(key, '?')}", markup=False)
    view = View("trial", "evaluations", "seconds", "signal", "valid", "test", "best cell")
    rows = trace.to_pandas()
    for trial, part in rows.groupby("trial"):
        best = part.loc[part["signal"].idxmax()]
        accuracies = (f"{best[key]:.2f}" for key in ("signal", "valid", "test"))
        total = f"{part['seconds'].iloc[-1]:,.0f}"
        view.add_row(str(trial), str(len(part)), total, *accuracies, best["cell"])
    console.print(view)
