"""Trainings of one network each: ``dagnas train``, from an architecture to its curve."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt, model_validator

from dagnas.errors import DagnasError, unknown
from dagnas.networks import NETWORKS
from dagnas.networks.shape import Few
from dagnas.pipeline.images import check_images
from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.sections import Section
from dagnas.training.train_recipe import TrainRecipe

if TYPE_CHECKING:
    import pandas as pd

    from dagnas.pipeline.scales import Scale
    from dagnas.training.images import ImageSet, Split


class Training(TrainRecipe):
    """Space, images and training of a network."""

    space: str
    """Space of the architecture, one that has networks: darts, darts_one_cell, layers,
    nasbench101, nasbench201, resnet_strings."""
    images: str
    """Images: digits, cifar10 (of `dagnas fetch cifar10`), or an .npz file with `images` and
    `labels`."""
    pixels: Few | None = None
    """Larger side that images are reduced to by means of squares; theirs if not given."""
    train: NonNegativeInt = 0
    """Images to train on; 0: a third, or of CIFAR-10 half of its 50,000."""
    valid: NonNegativeInt = 0
    """Images to validate on; 0: as for training."""
    test: NonNegativeInt = 0
    """Images to test on; 0: a third, or of CIFAR-10 its 10,000."""
    channels: Few | None = None
    """Channels of the first cells; the paper's or benchmark's if not given."""
    layers: Few | None = None
    """Cells, of each stack for NAS-Bench; the paper's or benchmark's if not given."""
    seed: NonNegativeInt = 0
    """Number of the training: another draws other weights and batches."""

    @model_validator(mode="after")
    def _architecture(self) -> Training:
        if self.space not in NETWORKS.names():
            raise ValueError(unknown("space with networks", self.space, NETWORKS.names()))
        return self

    def recipe(self) -> TrainRecipe:
        """Settings of the training alone."""
        return TrainRecipe(**{name: getattr(self, name) for name in TrainRecipe.model_fields})


class FoundCell(Section):
    """A cell that a search evaluated."""

    study: str
    """Study of the search."""
    method: str
    """Method or variant of the study."""
    trial: NonNegativeInt = 0
    """Trial of the method."""
    step: NonNegativeInt | None = None
    """Number of the evaluation, from 0 on; if not given, the one with the best signal."""


class TrainingEntry(Section, Training):
    """A network that is trained for itself."""

    cell: str | FoundCell
    """Text of the architecture, or the search that evaluated it."""


class TrainJob(Job, Training):
    """Training of one network."""

    COMMAND: ClassVar = "train"

    cell: str = ""
    """Text of the architecture; a genotype may be an official one."""
    trace: Path | None = None
    """Trace of `dagnas search` that holds the architecture, in place of its text."""
    trial: NonNegativeInt = 0
    """Trial of the trace."""
    step: NonNegativeInt | None = None
    """Number of the evaluation, from 0 on; if not given, the one with the best signal."""
    device: str = Field(default="cpu", pattern="^(auto|cpu|cuda)$")
    """Device to train on: auto, cpu or cuda."""
    devices: Annotated[int, Field(gt=0, le=64)] = 1
    """GPUs that share every batch."""

    def run(self, data: Path, out: Path) -> None:
        """Train from the last finished epoch on; write the curve, and the weights beside it."""
        from tqdm import tqdm

        from dagnas.closure import digest
        from dagnas.files import write_parquet
        from dagnas.kernels import kernels_used
        from dagnas.training import checkpoint as stored
        from dagnas.training.alone import train_alone
        from dagnas.training.device import choose_device
        from dagnas.training.device_images import DeviceImages
        from dagnas.training.images import open_images
        from dagnas.training.trainer import is_first, own_device

        family = NETWORKS.get(self.space)
        # All that can be wrong is told before images are moved or anything is trained.
        cell = self.architecture()
        architecture = family.read(cell)
        images = open_images(self.images, data, self.pixels)
        shape = family.shaped(
            named=self.option,
            **images.shape,
            channels=self.channels,
            layers=self.layers,
            auxiliary=self.auxiliary > 0,
        )
        parts = self.split(images)
        if self.devices > 1:
            # In a job of Slurm, Fabric would leave the other processes to srun and train alone.
            os.environ.pop("SLURM_NTASKS", None)
        device = own_device(choose_device(self.device))
        checkpoint = out.with_name(f"{out.name}.part")
        with tqdm(
            total=self.epochs, desc=f"training {out.stem}", unit="epoch",
            disable=None if is_first() else True,
        ) as bar:  # fmt: skip

            def show(record: Mapping[str, float | None]) -> None:
                bar.update()
                bar.set_postfix(loss=f"{record['loss']:.3f}", valid=record["valid_accuracy"])

            trained = train_alone(
                lambda: family.build(architecture, shape),
                DeviceImages(images, parts, device),
                self.recipe(),
                (images.name, self.space, cell, self.seed),
                device=device,
                devices=self.devices,
                checkpoint=checkpoint,
                progress=show,
                code=digest(self.roots()),
            )
        if not is_first():
            return
        valid, test = trained.accuracies
        about = {"dagnas.valid": repr(100 * valid), "dagnas.test": repr(100 * test)}
        about |= {"dagnas.kernels": kernels_used(), "dagnas.job": self.model_dump_json()}
        about["dagnas.cell"] = cell
        weights = {name: tensor.cpu() for name, tensor in trained.network.state_dict().items()}
        stored.write(
            out.with_suffix(WEIGHTS),
            {
                "space": self.space,
                "cell": cell,
                "shape": shape.model_dump(),
                "weights": weights,
            },
        )
        write_parquet(trained.curve.table(), out, about)
        checkpoint.unlink(missing_ok=True)
        print(f"{out}: {100 * valid:.2f} % of validation, {100 * test:.2f} % of test images")

    def architecture(self) -> str:
        """Text of the architecture.

        Raises
        ------
        DagnasError
            Neither text nor trace is given, or both; the trace is missing or damaged, or lacks the
            trial or the evaluation.
        """
        from dagnas.analysis.incumbents import incumbent
        from dagnas.files import read_parquet

        if bool(self.cell) == (self.trace is not None):
            raise DagnasError("expected one of --cell and --trace")
        if self.trace is None:
            return self.cell
        trace = read_parquet(self.trace).to_pandas()
        if not {"trial", "cell", "signal", "epochs"} <= set(trace):
            raise DagnasError(f"{self.trace} is no trace of a search")
        steps = trace[trace["trial"] == self.trial]
        known = len(steps)
        if not known:
            trials = sorted(trace["trial"].unique().tolist())
            raise DagnasError(f"--trial {self.trial}: {self.trace} has the trials {trials}")
        step = self.step
        if step is None:
            if steps["signal"].isna().all():
                raise DagnasError(
                    f"--trial {self.trial}: {self.trace} has no evaluation with a signal in it"
                )
            step = int(incumbent(steps["signal"].to_numpy(), steps["epochs"].to_numpy())[-1])
        if step >= known:
            raise DagnasError(f"--step {step}: the trial has {known} evaluations, from 0 on")
        return str(steps["cell"].iloc[step])

    def split(self, images: ImageSet) -> Split:
        """Images to train, validate and test on.

        Raises
        ------
        DagnasError
            They are too few.
        """
        from dagnas.seeds import stream
        from dagnas.training.images import split, split_before_test

        count = len(images.labels)
        if images.name != CIFAR10:
            third = count // 3
            sizes = (self.train or third, self.valid or self.train or third, self.test or third)
            return split(images, sizes, stream(images.name, "split"))
        test = self.test or count // 6
        known = count - test
        train = self.train or known // 2
        # Its split of the others has a third part, of which each class needs one.
        valid = self.valid or min(train, known - train - images.classes)
        return split_before_test(images, train, valid, test)

    def files(self) -> Sequence[str]:
        """Images, and the trace."""
        images = [self.images] if self.images.endswith((".npz", ".parquet")) else []
        return [*images, str(self.trace)] if self.trace else images

    def roots(self) -> list[str]:
        """Code of the job and of the space's networks."""
        return [*super().roots(), NETWORKS.module(self.space)]


