"""Fronts: the cells of which none is better in accuracy and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.papers.hardware.objectives import (
    BENCHMARKS,
    COSTS,
    FRONTS,
    PLAIN,
    TABLE,
    Task,
    panels_of,
    tasks,
)
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Fronts",
    title="Accuracy against the cost of hardware",
    reads={"studies": (f"{FRONTS}*", f"{PLAIN}*")},
    benchmarks=("{benchmark}",),
    required=(),
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Fronts of the trial of each method with the median hypervolume, and of the table.

    Returns
    -------
    DataFrame
        Columns benchmark, cost (its name), method ("table" for all its cells), trial (-1 there), n
        (trials of the method), value (of the cost), signal (%), test (final test accuracy, %), cell
        and emulated; cells by their cost.
    """
    import pandas as pd

    from dagnas.search.models.pareto import Frame, front, hypervolume

    frames = []
    for task in tasks(inputs):
        frame = Frame.of(task.whole)
        found: dict[str, list[tuple[float, int, pd.DataFrame]]] = {}
        for method, trial, seen, own in task.trials():
            kept = own.assign(value=seen[:, 1], signal=seen[:, 0]).iloc[front(seen)]
            kept = kept[["cell", "value", "signal", "test", "emulated"]]
            found.setdefault(method, []).append((hypervolume(seen, frame), trial, kept))
        parts = [_of_table(task)]
        for method, trials in found.items():
            # The lower of two in the middle, so that it is a trial.
            _, trial, kept = sorted(trials, key=lambda each: each[:2])[(len(trials) - 1) // 2]
            parts.append(kept.assign(method=method, trial=trial, n=len(trials)))
        for part in parts:
            part = part.drop_duplicates("cell").sort_values(["value", "signal"], kind="stable")
            frames.append(part.assign(benchmark=task.benchmark.name, cost=task.cost))
    names = ["benchmark", "cost", "method", "trial", "n", "value", "signal", "test", "cell"]
    return pd.concat(frames, ignore_index=True)[[*names, "emulated"]]


def _of_table(task: Task) -> pd.DataFrame:
    """Front of all cells of the table."""
    import pandas as pd

    from dagnas.search.models.pareto import front

    rows, bench, policy = front(task.whole), task.benchmark, task.policy
    return pd.DataFrame(
        {
            "cell": bench.space.to_str(bench.cells[rows]),
            "value": task.whole[rows, 1],
            "signal": task.whole[rows, 0],
            "test": bench.values(policy.test)[rows],
            "emulated": " ".join(bench.emulated(policy)),
            "method": TABLE,
            "trial": -1,
            "n": 1,
        }
    )


def draw(table: pd.DataFrame) -> Figure:
    """A panel for each cost."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    panels = panels_of(table)
    figure = Figure(figsize=(6.6 * len(panels), 4.8), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, ((benchmark, cost), own) in zip(axes, panels, strict=True):
        _panel(ax, own)
        ax.set(
            title=BENCHMARKS.get(benchmark, benchmark),
            xlabel=COSTS.get(cost, cost),
            ylabel="search signal, accuracy (%)",
        )
        style.stamp(ax, " ".join(sorted(set(own["emulated"]))).strip())
    return figure


def _panel(ax: Axes, own: pd.DataFrame) -> None:
    """Fronts as steps: at a cost up to this, this accuracy was found."""
    from dagnas.drawing import style
    from dagnas.papers.panels import plain_logarithm

    methods = [name for name in own["method"].unique() if name != TABLE]
    looks = {TABLE: style.Look("whole table", "#000000", 1.4, (0, (4, 2)))} | style.looks(methods)
    # The cheapest cells are no better than chance; what is to be seen is above them.
    whole = own[own["method"] == TABLE]
    low = np.quantile(whole["signal"], 0.25)
    for method, look in looks.items():
        rows = own[own["method"] == method]
        line: dict[str, Any] = {"color": look.colour, "lw": look.width, "ls": look.dashes}
        end = own["value"].max()
        ax.step(
            [*rows["value"], end],
            [*rows["signal"], rows["signal"].max()],
            where="post",
            label=look.label,
            **line,
        )
        if method != TABLE:
            ax.plot(rows["value"], rows["signal"], "o", color=look.colour, ms=4)
    high = own["signal"].max()
    ax.set_xscale("log")
    plain_logarithm(ax.xaxis)
    ax.set(ylim=(low - 0.05 * (high - low), high + 0.05 * (high - low)))
    ax.set_xlim(left=0.8 * whole.loc[whole["signal"] >= low, "value"].min())
    ax.legend(loc="upper left")


def caption(table: pd.DataFrame) -> str:
    """What is drawn, of which trials."""
    from dagnas.papers.panels import counted, emulated_sentence, join_sentences

    searches = table[table["method"] != TABLE]
    return join_sentences(
        "Each step is a cell of which no other that the trial evaluated has both a better search "
        "signal and a lower cost; of each method the trial with the median hypervolume of "
        f"{counted(searches['n'], 'trial')}. RS and REA see the signal alone. Dashed: the front of "
        "the whole table. Accuracies below the lowest quarter of that front are not shown.",
        emulated_sentence(table["emulated"]),
    )
