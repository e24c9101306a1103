"""Scale files: which studies, rankings and papers to run; read, checked, turned into jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    model_serializer,
    model_validator,
)

from dagnas import plugins
from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.built import built_entry
from dagnas.errors import DagnasError, unknown
from dagnas.predictors import PREDICTORS
from dagnas.predictors.graph_vae.schedule import Schedule, Weights
from dagnas.search import METHODS
from dagnas.spaces import SPACES
from dagnas.training.recipe import parse_recipe


def paper_names() -> list[str]:
    """Papers of the package, sorted: folders that hold claims."""
    folder = files("dagnas") / "papers"
    return sorted(paper.name for paper in folder.iterdir() if (paper / "claims.yaml").is_file())


def _one_of(kind: str, names: Callable[[], Iterable[str]]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in (valid := names()):
            raise ValueError(unknown(kind, name, valid))
        return name

    return AfterValidator(check)


def _loaded(modules: list[str]) -> list[str]:
    try:
        plugins.load(modules)
    except DagnasError as error:
        raise ValueError(error) from error
    return modules


Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
BenchmarkName = Annotated[str, _one_of("benchmark", BENCHMARKS.names)]
MethodName = Annotated[str, _one_of("method", METHODS.names)]
PredictorName = Annotated[str, _one_of("predictor", PREDICTORS.names)]
PaperName = Annotated[str, _one_of("paper", paper_names)]


class _Part(BaseModel):
    """A mapping in a scale file: its keys are those of the class, and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    raise ValueError(unknown("key", str(key), cls.model_fields))
        return value


class BuiltTable(_Part):
    """A benchmark made by training every cell of a space on images."""

    space: Literal["nasbench201"] = "nasbench201"
    """Space whose cells are trained."""
    images: str
    """An .npz file with `images` and `labels`, or `digits`."""
    settings: dict[str, Any] = {}
    """Settings of network and training that differ from the defaults."""
    cells_per_job: PositiveInt = 320
    """Cells that one job trains, of the 6,466 that are trained."""

    @model_validator(mode="after")
    def _settings(self) -> BuiltTable:
        try:
            parse_recipe(self.settings)
        except DagnasError as error:
            raise ValueError(error) from error
        return self

    def arguments(self) -> list[str]:
        """Arguments of `dagnas build-table`, but for --device and --out."""
        words = [f"--space={self.space}", f"--images={self.images}"]
        return words + _set_options(self.settings)

    def parts(self) -> list[str]:
        """Cells of each job, such as "0000-0320"."""
        cells = len(SPACES.get(self.space).representatives())
        firsts = range(0, cells, self.cells_per_job)
        return [f"{a:04d}-{min(a + self.cells_per_job, cells):04d}" for a in firsts]


def _set_options(settings: Mapping[str, Any]) -> list[str]:
    words = []
    for key, value in settings.items():
        words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return words


def _registered(tables: dict[str, BuiltTable]) -> dict[str, BuiltTable]:
    try:
        for name in tables:
            BENCHMARKS.add(name, built_entry(name))
    except DagnasError as error:
        raise ValueError(error) from error
    return tables


class Study(_Part):
    """Several methods on one benchmark under one policy."""

    benchmark: BenchmarkName
    """Benchmark, one of `dagnas list benchmarks`."""
    policy: str = "goal"
    """Evaluation policy of the benchmark: signal, cost, what is reported."""
    methods: list[str] = Field(min_length=1)
    """Methods and variants to compare."""
    settings: dict[str, Any] = {}
    """Settings, other than the defaults, of all methods that have them."""
    trials: PositiveInt | None = None
    """Trials of every method, if not the scale's number."""
    budget_seconds: Seconds | None = None
    """Budget of a trial in simulated seconds, if not the policy's."""
    budget_evaluations: PositiveInt | None = None
    """Budget of a trial in evaluations, if not the policy's."""
    budgets: dict[str, PositiveInt] = {}
    """Budgets in evaluations of single methods, by name, if not the study's."""
    until_best: bool = False
    """Whether a trial ends with the benchmark's best cell, its trace holding only improvements."""
    prior: BenchmarkName | None = None
    """Benchmark whose evaluations methods are told beforehand."""


