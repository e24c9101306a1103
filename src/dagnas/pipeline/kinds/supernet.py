"""Supernets, ``dagnas supernet``, and their scores of all cells, ``dagnas score``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.deferred import supernet_entry
from dagnas.benchmarks.norms import Statistics
from dagnas.errors import DagnasError
from dagnas.pipeline.images import check_images
from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.sections import BenchmarkName, Count, Section
from dagnas.settings import Described
from dagnas.training.supernet_recipe import SupernetImages

if TYPE_CHECKING:
    from dagnas.benchmarks.benchmark import TabularBenchmark
    from dagnas.pipeline.scales import Scale

#: Space whose cells can all be scored.
_SCORED = "nasbench201"


class Scoring(Described):
    """How the cells of a supernet are scored."""

    statistics: list[Statistics] = Field(default=["batch"], min_length=1)
    """What batch norms stand on: the batch, training images, or (a fault) running means."""
    valid_images: Count = 1000
    """Validation images that score a cell."""
    calibration_images: Count = 256
    """Training images whose statistics recalibrate batch norms."""


class Supernet(Section, SupernetImages, Scoring):
    """A supernet, which is a benchmark of its name: cells by their scores with shared weights."""

    truth: BenchmarkName | None = None
    """Table of real trainings whose final accuracies are reported of a cell; its cells are scored
    where a space is too large."""


class SupernetJob(Job, SupernetImages):
    """Training of one supernet."""

    COMMAND: ClassVar = "supernet"
    SHORT: ClassVar = {"settings": "set"}

    name: str
    """Name of the random streams: another name is another seed."""
    epochs: Count | None = None
    """Epochs, if not the preset's."""
    device: str = Field(default="cpu", pattern="^(auto|cpu|cuda)$")
    """Device to train on: auto, cpu or cuda."""

    def about(self) -> SupernetImages:
        """Space, images and settings."""
        given = {"epochs": self.epochs} if self.epochs else {}
        fields = {key: getattr(self, key) for key in SupernetImages.model_fields}
        return SupernetImages(**{**fields, "settings": {**self.settings, **given}})

    def run(self, data: Path, out: Path) -> None:
        """Train from the last finished epoch on; store the weights, and the curve beside them."""
        from tqdm import tqdm

        from dagnas.closure import digest
        from dagnas.files import write_parquet
        from dagnas.training.device import choose_device
        from dagnas.training.supernet import train_supernet

        about = self.about()
        checkpoint = out.with_name(f"{out.name}.part")
        with tqdm(
            total=about.recipe().epochs, desc=f"supernet {self.name}", unit="epoch", disable=None
        ) as bar:

            def show(record: Mapping[str, float | None]) -> None:
                bar.update()
                bar.set_postfix(loss=f"{record['loss']:.3f}", accuracy=record["train_accuracy"])

            trained, curve = train_supernet(
                self.name,
                about,
                data,
                device=choose_device(self.device),
                checkpoint=checkpoint,
                progress=show,
                code=digest(self.roots()),
            )
        write_parquet(curve.table(), out.with_suffix(CURVE))
        trained.write(out)
        checkpoint.unlink(missing_ok=True)
        print(f"{out}: {trained.cell}" if trained.cell else out)

    def files(self) -> Sequence[str]:
        """Images."""
        return [self.images] if self.images.endswith((".npz", ".parquet")) else []


#: Suffix of the curve of a supernet, beside it.
CURVE = ".curve.parquet"


class ScoreJob(Job, Scoring):
    """Scores of all cells by one supernet."""

    COMMAND: ClassVar = "score"

    supernet: Path
    """File that `dagnas supernet` made."""
    truth: str | None = None
    """Table of real trainings whose final accuracies are reported of a cell, such as digits201."""
    device: str = Field(default="cpu", pattern="^(auto|cpu|cuda)$")
    """Device to compute on: auto, cpu or cuda."""

    def run(self, data: Path, out: Path) -> None:
        """Score all cells."""
        from tqdm import tqdm

        from dagnas.benchmarks.benchmark import TabularBenchmark
        from dagnas.benchmarks.built import find_benchmark
        from dagnas.benchmarks.oneshot import OneShotBenchmark, score_table
        from dagnas.files import write_parquet
        from dagnas.training.device import choose_device
        from dagnas.training.supernet import TrainedSupernet

        truth = find_benchmark(self.truth, data).open(data) if self.truth else None
        if truth is not None and not isinstance(truth, TabularBenchmark):
            raise DagnasError(f"--truth {self.truth}: it is no table")
        trained = TrainedSupernet.read(self.supernet, data, choose_device(self.device))
        benchmark = OneShotBenchmark(out.stem, trained, self.valid_images, self.calibration_images)
        with tqdm(desc=f"scores of {out.stem}", unit="cell", disable=None) as bar:
            table, metadata = score_table(benchmark, tuple(self.statistics), truth, bar.update)
        write_parquet(table, out, metadata)
        print(f"{out}: {table.num_rows:,} cells")

    def benchmarks(self) -> Sequence[str]:
        """Table of real trainings."""
        return (self.truth,) if self.truth else ()

    def files(self) -> Sequence[str]:
        """Supernet."""
        return [str(self.supernet)]


