"""Figure 2 and appendix A: the two kinds of search space, and how many cells each has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagnas.papers.core.inputs import Inputs
from dagnas.papers.core.result import Result
from dagnas.spaces import SPACES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 2",
    title="Cells of the two search spaces",
    benchmarks=("nasbench101", "nasbench201"),
    optional=("nasbench101", "nasbench201"),
)
KINDS = {
    "nasbench101": "vertices are operations, edges are connections",
    "nasbench201": "edges are operations, vertices add up what reaches them",
}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Number of cells in each space, and the table's best cell as an example.

    Returns
    -------
    DataFrame
        Columns space, cells (distinct as labelled graphs; for NAS-Bench-101 only one a class is
        ever listed), classes (not isomorphic), rows (of the benchmark's table), vertices, edges
        (the most that a cell can have) and best (text of the cell with the best mean test
        accuracy).
    """
    import pandas as pd

    rows = []
    for name in inputs.result.benchmarks:
        space, benchmark = SPACES.get(name), inputs.benchmark(name)
        cells = space.enumerate()
        test = benchmark.values(benchmark.policies["goal"].test)
        rows.append(
            {
                "space": name,
                "cells": len(cells),
                "classes": len(np.unique(space.canonical(cells))),
                "rows": len(benchmark),
                "best": space.to_str(benchmark.cells[int(test.argmax())])[0],
                "emulated": "",
            }
        )
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """The best cell of each space."""
    from matplotlib.figure import Figure

    from dagnas.papers.core.style import benchmark_label

    # Cells with labels on edges run from left to right, those with boxes from top to bottom.
    widths = [3.4 if space == "nasbench101" else 6.6 for space in table["space"]]
    figure = Figure(figsize=(sum(widths), 4.4), layout="constrained")
    panels = figure.subplots(1, len(table), squeeze=False, width_ratios=widths)[0]
    for ax, (_, row) in zip(panels, table.iterrows(), strict=True):
        space = SPACES.get(row["space"])
        space.draw(space.from_str([row["best"]]), ax).set_anchor("N")
        ax.set_title(f"{benchmark_label(space.name)}\n{row['classes']:,} classes of cells")
    return figure


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """How each space writes cells, and their numbers."""
    from dagnas.papers.core.style import benchmark_label

    return " ".join(
        f"{benchmark_label(row['space'])}: {KINDS[row['space']]}; {row['cells']:,} cells listed, "
        f"{row['classes']:,} classes of isomorphic cells; drawn is the cell with the best mean "
        f"test accuracy of the table, without parts that have no effect."
        for _, row in table.iterrows()
    )
