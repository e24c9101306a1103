"""Inputs of results: traces, rankings, graph VAEs and tables of one scale."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import Benchmark, TabularBenchmark
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError, unknown
from dagnas.files import read_parquet
from dagnas.papers.result import Result, declaration, methods_of
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.kinds import KINDS, all_kinds
from dagnas.pipeline.scales import Scale, parse
from dagnas.tables.place import data_folder

if TYPE_CHECKING:
    import pandas as pd

    from dagnas.predictors.graph_vae.stored import Stored


class Inputs:
    """Artifacts and tables that one result declares, read when first asked for.

    Parameters
    ----------
    config : Scale
        Scale, or the part of it that the result reads.
    result : Result
        Result that is made, with the inputs that the scale has for it.
    root : Path
        Root of the project.
    data : Path, optional
        Folder of tables, if not the default one.
    """

    def __init__(
        self, config: Scale, result: Result, root: Path = Path(), data: Path | None = None
    ) -> None:
        self.config, self.result, self.root = config, result, root
        self._data = root / data_folder(data)
        self._traces: dict[str, pd.DataFrame] = {}
        self._benchmarks: dict[str, TabularBenchmark] = {}

    def traces(self, study: str) -> pd.DataFrame:
        """All evaluations of a study, by the methods that the result reads.

        Returns
        -------
        DataFrame
            Columns method, trial, step, cell, code, parent, epochs, signal, seconds, valid, test
            and emulated, as in traces, ordered by method (as the study lists them), trial and
            step.

        Raises
        ------
        DagnasError
            A trace is missing or damaged.
        """
        import pandas as pd

        if study not in self._traces:
            frames = [
                _kind("studies").read(path).assign(method=method)
                for method, path in self._jobs(study)
            ]
            self._traces[study] = pd.concat(frames, ignore_index=True)
        return self._traces[study]

    def walls(self, study: str) -> pd.DataFrame:
        """Wall-clock seconds that the trials of a study took.

        Returns
        -------
        DataFrame
            Columns method, trial and seconds, ordered by method and trial.

        Raises
        ------
        DagnasError
            The result does not declare that it reads them, or a file is missing or damaged.
        """
        import pandas as pd

        if not self.result.walls:
            raise DagnasError(f"{self.result.name} does not declare walls")
        frames = []
        for method, trace in self._jobs(study):
            path = trace.with_suffix(".wall.csv")
            try:
                frames.append(pd.read_csv(path)[["trial", "seconds"]].assign(method=method))
            except OSError as error:
                raise DagnasError(f"{path}: {error.strerror}") from error
            except (KeyError, ValueError) as error:
                raise DagnasError(f"{path} is no file of wall-clock seconds") from error
        return pd.concat(frames, ignore_index=True)

    def _jobs(self, study: str) -> list[tuple[str, Path]]:
        """Methods and traces of a study, in its order, of those that the result reads."""
        self._declared("studies", study)
        if not self.result.traces:
            raise DagnasError(f"{self.result.name} declares that it reads no traces")
        kind, methods = _kind("studies"), methods_of(self.config, self.result, study)
        return [
            (name.split("/")[1], self.root / kind.path(self.config, name))
            for name in self.config.jobs(kind.name)
            if name.startswith(f"{study}/") and name.split("/")[1] in methods
        ]

    def read(self, section: str, name: str, kind: str = "") -> Any:
        """Artifact of any kind, as the kind's reader gives it.

        Parameters
        ----------
        section, name : str
            Section of the scale file, and name there.
        kind : str
            Name of the kind, if several are made from the section: by default the one that
            registers what it makes, else the first.

        Raises
        ------
        DagnasError
            The result does not declare it, or the file is missing or damaged.
        """
        self._declared(section, name)
        found = KINDS.get(kind) if kind else _kind(section)
        return found.read(self.root / found.path(self.config, name))

    def _declared(self, section: str, name: str) -> None:
        # The pipeline makes what a result declares, so nothing else can be relied on.
        names = self.result.benchmarks if section == "benchmarks" else self.result.names(section)
        if name not in names:
            raise unknown(f"name in {section} declared by {self.result.name}", name, names)

    def budget(self, study: str) -> float:
        """Simulated seconds that a trial of a study may take, as its traces say.

        Where the budget is in evaluations alone, the time of the longest trial.
        """
        _, path = self._jobs(study)[0]
        seconds = json.loads(_metadata(path).get("dagnas.budget_seconds", "null"))
        return float(self.traces(study)["seconds"].max() if seconds is None else seconds)

    def evaluations(self, study: str) -> int | None:
        """Evaluations that a trial of a study may take; None if its budget is in seconds."""
        _, path = self._jobs(study)[0]
        about = _metadata(path)
        if json.loads(about.get("dagnas.budget_seconds", "null")) is not None:
            return None
        found: int | None = json.loads(about.get("dagnas.budget_evaluations", "null"))
        return found

    def settings(self, study: str, method: str) -> dict[str, Any]:
        """Settings of a method, or variant, in the trials of a study, as its traces say."""
        path = next(path for name, path in self._jobs(study) if name == method)
        return cast("dict[str, Any]", json.loads(_metadata(path).get("dagnas.settings", "{}")))

    def signal_note(self, study: str) -> str:
        """Text that captions and verdicts must carry about a study's signal, "" if none.

        It is the note of the evaluation policy, as the study's traces have it.
        """
        _, path = self._jobs(study)[0]
        rules = json.loads(_metadata(path).get("dagnas.rules", "{}"))
        return str(rules.get("note", ""))

    def ranking(self, name: str) -> pd.DataFrame:
        """Scores that predictors gave to test cells.

        Returns
        -------
        DataFrame
            Columns predictor, source, train_size, trial, code, target (accuracy, %), score (lower
            is better), benchmark, quantity (that is ranked by) and emulated (what of the targets
            a model gave, "" if nothing).

        Raises
        ------
        DagnasError
            The file is missing or damaged.
        """
        return cast("pd.DataFrame", self.read("rankings", name))

    def autoencoder(self, name: str) -> Stored:
        """A graph VAE.

        Raises
        ------
        DagnasError
            The file is missing or damaged.
        """
        return cast("Stored", self.read("autoencoders", name))

    def benchmark(self, name: str) -> TabularBenchmark:
        """Open a benchmark that the result declares.

        Raises
        ------
        DagnasError
            The result does not declare it, or its table is missing or damaged.
        """
        self._declared("benchmarks", name)
        if name not in self._benchmarks:
            opened = BENCHMARKS.get(name).open(self._data)
            if not isinstance(opened, TabularBenchmark):
                raise DagnasError(f"{self.result.name} needs a table, which {name} has not")
            self._benchmarks[name] = opened
        return self._benchmarks[name]

    def policy(self, study: str) -> Policy:
        """Evaluation policy of a study, whose benchmark the result declares."""
        settings = self.config.section("studies")[study]
        return self.benchmark(settings.benchmark).policies[settings.policy]


def any_benchmark(inputs: Inputs, name: str) -> Benchmark:
    """Open a benchmark that a result declares, which need not be a table.

    Raises
    ------
    DagnasError
        The result does not declare it, or its table is missing or damaged.
    """
    inputs._declared("benchmarks", name)
    opened: Benchmark = BENCHMARKS.get(name).open(inputs._data)
    return opened


def _kind(section: str) -> Kind:
    """Kind of artifact that a section of the scale file describes."""
    kinds = [kind for kind in all_kinds() if section in kind.sections]
    return min(kinds, key=lambda kind: kind.register is None)


def note(scale: Scale, result: Result) -> str:
    """Last sentences of a caption: what of the result's inputs a scale lacks, and its name."""
    missing = list(result.missing)
    if result.reads:
        # Benchmarks come with the others; what is said of those is enough.
        missing = [name for name in missing if name not in BENCHMARKS.names()]
    lacks = f"The scale {scale.scale} lacks {', '.join(missing)}. " if missing else ""
    return f"{lacks}Scale: {scale.scale}."


def inputs_text(scale: Scale, result: Result) -> str:
    """Inputs of a result as one line of JSON: its names, and what the scale says of them."""
    said = {
        "scale": scale.part(result.reads),
        "reads": result.reads,
        "benchmarks": result.benchmarks,
    }
    return json.dumps(said)


def parse_inputs(name: str, text: str, data: Path | None = None) -> Inputs:
    """Inputs of a result from what `inputs_text` gave.

    Raises
    ------
    DagnasError
        There is no such result, or the text is no such description.
    """
    try:
        said = json.loads(text)
        scale = parse(said["scale"], "--inputs", part=True)
        reads = {key: tuple(names) for key, names in said["reads"].items()}
        benchmarks = tuple(said["benchmarks"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DagnasError(f"--inputs: no description of inputs: {error}") from error
    return Inputs(scale, replace(declaration(name), reads=reads, benchmarks=benchmarks), data=data)


def _metadata(path: Path) -> dict[str, str]:
    stored = read_parquet(path, columns=[]).schema.metadata or {}
    return {key.decode(): value.decode() for key, value in stored.items()}
