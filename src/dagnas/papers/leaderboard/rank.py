"""Rank: regret of every method on every benchmark, and its mean rank over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.paired import RESAMPLES, reports
from dagnas.analysis.ranks import Values, rounded
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Leaderboard",
    title="Rank over benchmarks, and regret on each",
    reads={"studies": ("goal_{benchmark}",)},
    benchmarks=("{benchmark}",),
)
#: Shares of the budget at which methods are compared.
SHARES = (0.1, 0.25, 0.5, 1.0)
#: In place of a benchmark: the mean over all.
OVERALL = "all"


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Regret and rank of every method at several shares of the budget.

    The regret of a trial is the final test error of the cell that it reports less that of the
    best cell of the table. Methods are ranked by their mean regrets, 1 the best; equal ones share
    the mean of their ranks. Intervals of 95 % are percentiles over resamples of the trials of
    every method.

    Returns
    -------
    DataFrame
        Columns benchmark, share (of the budget), seconds, method, regret (mean over trials, in
        points), regret_low, regret_high, rank, rank_low, rank_high, n (trials) and emulated. Rows
        of the benchmark "all" have the mean over benchmarks of the ranks among those methods that
        all benchmarks have, and the least number of trials.
    """
    import pandas as pd

    from dagnas.papers.panels import marks

    regrets: dict[str, dict[str, Values]] = {}
    frames = []
    for study in inputs.result.names("studies"):
        benchmark = inputs.config.section("studies")[study].benchmark
        accuracies = inputs.benchmark(benchmark).values(inputs.policy(study).test)
        least = 100 - np.nanmax(accuracies)
        times = inputs.budget(study) * np.array(SHARES)
        found = reports(inputs.traces(study), times)
        found = found[found["metric"] == "test error"]
        trials = {
            str(method): rows["error"].to_numpy().reshape(-1, len(SHARES)) - least
            for method, rows in found.groupby("method", sort=False)
        }
        regrets[benchmark] = {
            method: means(values, stream("leaderboard", benchmark, method))
            for method, values in trials.items()
        }
        ranked = ranks(regrets[benchmark])
        common = {"benchmark": benchmark, "share": SHARES, "seconds": times}
        for method, regret in regrets[benchmark].items():
            columns = with_interval("regret", regret) | with_interval("rank", ranked[method])
            counts = {"n": len(trials[method]), "emulated": found["emulated"].iloc[0]}
            frames.append(pd.DataFrame({**common, "method": method, **columns, **counts}))
    table = pd.concat(frames, ignore_index=True)
    overall = [
        pd.DataFrame(
            {
                "benchmark": OVERALL,
                "share": SHARES,
                "method": method,
                **with_interval("rank", rank),
                "n": table.loc[table["method"] == method, "n"].min(),
                "emulated": marks(table["emulated"]),
            }
        )
        for method, rank in mean_ranks(list(regrets.values())).items()
    ]
    return pd.concat([table, *overall], ignore_index=True)


def means(values: Values, rng: np.random.Generator) -> Values:
    """Means over trials, of the trials themselves and of resamples of them.

    Parameters
    ----------
    values : ndarray, shape (trials, shares)
        A resample takes whole trials.
    rng : Generator

    Returns
    -------
    ndarray, shape (1 + RESAMPLES, shares)
    """
    n = len(values)
    chosen = np.concatenate([np.arange(n)[None], rng.integers(n, size=(RESAMPLES, n))])
    return np.asarray(values[chosen].mean(axis=1))


def ranks(regrets: Mapping[str, Values]) -> dict[str, Values]:
    """Ranks of methods in each resample and at each share; shapes as given."""
    from scipy.stats import rankdata

    found = rankdata(rounded(np.stack(list(regrets.values()))), axis=0)
    return dict(zip(regrets, found, strict=True))


def mean_ranks(regrets: list[dict[str, Values]]) -> dict[str, Values]:
    """Mean over benchmarks of the ranks among the methods that all of them have."""
    shared = [method for method in regrets[0] if all(method in each for each in regrets)]
    if not shared:
        return {}
    ranked = [ranks({method: each[method] for method in shared}) for each in regrets]
    return {method: np.mean([each[method] for each in ranked], axis=0) for method in shared}


def with_interval(name: str, values: Values) -> dict[str, Values]:
    """What was found and its interval, from the first row and from the others."""
    low, high = np.percentile(values[1:], [2.5, 97.5], axis=0)
    return {name: values[0], f"{name}_low": low, f"{name}_high": high}


