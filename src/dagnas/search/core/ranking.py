"""How well predictors rank cells: trained on uniform samples, or on what a search evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas.benchmarks.core.benchmark import TabularBenchmark, find_policy
from dagnas.errors import DagnasError
from dagnas.search.core.runner import Search, run_trial
from dagnas.search.core.surrogate import Surrogate
from dagnas.seeds import stream

RANKING = pa.schema(
    [
        ("predictor", pa.string()),
        ("source", pa.string()),
        ("train_size", pa.int32()),
        ("trial", pa.int32()),
        ("code", pa.int64()),
        ("target", pa.float64()),
        ("score", pa.float32()),
    ]
)


def unique_rows(benchmark: TabularBenchmark) -> NDArray[np.int64]:
    """First row of each class of isomorphic cells, ascending."""
    _, first = np.unique(benchmark.space.canonical(benchmark.cells), return_index=True)
    return np.sort(first)


def rank_uniform(
    name: str,
    benchmark: TabularBenchmark,
    target: str,
    predictors: Sequence[str],
    train_sizes: Sequence[int],
    test_size: int,
    epochs: int,
    trials: int,
    device: str = "cpu",
) -> pa.Table:
    """Train predictors on uniform samples and score cells held out (GOAL, section 6.2).

    In each trial the classes of isomorphic cells are shuffled; the first ``test_size`` are the
    test cells, and the next ones the training cells, so that all predictors see the same cells
    and larger training sets hold the smaller ones.

    Parameters
    ----------
    name : str
        Names the random streams, with the predictor, size and trial.
    benchmark : TabularBenchmark
    target : str
        Quantity to rank by, such as ``cifar10/valid/200`` (mean over trainings, %).
    predictors : sequence of str
    train_sizes : sequence of int
    test_size, epochs, trials : int
    device : str

    Returns
    -------
    pyarrow.Table
        Columns of `RANKING`, one row a test cell, predictor, size and trial; lower scores are
        for better cells.

    Raises
    ------
    DagnasError
        There are fewer classes than training and test cells together.
    """
    rows = unique_rows(benchmark)
    if test_size + max(train_sizes) > len(rows):
        raise DagnasError(
            f"{test_size} test cells and {max(train_sizes)} training cells are more than the "
            f"{len(rows)} classes of {benchmark.name}"
        )
    truth, cells = benchmark.values(target), benchmark.cells
    parts = []
    runs = [(t, p, n) for t in range(trials) for p in predictors for n in train_sizes]
    for trial, predictor, size in tqdm(runs, desc=f"ranking {name}", disable=None):
        shuffled = stream(name, trial).permutation(rows)
        test, train = np.sort(shuffled[:test_size]), shuffled[test_size : test_size + size]
        surrogate = Surrogate(
            benchmark.space, predictor, stream(name, predictor, size, trial), device
        )
        surrogate.fit(cells[train], truth[train], epochs)
        parts.append(_part(benchmark, surrogate, predictor, "uniform", trial, test, truth[test]))
    return pa.concat_tables(parts)


def rank_after_search(name: str, search: Search, trials: int) -> pa.Table:
    """Score all classes by the surrogate of a search, and by one of a uniform sample.

    The second has as many training cells, with the same signal, and is shown as many cells in
    training (GOAL, appendix D). The searches are those of the study's traces, run again.

    Parameters
    ----------
    name : str
        Names the random streams of the uniform samples.
    search : Search
        On a tabular benchmark, by a method whose surrogate can be observed.
    trials : int

    Returns
    -------
    pyarrow.Table
        Columns of `RANKING`; ``target`` is the mean of the search signal (%).

    Raises
    ------
    DagnasError
        The benchmark is no table, the method shows no surrogate, or never trains it.
    """
    benchmark = search.benchmark
    if not isinstance(benchmark, TabularBenchmark):
        raise DagnasError(f"ranking {name!r}: benchmark {benchmark.name!r} is no table")
    if not search.method.takes("observe"):
        raise DagnasError(f"ranking {name!r}: method {search.method.name!r} shows no surrogate")
    rules = find_policy(benchmark, search.policy)
    rows, cells = unique_rows(benchmark), benchmark.cells
    truth = benchmark.values(rules.signal)[rows]
    predictor = search.settings["predictor"]
    parts = []
    for trial in tqdm(range(trials), desc=f"ranking {name}", disable=None):
        observed: list[Surrogate] = []
        run_trial(search, trial, observe=observed.append)
        (keep,) = observed
        if not keep.size:
            raise DagnasError(
                f"ranking {name!r}: the budget of {search.study} ends before {search.method.name} "
                "trains its surrogate"
            )
        chance = stream(name, "uniform", trial)
        train = chance.choice(rows, keep.size, replace=False)
        signals = benchmark.look_up(train, rules, chance).signal
        uniform = Surrogate(benchmark.space, predictor, chance, search.device)
        uniform.fit(cells[train], signals, max(1, round(keep.visits / keep.size)))
        for source, surrogate in (("search", keep), ("uniform", uniform)):
            parts.append(_part(benchmark, surrogate, predictor, source, trial, rows, truth))
    return pa.concat_tables(parts)


def _part(
    benchmark: TabularBenchmark,
    surrogate: Surrogate,
    predictor: str,
    source: str,
    trial: int,
    rows: NDArray[np.int64],
    truth: NDArray[np.float64],
) -> pa.Table:
    cells = benchmark.cells[rows]
    same = len(rows)
    return pa.table(
        {
            "predictor": [predictor] * same,
            "source": [source] * same,
            "train_size": np.full(same, surrogate.size),
            "trial": np.full(same, trial),
            "code": benchmark.space.pack(cells),
            "target": truth,
            "score": surrogate.score(cells),
        }
    ).cast(RANKING)
