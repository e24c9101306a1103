"""NAS-Bench-201 on CIFAR-100."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.nasbench201 import open_nasbench201


@benchmark(tables=("nasbench201",))
def nasbench201_cifar100(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its accuracies on CIFAR-100."""
    return open_nasbench201("nasbench201_cifar100", "cifar100", data)
