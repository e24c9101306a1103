"""layers_digits: layers decided on as a graph, trained on scikit-learn's digits."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import benchmark
from dagnas.benchmarks.core.trained import TrainedBenchmark
from dagnas.spaces.core.layers import graph_of_layers
from dagnas.training.images import digits


@benchmark()
def layers_digits(data: Path) -> TrainedBenchmark:
    """Open it; trainings are noted in the folder ``data``."""
    return TrainedBenchmark("layers_digits", graph_of_layers(), digits, data)
