"""Processor time of search methods: ``python -m perf.search [METHOD ...]``.

Each method runs a trial of GOAL's protocol on each benchmark of its kind of space: those of cells
whose tables are at hand (`dagnas fetch` makes them), the artificial tasks of NAS over a graph
search space, and one of vectors. Shown are processor seconds of the trial, milliseconds an
evaluation, and these as a multiple of random search's, which are what runner and benchmark cost.
The memory is the most that the process has taken so far.
"""

from __future__ import annotations

import resource
from collections.abc import Sequence

from dagnas.benchmarks.benchmark import Benchmark
from dagnas.search import METHODS
from dagnas.search.runner import Search, run_trial
from dagnas.tables.place import data_folder
from perf.common import add_data, at_hand, command_line, cpu_seconds, run

YARDSTICK = "random_search"
BENCHMARKS = (
    "digits201",
    "nasbench201",
    "nasbench101",
    "stack_layers",
    "select_optimizer_2",
    "width_and_depth",
)
#: All kinds of space, and no table to fetch.
SMALLEST = ("digits201", "stack_layers", "width_and_depth")
#: Evaluations where the benchmark's policy states none.
BUDGET_EVALUATIONS = 200


def suited(methods: Sequence[str], benchmark: Benchmark) -> list[str]:
    """Methods that search the benchmark's kind of space, the yardstick first."""
    return [
        name
        for name in (YARDSTICK, *(name for name in methods if name != YARDSTICK))
        if isinstance(benchmark.space, METHODS.get(name).space)
        and (_costs(benchmark) or not METHODS.get(name).takes("objectives"))
    ]


def _costs(benchmark: Benchmark) -> bool:
    """Whether evaluations have costs beside the signal."""
    return any(policy.costs for policy in benchmark.policies.values())


def search(benchmark: Benchmark, method: str, evaluations: int | None) -> Search:
    """Search under GOAL's policy, or the only one that there is."""
    policy = "goal" if "goal" in benchmark.policies else next(iter(benchmark.policies))
    rules = benchmark.policies[policy]
    if evaluations is None and rules.budget_seconds is None and rules.budget_evaluations is None:
        evaluations = BUDGET_EVALUATIONS
    return Search(
        benchmark,
        METHODS.get(method),
        policy=policy,
        budget_evaluations=evaluations,
        study="bench",
    )


def measure(benchmark: Benchmark, methods: Sequence[str], evaluations: int | None) -> None:
    """Print a line for each method."""
    yardstick = None
    for method in suited(methods, benchmark):
        run_trial(search(benchmark, method, 2), 0)  # Warms up: imports, compiled functions.
        done: list[int] = []
        asked = search(benchmark, method, evaluations)
        seconds = cpu_seconds(lambda: done.append(run_trial(asked, 0).num_rows))  # noqa: B023
        each = seconds / done[0]
        yardstick = yardstick or each
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{benchmark.name:19}{method:22}{seconds:10.2f}{done[0]:13}{1e3 * each:12.2f}"
            f"{each / yardstick:9.1f}{memory:10.0f}",
            flush=True,
        )


def main() -> None:
    """Print a line for each benchmark and method."""
    parser = command_line("perf.search", __doc__, "goal lanas", "controller_pqt --data tables")
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="default: all")
    add_data(parser)
    options = parser.parse_args()
    print(
        f"{'benchmark':19}{'method':22}{'s a trial':>10}{'evaluations':>13}{'ms each':>12}"
        f"{'ratio':>9}{'MiB':>10}"
    )
    names, evaluations = (SMALLEST, 2) if options.smallest else (BENCHMARKS, None)
    for benchmark in at_hand(names, data_folder(options.data)):
        measure(benchmark, options.methods or METHODS.names(), evaluations)


if __name__ == "__main__":
    run(main)