#: Image set whose last images are those to test on.
CIFAR10 = "cifar10"
#: Suffix of the weights, beside the curve.
WEIGHTS = ".pt"


def plan(scale: Scale) -> dict[str, Job]:
    """Jobs of all trainings by name."""
    jobs: dict[str, Job] = {}
    for name, entry in scale.section("trainings").items():
        given: dict[str, Any] = {key: getattr(entry, key) for key in Training.model_fields}
        if entry.images == CIFAR10:
            given["images"] = str(scale.data / "cifar10.parquet")
        if isinstance(found := entry.cell, FoundCell):
            given |= {"trace": _trace(scale, found), "trial": found.trial, "step": found.step}
        else:
            given["cell"] = entry.cell
        jobs[name] = TrainJob(**given, device=scale.device)
    return jobs


def _trace(scale: Scale, found: FoundCell) -> Path:
    """Trace that holds the trial of a search."""
    from dagnas.pipeline.kinds import search

    files = search.chunks(scale, found.study)
    name = next(name for name, trials in files.items() if found.trial in trials)
    return search.search.path(scale, f"{found.study}/{found.method}/{name}")


def check(scale: Scale) -> None:
    """Check that cells are those of searches that there are."""
    studies = scale.section("studies")
    for name, entry in scale.section("trainings").items():
        if not isinstance(found := entry.cell, FoundCell):
            continue
        where = f"trainings.{name}.cell"
        if found.study not in studies:
            raise ValueError(f"{where}.study: {unknown('study', found.study, studies)}")
        study = studies[found.study]
        if found.method not in study.methods:
            error = unknown(f"method of {found.study}", found.method, study.methods)
            raise ValueError(f"{where}.method: {error}")
        trials = study.trials or scale.trials
        if found.trial >= trials:
            raise ValueError(
                f"{where}.trial: {found.trial}; {found.study} has {trials} trials, from 0 on"
            )


