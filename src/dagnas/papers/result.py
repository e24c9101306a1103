"""Declarations of results, and which of them a scale can show."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from dagnas.errors import DagnasError, unknown
from dagnas.papers import PAPERS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dagnas.papers.inputs import Inputs, Scale


@dataclass(frozen=True)
class Result:
    """A figure or table of a paper: what it is and what it is made from.

    A module of a paper's folder, named in `dagnas.papers.PAPERS`, declares one as ``RESULT``.

    Attributes
    ----------
    place : str
        Where it stands in the paper, such as "Figure 4".
    title : str
        What it shows, in a few words.
    studies, rankings, autoencoders : tuple of str
        Names in the scale file of the searches, the rankings of predictors and the graph VAEs that
        it reads. ``goal_{benchmark}`` stands for every study, or graph VAE, that is named so after
        its benchmark.
    benchmarks : tuple of str
        Benchmarks whose tables it opens; ``{benchmark}`` stands for those of the above.
    optional : tuple of str
        Those of the above that a scale may lack; the result then shows what there is.
    walls : bool
        Whether it reads how long the trials of its studies took. That differs from run to run, so
        such a result does too, and no claim can rest on it.
    name, module : str
        Set by discovery: "goal/fig4", "dagnas.papers.goal.fig4".
    missing : tuple of str
        Set by `results`: what this scale lacks of the optional inputs.
    """

    place: str
    title: str
    studies: tuple[str, ...] = ()
    rankings: tuple[str, ...] = ()
    autoencoders: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    walls: bool = False
    name: str = ""
    module: str = ""
    missing: tuple[str, ...] = ()


class ResultModule(Protocol):
    """What a result's file defines."""

    RESULT: Result

    def tabulate(self, inputs: Inputs) -> pd.DataFrame:
        """Numbers of the result, one observation a row."""

    def draw(self, table: pd.DataFrame) -> Figure:
        """Picture of the table, which is all that it sees."""

    def caption(self, table: pd.DataFrame) -> str:
        """Caption in Markdown, without place and title."""


def all_results() -> dict[str, Result]:
    """Declarations of all results of all papers by name, such as "goal/fig4"."""
    found = {}
    for paper, items in PAPERS.items():
        for item in items:
            module = f"dagnas.papers.{paper}.{item}"
            declared = importlib.import_module(module).RESULT
            found[f"{paper}/{item}"] = replace(declared, name=f"{paper}/{item}", module=module)
    return found


def results(config: Scale) -> dict[str, Result]:
    """Results of the scale's papers for which it has inputs, each with those it has.

    A result is shown if nothing is missing that is not optional, and if at least one of its
    studies, rankings or graph VAEs is there (of its benchmarks, if it names none of these).
    """
    chosen = {}
    for name, general in all_results().items():
        if name.partition("/")[0] not in config.papers:
            continue
        declared = _filled(general, config)
        present = {*config.studies, *config.rankings, *config.autoencoders, *benchmarks_of(config)}
        made = (declared.studies, declared.rankings, declared.autoencoders)
        wanted = (*made, declared.benchmarks)
        studies, rankings, autoencoders, benchmarks = (
            tuple(item for item in items if item in present) for items in wanted
        )
        missing = tuple(item for items in wanted for item in items if item not in present)
        basis = studies + rankings + autoencoders if any(made) else benchmarks
        if basis and set(missing) <= set(declared.optional):
            chosen[name] = replace(
                declared,
                studies=studies,
                rankings=rankings,
                autoencoders=autoencoders,
                benchmarks=benchmarks,
                missing=missing,
            )
    return chosen


def _filled(declared: Result, config: Scale) -> Result:
    """Declaration with the names that the scale has where it says ``{benchmark}``."""
    named = [*config.studies.items(), *config.autoencoders.items()]
    patterns = (*declared.studies, *declared.autoencoders)
    benchmarks = dict.fromkeys(
        part.benchmark
        for name, part in named
        if name in [pattern.format(benchmark=part.benchmark) for pattern in patterns]
    )

    def fill(patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            pattern.format(benchmark=benchmark)
            for pattern in patterns
            for benchmark in (benchmarks if "{" in pattern else [""])
        )

    return replace(
        declared,
        studies=fill(declared.studies),
        autoencoders=fill(declared.autoencoders),
        benchmarks=fill(declared.benchmarks),
    )


def benchmarks_of(config: Scale) -> set[str]:
    """Benchmarks that the scale's studies, rankings and graph VAEs use."""
    rankings = (getattr(ranking, "benchmark", None) for ranking in config.rankings.values())
    named = (*config.studies.values(), *config.autoencoders.values())
    return {*(part.benchmark for part in named), *filter(None, rankings)}


def find(name: str, known: Mapping[str, Result]) -> Result:
    """Result ``name`` among ``known``.

    Raises
    ------
    DagnasError
        There is no such result, or there is but this scale lacks its inputs.
    """
    if name in known:
        return known[name]
    if name in (everything := all_results()):
        declared = everything[name]
        inputs = declared.studies + declared.rankings + declared.autoencoders + declared.benchmarks
        raise DagnasError(f"this scale lacks the inputs of {name}: {', '.join(inputs)}")
    raise unknown("result", name, everything)


def load(result: Result) -> ResultModule:
    """Import the file of a result."""
    return importlib.import_module(result.module)
