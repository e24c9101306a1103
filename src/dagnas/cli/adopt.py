"""``dagnas adopt``: keep artifacts whose code changed but which come out the same."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.errors import DagnasError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas adopt --config config/desk.yaml --jobs 2
  dagnas adopt --config config/smoke.yaml --every

Run it from the root of the project after an edit that should change no result. What differs is
listed, stays stale, and is made anew by the next `snakemake`. An interrupted adoption resumes.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "adopt",
        help="keep artifacts whose code changed but which come out the same",
        description="Run one trial, or one part, of each stale job again, and mark the jobs as "
        "current whose artifacts come out byte for byte as they are stored. Of jobs that differ "
        "in their trials alone the first stands for all; Snakemake's notes say which were checked.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="scale file")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="checks side by side")
    parser.add_argument(
        "--every", action="store_true", help="check each job, not one for all alike"
    )


def run(options: argparse.Namespace) -> None:
    """Check and mark."""
    from dagnas.locks import writing
    from dagnas.pipeline.adopt import VERDICTS, adopt
    from dagnas.pipeline.scales import load

    if options.jobs < 1:
        raise DagnasError(f"--jobs {options.jobs}: expected a positive number")
    scale = load(options.config)
    choice = ["--configfile", str(options.config)]
    with writing(VERDICTS / scale.scale, by="adopt"):
        found = adopt(scale, choice, jobs=options.jobs, every=options.every)
    print(
        f"{len(found.checked)} checked, {len(found.taken)} taken over, "
        f"{len(found.different)} different"
    )
    for path in found.different:
        print(f"stays stale: {path}")
