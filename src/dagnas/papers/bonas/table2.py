"""Table 2: samples until the best cell of a benchmark is found (section 4.2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis import survival
from dagnas.analysis.survival import CensoredTimes
from dagnas.papers.bonas.lstm12k import TABLES, lstm_sentence
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.drawing.style import Look

BENCHMARKS = ("nasbench101", "nasbench201", *TABLES, "digits201")
STUDIES = tuple(f"bonas_{benchmark}" for benchmark in BENCHMARKS)
RESULT = Result(
    place="Table 2",
    title="Samples until the best cell is found",
    reads={"studies": STUDIES},
    benchmarks=BENCHMARKS,
    required=(),
)
REFERENCE = "bonas"
#: Lower bounds of means are told as to_paper if they are above the paper's by this factor.
FACTOR = 2
#: Best cells of a table, by number or fraction, any of which is looked for beside the best.
TOPS = ("2", "5", "20", "0.01 %", "0.1 %")
#: The paper's means over 50 trials.
PAPER = {
    "nasbench101": {
        "random_distinct": 188139.8,
        "regularized_evolution": 87402.7,
        "nasbot": 60589.5,
        "nao": 55828.8,
        "alphax": 73977.2,
        "lanas": 11390.7,
        "bonas_random": 3587.8,
        "bonas_rl": 2804.5,
        "bonas": 1520.9,
    },
    "nasbench201": {
        "random_distinct": 7712.3,
        "regularized_evolution": 535.5,
        "nasbot": 1549.3,
        "nao": 1589.2,
        "alphax": 1639.1,
        "lanas": 1367.4,
        "bonas_random": 320.0,
        "bonas_rl": 308.4,
        "bonas": 72.5,
    },
}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Samples that every method took, the paper's mean, and a comparison with BONAS(EA).

    Returns
    -------
    DataFrame
        Column part, and for each of its values others. For "summary", a row a method: benchmark,
        cells (of the table), best (its best mean test accuracy, %), best_cells (that have it),
        method, those of `survival.Summary` and `survival.Comparison`, paper (its mean), paper_ratio
        (that over BONAS(EA)'s), to_paper (our mean over the paper's; where trials were stopped its
        lower bound, see `with_paper`, if that is above `FACTOR`, else NaN), paper_p (where trials
        were stopped, `survival.chance` of so few successes with the paper's mean) and emulated.
        For "times", a row for each number of samples after which trials of a method ended:
        benchmark, method, emulated and those of `survival.tally`. For "tops", those of
        `tops_table`.
    """
    import pandas as pd

    studies = inputs.result.names("studies")
    summary = pd.concat([summary_table(inputs, study) for study in studies], ignore_index=True)
    times = [times_table(inputs, study, study_times(inputs, study)) for study in studies]
    tops = [tops_table(inputs, study) for study in studies]
    return in_parts(with_paper(survival.corrected(summary), PAPER, REFERENCE), times, tops)


def in_parts(
    summary: pd.DataFrame, times: Iterable[pd.DataFrame], tops: Iterable[pd.DataFrame] = ()
) -> pd.DataFrame:
    """Table of the parts "summary", "times" and "tops", as `tabulate` describes it."""
    import pandas as pd

    parts = [summary.assign(part="summary"), *(rows.assign(part="times") for rows in times)]
    parts += [rows.assign(part="tops") for rows in tops]
    # Whole numbers stay whole beside cells that are empty.
    parts = [rows.astype(dict.fromkeys(rows.select_dtypes("integer"), "Int64")) for rows in parts]
    table = pd.concat(parts, ignore_index=True)
    table = table.fillna(dict.fromkeys(summary.select_dtypes(exclude="number"), ""))
    table.insert(0, "part", table.pop("part"))
    return table


def summary_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the part "summary"."""
    return table[table["part"] == "summary"]


def with_paper(
    table: pd.DataFrame, paper: Mapping[str, Mapping[str, float]], reference: str
) -> pd.DataFrame:
    """Table with the paper's means, by benchmark and method, before the column emulated.

    Where trials were stopped, to_paper is of the samples counted up to the cap, a lower bound of
    our mean.
    """
    means = [paper.get(b, {}) for b in table["benchmark"]]
    theirs = np.array([mean.get(m, np.nan) for mean, m in zip(means, table["method"], strict=True)])
    # Samples of all trials, and successes among them.
    taken = table["n"] * table["restricted_mean"]
    counts = list(zip(table["finished"], taken, strict=True))
    whole = table["mean"].notna()
    least = table["mean"].where(whole, table["restricted_mean"]) / theirs
    # Where trials were stopped, a mean is known to be too large or nothing is known.
    known = whole | (least > FACTOR)
    chances = [
        survival.chance(found, samples, mean)
        for (found, samples), mean in zip(counts, theirs, strict=True)
    ]
    emulated = table.pop("emulated")
    return table.assign(
        paper=theirs,
        paper_ratio=theirs / np.array([mean.get(reference, np.nan) for mean in means]),
        to_paper=least.where(known),
        paper_p=np.where(whole, np.nan, chances),
        emulated=emulated,
    )


def summary_table(inputs: Inputs, study: str, reference: str = REFERENCE) -> pd.DataFrame:
    """Summary of one study: columns benchmark to emulated of `tabulate`, but for the paper's."""
    table = survival.table(study_times(inputs, study), caps(inputs, study), reference)
    return on_benchmark(inputs, study, table)


