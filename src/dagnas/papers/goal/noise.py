"""Searches under single trainings and under their mean: how noise changes the order of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.incumbents import HELD, held, time_grid
from dagnas.analysis.paired import interval, reports
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.benchmarks.benchmark import TabularBenchmark

RESULT = Result(
    place="Section 6.3, the signal's noise",
    title="Searches under the noise of single trainings",
    reads={
        "studies": (
            "goal_nasbench201",
            "goal_nasbench201_noise1",
            "goal_nasbench201_noise2",
            "goal_nasbench201_noise3",
            "goal_nasbench101",
            "goal_nasbench101_noise2",
            "goal_nasbench101_noise3",
        )
    },
    benchmarks=("nasbench201", "nasbench101"),
)
#: Signals as columns of the figure.
MEAN, SINGLE = "mean of trainings", "realisation"
ERROR = "test error"
#: Method whose curves are drawn.
SHOWN = "goal"


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Final test error of every method under every signal, and how one method gets there.

    Returns
    -------
    DataFrame
        Columns benchmark, signal ("mean of trainings", or "realisation" and its number), method,
        metric, seconds, mean, low and high (bootstrap interval of 95 % for the mean), n (trials),
        rank (of the mean error among the methods, 1 the least; NaN in curves) and emulated. The
        metric "optimum held" is the fraction of trials whose reported cell has the best mean
        signal of the table, whatever signal the search saw.
    """
    import pandas as pd

    frames = []
    for study in inputs.result.names("studies"):
        benchmark = inputs.benchmark(inputs.config.section("studies")[study].benchmark)
        traces = inputs.traces(study)
        end = inputs.budget(study)
        about = {"benchmark": benchmark.name, "signal": _signal(inputs, study)}
        final = _summary(_errors(traces, np.array([end])), study)
        final["rank"] = final["mean"].rank(method="min")
        curve = traces[traces["method"] == SHOWN]
        parts = [final]
        if len(curve):
            parts.append(_summary(_course(curve, end, benchmark), study))
        frames.append(pd.concat(parts).assign(**about))
    columns = ["benchmark", "signal", "method", "metric", "seconds", "mean", "low", "high"]
    return pd.concat(frames, ignore_index=True)[[*columns, "n", "rank", "emulated"]]


def _signal(inputs: Inputs, study: str) -> str:
    """Signal that a study's searches see."""
    policy = inputs.policy(study)
    if policy.repeat == "mean":
        return MEAN
    number = inputs.config.section("studies")[study].policy.rpartition("_noise")[2]
    return f"{SINGLE} {number if number.isdecimal() else 1}"


def _errors(traces: pd.DataFrame, times: Any) -> pd.DataFrame:
    reported = reports(traces, times).rename(columns={"error": "value"})
    return reported[reported["metric"] == ERROR]


def _course(traces: pd.DataFrame, end: float, benchmark: TabularBenchmark) -> pd.DataFrame:
    """Values of each trial at times up to the end: its error, and whether it holds the optimum."""
    import pandas as pd

    times = time_grid(end, intervals=30)
    parts = [_errors(traces, times)]
    best = benchmark.policies["goal"]
    if best.repeat == "mean":
        # What was seen is of no matter here: the optimum is that of the means.
        found = held(traces, times, benchmark, best)
        parts.append(found.rename(columns={"held": "value"}))
    return pd.concat(parts, ignore_index=True)


def _summary(values: pd.DataFrame, study: str) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    keys = ["method", "metric", "seconds", "emulated"]
    for key, trials in values.groupby(keys, sort=False):
        numbers = trials["value"].to_numpy()
        low, high = interval(numbers, stream("noise", study, *map(str, key)))
        about = dict(zip(keys, key, strict=True))
        rows.append(about | {"mean": numbers.mean(), "low": low, "high": high, "n": len(numbers)})
    return pd.DataFrame(rows).assign(rank=np.nan)


def draw(table: pd.DataFrame) -> Figure:
    """A row a benchmark: ranks of all methods by signal, then GOAL's course."""
    from matplotlib.figure import Figure

    from dagnas.drawing.style import benchmark_label

    benchmarks = list(table["benchmark"].unique())
    has_optimum = bool((table["metric"] == HELD).any())
    figure = Figure(figsize=(15 if has_optimum else 11, 4.8 * len(benchmarks)))
    figure.set_layout_engine("constrained", w_pad=0.15)
    panels = figure.subplots(len(benchmarks), 2 + has_optimum, squeeze=False)
    for row, benchmark in zip(panels, benchmarks, strict=True):
        here = table[table["benchmark"] == benchmark]
        _ranks(row[0], here[here["rank"].notna()])
        row[0].set(title=benchmark_label(benchmark))
        for ax, metric in zip(row[1:], (ERROR, HELD), strict=False):
            curves = here[here["rank"].isna() & (here["metric"] == metric)]
            if curves.empty:
                ax.set_axis_off()
                continue
            _curves(ax, curves, metric)
    return figure