def draw(table: pd.DataFrame) -> Figure:
    """Mean ranks with intervals; regrets; mean ranks as the budget grows."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style
    from dagnas.papers.panels import marks

    overall = table[table["benchmark"] == OVERALL]
    end = table[table["share"] == SHARES[-1]]
    best_first = overall[overall["share"] == SHARES[-1]].sort_values("rank", kind="stable")[
        "method"
    ]
    methods = list(dict.fromkeys([*best_first, *table["method"]]))
    benchmarks = [name for name in table["benchmark"].unique() if name != OVERALL]
    looks = style.looks(list(table["method"].unique()))

    widths = [4.2, 0.6 + 1.15 * len(benchmarks), 3.6]
    size = (sum(widths) + 2.6, 1.9 + 0.36 * max(len(methods), 6))
    figure = Figure(figsize=size, layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=widths)
    _dots(left, overall[overall["share"] == SHARES[-1]], methods, looks)
    _heat(middle, end, methods, benchmarks)
    _growth(right, overall, looks)
    style.stamp(figure, marks(table["emulated"]))
    return figure


def _dots(ax: Axes, end: pd.DataFrame, methods: list[str], looks: Mapping[str, Any]) -> None:
    """Panel a: mean rank of every method at the end, the best above."""
    from dagnas.drawing import style

    numbers = end[["rank", "rank_low", "rank_high"]].to_numpy()
    for method, (rank, low, high) in zip(end["method"], numbers, strict=True):
        place, look = methods.index(method), looks[method]
        ax.plot([low, high], [place, place], color=look.colour, lw=2.4)
        ax.plot(rank, place, color=look.colour, marker="o", ms=9)
    style.name_rows(ax, [looks[method] for method in methods])
    ax.set(
        title="(a) Mean rank",
        xlabel="mean rank over benchmarks (1 is best)",
        ylim=(len(methods) - 0.5, -0.5),
    )


def _heat(ax: Axes, end: pd.DataFrame, methods: list[str], benchmarks: list[str]) -> None:
    """Panel b: mean regrets at the end; colours compare methods on one benchmark."""
    from dagnas.drawing import style

    regret = end.pivot(index="method", columns="benchmark", values="regret")
    shown = regret.reindex(index=methods, columns=benchmarks).to_numpy()
    least, most = np.nanmin(shown, axis=0), np.nanmax(shown, axis=0)
    # Regrets of most methods are small beside the largest one.
    shade = np.sqrt((shown - least) / np.maximum(most - least, 1e-9))
    ax.imshow(shade, cmap="YlGnBu", vmin=-0.1, vmax=1.2, aspect="auto")
    for (row, column), value in np.ndenumerate(shown):
        if np.isfinite(value):
            ax.text(
                column,
                row,
                f"{value:.2f}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shade[row, column] > 0.65 else "#222222",
                fontweight="bold" if value == least[column] else "normal",
            )
    emulated = end.groupby("benchmark")["emulated"].first()
    labels = [
        style.benchmark_label(name).replace(", ", "\n") + ("\n(emulated)" if emulated[name] else "")
        for name in benchmarks
    ]
    ax.set_xticks(range(len(benchmarks)), labels, fontsize=9)
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.set(title="(b) Regret (points of test error)", ylim=(len(methods) - 0.5, -0.5))


def _growth(ax: Axes, overall: pd.DataFrame, looks: Mapping[str, Any]) -> None:
    """Panel c: mean rank of every method against the share of the budget."""
    from matplotlib.ticker import FuncFormatter

    from dagnas.drawing import style

    if overall.empty:
        return
    ends = []
    for method, rows in overall.groupby("method", sort=False):
        look = looks[str(method)]
        line = {"color": look.colour, "lw": look.width, "ls": look.dashes}
        # Low ranks are above.
        ax.plot(range(len(SHARES)), -rows["rank"], marker="o", ms=4, **line)
        ends.append((-rows["rank"].iloc[-1], look))
    ax.set_xticks(range(len(SHARES)), [f"{100 * share:g} %" for share in SHARES])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{-y:g}"))
    low, high = -overall["rank"].max(), -overall["rank"].min()
    margin = 0.05 * max(high - low, 1)
    ax.set(
        title="(c) As the budget grows",
        xlabel="share of the budget",
        ylabel="mean rank",
        xlim=(-0.2, len(SHARES) - 1),
        ylim=(low - margin, high + 3 * margin),
    )
    style.label_ends(ax, ends, gap=min(0.065, 0.95 / max(len(ends), 1)))


def caption(table: pd.DataFrame) -> str:
    """What ranks and regrets are, over how many trials, and what is emulated."""
    from dagnas.drawing.style import benchmark_label, looks
    from dagnas.papers.panels import (
        between,
        emulated_sentence,
        join_sentences,
        number,
        own_sentence,
    )

    end = table[table["share"] == SHARES[-1]]
    ranked = list(end.loc[end["benchmark"] == OVERALL, "method"])
    single = end[end["benchmark"] != OVERALL]
    labels = looks(list(table["method"].unique()))
    others = [labels[method].label for method in labels if method not in ranked]
    sentences = [
        f"(a) Mean over {single['benchmark'].nunique()} benchmarks of the rank, among "
        f"{len(ranked)} methods, by mean regret at the end of the budget; 1 is best, equals share "
        "the mean of their ranks. Bars: intervals of 95 % over resamples of the trials.",
        "(b) Regret at the end, mean over trials: final test error of the cell with the best "
        "search signal, less that of the best cell of the table. Colours go from the least (bold) "
        "to the largest on each benchmark.",
        f"(c) Mean rank at {', '.join(f'{100 * share:g}' for share in SHARES)} % of the budget.",
        f"Not on all benchmarks, so without mean rank: {', '.join(others)}." if others else "",
    ]
    for benchmark, here in single.groupby("benchmark", sort=False):
        label = benchmark_label(str(benchmark))
        seconds = number(float(f"{here['seconds'].iloc[0]:.6g}"))
        sentences.append(
            f"{label}: {between(here['n'])} trials of {len(here)} methods, {seconds} s."
        )
        sentences.append(own_sentence([str(benchmark)]))
        sentences.append(emulated_sentence(here["emulated"], label))
    return join_sentences(*sentences)