def check_values(scale: Scale) -> None:
    """Check that architectures can be read and become networks of the sizes asked for."""
    for name, entry in scale.section("trainings").items():
        try:
            check_images(entry.images)
            family = NETWORKS.get(entry.space)
            if isinstance(entry.cell, str):
                family.read(entry.cell)
            family.shaped(
                channels=entry.channels, layers=entry.layers, auxiliary=entry.auxiliary > 0
            )
        except DagnasError as error:
            raise DagnasError(f"trainings.{name}: {error}") from error


def read(path: Path) -> pd.DataFrame:
    """Curve: a row an epoch.

    Returns
    -------
    DataFrame
        Columns epoch, loss, train_accuracy, learning_rate, valid_accuracy; accuracies in %. Its
        ``attrs`` hold ``valid`` and ``test``, the accuracies of the trained network, and ``cell``,
        its architecture's text.
    """
    from dagnas.files import read_parquet

    table = read_parquet(path)
    stored = table.schema.metadata or {}
    curve: pd.DataFrame = table.to_pandas()
    try:
        curve.attrs = {name: float(stored[f"dagnas.{name}".encode()]) for name in ("valid", "test")}
        curve.attrs["cell"] = stored[b"dagnas.cell"].decode()
    except (KeyError, ValueError) as error:
        raise DagnasError(f"{path} does not say its accuracies: make it anew") from error
    return curve


training = Kind(
    name="training",
    module=__name__,
    title="train the network of an architecture",
    about="Train the network of one architecture from new weights on images. FILE.parquet holds "
    "loss and accuracies after each epoch, FILE.pt beside it the weights. An epoch that was "
    "finished is not done again: FILE.parquet.part, which is removed at the end, holds the state "
    "after the last one.",
    examples="""
  # A cell of NAS-Bench-201 on digits, seconds of one core.
  dagnas train --space nasbench201 \\
      --cell '|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_3x3~2|' \\
      --images digits --channels 8 --layers 1 --learning-rate 0.1 --pad 1 --out cell.parquet

  # What a search found.
  dagnas train --space nasbench201 --trace goal.parquet --trial 3 --images digits --channels 8 \\
      --out found.parquet

  # A genotype on CIFAR-10 in small, minutes of one core; a training of your own images.
  dagnas train --space darts --cell "$(cat genotype.txt)" --images cifar10 --pixels 16 \\
      --train 10000 --channels 8 --layers 5 --epochs 10 --pad 2 --flip --out small.parquet
  dagnas train --space darts --cell "$(cat genotype.txt)" --images fashion.npz --channels 16 \\
      --layers 8 --epochs 50 --cutout 8 --drop-path 0.2 --auxiliary 0.4 --out mine.parquet

  # As DARTS retrains but for Nesterov's momentum, on a GPU (docs/training.md).
  dagnas train --space darts --cell "$(cat genotype.txt)" --images cifar10 --train 45000 \\
      --valid 4900 --channels 36 --layers 20 --epochs 600 --batch-size 96 --decay epoch \\
      --pad 4 --flip --cutout 16 --drop-path 0.2 --auxiliary 0.4 --precision bf16 \\
      --device cuda --out full.parquet
""",
    jobs=(TrainJob,),
    pattern="{results}/trainings/{name}.parquet",
    plan=plan,
    read=read,
    sections={"trainings": TrainingEntry},
    check=check,
    check_values=check_values,
    tags=("str", "FoundCell"),
    beside=(WEIGHTS,),
)
