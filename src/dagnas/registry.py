"""Registries: names to objects of the package, of entry points and of plug-in modules."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache, cached_property
from importlib import metadata
from typing import Generic, TypeVar

from dagnas.errors import DagnasError, unknown
from dagnas.names import check_name

T = TypeVar("T")


@cache
def _installed() -> list[metadata.EntryPoint]:
    """Entry points of all distributions, found once: that reads a file of each."""
    return [point for found in metadata.distributions() for point in found.entry_points]


class Registry(Generic[T]):
    """Objects of one kind by name, imported only when asked for.

    Parameters
    ----------
    kind : str
        What an entry is called in messages, such as "method".
    group : str
        Entry-point group in which other distributions offer entries.
    type_ : str
        "module:class" that entries are instances of; imported when it is needed first.
    own : mapping of str to str
        Modules of this package's entries by name; a module calls the entry by the same name.
    """

    def __init__(self, kind: str, group: str, type_: str, own: Mapping[str, str]) -> None:
        self.kind, self.group, self._type = kind, group, type_
        self._own = own
        self._added: dict[str, T] = {}

    def _entry_points(self) -> dict[str, metadata.EntryPoint]:
        return {point.name: point for point in _installed() if point.group == self.group}

    @cached_property
    def type(self) -> type[T]:
        """Class that entries are instances of."""
        module, _, name = self._type.partition(":")
        found: type[T] = getattr(importlib.import_module(module), name)
        return found

    def added(self, name: str) -> bool:
        """Whether an object of that name was registered from outside the package."""
        return name in self._added

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted({*self._own, *self._entry_points(), *self._added})

    def add(self, name: str, entry: T) -> None:
        """Register an object from outside the package.

        Raises
        ------
        DagnasError
            The name is taken by another object, or cannot be part of a path.
        """
        check_name(self.kind, name)
        if name in self._own or self._added.get(name, entry) is not entry:
            raise DagnasError(f"the {self.kind} {name!r} exists already")
        self._added[name] = entry

    def module(self, name: str) -> str:
        """Dotted name of the module that defines an entry, which is not imported if it is ours.

        Raises
        ------
        DagnasError
            No such name, or one that cannot be part of a path.
        """
        if name in self._added:
            entry = self._added[name]
            return str(getattr(entry, "module", type(entry).__module__))
        if name in self._own:
            return self._own[name]
        points = self._entry_points()
        if name in points:
            return points[check_name(self.kind, name)].module
        raise unknown(self.kind, name, self.names())

    def get(self, name: str) -> T:
        """Object called ``name``.

        Raises
        ------
        DagnasError
            No such name (the message lists the valid ones), or what the name leads to is not of
            this kind.
        """
        if name in self._added:
            return self._added[name]
        if name in self._own:
            entry = getattr(importlib.import_module(self._own[name]), name, None)
        elif name in (points := self._entry_points()):
            entry = points[check_name(self.kind, name)].load()
        else:
            raise unknown(self.kind, name, self.names())
        if not isinstance(entry, self.type):
            raise DagnasError(f"{self.kind} {name!r} is {entry!r}, not a {self.type.__name__}")
        return entry
