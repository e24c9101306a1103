"""``dagnas show``: what traces hold."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas show goal.parquet
  dagnas show goal.parquet random.parquet
  dagnas show results/desk/traces/goal_nasbench201/goal/0000-0005.parquet
"""

#: What is printed of the trace as a whole.
ABOUT = (
    "study",
    "benchmark",
    "method",
    "settings",
    "prior",
    "policy",
    "rules",
    "budget_seconds",
    "budget_evaluations",
    "until_best",
    "draw",
    "objectives",
    "constraints",
    "emulated",
)


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "show",
        help="show what traces hold",
        description="Show of every trial of a trace: evaluations, simulated seconds, and the cell "
        "with the best signal with what is reported of it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("traces", type=Path, nargs="+", metavar="TRACE.parquet")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    texts = [_text(path) for path in options.traces]
    several = len(texts) > 1
    titled = zip(options.traces, texts, strict=True)
    print("\n\n".join(f"{path}\n{text}" if several else text for path, text in titled))


def _text(path: Path) -> str:
    """What a trace holds, a line a trial."""
    from dagnas.analysis.traces import last_reports, metadata, read_trace

    trace = read_trace(path)
    said = metadata(trace, path)
    lines = [f"{key:18} {said.get(f'dagnas.{key}') or '-'}" for key in ABOUT]
    trials = last_reports(trace.to_pandas()).rename(columns={"cell": "best cell"})
    if trials.empty:
        return "\n".join([*lines, "no evaluations"])
    numbers = dict.fromkeys(("signal", "valid", "test"), "{:.2f}".format)
    view = trials.rename(columns={"total": "seconds"}).to_string(
        index=False, na_rep="-", formatters={**numbers, "seconds": "{:,.0f}".format}
    )
    return "\n".join([*lines, "", view])
