"""What results are made from: traces, rankings, graph VAEs and tables of one scale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError, unknown
from dagnas.files import read_parquet
from dagnas.papers.result import Result
from dagnas.tables.place import data_folder

if TYPE_CHECKING:
    import pandas as pd

    from dagnas.predictors.graph_vae.labelled import Labelled
    from dagnas.predictors.graph_vae.stored import Stored


class Job(Protocol):
    """A search job of the scale: trials ``first`` to ``last - 1`` of a method, in one file."""

    @property
    def method(self) -> str:
        """Name of the method in its study."""

    @property
    def path(self) -> Path:
        """Trace, from the root of the project."""


class Scale(Protocol):
    """What results need of a scale file; `dagnas.pipeline.config.Config` has it."""

    @property
    def scale(self) -> str:
        """Name of the scale."""

    @property
    def papers(self) -> Sequence[str]:
        """Papers whose results are made."""

    @property
    def studies(self) -> Mapping[str, Any]:
        """Studies by name, each with ``benchmark``, ``policy`` and ``methods``."""

    @property
    def variants(self) -> Mapping[str, Any]:
        """Variants of methods by name, each with ``settings``."""

    @property
    def rankings(self) -> Mapping[str, Any]:
        """Rankings of predictors by name."""

    @property
    def autoencoders(self) -> Mapping[str, Any]:
        """Graph VAEs by name, each with ``benchmark``, ``target`` and ``share``."""

    def search_jobs(self, study: str | None = None, method: str | None = None) -> Sequence[Job]:
        """Search jobs of a study."""

    def ranking_path(self, name: str) -> Path:
        """File of a ranking, from the root of the project."""

    def ranking_benchmark(self, name: str) -> str:
        """Benchmark whose cells are ranked."""

    def autoencoder_path(self, name: str) -> Path:
        """File of a graph VAE, from the root of the project."""


class Inputs:
    """Traces, rankings, graph VAEs and tables that one result declares, read when first asked for.

    Parameters
    ----------
    config : Scale
        The scale file.
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
        """All evaluations of a study.

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
                read_parquet(self.root / job.path).to_pandas().assign(method=job.method)
                for job in self._jobs(study)
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
        for job in self._jobs(study):
            path = self.root / job.path.with_suffix(".wall.csv")
            try:
                frames.append(pd.read_csv(path)[["trial", "seconds"]].assign(method=job.method))
            except OSError as error:
                raise DagnasError(f"{path}: {error.strerror}") from error
            except (KeyError, ValueError) as error:
                raise DagnasError(f"{path} is no file of wall-clock seconds") from error
        return pd.concat(frames, ignore_index=True)

    def _jobs(self, study: str) -> Sequence[Job]:
        self._declared("study", study, self.result.studies)
        return self.config.search_jobs(study)

    def _declared(self, kind: str, name: str, declared: Sequence[str]) -> None:
        # The pipeline makes what a result declares, so nothing else can be relied on.
        if name not in declared:
            raise unknown(f"{kind} declared by {self.result.name}", name, declared)

    def budget(self, study: str) -> float:
        """Simulated seconds that a trial of a study may take, as its traces say.

        Where the budget is in evaluations alone, the time of the longest trial.
        """
        path = self.root / self._jobs(study)[0].path
        seconds = json.loads(_metadata(path).get("dagnas.budget_seconds", "null"))
        return float(self.traces(study)["seconds"].max() if seconds is None else seconds)

    def ranking(self, name: str) -> pd.DataFrame:
        """Scores that predictors gave to test cells.

        Returns
        -------
        DataFrame
            Columns predictor, source, train_size, trial, code, target (accuracy, %), score (lower
            is better), benchmark, and emulated (what of the targets a model gave, "" if nothing).

        Raises
        ------
        DagnasError
            The file is missing or damaged.
        """
        self._declared("ranking", name, self.result.rankings)
        path = self.root / self.config.ranking_path(name)
        emulated = json.loads(_metadata(path).get("dagnas.emulated", "[]"))
        return (
            read_parquet(path)
            .to_pandas()
            .assign(benchmark=self.config.ranking_benchmark(name), emulated=" ".join(emulated))
        )

    def autoencoder(self, name: str) -> Stored:
        """A graph VAE.

        Raises
        ------
        DagnasError
            The file is missing or damaged.
        """
        from dagnas.predictors.graph_vae.stored import Stored

        self._declared("graph VAE", name, self.result.autoencoders)
        return Stored.read(self.root / self.config.autoencoder_path(name))

    def labelled(self, name: str) -> Labelled:
        """Cells that a graph VAE was trained on, and those held out, with their labels.

        Raises
        ------
        DagnasError
            The result does not declare its benchmark, or the table is missing or damaged.
        """
        from dagnas.predictors.graph_vae.labelled import label_benchmark

        self._declared("graph VAE", name, self.result.autoencoders)
        asked = self.config.autoencoders[name]
        return label_benchmark(self.benchmark(asked.benchmark), asked.target, asked.shares)

    def benchmark(self, name: str) -> TabularBenchmark:
        """Open a benchmark that the result declares.

        Raises
        ------
        DagnasError
            The result does not declare it, or its table is missing or damaged.
        """
        self._declared("benchmark", name, self.result.benchmarks)
        if name not in self._benchmarks:
            opened = BENCHMARKS.get(name).open(self._data)
            if not isinstance(opened, TabularBenchmark):
                raise DagnasError(f"{self.result.name} needs a table, which {name} has not")
            self._benchmarks[name] = opened
        return self._benchmarks[name]

    def policy(self, study: str) -> Policy:
        """Evaluation policy of a study, whose benchmark the result declares."""
        settings = self.config.studies[study]
        return self.benchmark(settings.benchmark).policies[settings.policy]

    @cached_property
    def note(self) -> str:
        """What of the result's inputs this scale lacks, as a sentence; "" if nothing."""
        missing = list(self.result.missing)
        if self.result.studies or self.result.rankings or self.result.autoencoders:
            # Benchmarks come with the others; what is said of those is enough.
            missing = [name for name in missing if name not in BENCHMARKS.names()]
        return f"The scale {self.config.scale} lacks {', '.join(missing)}." if missing else ""


def _metadata(path: Path) -> dict[str, str]:
    stored = read_parquet(path, columns=[]).schema.metadata or {}
    return {key.decode(): value.decode() for key, value in stored.items()}
