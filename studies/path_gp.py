"""path_gp's ablation and its bars: ``python -m studies.path_gp ablation`` or ``bars``.

The ablation counts evaluations until the best cell of the tables on which the method was chosen:
NAS-Bench-201 with the final accuracies on CIFAR-100 and on ImageNet16-120. The bars are what the
method is judged by, on tables that chose nothing. Shown are means over trials with standard errors,
and processor seconds of a trial. docs/path_gp.md has what came out.

``speed`` compares one fit of the Gaussian process with one of scikit-learn's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.search import METHODS
from dagnas.search.models import candidates, path_features
from dagnas.search.models.matern import fit, usual_prior
from dagnas.search.runner import Search, run_trial
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.tables.place import data_folder
from perf.common import add_data, command_line, least_seconds, open_table, run

#: Tables that settings and features were chosen on, and their policy.
CHOSEN_ON = ("nasbench201_cifar100", "nasbench201_imagenet16")
POLICY = "bonas"
#: Evaluations after which a trial has failed to meet the best cell.
MOST = 500
#: Shares of GOAL's budget at which regret is shown.
SHARES = (0.1, 0.25, 0.5, 1.0)
#: Benchmarks of the leaderboard.
BOARD = (
    "nasbench201",
    "nasbench201_cifar100",
    "nasbench201_imagenet16",
    "nasbench101",
    "digits201",
)

_KINDS = path_features.kinds


def _no_size(space: CellSpace, cells: Cells) -> NDArray[np.float64]:
    return np.empty((len(cells), 0))


def _no_residual(space: CellSpace) -> NDArray[np.bool_]:
    """Kinds of operations without "all but skip connections", which is the second."""
    return np.delete(_KINDS(space), 1, axis=0)


#: Settings that a variant changes, and functions that it replaces.
VARIANTS: Mapping[str, tuple[Mapping[str, Any], tuple[tuple[Any, str, Any], ...]]] = {
    "default": ({}, ()),
    "raw_target": ({"stretch": False}, ()),
    "ten_initial": ({"initial": 10}, ()),
    "one_of_a_class": ({"sameness": "class"}, ()),
    "without_size": ({}, ((candidates, "size_features", _no_size),)),
    "without_residual": ({}, ((path_features, "kinds", _no_residual),)),
}


@contextmanager
def variant(name: str) -> Iterator[Mapping[str, Any]]:
    """Settings of a variant, while its functions are in force."""
    settings, replaced = VARIANTS[name]
    patches = [patch.object(*what) for what in replaced]
    candidates.listing.cache_clear()
    for each in patches:
        each.start()
    try:
        yield settings
    finally:
        for each in patches:
            each.stop()
        candidates.listing.cache_clear()


def until_best(bench: TabularBenchmark, settings: Mapping[str, Any], trial: int, most: int) -> int:
    """Evaluations until a trial meets the best cell, or ``most``."""
    search = Search(
        bench,
        METHODS.get("path_gp"),
        settings,
        policy=POLICY,
        budget_evaluations=most,
        until_best=True,
    )
    return int(run_trial(search, trial)["step"][-1].as_py()) + 1


def summary(values: list[float]) -> str:
    """Mean, standard error, and largest."""
    array = np.array(values, dtype=np.float64)
    error = array.std(ddof=1) / np.sqrt(len(array)) if len(array) > 1 else np.nan
    return f"{array.mean():8.3f} +/- {error:6.3f}, at most {array.max():.3f}"


def timed(trials: range, work: Callable[[int], float]) -> tuple[list[float], float]:
    """Values of all trials, and processor seconds of one."""
    start = time.process_time()
    values = [work(trial) for trial in trials]
    return values, (time.process_time() - start) / len(trials)


def ablation(benches: list[TabularBenchmark], trials: range, most: int) -> None:
    """Print a line for each variant and table."""
    print("evaluations until the best cell; processor seconds of a trial")
    for name in VARIANTS:
        with variant(name) as settings:
            for bench in benches:
                values, cpu = timed(
                    trials,
                    lambda trial: until_best(bench, settings, trial, most),  # noqa: B023
                )
                print(f"{name:18}{bench.name:24}{summary(values)}{cpu:8.2f}", flush=True)


def final(bench: TabularBenchmark, trace: pa.Table, share: float, budget: float) -> float:
    """Test regret of the cell of the best signal after a share of the budget, in points."""
    done = trace["seconds"].to_numpy() <= share * budget
    # Before the first training has ended there is nothing to report.
    if not done.any():
        return 100.0
    best = trace["signal"].to_numpy()[done].argmax()
    policy = bench.policies["goal"]
    return float(bench.values(policy.test).max() - trace["test"].to_numpy()[best])


def bars(names: tuple[str, ...], trials: range, most: int, open_: Callable[[str], Any]) -> None:
    """Print a line for each benchmark of the leaderboard, and the two bars of BONAS's policy."""
    method = METHODS.get("path_gp")
    for name in names:
        bench = open_(name)
        search = Search(bench, method, study=f"goal_{name}", policy="goal")
        budget = float(search.terms.budget_seconds or np.inf)
        start = time.process_time()
        traces = [run_trial(search, trial) for trial in trials]
        cpu = (time.process_time() - start) / len(traces)
        for share in SHARES:
            regrets = [final(bench, trace, share, budget) for trace in traces]
            print(f"{name:24}regret at {share:4.0%}  {summary(regrets)}{cpu:8.2f}", flush=True)
        if search.policy.repeat != "random":
            best = bench.best_signal(search.policy)
            when = [_seconds_until(trace, best) for trace in traces]
            print(f"{name:24}best signal held {np.isfinite(when).sum()} of {len(when)}", end="")
            print(f", by 8,000 s {sum(second <= 8e3 for second in when)}", flush=True)
    for name, budget in (("nasbench201", most), ("nasbench101", min(most, 150))):
        if name in names:
            bench = open_(name)
            signals = np.sort(bench.values(bench.policies[POLICY].signal))
            search = Search(
                bench, method, policy=POLICY, budget_evaluations=budget, until_best=True
            )
            traces = [run_trial(search, trial) for trial in trials]
            steps = [float(trace["step"][-1].as_py() + 1) for trace in traces]
            top = sum(max(trace["signal"].to_pylist()) >= signals[-2] for trace in traces)
            print(f"{name:24}evaluations {summary(steps)}; of the two best {top} of {len(steps)}")


