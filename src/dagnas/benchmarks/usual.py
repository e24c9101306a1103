"""Policy that is taken where none is given."""

from __future__ import annotations

from dagnas.benchmarks.benchmark import Benchmark


def usual_policy(benchmark: Benchmark) -> str:
    """Policy ``goal``, or the first if the benchmark has none of that name."""
    return "goal" if "goal" in benchmark.policies else next(iter(benchmark.policies))
