"""Declarations of results, and which of them a scale can show."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from dagnas.errors import DagnasError, unknown
from dagnas.papers import PAPERS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dagnas.papers.inputs import Inputs
    from dagnas.pipeline.kind import Kind
    from dagnas.pipeline.scales import Scale


@dataclass(frozen=True)
class Result:
    """A figure or table of a paper: its place, its title and what it is made from.

    A module of a paper's folder, named in `dagnas.papers.PAPERS`, declares one as ``RESULT``.

    Attributes
    ----------
    place : str
        Place in the paper, such as "Figure 4".
    title : str
        What it shows, in a few words.
    reads : mapping of str to tuple of str
        Names in the scale file of the artifacts that it reads, by section: studies, rankings and so
        on. ``goal_{benchmark}`` stands for every study, or graph VAE, that is named so after its
        benchmark, and ``goal_table1_*`` for all whose names begin so.
    benchmarks : tuple of str
        Benchmarks whose tables it opens; ``{benchmark}`` stands for those of the above.
    required : tuple of str, optional
        Those of the above without which it is not shown; all of them if not given. At least one
        artifact is always needed (one benchmark, if it reads no artifacts); of the others the
        result shows what there is.
    methods : tuple of str
        Methods of its studies whose traces it reads, and variants of these; all of them if not
        given, or where a study has none of these.
    own : bool
        Whether it reads what users add as well: methods of plug-ins, and all methods of studies
        that only a name with ``*`` stands for.
    traces : bool
        Whether it reads traces of its studies at all. If not, these only tell whether a scale has
        anything to show.
    walls : bool
        Whether it reads how long the trials of its studies took. That differs from run to run, so
        such a result does too, and no claim can rest on it.
    name, module : str
        Set by discovery: "goal/fig4", "dagnas.papers.goal.fig4".
    missing : tuple of str
        Set by `results`: what this scale lacks of the inputs.
    """

    place: str
    title: str
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    benchmarks: tuple[str, ...] = ()
    required: tuple[str, ...] | None = None
    methods: tuple[str, ...] = ()
    own: bool = False
    traces: bool = True
    walls: bool = False
    name: str = ""
    module: str = ""
    missing: tuple[str, ...] = ()

    def names(self, section: str) -> tuple[str, ...]:
        """Names of the artifacts of one section that it reads."""
        return self.reads.get(section, ())


class ResultModule(Protocol):
    """Contents of a result's module."""

    RESULT: Result

    def tabulate(self, inputs: Inputs) -> pd.DataFrame:
        """Numbers of the result, one observation a row."""

    def draw(self, table: pd.DataFrame) -> Figure:
        """Picture of the table, which is all that it sees."""

    def caption(self, table: pd.DataFrame) -> str:
        """Caption in Markdown, without place and title, of what is in the table."""


def all_results() -> dict[str, Result]:
    """Declarations of all results of all papers by name, such as "goal/fig4"."""
    return {
        f"{paper}/{item}": declaration(f"{paper}/{item}")
        for paper, items in PAPERS.items()
        for item in items
    }


def declaration(name: str) -> Result:
    """Declaration of one result, whatever a scale has of its inputs.

    Raises
    ------
    DagnasError
        There is no such result.
    """
    paper, _, item = name.partition("/")
    if item not in PAPERS.get(paper, ()):
        raise unknown("result", name, [f"{p}/{i}" for p, items in PAPERS.items() for i in items])
    module = f"dagnas.papers.{paper}.{item}"
    declared: Result = importlib.import_module(module).RESULT
    return replace(declared, name=name, module=module)


