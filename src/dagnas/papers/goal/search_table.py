"""Figures 4 and 5 in numbers: final errors with intervals, and tests against GOAL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.incumbents import HELD, METRICS, held, oracle
from dagnas.analysis.paired import Comparison, compare, holm, interval, reports
from dagnas.analysis.ranks import Values
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figures 4 and 5, in numbers",
    title="Final errors and tests against GOAL",
    reads={"studies": ("goal_nasbench101", "goal_nasbench201", "goal_digits201")},
    benchmarks=("nasbench201", "digits201"),
    required=(),
)
#: When the paper says that GOAL meets the oracle's range on NAS-Bench-201, and stays in it, and
#: the end; in seconds of this budget. Other budgets are cut at the same shares.
SECONDS, BUDGET = (12000, 17000, 28000), 28000
REFERENCE = "goal"
#: Methods of the paper, which columns say of whether they beat the row's and are beaten by it.
OURS = ("goal", "goal_mlp")
COLUMNS = [f"{verb}_{method}" for verb in ("beaten_by", "beats") for method in OURS]
TESTS = ("mann_whitney", "wilcoxon")


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Errors of every method at three times, and its comparison with GOAL.

    Returns
    -------
    DataFrame
        Columns benchmark, metric, method, seconds, mean, sd, low and high (bootstrap interval of
        95 % for the mean), n (trials), the columns of `Comparison` against GOAL, beaten_by_goal and
        beaten_by_goal_mlp (p-value of the rank-sum test if the method's errors are the larger,
        else 1), beats_goal and beats_goal_mlp (the same if they are the smaller), emulated, and
        note (of the signal); where a budget is in evaluations alone, the column evaluations has
        it. p-values are corrected for the number of methods by Holm's rule, for each benchmark,
        metric and time by itself. The oracle's rows have the last time.

        Where the table is open, the metric "optimum held" has fractions of trials whose reported
        cell has the best signal of the table, with exact intervals (Clopper and Pearson, 1934); a
        trial that does not hold it counts as the larger error.
    """
    import pandas as pd

    frames = []
    for study in inputs.result.names("studies"):
        benchmark = inputs.config.section("studies")[study].benchmark
        times = inputs.budget(study) * np.array(SECONDS) / BUDGET
        traces = inputs.traces(study)
        reported = reports(traces, times)
        parts = [
            _compared(here, benchmark)
            for _, here in reported.groupby(["metric", "seconds"], sort=False)
        ]
        if benchmark in inputs.result.benchmarks:
            opened, policy = inputs.benchmark(benchmark), inputs.policy(study)
            trials = held(traces, times, opened, policy)
            missed = trials.assign(error=1 - trials["held"])
            parts += [
                _fractions(_compared(here, benchmark))
                for _, here in missed.groupby("seconds", sort=False)
            ]
            best = oracle(opened, policy)
            parts.append(best.assign(benchmark=benchmark, seconds=times[-1]))
        about: dict[str, Any] = {"note": inputs.signal_note(study)}
        if evaluations := inputs.evaluations(study):
            about["evaluations"] = evaluations
        frames += [part.assign(**about) for part in parts]
    columns = ["benchmark", "metric", "method", "seconds", "mean", "sd", "low", "high", "n"]
    columns += [*Comparison._fields, *COLUMNS, "emulated", "note"]
    table = pd.concat(frames, ignore_index=True)
    return table[[*columns, *(name for name in ["evaluations"] if name in table)]]