def times_table(inputs: Inputs, study: str, methods: Mapping[str, CensoredTimes]) -> pd.DataFrame:
    """Rows of the part "times", of methods that were run in a study or stand for its methods."""
    import pandas as pd

    frames = [survival.tally(times).assign(method=method) for method, times in methods.items()]
    return pd.concat(frames, ignore_index=True).assign(
        benchmark=benchmark_name(inputs, study), emulated=_mark(inputs, study)
    )


def tops_table(inputs: Inputs, study: str) -> pd.DataFrame:
    """Samples until one of several best cells is found, rows of the part "tops".

    Returns
    -------
    DataFrame
        A row for each method and each of `TOPS`: benchmark, method, top (such as "5" or "0.1 %"),
        rank (cells that count, but for those that share the last one's accuracy), accuracy (the
        least that counts, %), those of `survival.Summary`, and emulated.
    """
    import pandas as pd

    name, traces, limits = benchmark_name(inputs, study), inputs.traces(study), caps(inputs, study)
    benchmark, policy = inputs.benchmark(name), inputs.policy(study)
    falling = -np.sort(-benchmark.values(policy.signal, policy.repeat))
    rows = [
        {"method": method, "top": top, "rank": rank, "accuracy": falling[rank - 1]}
        | survival.summary(times, limits[method])._asdict()
        for top, rank in ranks(len(falling)).items()
        for method, times in survival.times_to(traces, falling[rank - 1]).items()
    ]
    return pd.DataFrame(rows).assign(benchmark=name, emulated=_mark(inputs, study))


def ranks(cells: int) -> dict[str, int]:
    """Ranks of the worst cells of `TOPS` in a table, by their names; one at least."""
    return {
        top: max(1, int(cells * float(top.split()[0]) / 100)) if "%" in top else int(top)
        for top in TOPS
    }


def benchmark_name(inputs: Inputs, study: str) -> str:
    """Name of the benchmark of a study."""
    return str(inputs.config.section("studies")[study].benchmark)


def _mark(inputs: Inputs, study: str) -> str:
    """Mark of an emulated signal; seconds, which may be emulated, have no part in samples."""
    benchmark = inputs.benchmark(benchmark_name(inputs, study))
    return "signal" if "signal" in benchmark.emulated(inputs.policy(study)) else ""


def on_benchmark(inputs: Inputs, study: str, table: pd.DataFrame) -> pd.DataFrame:
    """Table with columns about the benchmark: benchmark, cells, best, best_cells; emulated."""
    import pandas as pd

    name = benchmark_name(inputs, study)
    benchmark, policy = inputs.benchmark(name), inputs.policy(study)
    signal, best = benchmark.values(policy.signal, policy.repeat), benchmark.best_signal(policy)
    searched = {
        "benchmark": name,
        "cells": len(benchmark),
        "best": best,
        "best_cells": int((signal == best).sum()),
    }
    return pd.DataFrame(searched, table.index).join(table).assign(emulated=_mark(inputs, study))


def study_times(inputs: Inputs, study: str) -> dict[str, CensoredTimes]:
    """Times to the best cell of the trials of every method of a study."""
    benchmark = inputs.benchmark(benchmark_name(inputs, study))
    best = benchmark.best_signal(inputs.policy(study))
    return survival.times_to(inputs.traces(study), best)


def caps(inputs: Inputs, study: str) -> dict[str, int]:
    """Samples after which a trial of each method is stopped."""
    settings = inputs.config.section("studies")[study]
    common = settings.budget_evaluations or inputs.policy(study).budget_evaluations
    return {method: settings.budgets.get(method, common) for method in settings.methods}


def draw(table: pd.DataFrame) -> Figure:
    """A column a benchmark; fractions of trials above medians, means and the paper's means."""
    from dagnas.drawing import style

    return times_figure(table, style.METHODS)


