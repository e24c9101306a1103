"""Plug-ins that are no modules: YAML files, which describe tables of one's own."""

from __future__ import annotations

from collections.abc import Iterable

from dagnas.benchmarks import BENCHMARKS


def is_table(plugin: str) -> bool:
    """Whether what is named as a plug-in is a file that describes a table, not a module."""
    return plugin.endswith(".yaml")


def register_tables(plugins: Iterable[str]) -> list[str]:
    """Register the tables among plug-ins as benchmarks; the names of the others, modules.

    Raises
    ------
    DagnasError
        A file describes no table, or there is another benchmark of its name.
    """
    modules = []
    for name in plugins:
        if is_table(name):
            # Most scales have none, and reading them must not load NumPy.
            from dagnas.benchmarks.simple import simple_entry

            entry = simple_entry(name)
            BENCHMARKS.add(entry.name, entry)
        else:
            modules.append(name)
    return modules