def _seconds_until(trace: pa.Table, best: float) -> float:
    """Simulated seconds until the best signal; infinite if it is not met."""
    met = np.flatnonzero(trace["signal"].to_numpy() >= best)
    return float(trace["seconds"].to_numpy()[met[0]]) if len(met) else np.inf


def speed(points: int) -> None:
    """Print processor seconds of fits to random points of one block."""
    rng = np.random.default_rng(0)
    block, targets = rng.normal(size=(points, 38)), rng.normal(size=points)
    # The same three hyperparameters, and as many starts.
    kernel = ConstantKernel() * Matern(nu=2.5) + WhiteKernel()
    seconds = least_seconds(
        {
            "ours": lambda: fit([block], targets, usual_prior(1)),
            "scikit-learn": lambda: GaussianProcessRegressor(kernel).fit(block, targets),
        },
        rounds=3,
    )
    for name, took in seconds.items():
        print(f"fit of {name:13} to {points} points {1e3 * took:9.1f} ms", flush=True)


def main() -> None:
    """Print what was asked for."""
    parser = command_line("studies.path_gp", __doc__, "ablation --trials 40", "bars --trials 50")
    parser.add_argument(
        "part", nargs="?", choices=("ablation", "bars", "speed"), help="default: all three"
    )
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="trials (20)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first (0)")
    add_data(parser)
    options = parser.parse_args()
    trials = range(options.first, options.first + (1 if options.smallest else options.trials))
    most = 8 if options.smallest else MOST
    data = data_folder(options.data)

    def open_(name: str) -> TabularBenchmark:
        return open_table(name, data)

    if options.part in (None, "speed"):
        speed(20 if options.smallest else 150)
    if options.part in (None, "ablation"):
        names = ("digits201",) if options.smallest else CHOSEN_ON
        ablation([open_(name) for name in names], trials, most)
    if options.part in (None, "bars"):
        bars(("digits201",) if options.smallest else BOARD, trials, most, open_)


if __name__ == "__main__":
    run(main)
