"""Benchmarks opened and searches run in memory: what `dagnas` offers to scripts and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dagnas.analysis.traces import to_frame
from dagnas.benchmarks.benchmark import Benchmark, TabularBenchmark, find_policy
from dagnas.benchmarks.built import find_benchmark
from dagnas.benchmarks.checked import checked
from dagnas.benchmarks.described import is_table, register_tables
from dagnas.benchmarks.policy import Policy
from dagnas.benchmarks.usual import usual_policy
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from dagnas.search.method import Method
from dagnas.search.runner import Search, run_side_by_side, run_trial
from dagnas.search.terms import check_trials
from dagnas.tables.place import data_folder

if TYPE_CHECKING:
    import pandas as pd


def open(name: str, data: str | PathLike[str] | None = None) -> TabularBenchmark | Any:
    """Open a benchmark.

    Parameters
    ----------
    name : str
        Name of a benchmark (``dagnas list benchmarks``), or of a table that ``dagnas build-table``
        made; or a ``.yaml`` file that describes a table of your own (docs/tutorial_table.md).
    data : path, optional
        Folder of tables; by default the environment variable DAGNAS_DATA, else ``data``.

    Returns
    -------
    TabularBenchmark or Benchmark
        A table of cells has `TabularBenchmark.query`; other benchmarks evaluate what they are
        given.

    Raises
    ------
    DagnasError
        There is no such benchmark, or its table is missing or damaged.

    Examples
    --------
    >>> import dagnas
    >>> bench = dagnas.open("digits201")
    >>> bench.query(4200, policy="goal")["cell"]
    '|none~0|+|none~0|nor_conv_3x3~1|+|nor_conv_3x3~0|skip_connect~1|skip_connect~2|'
    """
    folder = data_folder(None if data is None else Path(data))
    if is_table(name):
        register_tables([name])
        name = Path(name).stem
    return find_benchmark(name, folder).open(folder)


def frame(benchmark: str | TabularBenchmark, policy: str | Policy | None = None) -> pd.DataFrame:
    """Make a data frame of all cells of a table.

    Parameters
    ----------
    benchmark : str or TabularBenchmark
        Name, or what `open` gives.
    policy : str or Policy, optional
        Evaluation policy whose quantities are asked for; by default all of the table.

    Returns
    -------
    DataFrame
        A row a cell, in the table's order, with the columns that `TabularBenchmark.query` names.

    Raises
    ------
    DagnasError
        The benchmark is no table, or a name is unknown.

    Examples
    --------
    >>> import dagnas
    >>> cells = dagnas.frame("digits201", "goal")
    >>> len(cells), list(cells)
    (15625, ['cell', 'parameters', 'multiply_adds', 'signal', 'seconds', 'valid', 'test'])
    """
    import pandas as pd

    table = _opened_table("benchmark", benchmark)
    if isinstance(policy, str):
        policy = find_policy(table, policy)
    return pd.DataFrame(table.describe(np.arange(len(table)), policy))


def run(
    method: str | Method,
    benchmark: str | Benchmark,
    trials: int | range = 2,
    budget_evaluations: int | None = None,
    *,
    budget_seconds: float | None = None,
    policy: str | None = None,
    until_best: bool = False,
    draw: str | None = None,
    objectives: Sequence[str] = (),
    constraints: Sequence[str] = (),
    prior: str | TabularBenchmark | None = None,
    device: str = "auto",
    study: str = "",
    data: str | PathLike[str] | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Run trials of a search method on a benchmark, in memory.

    A trial is one repetition of the whole search. The numbers are those that ``dagnas search``
    writes for the same method, benchmark, policy, budget, study and trials.

    Parameters
    ----------
    method : str or Method
    benchmark : str or Benchmark
        Name, or what `open` gives.
    trials : int or range
        How many trials, or their numbers; these name the random streams.
    budget_evaluations, budget_seconds : optional
        Budget of a trial, in evaluations and in simulated seconds; the policy's if neither is
        given.
    policy : str, optional
        Evaluation policy; by default ``goal``, or the benchmark's first.
    until_best : bool
        Whether a trial ends with the best cell of the table.
    draw : {"variables", "classes", "script"}, optional
        How random cells are drawn, if not as the policy says.
    objectives : sequence of str
        Costs to minimise beside the signal, for methods of several objectives; by default all of
        the policy's.
    constraints : sequence of str
        Limits on costs of the policy, such as ``"parameters<2000"``: the best cell is the best
        within them.
    prior : str or TabularBenchmark, optional
        Benchmark whose evaluations the method is told beforehand.
    device : {"auto", "cpu", "cuda"}
        Where methods compute that use torch.
    study : str
        Names the random streams; by default the benchmark's name.
    data : path, optional
        Folder of tables; see `open`.
    **settings
        Settings of the method.

    Returns
    -------
    DataFrame
        One row an evaluation, as `dagnas.read` gives them; `dagnas.compare` takes such frames.

    Raises
    ------
    DagnasError
        A name, setting or budget is out of range.

    Examples
    --------
    >>> import dagnas
    >>> trace = dagnas.run("random_search", "digits201", trials=3, budget_evaluations=10)
    >>> trace.groupby("trial")["signal"].count().tolist()
    [10, 10, 10]
    """
    from dagnas.training.device import choose_device

    chosen = METHODS.get(method) if isinstance(method, str) else method
    if isinstance(benchmark, str):
        opened: Benchmark = open(benchmark, data)
    else:
        opened = checked(benchmark, "the benchmark")
    told = None if prior is None else _opened_table("prior", prior, data)
    numbers = _numbers(trials)
    search = Search(
        benchmark=opened,
        method=chosen,
        given=settings,
        policy=usual_policy(opened) if policy is None else policy,
        budget_seconds=budget_seconds,
        budget_evaluations=budget_evaluations,
        until_best=until_best,
        draw=draw,
        objectives=list(objectives),
        constraints=list(constraints),
        prior=told,
        device=choose_device(device) if chosen.takes("device") else "cpu",
        study=study,
    )
    if chosen.batched:
        tables = run_side_by_side(search, numbers)
    else:
        tables = [run_trial(search, number) for number in numbers]
    return to_frame(pa.concat_tables(tables), search.metadata())


def _opened_table(
    what: str, given: str | TabularBenchmark, data: str | PathLike[str] | None = None
) -> TabularBenchmark:
    opened = open(given, data) if isinstance(given, str) else given
    if not isinstance(opened, TabularBenchmark):
        raise DagnasError(f"{what} {opened.name!r} is no table, so what it holds is unknown")
    return opened


def _numbers(trials: int | range) -> range:
    numbers = range(trials) if isinstance(trials, int) else trials
    if not isinstance(numbers, range) or not numbers or min(numbers[0], numbers[-1]) < 0:
        raise DagnasError(
            f"trials is {trials!r}; expected how many, or a range of their numbers, such as 5 or "
            "range(5, 10)"
        )
    return check_trials(numbers)
