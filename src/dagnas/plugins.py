"""Spaces, networks, benchmarks, predictors and methods from modules outside the package."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.networks import NETWORKS
from dagnas.predictors import PREDICTORS
from dagnas.registry import Registry
from dagnas.search import METHODS
from dagnas.spaces import SPACES

#: Registries that plug-ins fill; layers above may add theirs.
REGISTRIES: list[Registry[Any]] = [SPACES, BENCHMARKS, PREDICTORS, METHODS, NETWORKS]


def load(modules: Iterable[str]) -> None:
    """Import modules and register each space, benchmark, predictor and method that they define.

    Modules are found in the working folder too, as for ``python -m``.

    Raises
    ------
    DagnasError
        A name is that of a file or of a module of Python's; a module cannot be imported or defines
        nothing to register, or a name is taken.
    """
    for name in modules:
        _check(name)
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:
            raise DagnasError(
                f"cannot import the plug-in module {name!r}: {type(error).__name__}: {error}"
            ) from error
        found = [
            (registry, entry)
            for entry in vars(module).values()
            for registry in REGISTRIES
            if isinstance(entry, registry.type) and _module(entry) == name
        ]
        if not found:
            kinds = ", ".join(registry.kind for registry in REGISTRIES)
            place = getattr(module, "__file__", None)
            raise DagnasError(f"the plug-in module {name!r} defines no {kinds}; it is {place}")
        for registry, entry in found:
            registry.add(entry.name, entry)


def _check(name: str) -> None:
    """Refuse what is no name of a module of the user's own."""
    first = name.split(".")[0]
    if name.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
        raise DagnasError(
            f"a plug-in is named as a module, such as my_method of my_method.py, not {name!r}"
        )
    if first in sys.stdlib_module_names:
        raise DagnasError(f"the plug-in {name!r} has a name of Python's own: give it another name")


def _module(entry: Any) -> str:
    return str(getattr(entry, "module", type(entry).__module__))
