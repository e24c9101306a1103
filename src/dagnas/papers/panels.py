"""Panels that figures share: curves of search efficiency, and sentences about their data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from dagnas.drawing import style

if TYPE_CHECKING:
    import pandas as pd

#: The benchmark that ships with this package, and that no paper has.
OWN = "digits201"
ORACLE = style.Look("Oracle", "#000000", 1.4, (0, (4, 2)))


def efficiency(ax: Axes, panel: pd.DataFrame, *, bars: bool) -> None:
    """Error of what each method reports against simulated seconds, and the oracle's range.

    Parameters
    ----------
    ax : Axes
    panel : DataFrame
        Columns method, seconds, mean, sd and emulated, of one benchmark and one metric.
    bars : bool
        Whether each point has a bar of one standard deviation.
    """
    searches = panel[panel["method"] != "oracle"]
    looks = style.looks(list(searches["method"].unique()))
    budget = searches["seconds"].max()
    ends = []
    for rank, (method, look) in enumerate(looks.items()):
        curve = searches[searches["method"] == method]
        line = {"color": look.colour, "lw": look.width, "ls": look.dashes, "zorder": 3 + look.width}
        ax.plot(curve["seconds"], curve["mean"], **line)
        if bars:
            # Side by side, since bars on one another cannot be read.
            shift = (rank - (len(looks) - 1) / 2) * budget * 0.006
            line |= {"lw": 1.3, "ls": "none", "capsize": 2}
            ax.errorbar(curve["seconds"] + shift, curve["mean"], curve["sd"], **line)
        ends.append((curve["mean"].iloc[-1], look))
    low = searches["mean"].min()
    for _, best in panel[panel["method"] == "oracle"].drop_duplicates("method").iterrows():
        ax.axhline(best["mean"], color=ORACLE.colour, lw=ORACLE.width, ls=ORACLE.dashes, zorder=2)
        spread = 0.0 if np.isnan(best["sd"]) else best["sd"]
        ax.axhspan(best["mean"] - spread, best["mean"] + spread, color="#d9d9d9", lw=0, zorder=1)
        ends.append((best["mean"], ORACLE))
        low = min(low, best["mean"] - spread)
    if bars:
        low = min(low, (searches["mean"] - searches["sd"].fillna(0)).min())
    # The first tenth of the budget is far above the rest and equal for all.
    settled = searches[searches["seconds"] >= 0.1 * budget]
    high = (settled["mean"] + (settled["sd"].fillna(0) if bars else 0)).max()
    margin = 0.06 * (high - low)
    ax.set(
        xlim=(0, budget * (1.02 if bars else 1)),
        ylim=(low - margin, high + margin),
        xlabel="simulated seconds",
    )
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x)))
    ax.locator_params(axis="x", nbins=4)
    style.label_ends(ax, ends)
    style.stamp(ax, marks(panel["emulated"]))


def plain_logarithm(axis: Axis) -> None:
    """Write ticks of a logarithmic axis as plain numbers, at 1, 2 and 5 of each power of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def number(value: float) -> str:
    """A number of any size with its thousands apart, such as "28,000" or "0.5"."""
    # Zero has no sign, which ticks may have.
    return f"{round(float(value), 12) + 0.0:,.12g}"


def plural(count: float, noun: str, ending: str = "s") -> str:
    """A number of things, such as "1 epoch" or "40 epochs"."""
    return f"{number(count)} {noun}{'' if count == 1 else ending}"


def counted(numbers: pd.Series, noun: str, ending: str = "s") -> str:
    """Range of numbers of things, such as "1 trial", "50 trials" or "48 to 50 trials"."""
    return f"{between(numbers)} {noun}{'' if (numbers == 1).all() else ending}"


def budget_words(rows: pd.DataFrame, seconds: float) -> str:
    """Budget of the searches of some rows: "28,000 s", or "60 evaluations (812 s at most)".

    Parameters
    ----------
    rows : DataFrame
        Evaluations in the column "evaluations" where these are the budget; it may lack.
    seconds : float
        Budget in seconds, or what the longest trial took.
    """
    if evaluations := evaluations_words(rows):
        return f"{evaluations} ({number(float(f'{seconds:.3g}'))} s at most)"
    return f"{number(float(f'{seconds:.6g}'))} s"


def evaluations_words(rows: pd.DataFrame) -> str:
    """Budget in evaluations alone, such as "60 evaluations"; "" if it is in seconds."""
    found = rows["evaluations"].dropna().tolist() if "evaluations" in rows else []
    return plural(found[0], "evaluation") if found else ""


def quantity_words(quantity: str) -> str:
    """Quantity of a table in words: "validation accuracy after 12 epochs"."""
    _, split, epochs = quantity.split("/")
    names = {"valid": "validation", "train": "training"}
    return f"{names.get(split, split)} accuracy after {epochs} epochs"


def join_sentences(*parts: str) -> str:
    """Sentences one after another; those that are "" are left out."""
    return " ".join(filter(None, parts))


def marks(emulated: Iterable[str]) -> str:
    """All that is emulated in some rows of a table, each quantity once: "seconds valid"."""
    return " ".join(sorted(set(" ".join(emulated).split())))


def own_sentence(benchmarks: Iterable[str]) -> str:
    """Sentence that says which of the benchmarks is not a paper's, "" if none is such."""
    if OWN not in set(benchmarks):
        return ""
    return f"{style.benchmark_label(OWN)} is this project's own benchmark, not the paper's."


def note_sentence(rows: pd.DataFrame, subject: str) -> str:
    """Sentence with the notes on the signal in the column ``note``, "" if there are none."""
    if "note" not in rows:
        return ""
    found = "; ".join(dict.fromkeys(rows["note"].dropna()))
    return f"In {subject} {found}." if found.strip() else ""


def between(numbers: pd.Series) -> str:
    """Range of whole numbers in words: "50", or "48 to 50"."""
    low, high = int(numbers.min()), int(numbers.max())
    return str(low) if low == high else f"{low} to {high}"


def emulated_sentence(emulated: Iterable[str], subject: str = "the table") -> str:
    """Sentence that says what was emulated, "" if nothing was."""
    found = marks(emulated).split()
    if not found:
        return ""
    return f"**Emulated** in {subject}, not from training runs: {', '.join(found)}."
