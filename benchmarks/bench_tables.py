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
from dagnas.benchmarks.core.benchmark import TabularBenchmark
from dagnas.search import METHODS
from dagnas.search.core.runner import Search, run_trial


def best_of(action: Callable[[], object], times: int = 5) -> float:
    """Least wall-clock seconds of some runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def opened(name: str, data: Path) -> TabularBenchmark:
    """Open a benchmark and read all that its first policy needs."""
    bench = BENCHMARKS.get(name).open(data)
    assert isinstance(bench, TabularBenchmark)
    bench.look_up(np.zeros(1, dtype=np.int64), bench.policies["goal"], np.random.default_rng(0))
    return bench


def main() -> None:
    """Print a table of measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--methods", nargs="*", default=[], help="also time one trial of these")
    options = parser.parse_args()
    for name in ("nasbench201", "nasbench101"):
        bench = opened(name, options.data)
        loading = best_of(lambda name=name: opened(name, options.data))  # type: ignore[misc]
        rows, rng = np.arange(len(bench)), np.random.default_rng(0)
        policy = bench.policies["goal"]
        asking = best_of(lambda b=bench, r=rows: b.look_up(r, policy, rng))  # type: ignore[misc]
        cells = bench.space.sample(1000, rng)
        finding = best_of(lambda b=bench, c=cells: b.rows(c))  # type: ignore[misc]
        print(f"{name}: load {loading:.3f} s, query of all {len(bench):,} rows {1e3 * asking:.1f} ms")
        print(f"{name}: rows of 1,000 cells {1e3 * finding:.1f} ms")
        for method in options.methods:
            start = time.perf_counter()
            trace = run_trial(Search(bench, METHODS.get(method)), 0)
            spent = time.perf_counter() - start
            print(
                f"{name}: a trial of {method} {spent:.2f} s, "
                f"{1e3 * spent / trace.num_rows:.1f} ms an evaluated cell"
            )


if __name__ == "__main__":
    main()
