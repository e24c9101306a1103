"""Rankings: predictors trained on some cells of a benchmark, and their scores of others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    Tag,
    model_validator,
)

from dagnas.closure import digest
from dagnas.errors import DagnasError, unknown
from dagnas.kernels import kernels_used
from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.kinds.search import SearchJob, job_of, opened_table, same_trial
from dagnas.pipeline.sections import BenchmarkName, Count, Fraction, PredictorName, Section
from dagnas.predictors import PREDICTORS
from dagnas.settings import Described

if TYPE_CHECKING:
    import pandas as pd

    from dagnas.pipeline.scales import Scale


class Comparison(Described):
    """Predictors, their training and the cells that they are trained on and score."""

    target: str
    """Quantity that is predicted: dataset/split/epochs."""
    predictors: Annotated[list[PredictorName], Field(min_length=1)]
    """Predictors to compare."""
    train_sizes: list[Count] = []
    """Numbers of training cells, one of each class; needed if no shares are given."""
    test_size: Count = 3000
    """Number of test cells, if no shares are given."""
    epochs: Count | dict[PredictorName, Count] = 200
    """Training epochs of every predictor, or of each by name."""
    loss: Literal["ranking", "mse"] = "ranking"
    """Loss of the training: the pairwise ranking loss, or the squared error."""
    batch_size: Count = 32
    """Cells of one training step."""
    lr: PositiveFloat = 2e-3
    """Step size of Adam."""
    weight_decay: NonNegativeFloat = 5e-4
    """L2 penalty of Adam."""
    shares: Annotated[list[Fraction], Field(max_length=2)] = []
    """Fractions of the table to train on and to choose the epoch by; the rest is for tests."""

    @model_validator(mode="after")
    def _whole(self) -> Comparison:
        if bool(self.train_sizes) == bool(self.shares):
            raise ValueError("give either train_sizes or shares")
        if self.shares and (len(self.shares) != 2 or sum(self.shares) >= 1):
            raise ValueError("shares: expected two numbers that leave cells for tests")
        if isinstance(self.epochs, dict) and set(self.epochs) != set(self.predictors):
            raise ValueError("epochs: expected one number, or one for each of the predictors")
        return self


class UniformRanking(Section, Comparison):
    """Ranking by predictors that are trained on cells drawn uniformly."""

    benchmark: BenchmarkName
    """Benchmark whose cells are ranked."""
    trials: Count | None = None
    """Repetitions, if not the scale's number of trials."""


class SearchRanking(Section):
    """Ranking by the surrogate of a search at its end, and by one of uniform samples."""

    study: str
    """Study that the search belongs to."""
    method: str
    """Method or variant of that study whose surrogate is taken."""
    trials: Count | None = None
    """Searches of the study to take, from the first on, if not all."""


#: A table has a class of isomorphic cells for so many of its cells at least.
_LEAST_CLASSES = 10

# Pydantic puts these into the places of faults; with a blank they are no name of a ranking.
TAGS = ("uniform ranking", "search ranking")


def _tag(value: Any) -> str:
    after_search = "study" in value if isinstance(value, dict) else hasattr(value, "study")
    return TAGS[after_search]


Ranking = Annotated[
    Annotated[UniformRanking, Tag(TAGS[0])] | Annotated[SearchRanking, Tag(TAGS[1])],
    Discriminator(_tag),
]


class RankJob(Job, Comparison):
    """Training of predictors on uniform samples, and scores of test cells."""

    COMMAND: ClassVar = "rank"

    name: str
    """Name of the random streams, with predictor, size and trial."""
    benchmark: str
    """Benchmark whose cells are ranked."""
    trials: Count
    """Repetitions."""
    device: str = Field(default="cpu", pattern="^(auto|cpu|cuda)$")
    """Device to train on: auto, cpu or cuda."""

    def run(self, data: Path, out: Path) -> None:
        """Train and score what is not done yet."""
        from dagnas.benchmarks.benchmark import TabularBenchmark
        from dagnas.benchmarks.built import find_benchmark
        from dagnas.files import write_parquet
        from dagnas.parts import Parts
        from dagnas.search.ranking import Training, rank_shares, rank_uniform
        from dagnas.training.device import choose_device

        benchmark, device = (
            find_benchmark(self.benchmark, data).open(data),
            choose_device(self.device),
        )
        if not isinstance(benchmark, TabularBenchmark):
            raise DagnasError(f"ranking {self.name!r}: benchmark {benchmark.name!r} is no table")
        training = Training(self.epochs, self.loss, self.batch_size, self.lr, self.weight_decay)
        # More trials are more parts; those that are done stay.
        identity = {
            "dagnas.ranking": self.model_dump_json(exclude={"trials"}),
            "dagnas.code": digest(self.roots()),
            "dagnas.table": benchmark.digest(),
            "dagnas.device": device,
            "dagnas.kernels": kernels_used(),
        }
        parts = Parts(out, identity)
        asked = (self.name, benchmark, self.target, self.predictors)
        if self.shares:
            table = rank_shares(*asked, self.shares, training, self.trials, device, parts)
        else:
            sizes = (self.train_sizes, self.test_size)
            table = rank_uniform(*asked, *sizes, training, self.trials, device, parts)
        modelled = benchmark.table.emulated.intersection([f"{self.target}/mean"])
        about = {"dagnas.benchmark": benchmark.name, "dagnas.target": self.target}
        about["dagnas.emulated"] = json.dumps(["target"] if modelled else [])
        write_parquet(table, out, about)
        parts.remove()

    def sample(self) -> Self:
        """Job of the first trial."""
        return self.model_copy(update={"trials": 1})

    def same(self, sample: Path, stored: Path) -> bool:
        """Whether the first trial, and what the file says of itself, are those stored."""
        return same_trial(sample, stored, 0)

    def benchmarks(self) -> Sequence[str]:
        """Benchmark whose cells are ranked."""
        return (self.benchmark,)

    def roots(self) -> list[str]:
        """Code of the rankings, the benchmark and the predictors."""
        return [*super().roots(), *map(PREDICTORS.module, self.predictors)]


