"""ResNet-style strings (BONAS, appendix D), trained from new weights on small images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.benchmarks.benchmark import benchmark
from dagnas.training.train_recipe import TrainRecipe

if TYPE_CHECKING:
    from dagnas.benchmarks.trained import TrainedCells
    from dagnas.training.images import ImageSet, Split

#: Seconds of a core; the paper's are 40 epochs on ImageNet.
DIGITS = TrainRecipe(epochs=2, batch_size=32, learning_rate=0.05, pad=1)
SMALL = TrainRecipe(epochs=5, learning_rate=0.05, weight_decay=5e-4, pad=2, flip=True)


# PyTorch is imported where a benchmark is opened: the pipeline asks for the tables of all.
def _open(
    name: str,
    data: Path,
    images: Callable[[], ImageSet],
    recipe: TrainRecipe,
    parts: Callable[[ImageSet], Split],
    channels: int,
) -> TrainedCells:
    from dagnas.benchmarks.trained import TrainedCells
    from dagnas.spaces import SPACES

    space = SPACES.get("resnet_strings")
    return TrainedCells(name, space, images, data, recipe, parts, channels=channels, layers=None)


@benchmark()
def resnet_strings_digits(data: Path) -> TrainedCells:
    """Open the benchmark; the folder ``data`` caches trainings."""
    from dagnas.training.images import digits, split_thirds

    return _open("resnet_strings_digits", data, digits, DIGITS, split_thirds, 2)


@benchmark(tables=("cifar10",))
def resnet_strings_cifar10(data: Path) -> TrainedCells:
    """Open the benchmark, CIFAR-10 of 16 x 16 pixels; the folder ``data`` caches trainings."""
    from dagnas.training.images import open_images, split_small

    return _open(
        "resnet_strings_cifar10",
        data,
        lambda: open_images("cifar10", data, 16),
        SMALL,
        split_small,
        8,
    )