def _compared(here: pd.DataFrame, benchmark: str) -> pd.DataFrame:
    """Rows of one benchmark, metric and time, a method each."""
    import pandas as pd

    errors = {
        str(method): trials.sort_values("trial")["error"].to_numpy()
        for method, trials in here.groupby("method", sort=False)
    }
    rows: list[dict[str, Any]] = []
    for method, values in errors.items():
        low, high = interval(values, stream("interval", benchmark, method))
        row = {
            "method": method,
            "mean": values.mean(),
            "sd": values.std(ddof=1) if len(values) > 1 else np.nan,
            "low": low,
            "high": high,
            "n": len(values),
            **dict.fromkeys(Comparison._fields, np.nan),
        }
        if method != REFERENCE and REFERENCE in errors:
            row |= compare(values, errors[REFERENCE])._asdict()
        rows.append(row)
    table = pd.DataFrame(rows)
    tested = table["lost"].notna()
    for test in TESTS:
        table.loc[tested, test] = holm(table.loc[tested, test].to_numpy())
    for reference in OURS:
        for column, larger in ((f"beaten_by_{reference}", True), (f"beats_{reference}", False)):
            table[column] = table["method"].map(_one_way(reference, errors, larger))
    common = here[["metric", "seconds", "emulated"]].iloc[0]
    return table.assign(benchmark=benchmark, **common)


def _one_way(reference: str, errors: Mapping[str, Values], larger: bool) -> dict[str, float]:
    """Corrected p-values of the other methods, 1 of those whose errors differ the other way.

    Parameters
    ----------
    reference : str
        Method that they are compared with.
    errors : mapping
        Errors of all methods.
    larger : bool
        Whether errors larger than the reference's are tested, or smaller ones.
    """
    if reference not in errors:
        return {}
    found = {
        method: compare(values, errors[reference])
        for method, values in errors.items()
        if method != reference
    }
    p = [each.mann_whitney if (each.lost > 0.5) == larger else 1.0 for each in found.values()]
    return dict(zip(found, holm(np.array(p)).tolist(), strict=True))


def _fractions(missed: pd.DataFrame) -> pd.DataFrame:
    """Rows on fractions of trials that hold the optimum, from those on trials that miss it."""
    from scipy.stats import binomtest

    table = missed.assign(mean=1 - missed["mean"])
    intervals = [
        binomtest(round(mean * trials), trials).proportion_ci()
        for mean, trials in zip(table["mean"].tolist(), table["n"].tolist(), strict=True)
    ]
    low, high = np.transpose(intervals)
    return table.assign(low=low, high=high)