class Variant(_Part):
    """A method under another name, with settings of its own."""

    method: MethodName
    """Method that it varies."""
    settings: dict[str, Any] = {}
    """Settings that differ from the method's defaults."""

    @model_validator(mode="after")
    def _settings(self) -> Variant:
        try:
            METHODS.get(self.method).settings(given=self.settings)
        except DagnasError as error:
            raise ValueError(error) from error
        return self


class UniformRanking(_Part):
    """How well predictors rank, trained on cells drawn uniformly."""

    benchmark: BenchmarkName
    """Benchmark whose cells are ranked."""
    target: str
    """Quantity that is predicted: dataset/split/epochs."""
    predictors: list[PredictorName] = Field(min_length=1)
    """Predictors to compare."""
    train_sizes: list[PositiveInt] = []
    """Numbers of training cells, one of each class; needed if no shares are given."""
    test_size: PositiveInt = 3000
    """Number of test cells, if no shares are given."""
    epochs: PositiveInt | dict[PredictorName, PositiveInt] = 200
    """Training epochs of every predictor, or of each by name."""
    trials: PositiveInt | None = None
    """Repetitions, if not the scale's number of trials."""
    loss: Literal["ranking", "mse"] = "ranking"
    """What training minimises: the pairwise ranking loss, or the squared error."""
    batch_size: PositiveInt = 32
    """Cells of one training step."""
    lr: PositiveFloat = 2e-3
    """Step size of Adam."""
    weight_decay: NonNegativeFloat = 5e-4
    """L2 penalty of Adam."""
    shares: list[Share] = Field(default=[], max_length=2)
    """Shares of the table for training and for the choice of the epoch; the rest is for tests."""

    @model_validator(mode="after")
    def _whole(self) -> UniformRanking:
        if bool(self.train_sizes) == bool(self.shares):
            raise ValueError("give either train_sizes or shares")
        if self.shares and (len(self.shares) != 2 or sum(self.shares) >= 1):
            raise ValueError("shares: expected two numbers that leave cells for tests")
        if isinstance(self.epochs, dict) and set(self.epochs) != set(self.predictors):
            raise ValueError("epochs: expected one number, or one for each of the predictors")
        return self

    @model_serializer(mode="wrap")
    def _said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Rankings that say nothing of these keys are written without them, so that their files
        # did not change when these were added.
        later = ("loss", "batch_size", "lr", "weight_decay", "shares")
        silent = {
            key for key in later if getattr(self, key) == type(self).model_fields[key].default
        }
        return {key: value for key, value in write(self).items() if key not in silent}


class SearchRanking(_Part):
    """How well the surrogate of a search ranks at its end, and one of uniform samples."""

    study: str
    """Study that the search belongs to."""
    method: str
    """Method or variant of that study whose surrogate is taken."""
    trials: PositiveInt | None = None
    """Searches of the study to take, from the first on, if not all."""


