"""The command line: a module for each command, and a command for each description of a job."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagnas import __version__, kernels
from dagnas.cli import output
from dagnas.errors import DagnasError
from dagnas.names import check_text

if TYPE_CHECKING:
    from argparse import _SubParsersAction

#: Commands that make no artifacts; `dagnas.cli.NAME` adds and runs each, `-` being `_` there.
COMMANDS = (
    "adopt",
    "check-table",
    "claims",
    "compare",
    "completion",
    "config",
    "describe",
    "draw",
    "fetch",
    "list",
    "metrics",
    "plan",
    "result",
    "show",
    "tabulate",
)


def parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Parser of the command that ``words`` ask for, or of all commands.

    A command's module is imported only where it is needed, since that takes time.
    """
    main_parser = argparse.ArgumentParser(
        prog="dagnas", description="Graph-based neural architecture search, reproduced."
    )
    main_parser.add_argument("--version", action="version", version=f"dagnas {__version__}")
    commands = main_parser.add_subparsers(metavar="COMMAND", required=True)
    asked = next((word for word in words if not word.startswith("-")), None)
    if asked in COMMANDS:
        _add(commands, asked)
        return main_parser
    from dagnas.cli.jobs import add_job, job_commands

    if asked not in job_commands():
        _load_plugins(words)
    if asked in job_commands():
        add_job(commands, asked)
        return main_parser
    for name in COMMANDS:
        _add(commands, name)
    for name in job_commands():
        add_job(commands, name)
    return main_parser


def _add(commands: _SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    module.add(commands)
    commands.choices[name].set_defaults(run=module.run)


def _load_plugins(words: Sequence[str]) -> None:
    """Load the plug-ins that ``words`` name, of which one may define the command."""
    from dagnas.cli.plugin import load_plugins, plugin_name

    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--plugin", action="extend", nargs="*", default=[], type=plugin_name)
    load_plugins(early.parse_known_args(words)[0].plugin)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well, 2 with one message if the user must mend something.

    A command that does several things may return 1 where some of them failed.
    """
    words = sys.argv[1:] if arguments is None else arguments
    output.use_plain_characters()
    kernels.choose(fast="--fast" in words)
    status: int | None = None
    try:
        try:
            for word in words:
                check_text(word)
            options = parser(words).parse_args(words)
            status = options.run(options)
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except DagnasError as error:
        print(f"dagnas: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; nothing is left to say.
        output.discard()
    except OSError as error:
        # A full disk behind the output, or a path that no file can have.
        output.discard()
        place = f"{error.filename}: " if error.filename else ""
        print(f"dagnas: {place}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dagnas: interrupted", file=sys.stderr)
        return 130
    return status or 0
