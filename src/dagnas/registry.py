"""Names to objects: what the package holds, what entry points add, what a plug-in module adds."""

from __future__ import annotations

import importlib
import pkgutil
from importlib import metadata
from typing import Generic, TypeVar

from dagnas.errors import DagnasError, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """All objects of one kind, imported only when asked for.

    Every plain module of ``package`` is an entry: the module ``NAME`` holds the object ``NAME``.
    (Machinery lives in the sub-package ``core``, which is no entry.) Objects from elsewhere come
    by an entry point of the group ``package``, or by ``add``.

    Parameters
    ----------
    kind : str
        What an entry is called in messages, such as "method".
    package : str
        Dotted name of the package that holds the entries; also the entry-point group.
    type_ : type
        What an entry must be an instance of.
    """

    def __init__(self, kind: str, package: str, type_: type[T]) -> None:
        self.kind, self.package, self.type = kind, package, type_
        self._added: dict[str, T] = {}

    def _own(self) -> set[str]:
        path = importlib.import_module(self.package).__path__
        return {module.name for module in pkgutil.iter_modules(path) if not module.ispkg}

    def _entry_points(self) -> dict[str, metadata.EntryPoint]:
        return {point.name: point for point in metadata.entry_points(group=self.package)}

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._own() | set(self._entry_points()) | set(self._added))

    def add(self, name: str, entry: T) -> None:
        """Register an object from outside the package.

        Raises
        ------
        DagnasError
            The name is taken by another object.
        """
        if name in self._own() or self._added.get(name, entry) is not entry:
            raise DagnasError(f"the {self.kind} {name!r} exists already")
        self._added[name] = entry

    def module(self, name: str) -> str:
        """Dotted name of the module that defines an entry (without importing it if it is ours)."""
        if name in self._added:
            entry = self._added[name]
            return str(getattr(entry, "module", type(entry).__module__))
        if name in self._own():
            return f"{self.package}.{name}"
        points = self._entry_points()
        if name in points:
            return points[name].module
        raise unknown(self.kind, name, self.names())

    def get(self, name: str) -> T:
        """Return the object called ``name``.

        Raises
        ------
        DagnasError
            No such name (the message lists the valid ones), or what the name leads to is not of
            this kind.
        """
        if name in self._added:
            return self._added[name]
        if name in self._own():
            entry = getattr(importlib.import_module(f"{self.package}.{name}"), name, None)
        elif name in (points := self._entry_points()):
            entry = points[name].load()
        else:
            raise unknown(self.kind, name, self.names())
        if not isinstance(entry, self.type):
            raise DagnasError(f"{self.kind} {name!r} is {entry!r}, not a {self.type.__name__}")
        return entry
