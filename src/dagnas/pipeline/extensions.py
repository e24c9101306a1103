"""Plug-ins as users name them, modules and tables: loaded, and checked before any job runs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from dagnas import plugins
from dagnas.benchmarks.described import register_tables
from dagnas.errors import DagnasError
from dagnas.predictors import PREDICTORS
from dagnas.search import METHODS


def load(names: Iterable[str]) -> list[str]:
    """Load plug-ins; the names of those that are modules.

    Raises
    ------
    DagnasError
        A plug-in cannot be loaded, as `dagnas.plugins.load` says, its table is none, or a setting
        of its method or predictor lacks a default.
    """
    modules = register_tables(names)
    plugins.load(modules)
    for registry in (METHODS, PREDICTORS):
        for name in filter(registry.added, registry.names()):
            entry = registry.get(name)
            # A method's depend on the space.
            settings = entry.settings() if callable(entry.settings) else entry.settings
            for setting, value in settings.items():
                if value is inspect.Parameter.empty:
                    raise DagnasError(
                        f"setting {setting} of the {registry.kind} {name!r} has no default: give "
                        f"it one in {registry.module(name)}"
                    )
    return modules