def draw(table: pd.DataFrame) -> Figure:
    """A column a benchmark; validation error above test error."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from dagnas.drawing.style import benchmark_label

    benchmarks = list(table["benchmark"].unique())
    methods = table.groupby("benchmark")["method"].nunique().max()
    # The verdicts at the right of a panel would touch the names at the left of the next one.
    layout = ConstrainedLayoutEngine(w_pad=0.12)
    size = (5.2 * len(benchmarks), 2 * (1.3 + 0.33 * methods))
    figure = Figure(figsize=size, layout=layout)
    panels = figure.subplots(2, len(benchmarks), squeeze=False)
    for column, benchmark in enumerate(benchmarks):
        for row, metric in enumerate(METRICS):
            ax = panels[row, column]
            _panel(ax, table[(table["benchmark"] == benchmark) & (table["metric"] == metric)])
            ax.set(title=benchmark_label(benchmark), xlabel=f"{metric} (%)")
    return figure


def _panel(ax: Axes, panel: pd.DataFrame) -> None:
    """Errors at the end, sorted, with intervals; those at the earlier times as small dots."""
    from dagnas.drawing import style
    from dagnas.papers.panels import ORACLE, marks

    searches = panel[panel["method"] != "oracle"]
    looks = style.looks(list(searches["method"].unique()))
    end = searches[searches["seconds"] == searches["seconds"].max()].sort_values(
        "mean", kind="stable"
    )
    for place, row in enumerate(end.itertuples()):
        look = looks[str(row.method)]
        mine = searches[searches["method"] == row.method]
        dots: dict[str, Any] = {"color": look.colour, "marker": "o"}
        ax.plot(mine["mean"], [place] * len(mine), ms=3.5, lw=0.8, alpha=0.45, **dots)
        ax.plot([row.low, row.high], [place, place], color=look.colour, lw=2.4)
        ax.plot(row.mean, place, ms=8, zorder=4, **dots)
        _beside(ax, place, _verdict(float(row.lost), float(row.mann_whitney)))
    # Stamp and heading stand above the first method.
    ax.set_ylim(len(end) - 0.5, -1.2)
    _beside(ax, -0.8, "GOAL wins" if searches["lost"].notna().any() else "")
    for _, best in panel[panel["method"] == "oracle"].iterrows():
        ax.axvline(best["mean"], color=ORACLE.colour, lw=ORACLE.width, ls=ORACLE.dashes, zorder=2)
        if best["sd"] > 0:
            spread = (best["mean"] - best["sd"], best["mean"] + best["sd"])
            ax.axvspan(*spread, color="#d9d9d9", lw=0, zorder=1)
    style.name_rows(ax, [looks[method] for method in end["method"]])
    style.stamp(ax, marks(panel["emulated"]))


def _beside(ax: Axes, height: float, text: str) -> None:
    """Write at the right of a panel."""
    where = ax.get_yaxis_transform()
    ax.text(1.015, height, text, transform=where, va="center", fontsize=8.5, color="#444444")


def _verdict(lost: float, p: float) -> str:
    """Share of pairs of trials that GOAL wins, and whether that may be chance; "" for GOAL."""
    if np.isnan(lost):
        return ""
    return f"{100 * lost:.0f} %, " + ("p < 0.001" if p < 0.001 else f"p = {p:.2g}")


def caption(table: pd.DataFrame) -> str:
    """What is shown and tested, over how many trials, and what is emulated."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import (
        counted,
        emulated_sentence,
        evaluations_words,
        join_sentences,
        note_sentence,
        number,
        own_sentence,
    )

    sentences = [
        "Mean over trials of the final validation and test error of the cell with the best search "
        "signal at the end of the budget (large dots), with bootstrap intervals of 95 %, and after "
        "12/28 and 17/28 of it (small dots).",
    ]
    if table["lost"].notna().any():
        sentences.append(
            "GOAL wins: share of all pairs of a trial of GOAL and one of the method in which GOAL "
            "has the lower error, ties as half, and the p-value of the rank-sum test (Mann and "
            "Whitney), corrected by Holm's rule for the number of methods in the panel. Trials of "
            "different methods share no random stream, so a test on pairs of equal number rests "
            "on an arbitrary order; the table has its p-values as well (wilcoxon)."
        )
    if (table["method"] == "oracle").any():
        sentences.append("Dashed: the oracle of figure 4, its standard deviation as a band.")
    for benchmark, here in table.groupby("benchmark", sort=False):
        searches = here[here["method"] != "oracle"]
        label = benchmark_label(str(benchmark))
        # Of a budget in evaluations these are fractions of what the longest trial took.
        evaluations, digits = evaluations_words(here), ".6g"
        if evaluations:
            evaluations, digits = f" of a budget of {evaluations}", ".3g"
        times = ", ".join(
            number(float(format(time, digits))) for time in sorted(searches["seconds"].unique())
        )
        sentences.append(f"{label}: {counted(searches['n'], 'trial')}; {times} s{evaluations}.")
        sentences.append(_held_sentence(searches))
        sentences.append(own_sentence([str(benchmark)]))
        sentences.append(note_sentence(here, label))
        sentences.append(emulated_sentence(here["emulated"], label))
    return join_sentences(*sentences)


def _held_sentence(searches: pd.DataFrame) -> str:
    """How many of GOAL's trials hold the optimum at the times of a benchmark's table."""
    goal = searches[(searches["metric"] == HELD) & (searches["method"] == REFERENCE)]
    if goal.empty:
        return ""
    shares = ", ".join(f"{100 * mean:.0f}" for mean in goal.sort_values("seconds")["mean"])
    return f"At these times {shares} % of GOAL's trials hold the cell with the best search signal."
