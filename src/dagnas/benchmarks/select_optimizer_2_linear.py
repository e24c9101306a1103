"""select_optimizer_2_linear: 2 optimizers and the parameters of all, as a chain."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import benchmark
from dagnas.benchmarks.core.objective import ObjectiveBenchmark
from dagnas.benchmarks.core.toys import select_optimizer_chain


@benchmark()
def select_optimizer_2_linear(data: Path) -> ObjectiveBenchmark:
    """Open it; ``data`` is not needed."""
    return select_optimizer_chain(2)
