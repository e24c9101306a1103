"""Option ``--plugin``: a module of the user's own, by name or file, or a table of theirs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from dagnas.errors import DagnasError

#: What the option takes, for messages.
EXPECTED = (
    "expected a module, such as my_method, or its file, such as folder/my_method.py, or a file "
    "that describes a table, such as my_table.yaml"
)


def add_plugin(parser: argparse.ArgumentParser, words: str = "module with your own") -> None:
    """Add the option to a command that makes no artifact; ``words`` are its help."""
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        type=plugin_name,
        metavar="MODULE",
        help=f"{words}, or its file, or a table's .yaml file; may be repeated",
    )


def load_plugins(names: Iterable[str]) -> list[str]:
    """Load plug-ins that `plugin_name` named; the names of those that are modules."""
    from dagnas.pipeline import extensions

    return extensions.load(names)


def plugin_name(text: str) -> str:
    """Name of a plug-in's module; where its file is given, the module can be imported after this.

    A file that describes a table is a plug-in as it is.

    The folder of the file comes last in the path of imports: what the plug-in imports from there
    is found, and nothing that is installed is hidden.

    Raises
    ------
    DagnasError
        There is no such file, or its name is no name of a module, or another module's.
    """
    from dagnas.benchmarks.described import is_table

    path = Path(text)
    if is_table(text) and path.is_file():
        return text
    if path.suffix != ".py" and not is_table(text) and path.name == text:
        return text
    name = path.stem
    if path.suffix != ".py" or not path.is_file():
        raise DagnasError(f"--plugin {text}: no such file; {EXPECTED}")
    if not name.isidentifier() or name.startswith("__"):
        raise DagnasError(f"--plugin {text}: {name!r} is no name of a module; {EXPECTED}")
    # As `dagnas.plugins.load` does, so that here it is known which module that will import.
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    found = find_spec(name)
    place = Path(found.origin) if found and found.origin else None
    if place is None or not place.is_file() or not place.samefile(path):
        raise DagnasError(
            f"--plugin {text}: another module is called {name!r} ({place}): give the file another "
            "name"
        )
    return name
