"""How fast search methods are: ``python -m perf.search [METHOD ...]``.

Processor time of the methods themselves in a trial of GOAL's protocol, on each benchmark whose
table is at hand: seconds a trial, milliseconds an evaluated cell, and the memory that the process
has come to take. Random search comes first: it is what the runner and the table cost.
"""

from __future__ import annotations

import resource
import sys
import time

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from dagnas.search.runner import Search, run_trial
from dagnas.tables.place import data_folder

NAMES = ("digits201", "nasbench201", "nasbench101")


def main(methods: list[str]) -> None:
    """Print a line for each benchmark and method."""
    print("benchmark    method                  s a trial  evaluations  ms a cell  MiB so far")
    for name in NAMES:
        try:
            benchmark = BENCHMARKS.get(name).open(data_folder(None))
        except DagnasError as error:
            print(f"{name:12} {error}")
            continue
        for method in methods:
            search = Search(benchmark, METHODS.get(method), study="bench")
            run_trial(Search(benchmark, METHODS.get(method), budget_evaluations=2), 0)
            start = time.process_time()
            evaluations = len(run_trial(search, 0))
            seconds = time.process_time() - start
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name:12} {method:22} {seconds:10.2f} {evaluations:12} "
                f"{1e3 * seconds / evaluations:10.2f} {memory:11.0f}",
                flush=True,
            )


if __name__ == "__main__":
    others = [name for name in METHODS.names() if name != "random_search"]
    main(sys.argv[1:] or ["random_search", *others])
