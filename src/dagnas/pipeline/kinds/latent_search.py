"""Searches in the latent space of graph VAEs: ``dagnas latent-search`` (NGAE, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, model_validator

from dagnas.errors import DagnasError, unknown
from dagnas.kernels import kernels_used
from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.kinds.graph_vae import autoencoder
from dagnas.pipeline.sections import Count, Fraction, Section
from dagnas.settings import Described

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from dagnas.benchmarks.benchmark import TabularBenchmark
    from dagnas.pipeline.scales import Scale
    from dagnas.predictors.graph_vae.labelled import Labelled
    from dagnas.predictors.graph_vae.model import GraphVAE

#: Settings of each way to search.
SETTINGS = {
    "ascent": {"points", "steps", "rate", "complexity", "trials"},
    "paths": {"points", "steps", "rate"},
    "rounds": {"rounds", "batch", "inducing", "candidates", "trials"},
}


class Settings(Described):
    """How a latent space is searched.

    NGAE states neither a step size nor a number of steps. The defaults were chosen by where points
    go and not by what is found there: after 100 steps of 0.03 on ENAS's graph VAE they are about
    1.2 (accuracy alone) and 2.5 (equation 7) deviations away from the mean code, where the prior
    draws them 1.0 away, and all of them decode to a cell. Those of the rounds are D-VAE's (its
    section 4.3), and the candidates its released code's.
    """

    by: Literal["ascent", "paths", "rounds"]
    """ascent: cells at the ends; paths: predictions on the way; rounds: Bayesian optimisation."""
    points: Count = 1000
    """Points of the prior that climb."""
    steps: Count = 100
    """Steps of an ascent."""
    rate: PositiveFloat = 0.03
    """Size of a step, as a factor on the gradient."""
    complexity: bool = False
    """Whether ascents that find cells subtract the predicted complexity (NGAE, equation 7)."""
    rounds: Count = 10
    """Rounds of Bayesian optimisation."""
    batch: Count = 50
    """Cells that are evaluated in a round."""
    inducing: Annotated[int, Field(gt=0, le=10_000)] = 500
    """Inducing points of the Gaussian process."""
    candidates: Count = 10_000
    """Points that each round chooses from."""
    trials: Count = 1
    """Independent searches, each with a random stream of its own."""


class LatentSearch(Section, Settings):
    """A search in the latent space of a graph VAE."""

    autoencoder: str
    """Graph VAE, one of the section autoencoders."""

    @model_validator(mode="after")
    def _own(self) -> LatentSearch:
        shared = {"by", "autoencoder"}
        for key in sorted(self.model_fields_set - shared - SETTINGS[self.by]):
            raise ValueError(unknown(f"setting of a search by {self.by}", key, SETTINGS[self.by]))
        return self


class LatentSearchJob(Job, Settings):
    """Search in the latent space of one graph VAE."""

    COMMAND: ClassVar = "latent-search"

    name: str
    """Name of the graph VAE, and of the random stream."""
    autoencoder: str
    """File of the graph VAE."""
    benchmark: str
    """Benchmark whose cells are encoded."""
    target: str
    """Accuracy that the graph VAE learned: dataset/split/epochs."""
    shares: Annotated[list[Fraction], Field(min_length=2, max_length=2)] = [0.9, 0.1]
    """Fractions of the table that it was trained on and tested on."""

    def run(self, data: Path, out: Path) -> None:
        """Search, and write what was found."""
        from dagnas.benchmarks.benchmark import TabularBenchmark
        from dagnas.benchmarks.built import find_benchmark
        from dagnas.files import write_parquet
        from dagnas.predictors.graph_vae.labelled import label_benchmark
        from dagnas.predictors.graph_vae.stored import Stored
        from dagnas.search.latent_search import ascent_paths
        from dagnas.seeds import stream

        benchmark = find_benchmark(self.benchmark, data).open(data)
        if not isinstance(benchmark, TabularBenchmark):
            raise DagnasError(f"--benchmark {benchmark.name}: a table is needed")
        stored = Stored.read(Path(self.autoencoder))
        labelled = label_benchmark(benchmark, self.target, self.shares)
        model = stored.model(benchmark.space)
        # Streams are called by the figures that draw from them.
        if self.by == "paths":
            settings = self.model_dump(include=SETTINGS["paths"])
            rng = stream("ngae/fig4", self.name, "starts")
            table = ascent_paths(model, labelled.train.batch, **settings, rng=rng)
        else:
            table = self._found(benchmark, model, labelled)
        epoch = str(len(stored.training.records))
        write_parquet(table, out, {"dagnas.epoch": epoch, "dagnas.kernels": kernels_used()})

    def _found(self, benchmark: TabularBenchmark, model: GraphVAE, labelled: Labelled) -> pa.Table:
        """What every search found, by its number in a column trial."""
        import pyarrow as pa

        from dagnas.search.latent_search import Accuracies, search_by_ascent, search_by_rounds
        from dagnas.seeds import stream

        known = Accuracies(benchmark, self.target, labelled.split)
        settings = self.model_dump(include=SETTINGS[self.by] - {"trials"})
        parts = []
        for trial in range(self.trials):
            rng = stream("ngae/fig5", self.name, trial)
            if self.by == "ascent":
                found = search_by_ascent(model, labelled.train.batch, **settings, rng=rng)
            else:
                cells = labelled.cells[labelled.split.train]
                found = search_by_rounds(model, cells, known, **settings, rng=rng)
            table = found.table(known)
            numbers = pa.array([trial] * len(table), pa.int32())
            parts.append(table.add_column(0, "trial", numbers))
        return pa.concat_tables(parts)

    def benchmarks(self) -> Sequence[str]:
        """Benchmark whose cells are encoded."""
        return (self.benchmark,)

    def files(self) -> Sequence[str]:
        """File of the graph VAE."""
        return (self.autoencoder,)


def plan(scale: Scale) -> dict[str, Job]:
    """Jobs of all searches by name."""
    return {name: _job(scale, entry) for name, entry in scale.section("latent_searches").items()}


def _job(scale: Scale, entry: LatentSearch) -> Job:
    encoded = scale.section("autoencoders")[entry.autoencoder]
    settings: dict[str, Any] = {key: getattr(entry, key) for key in Settings.model_fields}
    return LatentSearchJob(
        name=entry.autoencoder,
        autoencoder=str(autoencoder.path(scale, entry.autoencoder)),
        benchmark=encoded.benchmark,
        target=encoded.target,
        shares=encoded.shares,
        plugin=scale.plugins,
        **settings,
    )


def check(scale: Scale) -> None:
    """Check that searches name graph VAEs that there are."""
    encoders = scale.section("autoencoders")
    for name, entry in scale.section("latent_searches").items():
        if entry.autoencoder not in encoders:
            error = unknown("graph VAE", entry.autoencoder, encoders)
            raise ValueError(f"latent_searches.{name}.autoencoder: {error}")


def read(path: Path) -> pd.DataFrame:
    """What a search found.

    Returns
    -------
    DataFrame
        Cells found, as `dagnas.search.latent_search.Found.table` says, with a column trial; or
        paths, as `dagnas.search.latent_search.ascent_paths` says; and a column epoch, whose weights
        the graph VAE had.

    Raises
    ------
    DagnasError
        The file is missing or damaged.
    """
    from dagnas.files import read_parquet

    table = read_parquet(path)
    if b"dagnas.epoch" not in (about := table.schema.metadata or {}):
        raise DagnasError(f"{path} is no search in a latent space")
    found: pd.DataFrame = table.to_pandas()
    return found.assign(epoch=int(about[b"dagnas.epoch"]))


latent_search = Kind(
    name="latent_search",
    module=__name__,
    title="search the latent space of a graph VAE",
    about="Search the latent space of a trained graph VAE by gradient ascent on its predictors, or "
    "by Bayesian optimisation. Accuracies of cells that the table lacks are emulated.",
    examples="""
  dagnas latent-search --by ascent --name mine --autoencoder vae.pt --benchmark digits201 \\
      --target digits/valid/12 --shares 0.02 0.02 --points 100 --out cells.parquet
""",
    jobs=(LatentSearchJob,),
    pattern="{results}/latent_searches/{name}.parquet",
    plan=plan,
    read=read,
    sections={"latent_searches": LatentSearch},
    check=check,
)
