"""How fast tables load and answer, and what a search costs; `make bench` runs it.

Needs imported tables: `dagnas fetch` first. Figures are of one process with one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.search import METHODS
from dagnas.search.runner import Search, run_trial


def best_of(action: Callable[[], object], times: int = 5) -> float:
    """Least wall-clock seconds of some runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def opened(name: str, data: Path) -> TabularBenchmark:
    """Open a benchmark and read all that its policy needs."""
    bench = BENCHMARKS.get(name).open(data)
    assert isinstance(bench, TabularBenchmark)
    bench.look_up(np.zeros(1, dtype=np.int64), bench.policies["goal"], np.random.default_rng(0))
    return bench


def measure(name: str, data: Path, methods: list[str]) -> None:
    """Print the figures of one benchmark."""
    bench = opened(name, data)
    rows, rng = np.arange(len(bench)), np.random.default_rng(0)
    cells, policy = bench.space.sample(1000, rng), bench.policies["goal"]
    print(f"{name}, {len(bench):,} rows")
    print(f"  load                 {best_of(lambda: opened(name, data)):9.3f} s")
    print(
        f"  query of all rows    {1e3 * best_of(lambda: bench.look_up(rows, policy, rng)):9.3f} ms"
    )
    print(f"  rows of 1,000 cells  {1e3 * best_of(lambda: bench.rows(cells)):9.3f} ms")
    for method in methods:
        start = time.perf_counter()
        trace = run_trial(Search(bench, METHODS.get(method)), 0)
        spent = time.perf_counter() - start
        print(f"  a trial of {method}: {spent:.2f} s, {1e3 * spent / trace.num_rows:.1f} ms a cell")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--methods", nargs="*", default=[], help="also time one trial of these")
    options = parser.parse_args()
    for name in ("nasbench201", "nasbench101"):
        measure(name, options.data, options.methods)


if __name__ == "__main__":
    main()
