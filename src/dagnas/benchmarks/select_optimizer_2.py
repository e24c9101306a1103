"""select_optimizer_2: one of 2 optimizers and its parameters, as a graph."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import benchmark
from dagnas.benchmarks.core.objective import ObjectiveBenchmark
from dagnas.benchmarks.core.toys import select_optimizer_graph


@benchmark()
def select_optimizer_2(data: Path) -> ObjectiveBenchmark:
    """Open it; ``data`` is not needed."""
    return select_optimizer_graph(2)
