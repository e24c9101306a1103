"""layers_cifar10_linear: layers decided on as a chain, trained on CIFAR-10."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import benchmark
from dagnas.benchmarks.core.trained import TrainedBenchmark, on_cifar10
from dagnas.spaces.core.layers import chain_of_layers


@benchmark(tables=("cifar10",))
def layers_cifar10_linear(data: Path) -> TrainedBenchmark:
    """Open it; trainings are noted in the folder ``data``."""
    return on_cifar10("layers_cifar10_linear", chain_of_layers(), data)
