"""Best: evaluations until the best cell of a table, and until one within 0.1 points of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis import survival
from dagnas.analysis.survival import CensoredTimes
from dagnas.errors import DagnasError
from dagnas.papers.bonas.lstm12k import TABLES
from dagnas.papers.bonas.table2 import BENCHMARKS, caps
from dagnas.papers.inputs import Inputs
from dagnas.papers.leaderboard.rank import by_benchmark
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.drawing.style import Look

#: Studies of BONAS's table 2 whose signal is a test accuracy.
ACCURACIES = tuple(f"bonas_{name}" for name in BENCHMARKS if name not in TABLES)
RESULT = Result(
    place="Leaderboard",
    title="Evaluations until the best cell",
    # BONAS's own searches, and those of the methods that its studies lack, under the same protocol.
    # Those of recurrent cells are not on it: their signal is no accuracy, and rivals lack there.
    reads={"studies": (*ACCURACIES, "leaderboard_best_*")},
    benchmarks=("{benchmark}",),
    required=(),
)
#: What is looked for: points that its signal may be below the best one.
AIMS = {"best": 0.0, "within 0.1": 0.1}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Evaluations that every method took until a cell is good enough.

    A single best cell of a large table is a matter of luck for a search that stops at the first
    hundreds of cells; cells within 0.1 points of it are as good to anyone who uses them.

    Returns
    -------
    DataFrame
        Columns benchmark, aim (of `AIMS`), accuracy (the least signal that counts, %), cells (that
        have it), method, those of `survival.Summary`; upto (evaluations that all trials of all
        methods on the benchmark were given), finished_upto (trials that met the aim by then, %),
        mean_upto and se_upto (mean of the evaluations restricted to then, a trial that has not
        finished counting as upto, and its standard error); and emulated.
    """
    import pandas as pd

    frames = [
        pd.DataFrame(_rows(inputs, name, studies, aim)).assign(benchmark=name, aim=aim)
        for name, studies in by_benchmark(inputs).items()
        for aim in AIMS
    ]
    table = pd.concat(frames, ignore_index=True)
    for place, column in enumerate(("benchmark", "aim")):
        table.insert(place, column, table.pop(column))
    return table


def _rows(inputs: Inputs, name: str, studies: list[str], aim: str) -> list[dict[str, Any]]:
    """Rows of one benchmark and aim, a method each."""
    benchmark, policy = inputs.benchmark(name), inputs.policy(studies[0])
    signal = benchmark.values(policy.signal, policy.repeat)
    least = benchmark.best_signal(policy) - AIMS[aim]
    times: dict[str, CensoredTimes] = {}
    limits: dict[str, int] = {}
    for study in studies:
        if inputs.policy(study) != policy:
            raise DagnasError(
                f"{studies[0]} and {study} are compared but have the policies "
                f"{policy.signal!r} and {inputs.policy(study).signal!r}: give both the same"
            )
        found = survival.times_to(inputs.traces(study), least)
        if twice := sorted(times.keys() & found.keys()):
            raise DagnasError(f"{', '.join(twice)}: in {study} and in another study of {name}")
        times |= found
        limits |= caps(inputs, study)
    upto = min(each.followed(limits[method]) for method, each in times.items())
    rows = []
    for method, each in times.items():
        known = each.until(upto)
        n = len(known.samples)
        rows.append(
            {
                "accuracy": least,
                "cells": int((signal >= least).sum()),
                "method": method,
                **survival.summary(each, limits[method])._asdict(),
                "upto": upto,
                "finished_upto": 100 * known.found.mean(),
                "mean_upto": known.samples.mean(),
                "se_upto": known.samples.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan,
                "emulated": "signal" if "signal" in benchmark.emulated(policy) else "",
            }
        )
    return rows


