"""``dagnas list``: list spaces, benchmarks, methods, predictors or results."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dagnas.cli.plugin import add_plugin, load_plugins

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dagnas.spaces.base import Space

KINDS = ("spaces", "benchmarks", "methods", "predictors", "results")
EXAMPLES = """examples:
  dagnas list methods
  dagnas list benchmarks --plugin my_benchmark
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "list",
        help="list " + ", ".join(KINDS),
        description="List names, one per line; methods and predictors with their settings, "
        "spaces of generators with their numbers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=KINDS)
    add_plugin(parser)


def run(options: argparse.Namespace) -> None:
    """Print the names of one kind."""
    load_plugins(options.plugin)
    for line in _lines(options.kind):
        print(line)


def _lines(kind: str) -> list[str]:
    if kind == "results":
        from dagnas.papers.result import all_results

        return [f"{name}  {result.place}: {result.title}" for name, result in all_results().items()]
    from dagnas.benchmarks import BENCHMARKS
    from dagnas.predictors import PREDICTORS
    from dagnas.search import METHODS
    from dagnas.spaces import SPACES

    if kind == "spaces":
        return [_space(name, SPACES.get(name)) for name in SPACES.names()]
    if kind == "benchmarks":
        return BENCHMARKS.names()
    if kind == "predictors":
        described = {name: PREDICTORS.get(name).settings for name in PREDICTORS.names()}
    else:
        described = {name: METHODS.get(name).settings() for name in METHODS.names()}
    return [
        "  ".join([name, *(f"{key}={value}" for key, value in settings.items())])
        for name, settings in described.items()
    ]


def _space(name: str, space: Space[Any]) -> str:
    """Name of a space, and what its architectures are if these are no cells."""
    from dagnas.spaces.generators import GeneratorSpace

    if isinstance(space, GeneratorSpace):
        return f"{name}  generators of networks: {', '.join(space.names)}"
    return name if space.kind == "cells" else f"{name}  {space.kind}"
