"""Samplers: evolution, a learned controller, random cells (sections 3.3 and 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.analysis import survival
from dagnas.papers.bonas.lstm12k import lstm_sentence
from dagnas.papers.bonas.table2 import (
    BENCHMARKS,
    STUDIES,
    compared_sentence,
    in_parts,
    study_times,
    summary_rows,
    summary_table,
    times_caption,
    times_figure,
    times_table,
)
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: From the best to the worst, as the paper ranks them; and rows of the table by reference.
SAMPLERS = ("bonas", "bonas_rl", "bonas_random")
COMPARED = {"bonas": SAMPLERS, "bonas_rl": ("bonas_random",)}
RESULT = Result(
    place="Section 4.2, samplers",
    title="Samples until the best cell is found, by sampler",
    reads={"studies": STUDIES},
    benchmarks=BENCHMARKS,
    required=(),
    methods=SAMPLERS,
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Every sampler, compared with each that the paper ranks above it.

    Returns
    -------
    DataFrame
        Columns of table 2, but for the paper's; for "summary" also reference (the better sampler,
        or the sampler itself).
    """
    import pandas as pd

    frames, times = [], []
    for study in inputs.result.names("studies"):
        for reference, shown in COMPARED.items():
            table = summary_table(inputs, study, reference)
            if reference in set(table["method"]):
                here = table[table["method"].isin(shown)]
                frames.append(here.assign(reference=reference))
        found = study_times(inputs, study)
        samplers = {method: found[method] for method in SAMPLERS if method in found}
        times.append(times_table(inputs, study, samplers))
    summary = survival.corrected(pd.concat(frames, ignore_index=True))
    summary.insert(0, "reference", summary.pop("reference"))
    return in_parts(summary, times)


def draw(table: pd.DataFrame) -> Figure:
    """Panels of table 2, with the p-values of all pairs."""
    from dagnas.drawing import style

    # The times belong to no pair.
    figure = times_figure(table[table["reference"].isin([SAMPLERS[0], ""])], style.METHODS)
    benchmarks = table.loc[table["part"] == "times", "benchmark"].unique()
    for ax, benchmark in zip(figure.axes, benchmarks, strict=False):
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


def caption(table: pd.DataFrame) -> str:
    """Table 2's caption, and the pairs that are compared."""
    from dagnas.papers.panels import join_sentences

    summary = summary_rows(table)
    return join_sentences(
        times_caption(summary[summary["reference"] == SAMPLERS[0]]),
        compared_sentence("each sampler that the paper ranks higher", "pairs"),
        "Trials of one number share no random stream, so that the sign test on them (sooner, "
        "later, sign_p) rests on an arbitrary order; the log-rank test does not.",
        lstm_sentence(summary["benchmark"]),
    )
