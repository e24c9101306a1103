"""Scale files: studies, rankings and papers to run; read, merged, checked, turned into jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError, unknown
from dagnas.outside import documents
from dagnas.pipeline import extensions
from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.kinds import KINDS, all_kinds
from dagnas.pipeline.sections import Name, PaperName, Section, paper_names
from dagnas.search.terms import Trials
from dagnas.settings import fault_words

#: Scale files that a scale file may extend, and jobs that it may ask for: far beyond use, so that
#: a slip of zeros is told before all of them are planned.
_FILES, _JOBS = 100, 20_000


class Scale(Section):
    """Keys of a scale file, but for the sections that the kinds of artifacts declare."""

    scale: Name
    """Name of the scale; its results are in results/SCALE."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where predictors are trained; cuda asks the executor for gpu=1."""
    source: Literal["official", "compact"] | None = None
    """Kind of source that tables must come from; any if not given."""
    plugins: list[str] = []
    """Modules that register methods, benchmarks or spaces of your own, and tables' .yaml files."""
    trials: Trials
    """Trials of every method in every study; a trial is one repetition of a search."""
    trials_per_job: PositiveInt = 5
    """Trials of one search job."""
    papers: list[PaperName]
    """Papers whose results are made."""

    _planned: dict[str, dict[str, Job]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _references(self, info: ValidationInfo) -> Scale:
        # A part of a scale lacks what its entries name.
        if not (info.context or {}).get("part"):
            for kind in all_kinds():
                kind.check(self)
            self._count_searches()
        return self

    def _count_searches(self) -> None:
        """Refuse a scale of more searches than can be planned."""
        studies = getattr(self, "studies", {}).values()
        chunks = (
            len(study.methods)
            * -(-(study.trials or self.trials) // (study.trials_per_job or self.trials_per_job))
            for study in studies
        )
        if (count := sum(chunks)) > _JOBS:
            raise ValueError(
                f"trials, trials_per_job: {count:,} search jobs; expected {_JOBS:,} at most"
            )

    @classmethod
    def sections(cls) -> list[str]:
        """Names of the sections that kinds of artifacts declare."""
        return [key for key in cls.model_fields if key not in Scale.model_fields]

    def section(self, key: str) -> dict[str, Any]:
        """Entries of a section by name, such as ``studies``."""
        found: dict[str, Any] = getattr(self, key)
        return found

    @property
    def results(self) -> Path:
        """Folder of this scale's results, from the root of the project."""
        return Path("results", self.scale)

    @property
    def data(self) -> Path:
        """Folder of tables, from the root of the project; one for each kind of source asked for."""
        return Path("data", self.source or "")

    def jobs(self, kind: str) -> Mapping[str, Job]:
        """Jobs of a kind by the names of their artifacts."""
        if kind not in self._planned:
            self._planned[kind] = dict(KINDS.get(kind).plan(self))
        return self._planned[kind]

    def paths(self, kind: str, prefix: str = "") -> list[Path]:
        """Artifacts of a kind whose names begin with ``prefix``, from the root of the project."""
        names = [name for name in self.jobs(kind) if name.startswith(prefix)]
        return [KINDS.get(kind).path(self, name) for name in names]

    def part(self, needed: Mapping[str, Iterable[str]]) -> dict[str, Any]:
        """Scale with some entries of its sections only: what a result reads of it.

        Parameters
        ----------
        needed : mapping
            Names of entries by section.
        """
        kept = {key: {n: self.section(key)[n] for n in names} for key, names in needed.items()}
        if "studies" in kept:
            named = {method for study in kept["studies"].values() for method in study.methods}
            kept["variants"] = {k: v for k, v in self.section("variants").items() if k in named}
            opened = {study.benchmark for study in kept["studies"].values()}
            for key in (key for kind in all_kinds() if kind.register for key in kind.sections):
                entries = self.section(key).items()
                kept[key] = {k: v for k, v in entries if k in opened or k in kept.get(key, {})}
        said = {
            key: {name: entry.model_dump(exclude_unset=True) for name, entry in entries.items()}
            for key, entries in kept.items()
            if entries
        }
        own = self.model_dump(include=set(Scale.model_fields) - {"papers"}, exclude_none=True)
        if not said:
            own |= {"trials": 1, "trials_per_job": 1}
        return {**own, "papers": [], **said}


def _scale_type(kinds: tuple[Kind, ...]) -> type[Scale]:
    sections: dict[str, Any] = {}
    # Fields are checked in order, so what one section registers is known to those below.
    for kind in sorted(kinds, key=lambda kind: kind.register is None):
        for key, schema in kind.sections.items():
            # Two kinds may be made from one section.
            if key in sections:
                continue
            # Built when it runs, so no type checker can follow.
            entries: Any = dict.__class_getitem__((Name, schema))
            if kind.register:
                entries = Annotated[entries, AfterValidator(kind.register)]
            about = f"Entries for `dagnas {kind.jobs[0].COMMAND}` by name."
            sections[key] = (entries, Field(default={}, description=about))
    return create_model("Scale", __base__=Scale, **sections)


_cached_type = cache(_scale_type)


def scale_type() -> type[Scale]:
    """Class of scales with the sections of all kinds, those of plug-ins included."""
    return _cached_type(tuple(all_kinds()))


def _read(path: Path) -> dict[str, Any]:
    raw = documents.read(path)
    if not isinstance(raw, dict):
        raise DagnasError(f"{path}: a mapping of keys to values is expected")
    return raw


def _inherited(path: Path, above: tuple[Path, ...] = (), seen: list[Path] | None = None) -> Any:
    """Scale file over the scale files and studies of papers that it extends.

    Parameters
    ----------
    path : Path
    above : tuple of Path
        Files that extend this one, which it cannot extend in turn.
    seen : list of Path, optional
        Files read so far, to which this one is added.
    """
    seen = [] if seen is None else seen
    seen.append(path)
    if len(seen) > _FILES:
        raise DagnasError(f"{path}: extends: more than {_FILES} files are extended")
    raw = _read(path)
    names = raw.pop("extends", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DagnasError(f"{path}: extends: a list of papers or scale files is expected")
    base: dict[str, Any] = {}
    for name in names:
        if name.endswith(".yaml"):
            other = path.parent / name
            if other.resolve() in (path.resolve(), *above):
                raise DagnasError(f"{path}: extends: {name} extends this file itself")
            found = _inherited(other, (path.resolve(), *above), seen)
        elif name in paper_names():
            found = _read(Path(str(files("dagnas") / "papers" / name / "studies.yaml")))
        else:
            raise DagnasError(f"{path}: extends: {unknown('paper', name, paper_names())}")
        base = merged(base, found)
    benchmarks = raw.pop("benchmarks", None)
    _check_removals(path, base, raw)
    if benchmarks is not None:
        if not isinstance(benchmarks, list) or not benchmarks:
            raise DagnasError(f"{path}: benchmarks: a list of benchmarks is expected")
        if not names:
            raise DagnasError(f"{path}: benchmarks: it chooses from what a file extends")
        known = sorted({*BENCHMARKS.names(), *_used(base), *_used(raw)})
        if strange := [str(name) for name in benchmarks if name not in known]:
            raise DagnasError(f"{path}: benchmarks: {unknown('benchmark', strange[0], known)}")
        base = _on(benchmarks, base)
    whole: dict[str, Any] = merged(base, raw)
    return whole


def _check_removals(path: Path, base: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    """Check that entries that a scale file takes away are there."""
    for section, entries in raw.items():
        known = base.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if entry is None and isinstance(known, dict) and name not in known:
                error = unknown(f"entry of {section} to take away", name, known)
                raise DagnasError(f"{path}: {error}")


def _used(scale: dict[str, Any]) -> set[str]:
    """Benchmarks that entries of a scale are on, or are themselves."""
    made = {key for kind in all_kinds() if kind.register for key in kind.sections}
    found: set[str] = set()
    for key, section in scale.items():
        if isinstance(section, dict):
            found |= set(section) if key in made else set()
            entries = (entry for entry in section.values() if isinstance(entry, dict))
            found |= {str(entry["benchmark"]) for entry in entries if "benchmark" in entry}
    return found


def _on(benchmarks: list[Any], base: dict[str, Any]) -> dict[str, Any]:
    """Inherited entries without those on other benchmarks, and those that name one left out.

    Entries that are benchmarks of their own, such as supernets, are kept if they are listed.
    """
    named = {
        name: entry
        for part in base.values()
        if isinstance(part, dict)
        for name, entry in part.items()
        if isinstance(entry, dict) and "benchmark" in entry
    }

    own = {key for kind in all_kinds() if kind.register for key in kind.sections}

    def kept(key: str, name: str, entry: Any) -> bool:
        if not isinstance(entry, dict):
            return True
        if key in own:
            return name in benchmarks
        others = (named[word] for word in _texts(entry) if word in named)
        return all(
            about.get("benchmark", benchmarks[0]) in benchmarks for about in (entry, *others)
        )

    return {
        key: {name: entry for name, entry in part.items() if kept(key, name, entry)}
        if isinstance(part, dict)
        else part
        for key, part in base.items()
    }


def _texts(entry: Mapping[str, Any]) -> Iterator[str]:
    """Texts of an entry, and of mappings in it."""
    for value in entry.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts(value)


def merged(base: Any, over: Any) -> Any:
    """Mapping ``base`` with what ``over`` says otherwise; null takes a key away."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    keys = [*base, *(key for key in over if key not in base)]
    both = {key: merged(base.get(key), over[key]) if key in over else base[key] for key in keys}
    return {key: value for key, value in both.items() if value is not None}


def load(path: str | Path) -> Scale:
    """Read a scale file with what it extends, and check it.

    Settings of methods are checked by name; their values by `check` and by the jobs themselves,
    since that imports the methods.

    Raises
    ------
    DagnasError
        It is missing or no YAML; a key is unknown, missing or given twice; a value is not valid
        or names something that does not exist. The message names file, key, value and what is
        valid.
    """
    return parse(_inherited(Path(path)), str(path))


def parse(raw: Mapping[str, Any], source: str, part: bool = False) -> Scale:
    """Check the keys and values of a scale file, which errors call ``source``.

    Of a ``part`` of a scale (`Scale.part`) entries may name others that it lacks.

    Raises
    ------
    DagnasError
        As `load` says.
    """
    modules = raw.get("plugins")
    if isinstance(modules, list) and all(isinstance(name, str) for name in modules):
        try:
            extensions.load(modules)
        except DagnasError as error:
            raise DagnasError(f"{source}: plugins: {error}") from error
    known = ["extends", "benchmarks", *scale_type().model_fields]
    for key in raw:
        if key not in known:
            raise DagnasError(f"{source}: {unknown('key', str(key), known)}")
    try:
        return scale_type().model_validate(raw, context={"part": part})
    except ValidationError as error:
        kinds = [tag for kind in all_kinds() for tag in kind.tags]
        faults = (fault_words(fault, kinds) for fault in error.errors())
        raise DagnasError("\n".join(f"{source}: {fault}" for fault in faults)) from None


def check(scale: Scale) -> None:
    """Check the values of all settings of methods, which imports the methods.

    Raises
    ------
    DagnasError
        A value is not of its type or range.
    """
    for kind in all_kinds():
        kind.check_values(scale)


def schema() -> str:
    """JSON Schema of scale files, for editors."""
    return json.dumps(scale_type().model_json_schema(), indent=2) + "\n"
