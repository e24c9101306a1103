"""Traces of searches: studies of a scale, ``dagnas search``, a file for each chunk of trials."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, PositiveInt

from dagnas.benchmarks import BENCHMARKS
from dagnas.closure import digest, keywords
from dagnas.errors import DagnasError, unknown
from dagnas.pipeline.job import Job, Range
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.sections import BenchmarkName, MethodName, Section
from dagnas.predictors import PREDICTORS
from dagnas.search import METHODS
from dagnas.search.terms import Evaluations, Terms, Trials

if TYPE_CHECKING:
    import pandas as pd

    from dagnas.pipeline.scales import Scale


class Study(Section, Terms):
    """Several methods on one benchmark under one policy."""

    benchmark: BenchmarkName
    """Benchmark, one of `dagnas list benchmarks`."""
    methods: list[str] = Field(min_length=1)
    """Methods and variants to compare."""
    settings: dict[str, Any] = {}
    """Settings, other than the defaults, of all methods that have them."""
    method_settings: dict[str, dict[str, Any]] = {}
    """Settings of single methods, by name; they go over those of all."""
    trials: Trials | None = None
    """Trials of every method, if not the scale's number."""
    trials_per_job: PositiveInt | None = None
    """Trials of one search job, if not the scale's number."""
    budgets: dict[str, Evaluations] = {}
    """Budgets in evaluations of single methods, by name, if not the study's."""
    prior: BenchmarkName | None = None
    """Benchmark whose evaluations methods are told beforehand."""


class Variant(Section):
    """A method under another name, with settings of its own."""

    method: MethodName
    """Method that it varies."""
    settings: dict[str, Any] = {}
    """Settings that differ from the method's defaults."""


class SearchJob(Job, Terms):
    """Trials A to B - 1 of one method in one study."""

    COMMAND: ClassVar = "search"
    SHORT: ClassVar = {
        "settings": "set",
        "objectives": "objective",
        "constraints": "constraint",
    }

    study: str = ""
    """Name of the random streams, with method and trial; the benchmark's name if not given."""
    benchmark: str
    """Benchmark, one of `dagnas list benchmarks` or a table that was built into --data."""
    method: str
    """Method, one of `dagnas list methods`."""
    settings: dict[str, Any] = {}
    """Setting of the method; may be repeated."""
    trials: Range
    """Trials A to B - 1, such as 0:50; a trial is one repetition of the search."""
    prior: str | None = None
    """Benchmark whose evaluations the method is told beforehand."""
    device: str = Field(default="auto", pattern="^(auto|cpu|cuda)$")
    """Device to compute on: auto, cpu or cuda."""

    def run(self, data: Path, out: Path) -> None:
        """Run the trials that are not done yet; write their trace."""
        from dagnas.search.runner import run

        run(self.open(data), self.trials, out, digest(self.roots()))

    def open(self, data: Path) -> Any:
        """`Search` that it describes."""
        from dagnas.benchmarks.benchmark import TabularBenchmark
        from dagnas.benchmarks.built import find_benchmark
        from dagnas.training.device import choose_device

        takes_device = METHODS.get(self.method).takes("device")
        prior = find_benchmark(self.prior, data).open(data) if self.prior else None
        if prior is not None and not isinstance(prior, TabularBenchmark):
            raise DagnasError(f"--prior {self.prior}: it is no table, so what it holds is unknown")
        benchmark = find_benchmark(self.benchmark, data).open(data)
        return self.on(benchmark, prior, choose_device(self.device) if takes_device else "cpu")

    def on(self, benchmark: Any, prior: Any, device: str) -> Any:
        """`Search` that it describes, on a benchmark that was opened, and after an opened prior."""
        from dagnas.search.runner import Search

        return Search(
            benchmark,
            METHODS.get(self.method),
            self.settings,
            prior=prior,
            device=device,
            study=self.study,
            **{name: getattr(self, name) for name in Terms.model_fields},
        )

    def sample(self) -> Self:
        """Job of the first trial."""
        return self.model_copy(update={"trials": self.trials[:1]})

    def same(self, sample: Path, stored: Path) -> bool:
        """Whether the first trial, and what the trace says of itself, are those stored."""
        return same_trial(sample, stored, self.trials.start)

    def benchmarks(self) -> Sequence[str]:
        """Benchmarks that it opens."""
        return (self.benchmark, self.prior) if self.prior else (self.benchmark,)

    def roots(self) -> list[str]:
        """Code of the runner, the method, the benchmarks and the predictor."""
        roots = [*super().roots(), METHODS.module(self.method)]
        predictor = {**settings_of(self.method), **self.settings}.get("predictor")
        return roots + ([PREDICTORS.module(predictor)] if predictor else [])


