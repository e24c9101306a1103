"""Hypervolume: how much of the table's front a search has, after so many evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.papers.hardware.objectives import (
    BENCHMARKS,
    COSTS,
    FRONTS,
    PLAIN,
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
    place="Hypervolume",
    title="Hypervolume that is missed, over evaluations",
    reads={"studies": (f"{FRONTS}*", f"{PLAIN}*")},
    benchmarks=("{benchmark}",),
    required=(),
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Hypervolume that the cells evaluated so far miss of that of the whole table.

    The frame is the smallest around all cells of the table, its worst corner the reference point.

    Returns
    -------
    DataFrame
        Columns benchmark, cost, method, evaluations, missed (mean over trials, in % of the whole
        table's hypervolume), se (standard error of the mean), low and high (95 %, Student's t),
        least (of any trial), n (trials) and emulated.
    """
    import pandas as pd
    from scipy.stats import t as student

    from dagnas.search.models.pareto import Frame, front, hypervolume, hypervolume_curve

    frames = []
    for task in tasks(inputs):
        frame = Frame.of(task.whole)
        best = hypervolume(task.whole[front(task.whole)], frame)
        found: dict[str, list[Any]] = {}
        for method, _, seen, _ in task.trials():
            found.setdefault(method, []).append(100 * (1 - hypervolume_curve(seen, frame) / best))
        shortest = min(len(curve) for curves in found.values() for curve in curves)
        for method, curves in found.items():
            missed, count = np.array([curve[:shortest] for curve in curves]), len(curves)
            se: Any = missed.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.nan
            half = student.ppf(0.975, max(count - 1, 1)) * se
            frames.append(
                pd.DataFrame(
                    {
                        "benchmark": task.benchmark.name,
                        "cost": task.cost,
                        "method": method,
                        "evaluations": np.arange(1, shortest + 1),
                        "missed": missed.mean(axis=0),
                        "se": se,
                        "low": missed.mean(axis=0) - half,
                        "high": missed.mean(axis=0) + half,
                        "least": missed.min(axis=0),
                        "n": count,
                        "emulated": task.traces["emulated"].iloc[0],
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def draw(table: pd.DataFrame) -> Figure:
    """A panel for each cost."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    panels = panels_of(table)
    figure = Figure(figsize=(6.6 * len(panels), 4.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, ((benchmark, cost), own) in zip(axes, panels, strict=True):
        _panel(ax, own)
        ax.set_title(f"{BENCHMARKS.get(benchmark, benchmark)}, {COSTS.get(cost, cost)}")
        style.stamp(ax, own["emulated"].iloc[0])
    return figure


def _panel(ax: Axes, own: pd.DataFrame) -> None:
    """Means with bands of 95 %, on a log axis, since the last per cent is what differs."""
    from dagnas.drawing import style
    from dagnas.papers.panels import plain_logarithm

    looks = style.looks(list(own["method"].unique()))
    least = max(own.loc[own["missed"] > 0, "missed"].min() / 2, 1e-3)
    ends = []
    for method, look in looks.items():
        curve = own[own["method"] == method]
        height = curve["missed"].clip(lower=least)
        ax.plot(curve["evaluations"], height, color=look.colour, lw=look.width, ls=look.dashes)
        low, high = (curve[name].clip(lower=least) for name in ("low", "high"))
        ax.fill_between(curve["evaluations"], low, high, color=look.colour, alpha=0.15, lw=0)
        ends.append((float(height.iloc[-1]), look))
    ax.set(yscale="log", xlabel="evaluations", ylabel="hypervolume missed (%)")
    plain_logarithm(ax.yaxis)
    ax.set(xlim=(1, own["evaluations"].max()), ylim=(least, own["missed"].max()))
    style.label_ends(ax, ends)


def caption(table: pd.DataFrame) -> str:
    """What is measured, and where it ends."""
    from dagnas.drawing import style
    from dagnas.papers.panels import counted, emulated_sentence, join_sentences

    looks = style.looks(list(table["method"].unique()))
    ends = table[table["evaluations"] == table.groupby("cost")["evaluations"].transform("max")]
    words = [
        f"{row['cost']}, {looks[row['method']].label}: {row['missed']:.2g} %"
        for row in ends.to_dict("records")
    ]
    return join_sentences(
        "Hypervolume that the cells evaluated so far miss, of that of the whole table, by "
        "search signal and cost. Its unit is the smallest frame around all cells, its reference "
        f"point the worst corner. Mean over {counted(table['n'], 'trial')}, bands of 95 %.",
        f"At the end: {'; '.join(words)}.",
        emulated_sentence(table["emulated"]),
    )
