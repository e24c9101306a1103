"""Figure 2 and appendix A: the two kinds of search space, and how many cells each has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.spaces import SPACES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 2",
    title="Cells of the search spaces",
    benchmarks=("nasbench101", "nasbench201", "digits201"),
    required=(),
)
KINDS = {
    "nasbench101": "vertices are operations, edges are connections",
    "nasbench201": "edges are operations, vertices add up what reaches them",
}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Number of cells in each space, and the best cell of a table as an example.

    A space has one row, with the first of the benchmarks that have it.

    Returns
    -------
    DataFrame
        Columns space, cells (distinct as labelled graphs; for NAS-Bench-101 only one a class is
        ever listed), classes (not isomorphic), benchmark (whose table gives the rest), rows (of
        the table), best (text of the cell with the best mean test accuracy, the table's first of
        equals), tied (classes that share this accuracy) and emulated.
    """
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for name in inputs.result.benchmarks:
        benchmark = inputs.benchmark(name)
        space = benchmark.space
        if space.name in rows:
            continue
        cells = space.enumerate()
        # Means of the same numbers of right answers may differ in the last digit.
        test = benchmark.values(benchmark.policies["goal"].test).round(9)
        best = benchmark.cells[np.flatnonzero(test == test.max())]
        rows[space.name] = {
            "space": space.name,
            "cells": len(cells),
            "classes": len(np.unique(space.canonical(cells))),
            "benchmark": name,
            "rows": len(benchmark),
            "best": space.to_str(best[0])[0],
            "tied": len(np.unique(space.canonical(best))),
            "emulated": "",
        }
    return pd.DataFrame(list(rows.values()))


def draw(table: pd.DataFrame) -> Figure:
    """The best cell of each space."""
    from matplotlib.figure import Figure

    from dagnas.drawing.cells import draw_cell
    from dagnas.drawing.style import benchmark_label

    # Cells with labels on edges run from left to right, those with boxes from top to bottom.
    widths = [3.4 if space == "nasbench101" else 6.6 for space in table["space"]]
    height = 4.4 if "nasbench101" in set(table["space"]) else 3.1
    figure = Figure(figsize=(sum(widths), height), layout="constrained")
    panels = figure.subplots(1, len(table), squeeze=False, width_ratios=widths)[0]
    for ax, (_, row) in zip(panels, table.iterrows(), strict=True):
        space = SPACES.get(row["space"])
        draw_cell(space, space.from_str([row["best"]]), ax).set_anchor("N")
        ax.set_title(f"{benchmark_label(space.name)}\n{row['classes']:,} classes of cells")
    return figure


def caption(table: pd.DataFrame) -> str:
    """How each space writes cells, and their numbers."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import join_sentences, own_sentence

    sentences = [
        f"{benchmark_label(row['space'])}: {KINDS[row['space']]}; {row['cells']:,} cells listed, "
        f"{row['classes']:,} classes of isomorphic cells; drawn is {_drawn(row)}, without parts "
        "that have no effect."
        for _, row in table.iterrows()
    ]
    return join_sentences(*sentences, own_sentence(table["benchmark"]))


def _drawn(row: pd.Series) -> str:
    """Which cell is drawn, in words."""
    from dagnas.drawing.style import benchmark_label

    table = f"the table of {benchmark_label(row['benchmark'])}"
    if row["tied"] == 1:
        return f"the cell with the best mean test accuracy of {table}"
    return (
        f"one of {row['tied']} classes of cells that share the best mean test accuracy of {table}"
    )
