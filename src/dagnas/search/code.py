"""Code of a search that no command describes: a script's or a notebook's own."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import textwrap
import uuid
import warnings
from collections.abc import Iterable
from typing import Any

from dagnas.closure import digest, is_known

#: Values of a notebook whose text tells them apart.
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def code_digest(modules: Iterable[str], things: Iterable[Any]) -> str:
    """Digest of the code that a search runs.

    A function or class that stands in a file counts with its module, as in `dagnas.closure`. One
    of a notebook counts with its source and all functions, classes and plain values that it
    names. Where Python kept no source, as of ``python -c`` before 3.13, the digest is another at
    every call, so that trials of other code are never taken for those of this one; a warning says
    so.

    Parameters
    ----------
    modules : iterable of str
    things : iterable of functions and classes
    """
    roots, loose = set(modules), []
    for thing in things:
        if is_known(thing.__module__):
            roots.add(thing.__module__)
        else:
            loose.append(thing)
    parts = [digest(roots)]
    try:
        parts += _sources(loose)
    except (OSError, TypeError) as error:
        warnings.warn(
            f"the code of this search cannot be read ({error}), so an interrupted run of it starts "
            "anew: put it into a module",
            stacklevel=4,
        )
        parts.append(uuid.uuid4().hex)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if loose else parts[0]


def _sources(things: Iterable[Any]) -> list[str]:
    """Sources of functions and classes, and of what they name beside them."""
    found: dict[str, str] = {}
    waiting = list(things)
    while waiting:
        thing = waiting.pop()
        key = f"{thing.__module__}.{thing.__qualname__}"
        if key in found:
            continue
        found[key] = textwrap.dedent(inspect.getsource(thing))
        for name, value in _named(thing, found[key]).items():
            # What a decorator of this package made of a function keeps it.
            value = getattr(value, "function", getattr(value, "builder", value))
            if isinstance(value, _PLAIN):
                found[f"{key} {name}"] = repr(value)
            elif getattr(value, "__module__", None) == thing.__module__ and (
                inspect.isfunction(value) or inspect.isclass(value)
            ):
                waiting.append(value)
    return [f"{key}\n{text}" for key, text in sorted(found.items())]


def _named(thing: Any, source: str) -> dict[str, Any]:
    """Values of the names in a source that are defined beside it, or around it."""
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    known = dict(vars(sys.modules[thing.__module__])) if thing.__module__ in sys.modules else {}
    if inspect.isfunction(thing):
        known = {**thing.__globals__, **inspect.getclosurevars(thing).nonlocals}
    return {name: known[name] for name in names & known.keys()}
