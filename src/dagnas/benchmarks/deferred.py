"""Entries of benchmarks that import nothing before they are opened."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class DeferredEntry:
    """Stands for a `BenchmarkEntry` that a function of a module makes.

    Attributes
    ----------
    name : str
        Name of the benchmark, which the function takes.
    module, function : str
    tables : tuple of str
        Files that it reads from the data folder.
    """

    name: str
    module: str
    function: str
    tables: tuple[str, ...]

    def open(self, data: Path) -> Any:
        """Open the benchmark from the folder of tables."""
        return getattr(importlib.import_module(self.module), self.function)(self.name).open(data)


@functools.cache
def supernet_entry(name: str, scored: bool) -> Any:
    """Benchmark of a supernet: by its scores of all cells, or by its weights."""
    if scored:
        return DeferredEntry(name, "dagnas.benchmarks.scored", "scored_entry", (name,))
    return DeferredEntry(name, "dagnas.benchmarks.oneshot", "oneshot_entry", (f"{name}.pt",))
