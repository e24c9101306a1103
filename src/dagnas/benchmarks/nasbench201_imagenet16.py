"""NAS-Bench-201 on ImageNet16-120."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.nasbench201 import open_nasbench201


@benchmark(tables=("nasbench201",))
def nasbench201_imagenet16(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its accuracies on ImageNet16-120."""
    return open_nasbench201("nasbench201_imagenet16", "imagenet16", data)
