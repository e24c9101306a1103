"""Cells of six vertices of NAS-Bench-101."""

from pathlib import Path

from dagnas.benchmarks.core.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.nasbench101 import open_sized


@benchmark(tables=("nasbench101",))
def nasbench101_six(data: Path) -> TabularBenchmark:
    """Open the 62,010 classes of six vertices (BONAS, section 4.4.2)."""
    return open_sized("nasbench101_six", 6, data)