def _ranks(ax: Axes, final: pd.DataFrame) -> None:
    """Ranks of the methods, a line each from signal to signal."""
    from dagnas.drawing import style
    from dagnas.papers.panels import marks

    signals = list(final["signal"].unique())
    ends = []
    for method, look in style.looks(list(final["method"].unique())).items():
        mine = final[final["method"] == method].set_index("signal").reindex(signals)
        line: dict[str, Any] = {"color": look.colour, "lw": look.width, "ls": look.dashes}
        ax.plot(range(len(signals)), mine["rank"], marker="o", ms=6, zorder=2 + look.width, **line)
        ends.append((float(mine["rank"].iloc[-1]), look))
    ax.set_xticks(range(len(signals)), [signal.replace(" ", "\n", 1) for signal in signals])
    ax.set(ylabel="rank by final test error", xlim=(-0.2, len(signals) - 1))
    # Room for the stamp above the first rank.
    ax.set_ylim(final["rank"].max() + 0.7, -0.9)
    ax.set_yticks([1, *range(5, int(final["rank"].max()) + 1, 5)])
    style.label_ends(ax, ends, gap=0.055)
    ax.set_xlim(-0.2, len(signals) - 1)
    style.stamp(ax, marks(final["emulated"]))


def _curves(ax: Axes, curves: pd.DataFrame, metric: str) -> None:
    """GOAL's course under each signal."""
    from dagnas.drawing import style

    goal = style.METHODS[SHOWN].colour
    for number, (signal, here) in enumerate(curves.groupby("signal", sort=False)):
        clean = signal == MEAN
        line: dict[str, Any] = {"color": goal if clean else style.SPARE[number % len(style.SPARE)]}
        ax.plot(here["seconds"], here["mean"], lw=2.6 if clean else 1.6, label=signal, **line)
        ax.fill_between(here["seconds"], here["low"], here["high"], alpha=0.15, lw=0, **line)
    if metric == ERROR:
        settled = curves[curves["seconds"] >= 0.1 * curves["seconds"].max()]
        ax.set_ylim(settled["low"].min() - 0.05, settled["high"].max() + 0.05)
        ax.set(ylabel="test error of GOAL (%)")
    else:
        ax.set(ylabel="fraction of GOAL's trials that hold the optimum", ylim=(0, 1.02))
    ax.set(xlabel="simulated seconds")
    ax.legend()


def caption(table: pd.DataFrame) -> str:
    """What the signals are, how far orders agree, and what GOAL loses."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import counted, emulated_sentence, join_sentences

    sentences = [
        "Left: rank of each method by its mean final test error, by the signal that its searches "
        "see. Right: GOAL's course, with bootstrap intervals of 95 %. A realisation is one draw of "
        "the emulated noise of single trainings, the same for all methods; trials of one share its "
        "luck.",
    ]
    for benchmark, here in table.groupby("benchmark", sort=False):
        final = here[here["rank"].notna()]
        label = benchmark_label(str(benchmark))
        sentences.append(
            f"{label}: {counted(final['n'], 'trial')}; Kendall's tau between the orders of two "
            f"signals is {_agreement(final)}; the first is {_firsts(final)}."
        )
        sentences.append(_held_sentence(here[here["metric"] == HELD]))
        sentences.append(emulated_sentence(here["emulated"], label))
    return join_sentences(*sentences)


def _agreement(final: pd.DataFrame) -> str:
    """Least and largest rank correlation between the orders under two signals."""
    from itertools import combinations

    from scipy.stats import kendalltau

    ranks = final.pivot(index="method", columns="signal", values="rank").dropna()
    taus = [kendalltau(ranks[a], ranks[b]).statistic for a, b in combinations(ranks.columns, 2)]
    if not taus:
        return "unknown with one signal alone"
    low, high = min(taus), max(taus)
    return f"{low:.2f}" if len(taus) == 1 else f"{low:.2f} to {high:.2f}"


def _firsts(final: pd.DataFrame) -> str:
    """Which methods are first, and under how many signals."""
    from dagnas.drawing import style

    first = final[final["rank"] == 1].groupby("method", sort=False)["signal"].count()
    number = final["signal"].nunique()
    labels = style.looks([str(method) for method in first.index])
    by_count = {
        int(count): ", ".join(labels[str(method)].label for method in same.index)
        for count, same in first.groupby(first, sort=False)
    }
    return "; ".join(
        f"{names} under {count} of {number}{' each' if ',' in names else ''}"
        for count, names in by_count.items()
    )


def _held_sentence(curves: pd.DataFrame) -> str:
    """Fractions of GOAL's trials that hold the optimum at the end."""
    last = curves[curves["seconds"] == curves["seconds"].max()]
    if last.empty:
        return ""
    fractions = ", ".join(f"{100 * mean:.0f}" for mean in last["mean"])
    return (
        f"At the end {fractions} % of GOAL's trials hold the cell with the best mean signal, in "
        "the order of the legend."
    )
