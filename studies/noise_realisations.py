"""Order of methods under several realisations of emulated noise.

    python -m studies.noise_realisations --benchmark nasbench101 --trials 10

Runs every method under the policy ``goal`` and under each realisation of its noise that the table
holds (``goal_noise1``, ``goal_noise2``, ...), and prints the mean final test error with its
standard error, a column a realisation, and over all of them. The standard error over all is that of
the realisations' means: trials of one realisation share its luck. Signals that are means of
trainings are no realisation: they have a column of their own and do not count in the mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import dagnas
from dagnas.analysis.incumbents import incumbent
from dagnas.benchmarks.benchmark import TabularBenchmark
from perf.common import add_data, command_line, open_table, run

METHODS = ("random_search", "regularized_evolution", "smac", "lanas", "npnas")


def policies(bench: TabularBenchmark) -> list[str]:
    """Policy ``goal`` and its realisations."""
    return [name for name in bench.policies if name == "goal" or name.startswith("goal_noise")]


def final_errors(
    bench: TabularBenchmark, method: str, policy: str, trials: int, evaluations: int | None
) -> NDArray[np.float64]:
    """Test error of the cell that each trial reports at its end, %, shape (trials,)."""
    trace = dagnas.run(method, bench, trials, evaluations, policy=policy, device="cpu")
    errors = []
    for _, steps in trace.groupby("trial"):
        last = incumbent(steps["signal"].to_numpy(), steps["epochs"].to_numpy())[-1]
        errors.append(100 - steps["test"].iloc[last])
    return np.array(errors)


def _words(values: NDArray[np.float64]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} +- {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def show(bench: TabularBenchmark, methods: list[str], trials: int, evaluations: int | None) -> None:
    """Print a line for each method."""
    names = policies(bench)
    single = np.array([bench.policies[name].repeat == "random" for name in names])
    print(f"{bench.name}: mean final test error (%) of {trials} trials +- standard error")
    print(f"{'method':24}" + "".join(f"{name:>18}" for name in [*names, "realisations"]))
    for method in methods:
        errors = [final_errors(bench, method, name, trials, evaluations) for name in names]
        means = np.array([each.mean() for each in errors])[single]
        columns = [_words(each) for each in [*errors, means]]
        print(f"{method:24}" + "".join(f"{words:>18}" for words in columns), flush=True)


def main() -> None:
    """Print one benchmark."""
    parser = command_line("studies.noise_realisations", __doc__, "--benchmark nasbench201")
    parser.add_argument("--benchmark", default="nasbench101", help="name (nasbench101)")
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="METHOD")
    parser.add_argument("--trials", type=int, default=10, help="trials of each search (10)")
    add_data(parser)
    options = parser.parse_args()
    if options.smallest:
        show(open_table("digits201", options.data), list(METHODS[:2]), 2, 12)
    else:
        show(
            open_table(options.benchmark, options.data), list(options.methods), options.trials, None
        )


if __name__ == "__main__":
    run(main)