class RankSearchJob(SearchJob):
    """Searches run again, and scores of all cells by their surrogates."""

    COMMAND: ClassVar = "rank-search"

    name: str
    """Name of the random streams of the uniform samples."""

    def run(self, data: Path, out: Path) -> None:
        """Search and score what is not done yet."""
        from dagnas.files import write_parquet
        from dagnas.parts import Parts
        from dagnas.search.ranking import rank_after_search

        search = self.open(data)
        parts = Parts(out, {**search.metadata(), "dagnas.code": digest(self.roots())})
        table = rank_after_search(self.name, search, len(self.trials), parts)
        about = {
            "dagnas.benchmark": search.benchmark.name,
            "dagnas.target": search.policy.signal,
            "dagnas.emulated": json.dumps(search.benchmark.emulated(search.policy)),
        }
        write_parquet(table, out, about)
        parts.remove()


def plan(scale: Scale) -> dict[str, Job]:
    """Jobs of all rankings by name."""
    return {name: _job(scale, name, entry) for name, entry in scale.section("rankings").items()}


def _job(scale: Scale, name: str, entry: UniformRanking | SearchRanking) -> Job:
    if isinstance(entry, UniformRanking):
        own = entry.model_dump(exclude={"trials"})
        trials = entry.trials or scale.trials
        return RankJob(name=name, trials=trials, device=scale.device, plugin=scale.plugins, **own)
    study = scale.section("studies")[entry.study]
    trials = entry.trials or study.trials or scale.trials
    job = job_of(scale, entry.study, entry.method, range(trials))
    return RankSearchJob(name=name, **{key: getattr(job, key) for key in SearchJob.model_fields})


def check(scale: Scale) -> None:
    """Check that rankings of searches name studies and methods that there are."""
    studies = scale.section("studies")
    for name, entry in scale.section("rankings").items():
        if isinstance(entry, UniformRanking):
            continue
        if entry.study not in studies:
            error = unknown("study", entry.study, studies)
            raise ValueError(f"rankings.{name}.study: {error}")
        methods = studies[entry.study].methods
        if entry.method not in methods:
            error = unknown(f"method of {entry.study}", entry.method, methods)
            raise ValueError(f"rankings.{name}.method: {error}")


def check_values(scale: Scale) -> None:
    """Check that benchmarks hold what rankings ask for, as far as their tables are there."""
    from dagnas.search.ranking import rows_for

    for name, entry in scale.section("rankings").items():
        if not isinstance(entry, UniformRanking):
            continue
        try:
            if (table := opened_table(entry.benchmark, scale.data)) is not None:
                table.values(entry.target)
                # Telling classes apart takes seconds, which most tables need not.
                size = max(entry.train_sizes, default=0) + entry.test_size
                if entry.train_sizes and size > len(table) // _LEAST_CLASSES:
                    rows_for(table, entry.train_sizes, entry.test_size)
        except DagnasError as error:
            raise DagnasError(f"rankings.{name}: {error}") from error


def read(path: Path) -> pd.DataFrame:
    """Scores that predictors gave to test cells.

    Returns
    -------
    DataFrame
        Columns predictor, source, train_size, trial, code, target (accuracy, %), score (lower is
        better), benchmark, quantity (that is ranked by) and emulated (what of the targets a model
        gave, "" if nothing).
    """
    from dagnas.files import read_parquet

    table = read_parquet(path)
    stored = (table.schema.metadata or {}).items()
    about = {k.decode(errors="replace"): v.decode(errors="replace") for k, v in stored}
    scores: pd.DataFrame = table.to_pandas()
    try:
        return scores.assign(
            benchmark=about["dagnas.benchmark"],
            quantity=about["dagnas.target"],
            emulated=" ".join(json.loads(about["dagnas.emulated"])),
        )
    except KeyError as error:
        raise DagnasError(f"{path} does not say its {error}: make it anew") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise DagnasError(f"{path} is damaged: it lists no emulated columns") from error


ranking = Kind(
    name="ranking",
    module=__name__,
    title="train predictors and score cells held out",
    about="Train predictors on some cells of a benchmark and score others: on uniform samples "
    "(rank), or as the surrogate of a search at its end (rank-search). What was done before an "
    "interruption is not done again.",
    examples="""
  dagnas rank --name mine --benchmark digits201 --target digits/valid/12 --predictors ecc mlp \\
      --train-sizes 64 128 --test-size 500 --epochs 50 --trials 2 --out ranking.parquet
  dagnas rank-search --name after --benchmark digits201 --method goal --trials 0:2 \\
      --budget-seconds 30 --out after.parquet
""",
    jobs=(RankJob, RankSearchJob),
    pattern="{results}/rankings/{name}.parquet",
    plan=plan,
    read=read,
    sections={"rankings": Ranking},
    check=check,
    check_values=check_values,
    tags=TAGS,
)