def times_figure(table: pd.DataFrame, known: Mapping[str, Look]) -> Figure:
    """Curves and forest plots.

    Parameters
    ----------
    table : DataFrame
        As `in_parts` gives it; with the column ``paper`` or without.
    known : mapping
        Looks of methods.
    """
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    times = table[table["part"] == "times"].groupby("benchmark", sort=False)
    forest = 0.9 + 0.34 * times["method"].nunique().max()
    figure = Figure(figsize=(1 + 6.8 * len(times), 4.0 + forest), layout="constrained")
    panels = figure.subplots(
        2, len(times), squeeze=False, sharex="col", height_ratios=[3.4, forest]
    )
    summary = summary_rows(table)
    for (benchmark, ends), (above, below) in zip(times, panels.T, strict=True):
        here = summary[summary["benchmark"] == benchmark]
        if "paper" in here and here["paper"].isna().all():
            here = here.drop(columns="paper")
        looks = style.looks(list(ends["method"].unique()), known)
        fractions(above, ends, looks)
        if "paper" in here:
            above.set_xlim(right=max(above.get_xlim()[1], 1.15 * here["paper"].max()))
        above.set(title=style.benchmark_label(str(benchmark)), xlabel="")
        above.tick_params(labelbottom=False)
        style.stamp(above, here["emulated"].iloc[0])
        medians(below, here, looks)
    legend(figure, "paper" in table and bool(table["paper"].notna().any()))
    return figure


