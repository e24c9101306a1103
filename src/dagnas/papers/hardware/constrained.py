"""Constrained search: the best accuracy under a limit on a cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagnas.papers.hardware.objectives import BENCHMARKS, LIMITS, TABLE, opened, panels_of
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Constrained search",
    title="Test accuracy under a limit",
    reads={"studies": (f"{LIMITS}*",)},
    benchmarks=("{benchmark}",),
    required=(),
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Reports of all methods under each limit.

    A trial reports, of the cells that it evaluated and that keep to the limit, the one with the
    best signal. The table's row is what a search could report that had seen all cells.

    Returns
    -------
    DataFrame
        Columns benchmark, limit (as given), cost, most (its number), method ("table" for all its
        cells), test (final test accuracy, %, mean over trials), sd, se, n (trials that report
        something), trials, value (largest cost of a reported cell), within (fraction of the
        evaluations that keep to the limit; of all cells in the table's row), evaluations and
        emulated.
    """
    import pandas as pd

    rows = []
    for study in inputs.result.names("studies"):
        settings = inputs.config.section("studies")[study]
        (limit,) = settings.limits()
        about = {
            "benchmark": settings.benchmark,
            "limit": settings.constraints[0],
            "cost": limit.cost,
            "most": limit.most,
        }
        for method, traces in inputs.traces(study).groupby("method", sort=False):
            last = [
                own.iloc[int(own["signal"].to_numpy().argmax())]
                for _, trial in traces.groupby("trial")
                if len(own := trial[trial["feasible"]])
            ]
            test = np.array([float(row["test"]) for row in last])
            sd = test.std(ddof=1) if len(test) > 1 else np.nan
            rows.append(
                about
                | {
                    "method": method,
                    "test": test.mean() if len(test) else np.nan,
                    "sd": sd,
                    "se": sd / np.sqrt(max(len(test), 1)),
                    "n": len(test),
                    "trials": traces["trial"].nunique(),
                    "value": max((row[f"cost_{limit.cost}"] for row in last), default=np.nan),
                    "within": traces["feasible"].mean(),
                    "evaluations": int(traces.groupby("trial").size().max()),
                    "emulated": traces["emulated"].iloc[0],
                }
            )
        bench, policy = opened(inputs, settings.benchmark), inputs.policy(study)
        keeps = limit.keeps(bench.costs[limit.cost])
        signal = bench.values(policy.signal, policy.repeat).reshape(len(bench), -1)
        best = int(np.where(keeps, np.nanmean(signal, axis=1), -np.inf).argmax())
        rows.append(
            about
            | {
                "method": TABLE,
                "test": bench.values(policy.test)[best],
                "n": 1,
                "trials": 1,
                "value": bench.costs[limit.cost][best],
                "within": keeps.mean(),
                "evaluations": len(bench),
                "emulated": " ".join(bench.emulated(policy)),
            }
        )
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> Figure:
    """A panel for each limit, methods in rows."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    panels = panels_of(table, "limit")
    methods = [name for name in table["method"].unique() if name != TABLE]
    size = (2.2 + 4.0 * len(panels), 1.5 + 0.42 * len(methods))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for place, (ax, ((benchmark, limit), own)) in enumerate(zip(axes, panels, strict=True)):
        _panel(ax, own, methods)
        looks = style.looks(methods)
        if place:
            ax.set_yticks(range(len(methods)), [])
            ax.grid(visible=False, axis="y")
        else:
            style.name_rows(ax, [looks[method] for method in methods])
        ax.set_ylim(len(methods) - 0.5, -0.5)
        ax.set(
            title=f"{BENCHMARKS.get(benchmark, benchmark)}, {limit.replace('_', ' ')}",
            xlabel="test accuracy (%)",
        )
        style.stamp(ax, own["emulated"].iloc[0])
    return figure


def _panel(ax: Axes, own: pd.DataFrame, methods: list[str]) -> None:
    """Means with intervals of 95 %, and what the whole table would report."""
    from scipy.stats import t as student

    from dagnas.drawing import style

    looks = style.looks(methods)
    for row in own[own["method"] != TABLE].to_dict("records"):
        place, colour = methods.index(row["method"]), looks[row["method"]].colour
        half = student.ppf(0.975, max(row["n"] - 1, 1)) * row["se"]
        ax.errorbar(row["test"], place, xerr=half, fmt="o", ms=7, capsize=3, color=colour)
    best = own.loc[own["method"] == TABLE, "test"].iloc[0]
    ax.axvline(best, color="#000000", lw=1.4, ls=(0, (4, 2)))
    low, high = ax.get_xlim()
    ax.set_xlim(max(low, 0), min(high, 100))


def caption(table: pd.DataFrame) -> str:
    """What is reported, and of how many trials."""
    from dagnas.papers.panels import counted, emulated_sentence, join_sentences

    searches = table[table["method"] != TABLE]
    lacking = searches[searches["n"] < searches["trials"]]
    words = [
        f"{row['method']} under {row['limit']} in {row['trials'] - row['n']} of {row['trials']}"
        for row in lacking.to_dict("records")
    ]
    fractions = [
        f"{row['limit']}: {row['within']:.1%} of all cells"
        for row in table[table["method"] == TABLE].to_dict("records")
    ]
    return join_sentences(
        "Final test accuracy of the cell with the best search signal among those evaluated that "
        f"keep to the limit, after {counted(searches['evaluations'], 'evaluation')}; mean over "
        f"{counted(searches['trials'], 'trial')}, bars of 95 %. Beyond the limit, what a method is "
        "told shrinks in the ratio of the limit to the cost. Dashed: what a search would report "
        "that had seen all cells.",
        f"Within the limits are {'; '.join(fractions)}.",
        f"Nothing within the limit was found by {'; '.join(words)}." if words else "",
        emulated_sentence(table["emulated"]),
    )