def same_trial(sample: Path, stored: Path, trial: int) -> bool:
    """Whether a file with one trial equals that trial in a file with several."""
    import pyarrow.compute as pc

    from dagnas.files import read_parquet, write_parquet

    one, several = read_parquet(sample), read_parquet(stored)
    own = several.filter(pc.equal(several["trial"], trial))
    tables = [(one, one.schema.metadata), (own, several.schema.metadata)]
    written = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (table, metadata) in enumerate(tables):
            path = Path(folder) / f"{number}.parquet"
            about = {key.decode(): value.decode() for key, value in (metadata or {}).items()}
            # Another version is no other result.
            about.pop("dagnas.version", None)
            write_parquet(table.combine_chunks(), path, about)
            written.append(path.read_bytes())
    return written[0] == written[1]


def settings_of(method: str) -> dict[str, Any]:
    """Settings of a method with their defaults, read without importing what the method needs."""
    if METHODS.added(method):
        return METHODS.get(method).settings()
    return keywords(METHODS.module(method), method)


def variant(scale: Scale, label: str) -> Variant:
    """Method and settings behind a name in a study."""
    found: Variant | None = scale.section("variants").get(label)
    return found or Variant.model_construct(method=label)


def chunks(scale: Scale, study: str) -> dict[str, range]:
    """Trials of the jobs of each method in a study, by the names of their files."""
    entry = scale.section("studies")[study]
    trials = entry.trials or scale.trials
    step = entry.trials_per_job or scale.trials_per_job
    parts = (range(first, min(first + step, trials)) for first in range(0, trials, step))
    return {f"{part.start:04d}-{part.stop:04d}": part for part in parts}


def job_of(scale: Scale, name: str, label: str, trials: range) -> SearchJob:
    """Job of some trials of a method in a study."""
    study, chosen = scale.section("studies")[name], variant(scale, label)
    known = settings_of(chosen.method)
    shared = {key: value for key, value in study.settings.items() if key in known}
    plugged = {METHODS.module(chosen.method), BENCHMARKS.module(study.benchmark)}
    terms = {key: getattr(study, key) for key in Terms.model_fields}
    terms["budget_evaluations"] = study.budgets.get(label, study.budget_evaluations)
    return SearchJob(
        study=name,
        benchmark=study.benchmark,
        method=chosen.method,
        settings={**shared, **chosen.settings, **study.method_settings.get(label, {})},
        trials=trials,
        prior=study.prior,
        device=scale.device,
        # All of them if one defines what is run; other jobs stay as they are.
        plugin=scale.plugins if plugged & set(scale.plugins) else [],
        **terms,
    )


def plan(scale: Scale) -> dict[str, Job]:
    """Jobs of all studies by STUDY/METHOD/FIRST-LAST."""
    return {
        f"{name}/{label}/{trials}": job_of(scale, name, label, numbers)
        for name, study in scale.section("studies").items()
        for label in study.methods
        for trials, numbers in chunks(scale, name).items()
    }


def check(scale: Scale) -> None:
    """Check that studies name methods, variants and settings that there are."""
    variants, studies = scale.section("variants"), scale.section("studies")
    for name, entry in variants.items():
        if name in METHODS.names():
            raise ValueError(f"variants.{name}: a method has this name already")
        for key in entry.settings:
            if key not in (known := settings_of(entry.method)):
                raise ValueError(
                    f"variants.{name}: {unknown(f'setting of {entry.method}', key, known)}"
                )
    methods = [*METHODS.names(), *variants]
    for name, study in studies.items():
        for method in study.methods:
            if method not in methods:
                raise ValueError(f"studies.{name}.methods: {unknown('method', method, methods)}")
        for key in study.settings:
            offered = {s for m in study.methods for s in settings_of(variant(scale, m).method)}
            if key not in offered:
                error = unknown(f"setting of the methods of {name}", key, sorted(offered))
                raise ValueError(f"studies.{name}.settings: {error}")
        if len(set(study.methods)) < len(study.methods):
            raise ValueError(f"studies.{name}.methods: a method is named twice")
        for key in ("budgets", "method_settings"):
            for method in getattr(study, key):
                if method not in study.methods:
                    error = unknown(f"method of {name}", method, study.methods)
                    raise ValueError(f"studies.{name}.{key}: {error}")
        for method, given in study.method_settings.items():
            known = settings_of(variant(scale, method).method)
            for key in given:
                if key not in known:
                    error = unknown(f"setting of {method}", key, known)
                    raise ValueError(f"studies.{name}.method_settings: {error}")