def register(supernets: Mapping[str, Supernet]) -> Mapping[str, Supernet]:
    """Register supernets as benchmarks, which studies may name."""
    for name, entry in supernets.items():
        try:
            BENCHMARKS.add(name, supernet_entry(name, entry.space == _SCORED))
        except DagnasError as error:
            raise ValueError(error) from error
    return supernets


def plan_supernets(scale: Scale) -> dict[str, Job]:
    """Jobs of all supernets by name."""
    return {
        name: SupernetJob(
            name=name,
            space=entry.space,
            images=str(scale.data / "cifar10.parquet")
            if entry.images == "cifar10"
            else entry.images,
            preset=entry.preset,
            settings=entry.settings,
            device=scale.device,
        )
        for name, entry in scale.section("supernets").items()
    }


def plan_scores(scale: Scale) -> dict[str, Job]:
    """Jobs that score all cells of NAS-Bench-201, by the name of the supernet."""
    return {
        name: ScoreJob(
            supernet=supernet.path(scale, name),
            truth=entry.truth,
            device=scale.device,
            **{key: getattr(entry, key) for key in Scoring.model_fields},
        )
        for name, entry in scale.section("supernets").items()
        if _is_scored(entry)
    }


def _is_scored(entry: Supernet) -> bool:
    """Whether single paths were trained, and it is known which cells are to be scored."""
    single = entry.recipe().strategy == "single_path"
    return single and (entry.space == _SCORED or entry.truth is not None)


def read(path: Path) -> Any:
    """Curve of a supernet, which stands beside it; ``attrs`` have the cell of DARTS, or ""."""
    from dagnas.files import read_parquet

    curve = read_parquet(path.with_suffix(CURVE)).to_pandas()
    curve.attrs["cell"] = ""
    # Of single paths nothing is derived, and torch need not be imported.
    if "skip_connections" in curve:
        from dagnas.training.checkpoint import read as read_stored

        curve.attrs["cell"] = read_stored(path, "supernet").get("cell", "")
    return curve


def read_scores(path: Path) -> TabularBenchmark:
    """Benchmark of the scores."""
    from dagnas.benchmarks.scored import open_scores

    return open_scores(path.stem, path)


def check_values(scale: Scale) -> None:
    """Check that images are known or a file's."""
    for name, entry in scale.section("supernets").items():
        try:
            check_images(entry.images)
        except DagnasError as error:
            raise DagnasError(f"supernets.{name}: {error}") from error


supernet = Kind(
    name="supernet",
    module=__name__,
    title="train a supernet, whose cells share weights",
    about="Train one network that holds the weights of all cells of a space. An epoch that was "
    "finished is not done again: FILE.pt.part, which is removed at the end, holds the state after "
    "the last one. FILE.curve.parquet holds loss and accuracy after each epoch.",
    examples="""
  # NAS-Bench-201 on digits, a minute of one core; another name is another seed.
  dagnas supernet --space nasbench201 --images digits --epochs 12 --name mine --out data/mine.pt

  # All its cells scored with the shared weights; both are benchmarks then.
  dagnas score --supernet data/mine.pt --truth digits201 --out data/mine201.parquet
  dagnas search --benchmark mine201 --method goal --trials 0:10 --out goal.parquet

  # CIFAR-10 at 16 x 16 pixels; DARTS of second order; your own images in the DARTS space.
  dagnas supernet --space nasbench201 --images cifar10 --preset desk --name s0 --out data/s0.pt
  dagnas supernet --space nasbench201 --images digits --set strategy=darts_second \\
      --name d0 --out data/d0.pt
  dagnas supernet --space darts --images fashion.npz --name f0 --out data/f0.pt
""",
    jobs=(SupernetJob,),
    pattern="{data}/{name}.pt",
    plan=plan_supernets,
    read=read,
    sections={"supernets": Supernet},
    check_values=check_values,
    register=register,
    beside=(CURVE,),
)
scores = Kind(
    name="scores",
    module=__name__,
    title="score all cells of NAS-Bench-201 by one supernet",
    about="Score all cells of NAS-Bench-201 with the weights of a supernet, in another space those "
    "of the table of real trainings. The table is a benchmark of the name of its file; "
    "docs/weight_sharing.md tells what its policies mean.",
    examples="""
  dagnas score --supernet data/mine.pt --truth digits201 --out data/mine201.parquet
  dagnas score --supernet data/mine.pt --statistics batch recalibrated running --out all.parquet
""",
    jobs=(ScoreJob,),
    pattern="{data}/{name}.parquet",
    plan=plan_scores,
    read=read_scores,
    sections={"supernets": Supernet},
)
