"""Cells of BONAS's space, trained from new weights: on digits, on CIFAR-10 in small and in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.benchmarks.benchmark import benchmark
from dagnas.training.train_recipe import TrainRecipe

if TYPE_CHECKING:
    from dagnas.benchmarks.timed import TimedCells

SPACE = "darts_one_cell"
#: Seconds of a core.
DIGITS = TrainRecipe(epochs=4, batch_size=32, learning_rate=0.1, pad=1)
#: A minute to a minute and a half of a core: 10,000 images of 16 x 16 pixels, so that two searches
#: of 60 take about three hours.
SMALL = TrainRecipe(epochs=4, learning_rate=0.05, pad=2, flip=True)
#: As DARTS retrains (Liu et al. 2019, section 3.2), but for the epochs, 120 in BONAS's section 4.3,
#: and for the momentum, plain in DARTS's scripts and Nesterov's in NAS-Bench-201's and here.
FULL = TrainRecipe(
    epochs=120,
    batch_size=96,
    decay="epoch",
    drop_path=0.2,
    auxiliary=0.4,
    pad=4,
    flip=True,
    cutout=16,
    precision="bf16",
)


# PyTorch is imported where a benchmark is opened: the pipeline asks for the tables of all.
@benchmark()
def darts_one_cell_digits(data: Path) -> TimedCells:
    """Open the benchmark; the folder ``data`` caches trainings."""
    from dagnas.benchmarks.timed import TimedCells
    from dagnas.spaces import SPACES
    from dagnas.training.images import digits

    return TimedCells(
        "darts_one_cell_digits", SPACES.get(SPACE), digits, data, DIGITS, channels=4, layers=3
    )


@benchmark(tables=("cifar10",))
def darts_one_cell_cifar10(data: Path) -> TimedCells:
    """Open the benchmark; the folder ``data`` caches trainings."""
    from dagnas.benchmarks.timed import TimedCells
    from dagnas.spaces import SPACES
    from dagnas.training.images import open_images, split_before_test

    return TimedCells(
        "darts_one_cell_cifar10",
        SPACES.get(SPACE),
        lambda: open_images("cifar10", data, 16),
        data,
        SMALL,
        lambda images: split_before_test(images, 10_000, 5_000, 10_000),
        channels=8,
        layers=5,
        resumable=True,
    )


@benchmark(tables=("cifar10",))
def darts_one_cell_cifar10_full(data: Path) -> TimedCells:
    """Open the benchmark; the folder ``data`` caches trainings, which want a GPU."""
    from dagnas.benchmarks.timed import TimedCells
    from dagnas.spaces import SPACES
    from dagnas.training.images import open_images, split_before_test

    return TimedCells(
        "darts_one_cell_cifar10_full",
        SPACES.get(SPACE),
        lambda: open_images("cifar10", data),
        data,
        FULL,
        lambda images: split_before_test(images, 40_000, 9_000, 10_000),
        on_gpu=True,
        channels=36,
        layers=20,
        resumable=True,
    )