def draw(table: pd.DataFrame) -> Figure:
    """A panel a benchmark: restricted means to both aims, and how many trials met them."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    benchmarks = list(table["benchmark"].unique())
    looks = style.looks(list(table["method"].unique()))
    most = int(table.groupby("benchmark")["method"].nunique().max())
    figure = Figure(
        figsize=(0.6 + 6.6 * len(benchmarks), 2.0 + 0.4 * max(most, 4)), layout="constrained"
    )
    panels = figure.subplots(1, len(benchmarks), squeeze=False).ravel()
    for ax, name in zip(panels, benchmarks, strict=True):
        here = table[table["benchmark"] == name]
        _panel(ax, here, looks)
        ax.set_title(style.benchmark_label(name), pad=22)
        style.stamp(ax, here["emulated"].iloc[0])
    return figure


def _panel(ax: Axes, here: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Discs until the best cell, diamonds until one within 0.1 points; successes at the right."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    from dagnas.drawing import style
    from dagnas.papers.panels import number

    aims = list(AIMS)
    near = here[here["aim"] == aims[1]]
    # Lower bounds of methods that were stopped early do not come before means that are known.
    near = near.assign(missed=1 - near["finished"] / near["n"])
    order = list(near.sort_values(["missed", "restricted_mean"], kind="stable")["method"])
    for aim, marker, column, shift in zip(aims, "oD", (1.17, 1.06), (0.16, -0.16), strict=True):
        for row in here[here["aim"] == aim].to_dict("records"):
            place, colour = order.index(row["method"]), looks[row["method"]].colour
            mean, half = row["restricted_mean"], 1.96 * np.nan_to_num(row["se"])
            ax.plot([max(mean - half, 1), mean + half], [place + shift] * 2, color=colour, lw=2)
            filled = colour if row["finished"] == row["n"] else "white"
            ax.plot(mean, place + shift, marker=marker, ms=7, color=colour, mfc=filled)
            ax.text(
                column,
                place,
                f"{row['finished']:.0f}/{row['n']:.0f}",
                transform=ax.get_yaxis_transform(),
                ha="center",
                va="center",
                fontsize=9,
            )
    for column, text in ((1.06, "within\n0.1"), (1.17, "best")):
        ax.text(column, 1.01, text, transform=ax.transAxes, ha="center", va="bottom", fontsize=9)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x)))
    ax.yaxis.set_minor_locator(NullLocator())
    style.name_rows(ax, [looks[method] for method in order])
    ax.set(ylim=(len(order) - 0.4, -0.6), xlabel="evaluations (mean; hollow: more than this)")


def caption(table: pd.DataFrame) -> str:
    """What counts, over how many trials, where trials were stopped, and what is emulated."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import (
        between,
        counted,
        emulated_sentence,
        join_sentences,
        number,
        own_sentence,
        plural,
    )

    sentences = [
        "Evaluations until a cell of the best signal of the table (discs) and until one within 0.1 "
        "points of it (diamonds); the signal is the mean test accuracy, as in BONAS. Means over "
        "trials, with intervals of two standard errors. Where a trial was stopped before it met "
        "the aim, samples are counted up to its cap alone, which gives a lower bound of the mean "
        "(hollow). At the right: trials that met the aim. The table also restricts all methods to "
        "the same number of evaluations (mean_upto), since their caps differ."
    ]
    for name, here in table.groupby("benchmark", sort=False):
        label = benchmark_label(str(name))
        best, near = (here[here["aim"] == aim].iloc[0] for aim in AIMS)
        methods = plural(here["method"].nunique(), "method")
        sentences += [
            f"{label}: {counted(here['n'], 'trial')} of {methods}, each of at most "
            f"{between(here['cap'])} evaluations; {plural(best['cells'], 'cell')} of "
            f"{best['accuracy']:.2f} %, {number(near['cells'])} within 0.1 points of that.",
            own_sentence([str(name)]),
            emulated_sentence(here["emulated"], label),
        ]
    return join_sentences(*sentences)
