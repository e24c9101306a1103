"""layers_cifar10: layers decided on as a graph, trained on CIFAR-10."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import benchmark
from dagnas.benchmarks.core.trained import TrainedBenchmark, on_cifar10
from dagnas.spaces.core.layers import graph_of_layers


@benchmark(tables=("cifar10",))
def layers_cifar10(data: Path) -> TrainedBenchmark:
    """Open it; trainings are noted in the folder ``data``."""
    return on_cifar10("layers_cifar10", graph_of_layers(), data)
