"""Plans: which jobs a target needs, as far as files tell, and how long they take."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from dagnas.closure import digest
from dagnas.errors import DagnasError, unknown
from dagnas.papers.inputs import inputs_text
from dagnas.papers.result import Result, artifacts, find, results
from dagnas.papers.roots import table_roots
from dagnas.pipeline import provenance
from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.kinds import all_kinds
from dagnas.pipeline.scales import Scale

#: Recorded times, a row for each method of a study and for each other artifact of a scale.
HOURS = "hours.csv"
COLUMNS = ("scale", "kind", "name", "trials", "seconds")
#: How policies of benchmarks begin that train what is asked for.
TRAINED = "trained"
#: Suffix of the wall-clock times beside a trace.
WALL = ".wall.csv"
#: Parameters of jobs that say which one it is; jobs that differ in no other take similar times.
WHICH = frozenset(
    {"name", "study", "benchmark", "truth", "supernet", "trace", "trials", "trial", "cell", "seed"}
)


class Item(NamedTuple):
    """An artifact of a scale: its kind, its name and its job."""

    kind: Kind
    name: str
    job: Job

    @property
    def group(self) -> str:
        """Study and method of a search; the name of any other artifact, without its part."""
        parts = self.name.split("/")
        return "/".join(parts[:2] if self.kind.name == "search" else parts[:1])

    @property
    def trials(self) -> int:
        """Trials of a search; 1 for a job of another kind."""
        found = getattr(self.job, "trials", None)
        return len(found) if self.kind.name == "search" and isinstance(found, range) else 1

    @property
    def like(self) -> str:
        """Text that is the same for jobs that do the same on other benchmarks or supernets."""
        about = self.job.model_dump(mode="json")
        kept = {name: value for name, value in about.items() if name not in WHICH}
        return json.dumps([self.kind.name, kept], sort_keys=True)


@dataclass(frozen=True)
class Plan:
    """What Snakemake would do for a target.

    Attributes
    ----------
    scale : Scale
    made : list of Result
        Results whose tables are missing or stale.
    kept : mapping of str to list of Path
        Results that are there and taken as they are, though these artifacts of theirs are not.
    runs : mapping of Path to Item
        Artifacts that are made.
    lacking : mapping of Path to Item
        Artifacts that would be made too, were the kept results made anew.
    """

    scale: Scale
    made: list[Result] = field(default_factory=list)
    kept: dict[str, list[Path]] = field(default_factory=dict)
    runs: dict[Path, Item] = field(default_factory=dict)
    lacking: dict[Path, Item] = field(default_factory=dict)


class Group(NamedTuple):
    """Jobs of one method of a study, or of one name, and how long they take.

    Attributes
    ----------
    kind, name : str
    jobs, trials : int
        How many.
    seconds : float, optional
        Of one core; None if unknown.
    recorded : bool
        Whether these jobs' own times were recorded, or those of similar ones: of the same method
        on another benchmark, of another supernet with the same settings.
    """

    kind: str
    name: str
    jobs: int
    trials: int
    seconds: float | None
    recorded: bool


def plan(scale: Scale, target: str = "") -> Plan:
    """What Snakemake would do for a target, read from files and from its notes alone.

    A file is missing, or stale if its note tells of another command, other parameters or other
    code. Contents of inputs are not looked at: what follows from an input that will be made anew
    is counted as made anew, though it may turn out to be the same.

    Parameters
    ----------
    scale : Scale
    target : str
        A result (goal/fig4 or goal_fig4), a paper, or "" for all of the scale.

    Raises
    ------
    DagnasError
        There is no such target.
    """
    shown, asked = _wanted(scale, target)
    found, note = Plan(scale), provenance.known(scale.results / "provenance.json")
    state = _State(scale, note)
    for result in shown:
        reads = {
            kind.path(scale, name): Item(kind, name, scale.jobs(kind.name)[name])
            for kind, name in artifacts(scale, result)
        }
        lacking = [path for path in reads if not path.exists()]
        params = partial(_table_params, scale, result)
        current = state.is_current(scale.results / f"{result.name}.csv", params)
        if not current or state.runs(path for path in reads if path.exists()):
            found.made.append(result)
            asked.update(reads)
        elif lacking and asked.keys() >= set(lacking):
            found.made.append(result)
        elif lacking:
            found.kept[result.name] = lacking
            found.lacking.update(state.runs(lacking))
    found.runs.update(state.runs(asked))
    for path in found.runs:
        found.lacking.pop(path, None)
    return found


def _table_params(scale: Scale, result: Result) -> list[str]:
    """Parameters of the rule ``table_of_result``."""
    options = shlex.join(["--inputs", inputs_text(scale, result)])
    return [str(scale.data), options, digest(table_roots(result, scale.plugins))]


def _job_params(scale: Scale, job: Job) -> list[str]:
    """Parameters of the rules of artifacts."""
    command = shlex.join(["dagnas", job.COMMAND, *job.arguments()])
    return [str(scale.data), command, digest(job.roots())]


def _wanted(scale: Scale, target: str) -> tuple[list[Result], dict[Path, Item]]:
    """Results and artifacts that a target names."""
    known = results(scale)
    if not target:
        return list(known.values()), dict(_items(scale))
    if target in scale.papers:
        shown = [result for name, result in known.items() if name.startswith(f"{target}/")]
        own = {
            path: item
            for path, item in _items(scale)
            if item.name.startswith(f"{target}_") and not path.is_relative_to(scale.data)
        }
        return shown, own
    named = {name.replace("/", "_"): name for name in known}
    if "/" not in target and target not in named:
        raise unknown("target", target, [*scale.papers, *known])
    return [find(named.get(target, target), known)], {}


def _items(scale: Scale) -> Iterator[tuple[Path, Item]]:
    for kind in all_kinds():
        for name, job in scale.jobs(kind.name).items():
            yield kind.path(scale, name), Item(kind, name, job)


class _State:
    """Which artifacts of a scale are to be made."""

    def __init__(self, scale: Scale, note: Callable[[Path], dict[str, Any] | None]) -> None:
        self._scale, self._note = scale, note
        self._items = dict(_items(scale))
        self._known: dict[Path, dict[Path, Item]] = {}

    def is_current(self, path: Path, params: Callable[[], list[str]]) -> bool:
        """Whether a file is there, and no note on it tells of other parameters.

        Parameters are asked for only where there is a note: digests of code take time.
        """
        if not path.exists():
            return False
        about = self._note(path)
        told = about.get("params") if about else None
        return told is None or sorted(told) == sorted(map(repr, params()))

    def runs(self, paths: Iterable[Path]) -> dict[Path, Item]:
        """Artifacts that are made where these are asked for, with those that they need."""
        return {name: item for path in paths for name, item in self._of(path).items()}

    def _of(self, path: Path) -> dict[Path, Item]:
        if path not in self._known:
            item = self._items[path]
            needs = [need for need in self._needs(item) if need in self._items]
            below = self.runs(need for need in needs if need.exists())
            params = partial(_job_params, self._scale, item.job)
            if below or not self.is_current(path, params):
                self._known[path] = {**self.runs(needs), path: item}
            else:
                self._known[path] = {}
        return self._known[path]

    def _needs(self, item: Item) -> list[Path]:
        """Files that a job reads."""
        tables = tables_of(self._scale, item.job.benchmarks())
        return [*tables, *map(Path, item.job.files())]


def tables_of(scale: Scale, benchmarks: Iterable[str]) -> list[Path]:
    """Tables and supernets that benchmarks open."""
    from dagnas.benchmarks import BENCHMARKS

    names = {table for name in benchmarks for table in BENCHMARKS.get(name).tables}
    # A supernet is a file of another kind, whose name tells it.
    return [scale.data / (name if "." in name else f"{name}.parquet") for name in sorted(names)]


def groups(scale: Scale, items: Mapping[Path, Item]) -> list[Group]:
    """Jobs by kind and name, with what they take as far as times were recorded."""
    recorded, similar = times(scale), dict[str, dict[str, float]]()
    for _, item in _items(scale):
        known = recorded.get((item.kind.name, item.group))
        if known is not None:
            similar.setdefault(item.like, {})[item.group] = known
    members: dict[tuple[str, str], list[Item]] = {}
    for item in items.values():
        members.setdefault((item.kind.name, item.group), []).append(item)
    found = []
    for key, own in members.items():
        others = similar.get(own[0].like, {}).values()
        seconds = recorded.get(key, fmean(others) if others else None)
        trials = sum(item.trials for item in own)
        whole = None if seconds is None else seconds * trials
        found.append(Group(*key, len(own), trials, whole, key in recorded))
    return found


def times(scale: Scale) -> dict[tuple[str, str], float]:
    """Seconds of a trial, or of a job other than a search, by kind and name.

    Those of the files beside the scale's traces come before those that the package has, but for
    searches that train: these may have found their trainings done, which takes no time.
    """
    place = files("dagnas") / "pipeline" / HOURS
    stored = place.read_text(encoding="utf-8") if place.is_file() else ""
    rows = [row for row in csv.DictReader(io.StringIO(stored)) if row["scale"] == scale.scale]
    stored_times = {(row["kind"], row["name"]): float(row["seconds"]) for row in rows}
    train = _that_train(scale)
    here = {
        key: max(seconds, stored_times.get(key, 0.0)) if key in train else seconds
        for key, (_, seconds) in measured(scale).items()
    }
    return {**stored_times, **here}


def _that_train(scale: Scale) -> set[tuple[str, str]]:
    """Kinds and names of searches whose benchmark trains, and keeps what it trained."""
    return {
        (item.kind.name, item.group)
        for _, item in _items(scale)
        if str(getattr(item.job, "policy", "")).startswith(TRAINED)
    }


def measured(scale: Scale) -> dict[tuple[str, str], tuple[int, float]]:
    """Trials, and seconds of one, that the files beside a scale's traces tell of."""
    found: dict[tuple[str, str], list[float]] = {}
    for path, item in _items(scale):
        wall = path.with_suffix(WALL)
        if item.kind.name == "search" and wall.is_file():
            found.setdefault(("search", item.group), []).extend(_seconds(wall))
    return {key: (len(own), sum(own) / len(own)) for key, own in found.items() if own}


def _seconds(path: Path) -> list[float]:
    """Wall-clock seconds of the trials in a file.

    Raises
    ------
    DagnasError
        The file cannot be read, or is no such file.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [float(row["seconds"]) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DagnasError(f"{path} is no file of wall-clock seconds: {error}") from error


def record(scale: Scale, path: Path) -> int:
    """Write what the files beside a scale's traces tell into a table of times.

    Rows of other scales and of what was not measured stay; of searches that train, longer ones do.

    Returns
    -------
    int
        Number of rows that were measured.
    """
    from dagnas.files import write_text

    new = {
        (scale.scale, kind, name): (str(trials), f"{seconds:.3g}")
        for (kind, name), (trials, seconds) in measured(scale).items()
    }
    old = {}
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                old[row["scale"], row["kind"], row["name"]] = (row["trials"], row["seconds"])
    for name in _that_train(scale):
        key = (scale.scale, *name)
        if key in new and float(new[key][1]) < float(old.get(key, (0, 0))[1]):
            new[key] = old[key]
    lines = [",".join((*key, *value)) for key, value in sorted({**old, **new}.items())]
    write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", path)
    return len(new)