class Autoencoder(_Part):
    """A graph VAE, trained on most cells of a benchmark (NGAE)."""

    benchmark: BenchmarkName
    """Benchmark whose cells are encoded."""
    target: str
    """Accuracy that the performance predictor learns: dataset/split/epochs."""
    predictors: list[Literal["performance", "complexity"]] = ["performance", "complexity"]
    """Predictors that are trained along; D-VAE has none."""
    sizes: Literal["desk", "full"] = "desk"
    """Widths of the networks: 128 and 56 for two cores, or D-VAE's 501 and 56."""
    bidirectional: bool = False
    """Whether cells are encoded from output to input also, as D-VAE does."""
    shares: list[Share] = Field(default=[0.9, 0.1], min_length=2, max_length=2)
    """Shares of the table to train on and to test on."""
    epochs: PositiveInt = 300
    """Passes over the training cells."""
    keep: list[PositiveInt] = []
    """Epochs, beside the last, whose weights are kept."""
    batch_size: PositiveInt = 32
    """Cells of one training step."""
    lr: PositiveFloat = 1e-4
    """Step size of Adam at the beginning; a tenth whenever the objective stops falling."""
    divergence_weight: NonNegativeFloat = 0.005
    """Weight of the Kullback-Leibler divergence; 1 in NGAE's equation 6."""
    noise: NonNegativeFloat = 0.01
    """What the noise of the posterior is multiplied by; 1 is the posterior itself."""

    @model_validator(mode="after")
    def _within(self) -> Autoencoder:
        if late := [epoch for epoch in self.keep if epoch > self.epochs]:
            raise ValueError(f"keep: epoch {late[0]} is after the last, {self.epochs}")
        if sum(self.shares) > 1:
            raise ValueError(f"shares: {self.shares} are more than the whole table")
        return self

    def schedule(self) -> Schedule:
        """How it is trained."""
        on = {name: float(name in self.predictors) for name in ("performance", "complexity")}
        return Schedule(
            batch_size=self.batch_size,
            lr=self.lr,
            weights=Weights(self.divergence_weight, **on),
            noise=self.noise,
        )


# Pydantic puts these into the places of faults; with a blank they are no name of a ranking.
TAGS = ("uniform ranking", "search ranking")


def _tag(value: Any) -> str:
    after_search = "study" in value if isinstance(value, dict) else hasattr(value, "study")
    return TAGS[after_search]


Ranking = Annotated[
    Annotated[UniformRanking, Tag(TAGS[0])] | Annotated[SearchRanking, Tag(TAGS[1])],
    Discriminator(_tag),
]


