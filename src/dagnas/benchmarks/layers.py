"""Networks of decided layers on scikit-learn's digits and on CIFAR-10, as graphs and as chains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.benchmarks.benchmark import benchmark
from dagnas.spaces.decisions import DecisionSpace
from dagnas.spaces.layers import chain_of_layers, graph_of_layers

if TYPE_CHECKING:
    from dagnas.benchmarks.trained import TrainedBenchmark


# PyTorch is imported where a benchmark is opened: the pipeline asks for the tables of all.
def open_digits(name: str, space: DecisionSpace, data: Path) -> TrainedBenchmark:
    """Open a space of networks that are trained on digits."""
    from dagnas.benchmarks.trained import TrainedBenchmark
    from dagnas.training.images import digits

    return TrainedBenchmark(name, space, digits, data)


def open_small(name: str, space: DecisionSpace, data: Path) -> TrainedBenchmark:
    """Open a space of networks that are trained on CIFAR-10 in small: seconds of a core each.

    For 5 epochs, on 2,000 images of 16 x 16 pixels; 2,000 others validate, and 2,000 test.
    """
    from dagnas.benchmarks.trained import TrainedBenchmark
    from dagnas.training.images import open_images, split_small
    from dagnas.training.layered import LayeredRecipe

    return TrainedBenchmark(
        name,
        space,
        lambda: open_images("cifar10", data, 16),
        data,
        LayeredRecipe(epochs=5, learning_rate=0.1, pad=2, flip=True),
        split_small,
    )


def open_cifar10(name: str, space: DecisionSpace, data: Path) -> TrainedBenchmark:
    """Open a space of networks that are trained on CIFAR-10."""
    from dagnas.benchmarks.trained import on_cifar10

    return on_cifar10(name, space, data)


@benchmark()
def layers_digits(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return open_digits("layers_digits", graph_of_layers(), data)


@benchmark()
def layers_digits_linear(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return open_digits("layers_digits_linear", chain_of_layers(), data)


@benchmark(tables=("cifar10",))
def layers_cifar10(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return open_cifar10("layers_cifar10", graph_of_layers(), data)


@benchmark(tables=("cifar10",))
def layers_cifar10_linear(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return open_cifar10("layers_cifar10_linear", chain_of_layers(), data)


@benchmark(tables=("cifar10",))
def layers_cifar10_small(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return open_small("layers_cifar10_small", graph_of_layers(), data)


@benchmark(tables=("cifar10",))
def layers_cifar10_small_linear(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return open_small("layers_cifar10_small_linear", chain_of_layers(), data)
