"""The command line: one module a command."""

from __future__ import annotations

import os

# One thread a process is faster for models this small, and repeatable bit for bit. It must be
# said before NumPy or torch are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from dagnas import __version__
from dagnas.errors import DagnasError


def parser() -> argparse.ArgumentParser:
    """Parser of all commands; each module of this package adds its own."""
    main_parser = argparse.ArgumentParser(
        prog="dagnas", description="Graph-based neural architecture search, reproduced."
    )
    main_parser.add_argument("--version", action="version", version=f"dagnas {__version__}")
    commands = main_parser.add_subparsers(metavar="COMMAND", required=True)
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        command = importlib.import_module(f"{__name__}.{name}")
        command.add(commands)
        commands.choices[name.replace("_", "-")].set_defaults(run=command.run)
    return main_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well, 2 with one message if the user must mend something."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except DagnasError as error:
        print(f"dagnas: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("dagnas: interrupted", file=sys.stderr)
        return 130
    return 0