@dataclass(frozen=True)
class SearchJob:
    """One `dagnas search`: a chunk of the trials of one method in one study.

    Attributes
    ----------
    method : str
        Name in the study: a method or a variant.
    base : str
        The method itself.
    settings : dict
        What the variant overrides.
    first, last : int
        Trials ``first`` to ``last - 1``.
    path : Path
        Its trace, from the root of the project.
    """

    study: str
    method: str
    base: str
    benchmark: str
    policy: str
    budget_seconds: float | None
    budget_evaluations: int | None
    until_best: bool
    prior: str | None
    device: str
    first: int
    last: int
    path: Path
    settings: dict[str, Any] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Benchmarks that it opens."""
        return (self.benchmark, self.prior) if self.prior else (self.benchmark,)

    @property
    def wall(self) -> Path:
        """Wall-clock times of its trials, beside the trace."""
        return self.path.with_suffix(".wall.csv")

    def arguments(self) -> list[str]:
        """Arguments of `dagnas search`, but for --data and --out."""
        given = {
            "study": self.study,
            "benchmark": self.benchmark,
            "method": self.base,
            "trials": f"{self.first}:{self.last}",
            "policy": self.policy,
            "device": self.device,
            "budget-seconds": self.budget_seconds,
            "budget-evaluations": self.budget_evaluations,
            "prior": self.prior,
        }
        words = [f"--{key}={value}" for key, value in given.items() if value is not None]
        words += ["--until-best"] if self.until_best else []
        words += _set_options(self.settings)
        for module in self._needed_plugins():
            words += ["--plugin", module]
        return words

    def _needed_plugins(self) -> tuple[str, ...]:
        """All plug-ins if one defines what is run; other jobs stay as they are."""
        return self.plugins if set(self._defining()) & set(self.plugins) else ()

    def _defining(self) -> list[str]:
        """Modules that define method, benchmarks and predictor."""
        modules = [METHODS.module(self.base), *map(BENCHMARKS.module, self.benchmarks)]
        settings = METHODS.get(self.base).settings(given=self.settings)
        if "predictor" in settings:
            modules.append(PREDICTORS.module(settings["predictor"]))
        return modules

    def modules(self) -> list[str]:
        """Roots of the code that it runs; see `dagnas.closure`."""
        return ["dagnas.cli.search", *self._defining(), *self._needed_plugins()]


class Config(_Part):
    """What a scale file holds."""

    scale: Name
    """Name of the scale; its results are in results/SCALE."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where predictors are trained; cuda asks the executor for gpu=1."""
    source: Literal["official", "compact"] | None = None
    """Kind of source that tables must come from; any if not given."""
    # Fields are checked in order, so what plug-ins register is known to those below.
    plugins: Annotated[list[str], AfterValidator(_loaded)] = []
    """Modules to import, which register methods, benchmarks or spaces of your own."""
    tables: Annotated[dict[Name, BuiltTable], AfterValidator(_registered)] = {}
    """Benchmarks to build of images of your own, by name."""
    trials: PositiveInt
    """Trials of every method in every study."""
    trials_per_job: PositiveInt = 5
    """Trials of one search job."""
    studies: dict[Name, Study] = {}
    """Studies by name."""
    variants: dict[Name, Variant] = {}
    """Variants by name; usable as methods in studies."""
    rankings: dict[Name, Ranking] = {}
    """Rankings of predictors by name."""
    autoencoders: dict[Name, Autoencoder] = {}
    """Graph VAEs by name."""
    papers: list[PaperName]
    """Papers whose results are made."""

    @model_validator(mode="after")
    def _references(self) -> Config:
        for name in self.variants:
            if name in METHODS.names():
                raise ValueError(f"variants.{name}: a method has this name already")
        methods = [*METHODS.names(), *self.variants]
        for name, study in self.studies.items():
            for method in study.methods:
                if method not in methods:
                    raise ValueError(
                        f"studies.{name}.methods: {unknown('method', method, methods)}"
                    )
            for key in study.settings:
                if not any(METHODS.get(self.variant(m).method).has(key) for m in study.methods):
                    raise ValueError(f"studies.{name}.settings: no method of it has {key!r}")
            if len(set(study.methods)) < len(study.methods):
                raise ValueError(f"studies.{name}.methods: a method is named twice")
            for method in study.budgets:
                if method not in study.methods:
                    error = unknown(f"method of {name}", method, study.methods)
                    raise ValueError(f"studies.{name}.budgets: {error}")
        for name, ranking in self.rankings.items():
            if isinstance(ranking, UniformRanking):
                continue
            if ranking.study not in self.studies:
                error = unknown("study", ranking.study, self.studies)
                raise ValueError(f"rankings.{name}.study: {error}")
            study = self.studies[ranking.study]
            if ranking.method not in study.methods:
                error = unknown(f"method of {ranking.study}", ranking.method, study.methods)
                raise ValueError(f"rankings.{name}.method: {error}")
        return self

    @property
    def results(self) -> Path:
        """Folder of this scale's results, from the root of the project."""
        return Path("results", self.scale)

    @property
    def data(self) -> Path:
        """Folder of tables, from the root of the project; one for each kind of source asked for."""
        return Path("data", self.source or "")

    def trials_of(self, study: str) -> int:
        """Trials of every method in a study."""
        return self.studies[study].trials or self.trials

    def variant(self, method: str) -> Variant:
        """Method and settings behind a name in a study."""
        return self.variants.get(method) or Variant.model_construct(method=method)

    def search_jobs(self, study: str | None = None, method: str | None = None) -> list[SearchJob]:
        """Search jobs of all studies, or of one, or of one method in it."""
        return [
            job
            for name in ([study] if study else self.studies)
            for label in ([method] if method else self.studies[name].methods)
            for job in self._chunks(name, label)
        ]

    def _chunks(self, name: str, method: str) -> Iterator[SearchJob]:
        study, variant, trials = self.studies[name], self.variant(method), self.trials_of(name)
        entry = METHODS.get(variant.method)
        shared = {key: value for key, value in study.settings.items() if entry.has(key)}
        for first in range(0, trials, self.trials_per_job):
            last = min(first + self.trials_per_job, trials)
            yield SearchJob(
                name,
                method,
                variant.method,
                study.benchmark,
                study.policy,
                study.budget_seconds,
                study.budgets.get(method, study.budget_evaluations),
                study.until_best,
                study.prior,
                self.device,
                first,
                last,
                self.results / "traces" / name / method / f"{first:04d}-{last:04d}.parquet",
                {**shared, **variant.settings},
                tuple(self.plugins),
            )

    def ranking_path(self, name: str) -> Path:
        """File of a ranking, from the root of the project."""
        return self.results / "rankings" / f"{name}.parquet"

    def ranking_modules(self, name: str) -> list[str]:
        """Roots of the code that a ranking runs; see `dagnas.closure`."""
        ranking = self.rankings[name]
        if isinstance(ranking, SearchRanking):
            searched = self.search_jobs(ranking.study, ranking.method)
            return ["dagnas.cli.rank", *searched[0].modules()]
        predictors = [PREDICTORS.module(predictor) for predictor in ranking.predictors]
        benchmark = BENCHMARKS.module(ranking.benchmark)
        return ["dagnas.cli.rank", benchmark, *predictors, *self.plugins]

    def ranking_benchmark(self, name: str) -> str:
        """Benchmark whose cells are ranked."""
        ranking = self.rankings[name]
        if isinstance(ranking, SearchRanking):
            return self.studies[ranking.study].benchmark
        return ranking.benchmark

    def autoencoder_path(self, name: str) -> Path:
        """File of a graph VAE, from the root of the project."""
        return self.results / "autoencoders" / f"{name}.pt"

    def autoencoder_modules(self, name: str) -> list[str]:
        """Roots of the code that trains a graph VAE; see `dagnas.closure`."""
        benchmark = BENCHMARKS.module(self.autoencoders[name].benchmark)
        return ["dagnas.cli.autoencode", benchmark, *self.plugins]

    def part(
        self,
        studies: Iterable[str] = (),
        rankings: Iterable[str] = (),
        autoencoders: Iterable[str] = (),
        missing: Iterable[str] = (),
    ) -> str:
        """What the scale says of some of its parts, or lacks, as one line of text."""
        said = {
            "missing": list(missing),
            "device": self.device,
            "studies": {study: list(map(str, self.search_jobs(study))) for study in studies},
            "rankings": {
                name: self.rankings[name].model_dump() | {"scale_trials": self.trials}
                for name in rankings
            },
        }
        # Results without graph VAEs are as they were before there were any.
        if trained := {name: self.autoencoders[name].model_dump() for name in autoencoders}:
            said["autoencoders"] = trained
        return json.dumps(said)


class _Loader(yaml.SafeLoader):
    """Safe YAML, in which a key occurs once and 1e-3 is a number."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load(path: str | Path) -> Config:
    """Read a scale file and check it.

    Raises
    ------
    DagnasError
        It is missing or no YAML; a key is unknown, missing or given twice; a value is not valid
        or names something that does not exist. The message names file, key, value and what is
        valid.
    """
    try:
        raw = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise DagnasError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DagnasError(f"{path}: no valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise DagnasError(f"{path}: a mapping of keys to values is expected")
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        faults = "\n".join(f"{path}: {_fault(fault)}" for fault in error.errors())
        raise DagnasError(faults) from None


def _fault(fault: Any) -> str:
    """One fault in words: where, what, and the value if the words do not hold it."""
    key = ".".join(str(place) for place in fault["loc"] if place not in TAGS)
    words = fault["msg"].removeprefix("Value error, ")
    if fault["type"] not in ("value_error", "missing"):
        words += f", not {fault['input']!r}"
    return f"{key}: {words}" if key else words


def schema() -> str:
    """JSON Schema of scale files, for editors."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"
