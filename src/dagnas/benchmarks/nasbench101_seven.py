"""Cells of seven vertices of NAS-Bench-101."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.nasbench101 import open_sized


@benchmark(tables=("nasbench101",))
def nasbench101_seven(data: Path) -> TabularBenchmark:
    """Open the 359,082 classes of seven vertices (BONAS, section 4.4.2)."""
    return open_sized("nasbench101_seven", 7, data)
