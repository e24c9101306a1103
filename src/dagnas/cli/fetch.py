"""``dagnas fetch``: make benchmark tables from their sources."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas fetch                                  all tables of cells, from DAGNAS_MIRROR or addresses
  dagnas fetch nasbench201 --mirror /data/nas   a folder that holds one of its source files
  dagnas fetch nasbench101 --mirror https://example.org/nas --mirror /data/nas
  dagnas fetch nasbench101 --source official    only108 from its official address, nothing emulated
  dagnas fetch nasbench201 --source NAS-Bench-201-v1_1-096897.pth
  dagnas fetch cifar10                          images, 170 MB

Mirrors are searched in order: those given, then those of DAGNAS_MIRROR (folders or addresses,
separated as in PATH). An interrupted download resumes. Of several tables those that are found are
made; what was looked for, and where, is told of the others, and the status is 1.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "fetch",
        help="make benchmark tables from their sources",
        description="Find, verify and import the sources of benchmark tables.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="tables (default: all that can be searched)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of tables (default: DAGNAS_DATA or ./data)",
    )
    parser.add_argument(
        "--mirror",
        action="append",
        default=[],
        metavar="PLACE",
        help="folder or http(s) address to look in first; may be repeated",
    )
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="official, compact, the name of a source file, or a path to one",
    )
    parser.add_argument("--force", action="store_true", help="import even if up to date")


def run(options: argparse.Namespace) -> int:
    """Make the tables, print a line for each, and sum up; 1 if one of several failed."""
    from dagnas.errors import DagnasError, unknown
    from dagnas.tables.fetch import fetch, split_mirrors
    from dagnas.tables.place import data_folder
    from dagnas.tables.sources import BY_NAME, SOURCES

    names = options.names or [name for name in SOURCES if name not in BY_NAME]
    if options.source not in (None, "official", "compact") and len(names) != 1:
        raise DagnasError(f"--source {options.source} needs the name of one table")
    for name in names:
        if name not in SOURCES:
            raise unknown("table", name, SOURCES)
    mirrors = [*options.mirror, *split_mirrors(os.environ.get("DAGNAS_MIRROR", ""))]
    failed = []
    for name in names:
        try:
            done = fetch(name, data_folder(options.data), mirrors, options.source, options.force)
        except DagnasError as error:
            if len(names) == 1:
                raise
            failed.append(name)
            print(f"{name}: {error}", file=sys.stderr, flush=True)
        else:
            print(done, flush=True)
    if len(names) > 1:
        lacking = f"; failed: {', '.join(failed)}" if failed else ""
        print(f"{len(names) - len(failed)} of {len(names)} tables are there{lacking}")
    return 1 if failed else 0
