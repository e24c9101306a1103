"""Samplers: candidates by evolution, by a learned controller, by chance (sections 3.3 and 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.analysis import survival
from dagnas.papers.bonas.table2 import (
    BENCHMARKS,
    STUDIES,
    all_waits,
    compared_sentence,
    waiting_caption,
    waiting_figure,
    waiting_table,
)
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Section 4.2, samplers",
    title="Samples until the best cell is found, by sampler",
    studies=STUDIES,
    benchmarks=BENCHMARKS,
    optional=STUDIES + BENCHMARKS,
)
#: From the best to the worst, as the paper ranks them; and rows of the table by reference.
SAMPLERS = ("bonas", "bonas_rl", "bonas_random")
COMPARED = {"bonas": SAMPLERS, "bonas_rl": ("bonas_random",)}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Every sampler, compared with each that the paper ranks above it.

    Returns
    -------
    DataFrame
        Columns reference (the better one, or the sampler itself) and those of table 2, but for the
        paper's.
    """
    import pandas as pd

    frames = []
    for study in inputs.result.studies:
        for reference, shown in COMPARED.items():
            table = waiting_table(inputs, study, reference)
            if reference in set(table["method"]):
                here = table[table["method"].isin(shown)]
                frames.append(here.assign(reference=reference))
    whole = survival.corrected(pd.concat(frames, ignore_index=True))
    whole.insert(0, "reference", whole.pop("reference"))
    return whole


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """Panels of table 2, with the p-values of all pairs."""
    from dagnas.drawing import style

    waits = {
        benchmark: {method: methods[method] for method in SAMPLERS if method in methods}
        for benchmark, methods in all_waits(inputs, inputs.result.studies).items()
    }
    figure = waiting_figure(table[table["reference"] == SAMPLERS[0]], waits, style.METHODS)
    for ax, benchmark in zip(figure.axes, waits, strict=False):
        here = table[(table["benchmark"] == benchmark) & table["logrank_p"].notna()]
        lines = [
            f"{style.METHODS[row['reference']].label}, {style.METHODS[row['method']].label}: "
            + p_words(row["logrank_p"])
            for _, row in here.iterrows()
        ]
        text = "\n".join(["log-rank test", *lines])
        ax.text(0.02, 0.97, text, transform=ax.transAxes, va="top", fontsize=9, color="#444444")
    return figure


def p_words(p: float) -> str:
    """A p-value to three digits."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """What is compared and how."""
    shown = table[table["reference"] == SAMPLERS[0]]
    return " ".join(
        [
            waiting_caption(shown),
            compared_sentence("each sampler that the paper ranks higher", "pairs"),
            "Trials of one number share no random stream, so that the sign test on them (sooner, "
            "later, sign_p) rests on an arbitrary order; the log-rank test does not.",
        ]
    )