def fractions(ax: Axes, ends: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Fraction of trials that have found the best cell, with a mark where trials were stopped."""
    samples = ends["samples"]
    start = 10.0 ** np.floor(np.log10(samples.min()))
    for method, look in looks.items():
        times = survival.from_tally(ends[ends["method"] == method])
        x, y = survival.curve(times)
        x, y = np.append(start, x), 100 * np.append(0, y)
        line: dict[str, Any] = {"color": look.colour, "zorder": 3 + look.width}
        ax.step(x, y, where="post", lw=look.width, ls=look.dashes, **line)
        stopped = np.unique(times.samples[~times.found])
        height = y[np.searchsorted(x, stopped, side="right") - 1]
        ax.plot(stopped, height, ls="none", marker="+", ms=11, mew=2, **line)
    ax.set(
        xscale="log",
        xlim=(start, 1.15 * samples.max()),
        ylim=(-2, 103),
        xlabel="samples",
        ylabel="trials that found the best cell (%)",
    )


def medians(ax: Axes, here: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Median with its interval, mean and the paper's mean of each method, a row each."""
    from matplotlib.ticker import NullLocator

    from dagnas.drawing import style

    # Columns of numbers beside the panel, in points from its right edge.
    columns = {"found": 52, "mean": 118} | ({"paper": 178} if "paper" in here else {})

    def write(name: str, row: float, text: str, **look: Any) -> None:
        look |= {"textcoords": "offset points", "ha": "right", "va": "center"}
        ax.annotate(text, (1, row), (columns[name], 0), ax.get_yaxis_transform(), **look)

    end = ax.get_xlim()[1]
    for place, (_, row) in enumerate(here.iterrows()):
        look = looks[row["method"]]
        line: dict[str, Any] = {"color": look.colour, "zorder": 3}
        if not np.isnan(row["median_low"]):
            bounded = np.isfinite(row["median_high"])
            high = row["median_high"] if bounded else end
            ax.plot([row["median_low"], high], [place, place], lw=3, alpha=0.5, **line)
            if not bounded:
                ax.plot(end, place, marker=">", ms=7, clip_on=False, **line)
        ax.plot(row["median"], place, marker="o", ms=8, **line)
        whole = np.isnan(row["restricted_to"])
        mark = {"marker": "D" if whole else ">", "ms": 7, "mfc": "white", "mew": 1.6}
        ax.plot(row["restricted_mean"], place, **line | mark | {"zorder": 4})
        texts = {
            "found": f"{row['finished']:.0f}/{row['n']:.0f}",
            # A bound that is a cap is a whole number.
            "mean": short(row["restricted_mean"])
            if whole
            else f"> {short(row['restricted_mean']).removesuffix('.0')}",
        }
        if "paper" in here:
            ax.plot(row["paper"], place, marker="x", ms=8, mew=2, color="black", zorder=5)
            texts["paper"] = short(row["paper"])
        for name, text in texts.items():
            write(name, place, text)
    for name in columns:
        write(name, -0.85, name, weight="bold")
    style.name_rows(ax, [looks[method] for method in here["method"]])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set(ylim=(len(here) - 0.4, -0.6), xlabel="samples")


def short(value: float) -> str:
    """A number of samples, with a decimal where it is small; "" if there is none."""
    if np.isnan(value):
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"


def legend(figure: Figure, paper: bool) -> None:
    """Say below the panels what the marks are."""
    from matplotlib.lines import Line2D

    grey: dict[str, Any] = {"color": "#555555", "ls": "none", "ms": 8}
    marks = [
        Line2D([], [], **grey | {"ls": "-", "lw": 3}, marker="o", label="median, 95 % interval"),
        Line2D([], [], **grey, marker="D", mfc="white", mew=1.6, label="mean"),
        Line2D([], [], **grey, marker=">", mfc="white", mew=1.6, label="mean is more than this"),
        Line2D([], [], **grey, marker="+", mew=2, label="trials stopped"),
    ]
    if paper:
        marks.append(
            Line2D([], [], **grey | {"color": "black"}, marker="x", mew=2, label="paper's mean")
        )
    columns = len(marks) if figure.get_figwidth() > 10 else 3
    figure.legend(handles=marks, loc="outside lower center", ncols=columns)


def caption(table: pd.DataFrame) -> str:
    """Legend of the marks, trials that were stopped, and methods of the paper that were not run."""
    from dagnas.papers.panels import join_sentences

    summary = summary_rows(table)
    sentences = [times_caption(summary), compared_sentence("BONAS(EA)", "methods")]
    for benchmark, here in summary.groupby("benchmark", sort=False):
        theirs = PAPER.get(str(benchmark), {})
        sentences.append(lacking_sentence(str(benchmark), set(theirs) - set(here["method"])))
    sentences.append(chance_sentence(summary))
    if (table["part"] == "tops").any():
        sentences.append(
            "The part tops of the table has the samples until one of the 2, 5 or 20 best cells, or "
            "of the best 0.01 % or 0.1 %, is found."
        )
    sentences.append(lstm_sentence(summary["benchmark"]))
    return join_sentences(*sentences)


def times_caption(summary: pd.DataFrame) -> str:
    """Sentences of the captions of all results of this kind."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import (
        counted,
        emulated_sentence,
        join_sentences,
        number,
        own_sentence,
        plural,
    )

    sentences = [
        "Above: fraction of trials that have found a cell with the best mean test accuracy of the "
        "table after a number of samples (Kaplan-Meier estimate; a plus where trials were "
        "stopped). Below: the median with its interval of 95 % (Brookmeyer and Crowley, log-log), "
        "and the mean. Where trials were stopped at their cap before they had found it, samples "
        "are counted up to the cap alone, which gives a lower bound of the mean (>); a median that "
        "fewer than half of the trials reached is left out. Nothing is extrapolated."
    ]
    for benchmark, here in summary.groupby("benchmark", sort=False):
        label, first = benchmark_label(str(benchmark)), here.iloc[0]
        sentences.append(
            f"{label}: {counted(here['n'], 'trial')} of each of {plural(len(here), 'method')}; the "
            f"best, {first['best']:.2f} %, is that of {number(first['best_cells'])} of "
            f"{number(first['cells'])} cells."
        )
        sentences.append(stopped_sentence(here))
        sentences.append(own_sentence([str(benchmark)]))
        sentences.append(emulated_sentence(here["emulated"], label))
    return join_sentences(*sentences)


def stopped_sentence(here: pd.DataFrame) -> str:
    """Number of trials of each method that were stopped, and after how many samples."""
    from dagnas.papers.panels import plural

    stopped = [
        f"{row['n'] - row['finished']:.0f} of {plural(row['n'], 'trial')} of {row['method']} "
        f"(after {plural(row['restricted_to'], 'sample')})"
        for _, row in here[here["finished"] < here["n"]].iterrows()
    ]
    return f"Stopped: {'; '.join(stopped)}." if stopped else "No trial was stopped at its cap."


def chance_sentence(summary: pd.DataFrame) -> str:
    """Probabilities of so few successes with the paper's means, "" if no trial was stopped."""
    from dagnas.drawing.style import benchmark_label

    # Tables that were made before the column was added lack it.
    known = summary[summary["paper_p"].notna()] if "paper_p" in summary else summary[:0]
    words = [
        f"{row['method']} on {benchmark_label(row['benchmark'])} {row['paper_p']:.2g}"
        for _, row in known.iterrows()
    ]
    return (
        "Probability of so few successes in the samples taken, were waiting times exponential with "
        f"the paper's mean: {', '.join(words)}."
        if words
        else ""
    )


def compared_sentence(reference: str, others: str) -> str:
    """Sentence about the comparison of methods with ``reference``."""
    return (
        f"The table compares with {reference} within the samples that all trials of both were "
        "given (upto): trials that finished, ratio of means, log-rank test; p-values are corrected "
        f"for the number of {others} by Holm's rule."
    )


def lacking_sentence(benchmark: str, methods: Collection[str]) -> str:
    """Sentence that names the paper's methods that were not run, "" if all were."""
    from dagnas.drawing.style import METHODS, benchmark_label

    names = ", ".join(sorted(METHODS[method].label for method in methods))
    return f"Not run on {benchmark_label(benchmark)}: {names}." if methods else ""
