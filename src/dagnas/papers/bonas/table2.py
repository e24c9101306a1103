"""Table 2: samples until the best cell of a benchmark is found (section 4.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis import survival
from dagnas.analysis.survival import Waits
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.drawing.style import Look

STUDIES = ("bonas_nasbench101", "bonas_nasbench201", "bonas_digits201")
BENCHMARKS = ("nasbench101", "nasbench201", "digits201")
RESULT = Result(
    place="Table 2",
    title="Samples until the best cell is found",
    studies=STUDIES,
    benchmarks=BENCHMARKS,
    optional=STUDIES + BENCHMARKS,
)
REFERENCE = "bonas"
#: Means that differ by more than this are not the paper's; see claims.yaml.
FACTOR = 2
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
    """What every method took, the paper's mean beside it, and how it compares with BONAS(EA).

    Returns
    -------
    DataFrame
        Columns benchmark, cells (of the table), best (its best mean test accuracy, %), best_cells
        (that share it), method, those of `survival.Summary` and `survival.Comparison`, paper (its
        mean), paper_ratio (that over BONAS(EA)'s), to_paper (our mean over the paper's; where
        trials were stopped its lower bound, if that is above `FACTOR`, else NaN) and emulated.
    """
    import pandas as pd

    frames = [waiting_table(inputs, study) for study in inputs.result.studies]
    table = survival.corrected(pd.concat(frames, ignore_index=True))
    return with_paper(table, PAPER, REFERENCE)


def with_paper(
    table: pd.DataFrame, paper: Mapping[str, Mapping[str, float]], reference: str
) -> pd.DataFrame:
    """Table with the paper's means, by benchmark and method, before the column emulated."""
    means = [paper.get(b, {}) for b in table["benchmark"]]
    theirs = np.array([mean.get(m, np.nan) for mean, m in zip(means, table["method"], strict=True)])
    least = table["restricted_mean"] / theirs
    # Where trials were stopped, a mean is known to be too large or nothing is known.
    known = table["mean"].notna() | (least > FACTOR)
    emulated = table.pop("emulated")
    return table.assign(
        paper=theirs,
        paper_ratio=theirs / np.array([mean.get(reference, np.nan) for mean in means]),
        to_paper=least.where(known),
        emulated=emulated,
    )


def waiting_table(inputs: Inputs, study: str, reference: str = REFERENCE) -> pd.DataFrame:
    """Rows of one study: columns benchmark to emulated as in `tabulate`, but for the paper's."""
    table = survival.table(study_waits(inputs, study), caps(inputs, study), reference)
    return on_benchmark(inputs, study, table)


def on_benchmark(inputs: Inputs, study: str, table: pd.DataFrame) -> pd.DataFrame:
    """Table with columns of what was searched: benchmark, cells, best, best_cells; emulated."""
    import pandas as pd

    name = inputs.config.studies[study].benchmark
    benchmark, policy = inputs.benchmark(name), inputs.policy(study)
    signal, best = benchmark.values(policy.signal, policy.repeat), benchmark.best_signal(policy)
    searched = {
        "benchmark": name,
        "cells": len(benchmark),
        "best": best,
        "best_cells": int((signal == best).sum()),
    }
    # The seconds of an evaluation, which may be emulated, have no part in this.
    marks = "signal" if "signal" in benchmark.emulated(policy) else ""
    return pd.DataFrame(searched, table.index).join(table).assign(emulated=marks)


def study_waits(inputs: Inputs, study: str) -> dict[str, Waits]:
    """What the trials of every method of a study took."""
    benchmark = inputs.benchmark(inputs.config.studies[study].benchmark)
    return survival.waits(inputs.traces(study), benchmark.best_signal(inputs.policy(study)))


def all_waits(inputs: Inputs, studies: Sequence[str]) -> dict[str, dict[str, Waits]]:
    """What the trials of every method took, by benchmark and method."""
    return {inputs.config.studies[s].benchmark: study_waits(inputs, s) for s in studies}


def caps(inputs: Inputs, study: str) -> dict[str, int]:
    """Samples after which a trial of each method is stopped."""
    settings = inputs.config.studies[study]
    common = settings.budget_evaluations or inputs.policy(study).budget_evaluations
    return {method: settings.budgets.get(method, common) for method in settings.methods}


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """A column a benchmark; shares of trials above medians, means and the paper's means."""
    from dagnas.drawing import style

    found = {
        inputs.config.studies[s].benchmark: study_waits(inputs, s) for s in inputs.result.studies
    }
    return waiting_figure(table, found, style.METHODS)


