"""Figure 8: the best cell of the open-domain search, and the one that the authors released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dagnas.analysis.incumbents import incumbent
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.spaces import SPACES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dagnas.spaces.genotype_space import GenotypeSpace

STUDY = "bonas_table3"
METHOD = "bonas"
RESULT = Result(
    place="Figure 8",
    title="The best cell found by BONAS in the one-cell DARTS space",
    reads={"studies": (STUDY,)},
    methods=(METHOD,),
)
#: Network that parameters are counted of, table 3's.
CHANNELS, LAYERS = 36, 20
#: The cell of the authors' released code (opendomain_utils/genotypes.py). The paper's figure is not
#: part of the text that we have.
RELEASED = (
    "[('sep_conv_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', 0), ('max_pool_3x3', 0), "
    "('sep_conv_3x3', 0), ('sep_conv_3x3', 2), ('skip_connect', 1), ('sep_conv_3x3', 2)]"
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Cell of the best signal of the first trial, and the authors'.

    Returns
    -------
    DataFrame
        Columns cell_of ("search", "authors"), benchmark, evaluations, step (from 1 on), signal (%),
        cell (official text), skips (skip connections), params (of the network of 36 channels and
        20 cells) and emulated.
    """
    import pandas as pd

    steps, step = found(inputs, STUDY, METHOD)
    space = one_cell()
    chosen = steps.iloc[step]
    about = {
        "benchmark": inputs.config.section("studies")[STUDY].benchmark,
        "evaluations": len(steps),
        "step": step + 1,
        "signal": chosen["signal"],
    }
    (released,) = space.to_str(space.from_str([RELEASED]))
    rows: list[dict[str, Any]] = [
        {"cell_of": "search", **about, "cell": chosen["cell"]},
        {"cell_of": "authors", "cell": released},
    ]
    for row in rows:
        cells = space.from_str([row["cell"]])
        row["skips"] = skips(row["cell"])
        row["params"] = int(space.size(cells).params[0])
    return pd.DataFrame(rows).fillna({"benchmark": ""}).assign(emulated="")


def found(inputs: Inputs, study: str, method: str) -> tuple[pd.DataFrame, int]:
    """Evaluations of the first trial of a method, and the number of the best one, from 0 on."""
    traces = inputs.traces(study)
    steps = traces[(traces["method"] == method) & (traces["trial"] == 0)]
    return steps, int(incumbent(steps["signal"].to_numpy())[-1])


def one_cell() -> GenotypeSpace:
    """BONAS's space."""
    return cast("GenotypeSpace", SPACES.get("darts_one_cell"))


def skips(text: str) -> int:
    """Skip connections of a cell that serves for both halves of a genotype."""
    return text.count("skip_connect") // 2


def draw(table: pd.DataFrame) -> Figure:
    """The cell found above, that of the authors below."""
    from matplotlib.figure import Figure

    from dagnas.drawing.cells import draw_cell

    titles = {"search": "(a) Found here", "authors": "(b) The authors' (released code)"}
    space = one_cell()
    figure = Figure(figsize=(14, 8.4), layout="constrained")
    axes = figure.subplots(len(table), 1)
    for ax, (_, row) in zip(axes, table.iterrows(), strict=True):
        draw_cell(space, space.from_str([str(row["cell"])]), ax)
        ax.set_title(titles[str(row["cell_of"])], fontsize=18)
    return figure


def caption(table: pd.DataFrame) -> str:
    """Where the cells come from, and their sizes."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import number

    row, theirs = (table[table["cell_of"] == name].iloc[0] for name in ("search", "authors"))
    return (
        f"(a) The cell of the best validation accuracy ({row['signal']:.2f} %) of "
        f"{number(row['evaluations'])} that BONAS trained on {benchmark_label(row['benchmark'])}, "
        f"found at evaluation {row['step']:.0f}; (b) the cell of the authors' released code. One "
        "cell serves for normal and reduction layers; every node is the sum of two operations on "
        "cells before or nodes before, and the output concatenates the nodes. In a network of "
        f"{CHANNELS} channels and {LAYERS} cells, (a) has {row['params'] / 1e6:.2f} M parameters, "
        f"(b) {theirs['params'] / 1e6:.2f} M; skip connections: {row['skips']:.0f} and "
        f"{theirs['skips']:.0f}."
    )
