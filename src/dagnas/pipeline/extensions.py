"""Plug-ins as users name them, modules and tables: loaded, and checked before any job runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

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
        A plug-in cannot be loaded, as `dagnas.plugins.load` says, or its table is none; a method
        or predictor is no function, or has a setting that cannot be set or has no default, or one
        of another type.
    """
    modules = register_tables(names)
    try:
        plugins.load(modules)
    except DagnasError as error:
        bare = re.search(r"TypeError: (method|benchmark)\(\) takes 0 positional", str(error))
        if bare is None:
            raise
        raise DagnasError(f"{error}; write @{bare[1]}()") from error
    for name in filter(METHODS.added, METHODS.names()):
        method = METHODS.get(name)
        whose = f"the method {name!r} of {method.module}"
        _check_function(whose, method.function)
        defaults = method.settings()
        _check_defaults(whose, defaults)
        method.settings(given=defaults)
    for name in filter(PREDICTORS.added, PREDICTORS.names()):
        predictor = PREDICTORS.get(name)
        whose = f"the predictor {name!r} of {predictor.module}"
        _check_function(whose, predictor.builder)
        _check_defaults(whose, predictor.settings)
    return modules


def _check_function(whose: str, function: Callable[..., Any]) -> None:
    if not inspect.isfunction(function):
        raise DagnasError(f"{whose} is no function but {function!r:.100}")
    for parameter in inspect.signature(function).parameters.values():
        keyword = parameter.kind is parameter.KEYWORD_ONLY
        if not keyword and parameter.default is not parameter.empty:
            raise DagnasError(
                f"setting {parameter.name} of {whose} is positional: settings come after a *, as "
                f"in (..., *, {parameter})"
            )


def _check_defaults(whose: str, settings: Mapping[str, Any]) -> None:
    for setting, value in settings.items():
        if value is inspect.Parameter.empty:
            raise DagnasError(f"setting {setting} of {whose} has no default: give it one")