def waiting_figure(
    table: pd.DataFrame, waits: Mapping[str, Mapping[str, Waits]], known: Mapping[str, Look]
) -> Figure:
    """Curves and forest plots.

    Parameters
    ----------
    table : DataFrame
        As `waiting_table` gives it, of all studies; with the column ``paper`` or without.
    waits : mapping
        What every method took, by benchmark and method.
    known : mapping
        Looks of methods.
    """
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    rows = max(len(methods) for methods in waits.values())
    forest = 0.9 + 0.34 * rows
    figure = Figure(figsize=(1 + 6.8 * len(waits), 4.0 + forest), layout="constrained")
    panels = figure.subplots(
        2, len(waits), squeeze=False, sharex="col", height_ratios=[3.4, forest]
    )
    for (benchmark, methods), (above, below) in zip(waits.items(), panels.T, strict=True):
        here = table[table["benchmark"] == benchmark]
        if "paper" in here and here["paper"].isna().all():
            here = here.drop(columns="paper")
        looks = style.looks(list(methods), known)
        shares(above, methods, looks)
        if "paper" in here:
            above.set_xlim(right=max(above.get_xlim()[1], 1.15 * here["paper"].max()))
        above.set(title=style.benchmark_label(benchmark), xlabel="")
        above.tick_params(labelbottom=False)
        style.stamp(above, here["emulated"].iloc[0])
        medians(below, here, looks)
    legend(figure, "paper" in table and bool(table["paper"].notna().any()))
    return figure


def shares(ax: Axes, methods: Mapping[str, Waits], looks: Mapping[str, Look]) -> None:
    """Share of trials that have found the best cell, with a mark where trials were stopped."""
    samples = np.concatenate([waits.samples for waits in methods.values()])
    start = 10.0 ** np.floor(np.log10(samples.min()))
    for method, look in looks.items():
        waits = methods[method]
        x, y = survival.curve(waits)
        x, y = np.append(start, x), 100 * np.append(0, y)
        line: dict[str, Any] = {"color": look.colour, "zorder": 3 + look.width}
        ax.step(x, y, where="post", lw=look.width, ls=look.dashes, **line)
        stopped = np.unique(waits.samples[~waits.found])
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
            "found": f"{row['finished']}/{row['n']}",
            "mean": ("" if whole else "> ") + short(row["restricted_mean"]),
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


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """What is shown, which trials were stopped, and what of the paper's table is not here."""
    sentences = [waiting_caption(table), compared_sentence("BONAS(EA)", "methods")]
    for benchmark, here in table.groupby("benchmark", sort=False):
        theirs = PAPER.get(str(benchmark), {})
        sentences.append(lacking_sentence(str(benchmark), set(theirs) - set(here["method"])))
    sentences.append(
        "The paper's third benchmark, LSTM-12K, is not run: its table was never released."
    )
    return " ".join(filter(None, sentences))


def waiting_caption(table: pd.DataFrame) -> str:
    """Sentences that all results of this kind share."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import between, emulated_sentence, number, own_sentence

    sentences = [
        "Above: share of trials that have found a cell with the best mean test accuracy of the "
        "table after a number of samples (Kaplan-Meier estimate; a plus where trials were "
        "stopped). Below: the median with its interval of 95 % (Brookmeyer and Crowley, log-log), "
        "and the mean. Where trials were stopped at their cap before they had found it, samples "
        "are counted up to the cap alone, which gives a lower bound of the mean (>); a median that "
        "fewer than half of the trials reached is left out. Nothing is extrapolated."
    ]
    for benchmark, here in table.groupby("benchmark", sort=False):
        label, first = benchmark_label(str(benchmark)), here.iloc[0]
        sentences.append(
            f"{label}: {between(here['n'])} trials of each of {len(here)} methods; the best, "
            f"{first['best']:.2f} %, is that of {number(first['best_cells'])} of "
            f"{number(first['cells'])} cells."
        )
        sentences.append(stopped_sentence(here))
        sentences.append(own_sentence([str(benchmark)]))
        sentences.append(emulated_sentence(here["emulated"], label))
    return " ".join(filter(None, sentences))


def stopped_sentence(here: pd.DataFrame) -> str:
    """How many trials of which methods were stopped, and after how many samples."""
    from dagnas.papers.panels import number

    stopped = [
        f"{row['n'] - row['finished']} of {row['n']} trials of {row['method']} "
        f"(after {number(row['restricted_to'])} samples)"
        for _, row in here[here["finished"] < here["n"]].iterrows()
    ]
    return f"Stopped: {'; '.join(stopped)}." if stopped else "No trial was stopped at its cap."


def compared_sentence(reference: str, others: str) -> str:
    """How the table compares methods with ``reference``."""
    return (
        f"The table compares with {reference} within the samples that all trials of both were "
        "given (upto): trials that finished, ratio of means, log-rank test; p-values are corrected "
        f"for the number of {others} by Holm's rule."
    )


def lacking_sentence(benchmark: str, methods: Collection[str]) -> str:
    """Which of the paper's methods were not run."""
    from dagnas.drawing.style import METHODS, benchmark_label

    names = ", ".join(sorted(METHODS[method].label for method in methods))
    return f"Not run on {benchmark_label(benchmark)}: {names}." if methods else ""
