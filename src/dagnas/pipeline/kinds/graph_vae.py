"""Graph VAEs: ``dagnas autoencode``, trained on most cells of a benchmark (NGAE, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from dagnas.errors import DagnasError
from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.kinds.search import opened_table
from dagnas.pipeline.sections import BenchmarkName, Count, Fraction, Section
from dagnas.predictors.graph_vae.schedule import Schedule, Weights
from dagnas.settings import Described

if TYPE_CHECKING:
    from dagnas.pipeline.scales import Scale
    from dagnas.predictors.graph_vae.stored import Stored


class Training(Described):
    """Model and training of a graph VAE."""

    target: str
    """Accuracy that the performance predictor learns: dataset/split/epochs."""
    predictors: list[Literal["performance", "complexity"]] = ["performance", "complexity"]
    """Predictors that are trained along; D-VAE has none."""
    sizes: Literal["desk", "full"] = "desk"
    """Widths of the networks: 128 and 56 for two cores, or D-VAE's 501 and 56."""
    bidirectional: bool = False
    """Whether cells are encoded from output to input also, as D-VAE does."""
    shares: Annotated[list[Fraction], Field(min_length=2, max_length=2)] = [0.9, 0.1]
    """Fractions of the table to train on and to test on."""
    epochs: Count = 300
    """Passes over the training cells."""
    keep: list[Count] = []
    """Epochs, beside the last, whose weights are kept."""
    batch_size: Count = 32
    """Cells of one training step."""
    lr: PositiveFloat = 1e-4
    """Step size of Adam at the beginning; a tenth whenever the objective stops falling."""
    divergence_weight: NonNegativeFloat = 0.005
    """Weight of the Kullback-Leibler divergence; 1 in NGAE's equation 6."""
    noise: NonNegativeFloat = 0.01
    """Factor on the noise of the posterior; 1 is the posterior itself."""

    @model_validator(mode="after")
    def _within(self) -> Training:
        if late := [epoch for epoch in self.keep if epoch > self.epochs]:
            raise ValueError(f"keep: epoch {late[0]} is after the last, {self.epochs}")
        if sum(self.shares) > 1:
            raise ValueError(f"shares: {self.shares} are more than the whole table")
        return self

    def schedule(self) -> Schedule:
        """Schedule of the training."""
        on = {name: float(name in self.predictors) for name in ("performance", "complexity")}
        return Schedule(
            batch_size=self.batch_size,
            lr=self.lr,
            weights=Weights(self.divergence_weight, **on),
            noise=self.noise,
        )


class Autoencoder(Section, Training):
    """A graph VAE, trained on most cells of a benchmark (NGAE)."""

    benchmark: BenchmarkName
    """Benchmark whose cells are encoded."""


class AutoencodeJob(Job, Training):
    """Training of one graph VAE."""

    COMMAND: ClassVar = "autoencode"

    name: str
    """Name of the random stream."""
    benchmark: str
    """Benchmark whose cells are encoded."""
    device: str = Field(default="cpu", pattern="^(auto|cpu|cuda)$")
    """Device to train on: auto, cpu or cuda."""

    def run(self, data: Path, out: Path) -> None:
        """Train from the last finished epoch on, and store the weights."""
        from tqdm import tqdm

        from dagnas.benchmarks.benchmark import TabularBenchmark
        from dagnas.benchmarks.built import find_benchmark
        from dagnas.predictors.graph_vae.labelled import label_benchmark
        from dagnas.predictors.graph_vae.model import SIZES
        from dagnas.predictors.graph_vae.stored import Stored
        from dagnas.predictors.graph_vae.training import Record, build, fit_graph_vae
        from dagnas.seeds import stream, torch_generator
        from dagnas.training.device import choose_device

        benchmark = find_benchmark(self.benchmark, data).open(data)
        if not isinstance(benchmark, TabularBenchmark):
            raise DagnasError(f"autoencoder {self.name!r}: {benchmark.name!r} is no table")
        train = label_benchmark(benchmark, self.target, self.shares).train
        generator = torch_generator(stream(self.name))
        model = build(benchmark.space, SIZES[self.sizes], generator, self.bidirectional)
        model.to(choose_device(self.device))
        checkpoint = out.with_name(f"{out.name}.part")
        with tqdm(
            total=self.epochs, desc=f"autoencoder {self.name}", unit="epoch", disable=None
        ) as bar:

            def show(record: Record) -> None:
                bar.update(record.epoch - bar.n)
                bar.set_postfix(loss=f"{record.nodes + record.edges:.3f}", lr=record.lr)

            training = fit_graph_vae(
                model,
                train,
                epochs=self.epochs,
                schedule=self.schedule(),
                generator=generator,
                keep=self.keep,
                checkpoint=checkpoint,
                progress=show,
            )
        Stored.of(model, training).write(out)
        checkpoint.unlink()

    def benchmarks(self) -> Sequence[str]:
        """Benchmark whose cells are encoded."""
        return (self.benchmark,)


def plan(scale: Scale) -> dict[str, Job]:
    """Jobs of all graph VAEs by name."""
    return {
        name: AutoencodeJob(
            name=name, device=scale.device, plugin=scale.plugins, **entry.model_dump()
        )
        for name, entry in scale.section("autoencoders").items()
    }


def check_values(scale: Scale) -> None:
    """Check that benchmarks hold the targets, as far as their tables are there."""
    for name, entry in scale.section("autoencoders").items():
        try:
            if (table := opened_table(entry.benchmark, scale.data)) is not None:
                table.values(entry.target)
        except DagnasError as error:
            raise DagnasError(f"autoencoders.{name}: {error}") from error


def read(path: Path) -> Stored:
    """Trained graph VAE."""
    from dagnas.predictors.graph_vae.stored import Stored

    return Stored.read(path)


autoencoder = Kind(
    name="autoencoder",
    module=__name__,
    title="train a graph VAE on a benchmark",
    about="Train a graph VAE on most cells of a benchmark. An epoch that was finished is not done "
    "again: FILE.pt.part, which is removed at the end, holds the state after the last one.",
    examples="""
  dagnas autoencode --name mine --benchmark digits201 --target digits/valid/12 \\
      --shares 0.02 0.02 --epochs 4 --lr 1e-3 --out vae.pt
""",
    jobs=(AutoencodeJob,),
    pattern="{results}/autoencoders/{name}.pt",
    plan=plan,
    read=read,
    sections={"autoencoders": Autoencoder},
    check_values=check_values,
)