def results(scale: Scale) -> dict[str, Result]:
    """Results of the scale's papers for which it has inputs, each with those it has.

    A result is shown if nothing is missing that is required, and if at least one of its artifacts
    is there (of its benchmarks, if it reads none).
    """
    chosen = {}
    for name, general in all_results().items():
        if name.partition("/")[0] not in scale.papers:
            continue
        declared = _filled(general, scale)
        present = {key: set(scale.section(key)) for key in declared.reads}
        opened = benchmarks_of(scale)
        reads = {
            key: tuple(item for item in names if item in present[key])
            for key, names in declared.reads.items()
        }
        benchmarks = tuple(item for item in declared.benchmarks if item in opened)
        wanted = [item for names in declared.reads.values() for item in names]
        wanted += declared.benchmarks
        found = {item for names in reads.values() for item in names} | set(benchmarks)
        missing = tuple(item for item in wanted if item not in found)
        basis = any(reads.values()) if declared.reads else bool(benchmarks)
        required = wanted if declared.required is None else declared.required
        if basis and not set(missing) & set(required):
            # Of names that begin alike there are as many as a scale wants.
            lacks = tuple(item for item in missing if not item.endswith("*"))
            chosen[name] = replace(declared, reads=reads, benchmarks=benchmarks, missing=lacks)
    return chosen


def _filled(declared: Result, scale: Scale) -> Result:
    """Declaration with the names that the scale has where it says ``{benchmark}`` or ``*``."""
    patterns = [name for names in declared.reads.values() for name in names]
    benchmarks = dict.fromkeys(
        str(part.benchmark)
        for key in declared.reads
        for name, part in scale.section(key).items()
        if hasattr(part, "benchmark")
        and any(name in _named(p.format(benchmark=part.benchmark), [name]) for p in patterns)
    )

    def fill(patterns: tuple[str, ...], known: Iterable[str] = ()) -> tuple[str, ...]:
        return tuple(
            name
            for pattern in patterns
            for benchmark in (benchmarks if "{" in pattern else [""])
            for name in _named(pattern.format(benchmark=benchmark), known)
        )

    reads = {key: fill(names, scale.section(key)) for key, names in declared.reads.items()}
    return replace(declared, reads=reads, benchmarks=fill(declared.benchmarks))


def _named(pattern: str, known: Iterable[str]) -> list[str]:
    """Names that ``*`` at the end of a pattern stands for; the pattern itself if there are none."""
    if not pattern.endswith("*"):
        return [pattern]
    return [name for name in known if name.startswith(pattern[:-1])] or [pattern]


def benchmarks_of(scale: Scale) -> set[str]:
    """Benchmarks that the scale's studies, rankings and other artifacts use or look up."""
    entries: list[Any] = [
        entry for key in scale.sections() for entry in scale.section(key).values()
    ]
    named = (getattr(entry, key, None) for entry in entries for key in ("benchmark", "truth"))
    return {name for name in named if name}


def methods_of(scale: Scale, result: Result, study: str) -> list[str]:
    """Methods of a study whose traces a result reads, by the names that the study has for them."""
    listed: list[str] = scale.section("studies")[study].methods
    if result.own and study not in declaration(result.name).names("studies"):
        return listed
    variants = scale.section("variants")
    bases = {name: variants[name].method if name in variants else name for name in listed}
    shown = [
        name
        for name in listed
        if bases[name] in result.methods or (result.own and _is_plugin(bases[name]))
    ]
    return shown or listed


def _is_plugin(method: str) -> bool:
    from dagnas.search import METHODS

    return METHODS.module(method).partition(".")[0] != "dagnas"


def artifacts(scale: Scale, result: Result) -> list[tuple[Kind, str]]:
    """Kinds and names of the artifacts that a result reads, in the order of their kinds."""
    from dagnas.pipeline.kinds import all_kinds

    found = []
    for kind in all_kinds():
        for section in kind.sections:
            for item in result.names(section):
                own = [name for name in scale.jobs(kind.name) if name.split("/")[0] == item]
                if section == "studies":
                    methods = methods_of(scale, result, item) if result.traces else []
                    own = [name for name in own if name.split("/")[1] in methods]
                found += [(kind, name) for name in own]
    return found


def find(name: str, known: Mapping[str, Result]) -> Result:
    """Result ``name`` among ``known``.

    Raises
    ------
    DagnasError
        There is no such result, or there is but this scale lacks its inputs.
    """
    if name in known:
        return known[name]
    declared = declaration(name)
    inputs = [item for names in declared.reads.values() for item in names]
    raise DagnasError(
        f"this scale lacks the inputs of {name}: {', '.join([*inputs, *declared.benchmarks])}"
    )


def load(result: Result) -> ResultModule:
    """Import the module of a result."""
    return cast(ResultModule, importlib.import_module(result.module))
