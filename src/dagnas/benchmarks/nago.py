"""Generators of NAGO: networks on digits, on CIFAR-10 in small and in full, and on Flowers17.

But for CIFAR-10 in full and the released code's space, graphs have 3 to 5 nodes and 1 to 3 in the
middle (space ``nago_small``). Of ten nodes at each level, networks have hundreds of convolutions,
many in a row: in the few steps of a training of seconds these learn nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagnas.benchmarks.benchmark import benchmark
from dagnas.training.train_recipe import TrainRecipe

if TYPE_CHECKING:
    from dagnas.benchmarks.generators import GeneratorBenchmark
    from dagnas.training.images import ImageSet, Split

#: Spaces of the benchmarks, by their names in `dagnas.spaces.nago`.
SPACES = {
    "nago_digits": "nago_small",
    "nago_digits_code": "nago_code",
    "nago_digits_least": "nago_least",
    "nago_cifar10": "nago_small",
    "nago_cifar10_full": "nago",
    "nago_flowers17": "nago_small",
}
#: What the released code has of SGD, but that here the momentum is Nesterov's and gradients are
#: clipped to a norm of 5.
_SGD: dict[str, Any] = {"momentum": 0.9, "weight_decay": 1e-4}
#: Half of the released learning rate, with which trainings of a few hundred steps learn faster.
_SHORT: dict[str, Any] = {"learning_rate": 0.05, **_SGD}
#: 288 steps, 12 to 20 seconds of a core. Images are not shifted: a pixel is an eighth of them, and
#: so short a training never makes good what that costs in speed of learning.
DIGITS = TrainRecipe(epochs=16, batch_size=32, **_SHORT)
#: 480 steps, a minute or more of a core: 2,560 images of 16 x 16 pixels.
SMALL = TrainRecipe(epochs=12, batch_size=64, flip=True, **_SHORT)
#: 320 steps: 671 images of 16 x 16 pixels.
FLOWERS = TrainRecipe(epochs=16, batch_size=32, flip=True, **_SHORT)
#: A few steps, which teach little, to try searches on.
LEAST = TrainRecipe(epochs=4, batch_size=128, **_SHORT)
#: As in the released code, but that the learning rate follows a cosine, where it is halved there
#: every 20 epochs.
FULL = TrainRecipe(epochs=120, batch_size=128, learning_rate=0.1, pad=4, flip=True, **_SGD)


# PyTorch is imported where a benchmark is opened: the pipeline asks for the tables of all.
def _opened(
    name: str,
    images: Callable[[], ImageSet],
    data: Path,
    recipe: TrainRecipe,
    parts: Callable[[ImageSet], Split],
    **more: Any,
) -> GeneratorBenchmark:
    """Benchmark whose shorter trainings have half and a quarter of the epochs."""
    from dagnas.benchmarks.generators import GeneratorBenchmark
    from dagnas.spaces import nago

    lengths = (recipe.epochs // 4, recipe.epochs // 2)
    return GeneratorBenchmark(
        name, getattr(nago, SPACES[name]), images, data, recipe, parts, lengths=lengths, **more
    )


@benchmark()
def nago_digits(data: Path) -> GeneratorBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    from dagnas.training.images import digits, split_thirds

    return _opened("nago_digits", digits, data, DIGITS, split_thirds)


@benchmark()
def nago_digits_code(data: Path) -> GeneratorBenchmark:
    """Open the benchmark, of the released code's eight numbers; ``data`` caches trainings."""
    from dagnas.training.images import digits, split_thirds

    return _opened("nago_digits_code", digits, data, DIGITS, split_thirds)


@benchmark()
def nago_digits_least(data: Path) -> GeneratorBenchmark:
    """Open the benchmark, of tiny networks hardly trained; ``data`` caches trainings."""
    from dagnas.training.images import digits, split_thirds

    return _opened("nago_digits_least", digits, data, LEAST, split_thirds, budget=5_000)


@benchmark(tables=("cifar10",))
def nago_cifar10(data: Path) -> GeneratorBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    from dagnas.training.images import open_images, split_before_test

    def parts(images: ImageSet) -> Split:
        found = split_before_test(images, 2_560, 2_000, 10_000)
        # Each fifth of the test images, which may be sorted by class.
        return found._replace(test=found.test[::5])

    def small() -> ImageSet:
        return open_images("cifar10", data, 16)

    return _opened("nago_cifar10", small, data, SMALL, parts)


@benchmark(tables=("cifar10",))
def nago_cifar10_full(data: Path) -> GeneratorBenchmark:
    """Open the paper's benchmark; the folder ``data`` caches trainings, which want a GPU.

    Networks have 4 million parameters and are trained for 30, 60 or 120 epochs. Fifty times the
    three brackets of BOHB are 550 trainings of 350 generators.
    """
    from dagnas.training.images import open_images, split_before_test

    return _opened(
        "nago_cifar10_full",
        lambda: open_images("cifar10", data),
        data,
        FULL,
        lambda images: split_before_test(images, 40_000, 9_000, 10_000),
        budget=4_000_000,
        evaluations=550,
        on_gpu=True,
        resumable=True,
    )


@benchmark(tables=("flowers17",))
def nago_flowers17(data: Path) -> GeneratorBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings.

    Flowers17 is the nearest relative of the paper's FLOWERS102 that is at hand.
    """
    from dagnas.training.images import open_images, split_in_order

    return _opened(
        "nago_flowers17",
        lambda: open_images("flowers17", data),
        data,
        FLOWERS,
        lambda images: split_in_order(images, 680, 340, 340),
    )
