"""stack_layers_linear: any number of layers, ten of them the best, as a chain."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import benchmark
from dagnas.benchmarks.core.objective import ObjectiveBenchmark
from dagnas.benchmarks.core.toys import stack_layers_chain


@benchmark()
def stack_layers_linear(data: Path) -> ObjectiveBenchmark:
    """Open it; ``data`` is not needed."""
    return stack_layers_chain()
