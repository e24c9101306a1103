"""Kinds of artifacts: what a file of `dagnas.pipeline.kinds` declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagnas import plugins
from dagnas.pipeline.job import Job
from dagnas.pipeline.kinds import KINDS

if TYPE_CHECKING:
    from dagnas.pipeline.scales import Scale

plugins.REGISTRIES.append(KINDS)


def _nothing(scale: Scale) -> None:
    """Check of a kind with nothing to check."""


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of artifact: everything that the pipeline knows of it.

    Attributes
    ----------
    name : str
        Name of the rule.
    module : str
        Module that defines it, ``__name__``.
    title : str
        Line for the list of commands, without a full stop.
    about : str
        Description of the command.
    examples : str
        Command lines, one a line.
    jobs : tuple of type
        Descriptions of its jobs, each with a command of its own.
    pattern : str
        Path of an artifact, with ``{results}`` or ``{data}`` and ``{name}``.
    plan : callable
        ``plan(scale)`` gives the jobs of a scale by their artifacts' names.
    read : callable
        ``read(path)`` gives an artifact, as figures take it.
    sections : mapping of str to type
        Keys of the scale file, with what describes one entry.
    check : callable
        ``check(scale)`` raises a ValueError where one section names what another one lacks.
    register : callable, optional
        ``register(entries)`` takes the entries of the kind's section before any other section is
        read and returns them; it registers benchmarks, say, that other sections name.
    check_values : callable
        ``check_values(scale)`` raises a DagnasError where a value is wrong that only the code
        of a method knows; it may import anything.
    tags : tuple of str
        Names of alternatives of a section's entries, which pydantic puts into places of faults.
    beside : tuple of str
        Suffixes of further files that a job writes, beside ``.parquet`` and the like.
    """

    name: str
    module: str
    title: str
    about: str
    examples: str
    jobs: tuple[type[Job], ...]
    pattern: str
    plan: Callable[[Scale], Mapping[str, Job]]
    read: Callable[[Path], Any]
    sections: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Scale], None] = _nothing
    register: Callable[[Any], Any] | None = None
    check_values: Callable[[Scale], None] = _nothing
    tags: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    def path(self, scale: Scale, name: str) -> Path:
        """Path of an artifact, from the root of the project."""
        return Path(self.pattern.format(results=scale.results, data=scale.data, name=name))
