"""Networks of decided layers on scikit-learn's digits and on CIFAR-10, as graphs and as chains."""

from pathlib import Path

from dagnas.benchmarks.benchmark import benchmark
from dagnas.benchmarks.trained import TrainedBenchmark, on_cifar10
from dagnas.spaces.layers import chain_of_layers, graph_of_layers
from dagnas.training.images import digits


@benchmark()
def layers_digits(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return TrainedBenchmark("layers_digits", graph_of_layers(), digits, data)


@benchmark()
def layers_digits_linear(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return TrainedBenchmark("layers_digits_linear", chain_of_layers(), digits, data)


@benchmark(tables=("cifar10",))
def layers_cifar10(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return on_cifar10("layers_cifar10", graph_of_layers(), data)


@benchmark(tables=("cifar10",))
def layers_cifar10_linear(data: Path) -> TrainedBenchmark:
    """Open the benchmark; the folder ``data`` caches trainings."""
    return on_cifar10("layers_cifar10_linear", chain_of_layers(), data)