def check_values(scale: Scale) -> None:
    """Check the settings of all variants, and of methods where a study gives some."""
    for name, entry in scale.section("variants").items():
        try:
            METHODS.get(entry.method).settings(given=entry.settings)
        except DagnasError as error:
            raise DagnasError(f"variants.{name}: {error}") from error
    for name, study in scale.section("studies").items():
        benchmark = opened(study.benchmark, scale.data)
        for label in study.methods:
            try:
                _check_job(job_of(scale, name, label, range(1)), benchmark)
            except DagnasError as error:
                raise DagnasError(f"studies.{name}: {error}") from error


def opened(name: str, data: Path) -> Any:
    """Benchmark, or None if its table is not there yet, so that nothing is known of it."""
    from dagnas.benchmarks.built import find_benchmark

    try:
        return find_benchmark(name, data).open(data)
    except DagnasError:
        return None


def opened_table(name: str, data: Path) -> Any:
    """Benchmark from a table, or None if the table is not there yet.

    Raises
    ------
    DagnasError
        The benchmark is no table.
    """
    from dagnas.benchmarks.benchmark import TabularBenchmark

    benchmark = opened(name, data)
    if benchmark is not None and not isinstance(benchmark, TabularBenchmark):
        raise DagnasError(f"benchmark {name!r} is no table")
    return benchmark


def _check_job(job: SearchJob, benchmark: Any) -> None:
    """Check that a search can begin, as far as that can be known without tables to come."""
    method = METHODS.get(job.method)
    method.settings(given=job.settings)
    if job.prior and not method.takes("prior"):
        raise DagnasError(f"method {job.method!r} makes no use of a prior")
    if benchmark is not None:
        search = job.on(benchmark, None, "cpu")
        if job.until_best:
            benchmark.best_signal(search.policy)


def read(path: Path) -> pd.DataFrame:
    """Trace of a chunk of trials."""
    from dagnas.files import read_parquet

    trace: pd.DataFrame = read_parquet(path).to_pandas()
    return trace


search = Kind(
    name="search",
    module=__name__,
    title="run trials of a method on a benchmark",
    about="Run trials of a search method on a benchmark and write their trace. A trial is one "
    "repetition of the search with random streams of its own. An interrupted search resumes after "
    "its last finished trial when the same command is run again.",
    examples="""
  # Ten trials of GOAL on NAS-Bench-201, under GOAL's protocol and budget.
  dagnas search --benchmark nasbench201 --method goal --trials 0:10 --out goal.parquet

  # Another setting, a budget in evaluations, a method of your own from my_method.py.
  dagnas search --benchmark nasbench101 --method goal --set step_size=0.5 \\
      --trials 0:5 --budget-evaluations 100 --out half.parquet
  dagnas search --benchmark nasbench201 --plugin my_method --method my_method \\
      --trials 0:5 --out mine.parquet

  # Accuracy and latency at once; the best accuracy under a limit; a table of your own.
  dagnas search --benchmark hw_nasbench201 --method nsga2 --objective valid \\
      --objective raspi4_latency --trials 0:5 --budget-evaluations 100 --out front.parquet
  dagnas search --benchmark hw_nasbench201 --method goal --constraint 'raspi4_latency<20' \\
      --trials 0:5 --out limited.parquet
  dagnas search --plugin my_table.yaml --benchmark my_table --method goal \\
      --trials 0:5 --out own.parquet
""",
    jobs=(SearchJob,),
    pattern="{results}/traces/{name}.parquet",
    plan=plan,
    read=read,
    sections={"studies": Study, "variants": Variant},
    check=check,
    check_values=check_values,
    beside=(".wall.csv",),
)
