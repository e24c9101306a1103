"""Incumbents, the best cells so far: curves of search efficiency, and the oracle.

A trial is one repetition of a search with its own random stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from dagnas.benchmarks.benchmark import TabularBenchmark
    from dagnas.benchmarks.policy import Policy

#: Errors that are followed over time, and the column of a trace with the accuracy of each.
METRICS = {"validation error": "valid", "test error": "test"}
EVALUATIONS = "evaluations"
#: Fraction of trials that hold the optimum: see `held`.
HELD = "optimum held"


def time_grid(budget: float, intervals: int) -> NDArray[np.float64]:
    """Times up to the budget in at most ``intervals`` round steps, of 1, 2 or 5 x 10^k seconds."""
    least = budget / intervals
    power = 10.0 ** np.floor(np.log10(least))
    step = next(power * unit for unit in (1, 2, 5, 10) if power * unit >= least * (1 - 1e-9))
    times: NDArray[np.float64] = step * np.arange(1, int(budget / step * (1 + 1e-9)) + 1)
    return times


def incumbent(
    signal: NDArray[np.float64], epochs: NDArray[np.integer] | None = None
) -> NDArray[np.int64]:
    """Position of the best signal up to each evaluation, the earliest of equals; shape (steps,).

    Where trainings have different lengths, ``epochs``, a longer one is better than any shorter
    one, as in Hyperband. An evaluation without a signal, NaN, is worse than any other.
    """
    failed = np.isnan(signal)
    signal = np.where(failed, -np.inf, signal)
    if epochs is not None:
        # Places in order of (epochs, signal), equal for equals.
        pairs = np.stack([np.where(failed, 0, epochs), signal], axis=1)
        signal = np.unique(pairs, axis=0, return_inverse=True)[1].astype(np.float64)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(signal)[:-1]])
    return np.maximum.accumulate(np.where(signal > before, np.arange(len(signal)), 0))


def curves(traces: pd.DataFrame, grid: NDArray[np.float64]) -> pd.DataFrame:
    """Mean and standard deviation, over trials, of each method's report at each time.

    A method reports the cell with the best signal among the evaluations that have ended; it keeps
    its last report after its last evaluation.

    Parameters
    ----------
    traces : DataFrame
        As `Inputs.traces` gives them.
    grid : ndarray
        Times in simulated seconds.

    Returns
    -------
    DataFrame
        Columns metric (errors in %, and the number of evaluations ended), method, seconds,
        mean, sd (n - 1 in the denominator), se (standard error of the mean), n (trials that have
        a report) and emulated.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for method, of_method in traces.groupby("method", sort=False):
        reports: dict[str, list[NDArray[np.float64]]] = {}
        for _, trial in of_method.groupby("trial", sort=True):
            best = incumbent(trial["signal"].to_numpy(), trial["epochs"].to_numpy())
            ended = np.searchsorted(trial["seconds"].to_numpy(), grid, side="right")
            started = ended > 0
            for metric, column in METRICS.items():
                error = 100 - trial[column].to_numpy()[best[ended - 1]]
                reports.setdefault(metric, []).append(np.where(started, error, np.nan))
            reports.setdefault(EVALUATIONS, []).append(ended.astype(float))
        marks = set(" ".join(of_method["emulated"].unique()).split())
        for metric, trials in reports.items():
            about = {"metric": metric, "method": method, "emulated": _relevant(marks, metric)}
            for second, column in zip(grid, np.array(trials).T, strict=True):
                if len(values := column[~np.isnan(column)]):
                    sd = values.std(ddof=1) if len(values) > 1 else np.nan
                    found = {"seconds": second, "mean": values.mean(), "sd": sd, "n": len(values)}
                    rows.append(about | found)
    columns = ["metric", "method", "seconds", "mean", "sd", "n", "emulated"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(se=table["sd"] / np.sqrt(table["n"]))


def _relevant(marks: set[str], metric: str) -> str:
    """Emulated quantities that a metric rests on."""
    if metric == EVALUATIONS:
        return " ".join(marks & {"seconds"})
    return " ".join(sorted(marks - set(METRICS.values()) | marks & {METRICS[metric]}))


def optimum(benchmark: TabularBenchmark, policy: Policy) -> NDArray[np.int64]:
    """Rows of the cells with the best signal of the table, of every training that gives one."""
    signals = benchmark.values(policy.signal, policy.repeat).reshape(len(benchmark), -1)
    return np.flatnonzero((signals == np.nanmax(signals, axis=0)).any(axis=1))


def held(
    traces: pd.DataFrame,
    times: NDArray[np.float64],
    benchmark: TabularBenchmark,
    policy: Policy,
) -> pd.DataFrame:
    """Whether each trial reports a cell of the best signal of the table, at each time.

    An error near the optimum's does not show this: other cells may have a lower one.

    Parameters
    ----------
    traces : DataFrame
        As `Inputs.traces` gives them, of searches of ``benchmark`` under ``policy``.
    times : ndarray, shape (times,)
        In simulated seconds.
    benchmark : TabularBenchmark
    policy : Policy

    Returns
    -------
    DataFrame
        Columns method, trial, metric (`HELD`), seconds, held (1.0 or 0.0; 0.0 before the first
        report) and emulated (quantities behind it that a model gave), in the order of the traces.
    """
    import pandas as pd

    best = optimum(benchmark, policy)
    frames = []
    for (method, trial), steps in traces.groupby(["method", "trial"], sort=False):
        reported = incumbent(steps["signal"].to_numpy(), steps["epochs"].to_numpy())
        ended = np.searchsorted(steps["seconds"].to_numpy(), times, side="right")
        cells = benchmark.space.unpack(steps["code"].to_numpy()[reported[ended - 1]])
        at_best = (ended > 0) & np.isin(benchmark.rows(cells), best)
        about = {"method": method, "trial": trial, "metric": HELD, "seconds": times}
        marks = sorted({"signal", "seconds"}.intersection(steps["emulated"].iloc[0].split()))
        frames.append(
            pd.DataFrame(about | {"held": at_best.astype(float), "emulated": " ".join(marks)})
        )
    return pd.concat(frames, ignore_index=True)


def oracle(benchmark: TabularBenchmark, policy: Policy) -> pd.DataFrame:
    """Report of the cells with the globally best signal (GOAL, section 6.3, "Oracle").

    For every training that gives a signal, the cell with the best one counts; of equal cells all
    do, but only one of each class of isomorphic cells. The mean and the standard deviation are over
    all final trainings of these cells; the latter is unknown where the table has only a mean over
    trainings.

    Returns
    -------
    DataFrame
        Columns metric, method ("oracle"), mean, sd, n (trainings) and emulated.
    """
    import pandas as pd

    best = optimum(benchmark, policy)
    # Cells of a class that share trainings are equal, and their trainings count once.
    classes = benchmark.space.canonical(benchmark.cells[best])
    best = best[np.unique(classes, return_index=True)[1]]
    marks = set(benchmark.emulated(policy))
    rows = []
    for metric, column in METRICS.items():
        quantity = getattr(policy, column)
        several = bool(benchmark.table.repeats(quantity))
        reported = 100 - benchmark.values(quantity, "random" if several else "mean")[best].ravel()
        reported = reported[~np.isnan(reported)]
        rows.append(
            {
                "metric": metric,
                "method": "oracle",
                "mean": reported.mean(),
                "sd": reported.std(ddof=1) if len(reported) > 1 and several else np.nan,
                "n": len(reported),
                "emulated": " ".join(sorted(marks & {"signal", column})),
            }
        )
    return pd.DataFrame(rows)
