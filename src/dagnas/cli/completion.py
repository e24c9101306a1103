"""``dagnas completion``: completion of commands, options and names in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import _SubParsersAction

SHELLS = ("bash", "zsh", "tcsh")
EXAMPLES = """examples:
  dagnas completion bash > ~/.local/share/bash-completion/completions/dagnas
  dagnas completion zsh > ~/.zfunc/_dagnas     with fpath+=~/.zfunc in .zshrc, before compinit
  source <(dagnas completion bash)              for this shell alone

It completes commands, options, files, and names of methods, benchmarks, spaces, papers and results.
Names of your own are in it if your package announces them by entry points. Write it again after an
upgrade.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "completion",
        help="completion of commands and options in a shell",
        description="Print a script that has a shell complete commands, options and names.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> None:
    """Print the script."""
    import shtab

    from dagnas.cli import parser

    whole = parser([])
    names = _names()
    for action in _actions(whole):
        # Choices here are for the script alone: what is valid is told by the commands.
        known = names.get(str(action.metavar), names.get(action.dest))
        if known and not action.choices:
            action.choices = known()
        elif action.type is Path or "FILE" in str(action.metavar):
            action.complete = shtab.FILE
    print(shtab.complete(whole, options.shell))


def _names() -> dict[str, Callable[[], Iterable[str]]]:
    """Functions that list the names which an argument takes, by what help calls it or its name."""
    from dagnas.benchmarks import BENCHMARKS
    from dagnas.papers import PAPERS
    from dagnas.search import METHODS
    from dagnas.spaces import SPACES

    def targets() -> list[str]:
        return [*PAPERS, *(f"{paper}/{item}" for paper, items in PAPERS.items() for item in items)]

    return {
        "method": METHODS.names,
        "benchmark": BENCHMARKS.names,
        "prior": BENCHMARKS.names,
        "space": SPACES.names,
        "papers": lambda: list(PAPERS),
        "PAPER/RESULT": targets,
        "TARGET": targets,
    }


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """Arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
