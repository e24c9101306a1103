"""Figure 5: four weights of the squared error that the network is trained with (section 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagnas.analysis import survival
from dagnas.papers.bonas.choices import PAIRED
from dagnas.papers.bonas.fig4 import accuracy_caption, accuracy_panel, accuracy_table, handles
from dagnas.papers.bonas.lstm12k import TABLES
from dagnas.papers.bonas.table2 import (
    BENCHMARKS,
    compared_sentence,
    legend,
    medians,
    stopped_sentence,
    summary_table,
)
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.drawing.style import Look

STUDIES = tuple(f"bonas_losses_{name}" for name in BENCHMARKS if name not in TABLES)
RESULT = Result(
    place="Figure 5",
    title="Weights of the loss",
    reads={"studies": STUDIES},
    benchmarks=("{benchmark}",),
    required=(),
)
#: Weight of the loss of each method, its label, and its colour if not that of BONAS.
LOSSES = {
    "bonas": ("exponential", "exponential", ""),
    "bonas_linear": ("linear", "linear", "#009E73"),
    "bonas_log": ("log", "logarithm", "#0072B2"),
    "bonas_mse": ("mse", "none (MSE)", "#777777"),
}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Weights, accuracies of the best cell so far, and samples until the best cell.

    Returns
    -------
    DataFrame
        Column part, and for each of its values others: for "weights" method, accuracy (true one of
        a cell, %), weight (of its squared error) and n (1, since it is computed); for "accuracy"
        those of figure 4; for "samples" those of table 2's summary, but for the paper's.
    """
    import pandas as pd

    parts = [weights().assign(part="weights")]
    for study in inputs.result.names("studies"):
        parts.append(accuracy_table(inputs, study).assign(part="accuracy"))
        summary = survival.corrected(summary_table(inputs, study))
        parts.append(summary.assign(part="samples"))
    table = pd.concat(parts, ignore_index=True).fillna({"benchmark": "", "emulated": ""})
    table.insert(0, "part", table.pop("part"))
    return table


def weights() -> pd.DataFrame:
    """Weight of the squared error of a cell by its accuracy, for each loss."""
    import pandas as pd
    import torch

    from dagnas.predictors.losses import WEIGHTS

    accuracy = np.arange(0, 101, 5)
    fraction = torch.from_numpy(accuracy / 100)
    frames = [
        pd.DataFrame(
            {"method": method, "accuracy": accuracy, "weight": WEIGHTS[loss](fraction), "n": 1}
        )
        for method, (loss, _, _) in LOSSES.items()
    ]
    return pd.concat(frames, ignore_index=True)


def draw(table: pd.DataFrame) -> Figure:
    """Left the weights; then for each benchmark accuracies above samples until the best cell."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    known = {method: style.Look(label, colour) for method, (_, label, colour) in LOSSES.items()}
    known["bonas"] = style.METHODS["bonas"]._replace(label=LOSSES["bonas"][1])
    looks = style.looks(list(table["method"].unique()), known)
    # Weights are of no benchmark.
    benchmarks = [name for name in table["benchmark"].unique() if name]
    figure = Figure(figsize=(4.6 + 6.8 * len(benchmarks), 6.6), layout="constrained")
    columns = figure.subplots(
        2,
        1 + len(benchmarks),
        sharex="col",
        width_ratios=[0.62] + [1.0] * len(benchmarks),
        height_ratios=[1.7, 1.0],
    ).T
    curves, empty = columns[0]
    _weights(curves, table[table["part"] == "weights"], looks)
    empty.set_axis_off()
    empty.legend(handles=handles(looks), loc="center", title="weight of the squared error")
    for (above, below), benchmark in zip(columns[1:], benchmarks, strict=True):
        here = table[table["benchmark"] == benchmark]
        accuracy_panel(above, here[here["part"] == "accuracy"], looks)
        above.set(title=f"(b) {style.benchmark_label(benchmark)}", xlabel="")
        above.tick_params(labelbottom=False)
        medians(below, here[here["part"] == "samples"], looks)
    legend(figure, paper=False)
    return figure


def _weights(ax: Axes, panel: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Panel a: weight by accuracy."""
    for method, curve in panel.groupby("method", sort=False):
        look = looks[str(method)]
        ax.plot(curve["accuracy"], curve["weight"], color=look.colour, lw=look.width)
    ax.set(
        title="(a) Weights",
        xlabel="true accuracy of a cell (%)",
        ylabel="weight of its squared error",
        xlim=(0, 100),
        ylim=(0, 1.05),
    )
    ax.tick_params(labelbottom=True)


def caption(table: pd.DataFrame) -> str:
    """Legend of the panels, with numbers of trials and of those that were stopped."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import join_sentences

    summary = table[table["part"] == "samples"]
    stopped = [
        f"{benchmark_label(str(benchmark))}: {stopped_sentence(here)}"
        for benchmark, here in summary.groupby("benchmark", sort=False)
    ]
    return join_sentences(
        "(a) Weight of a cell's squared error in the loss by its true accuracy. (b) Searches "
        "with each of these losses.",
        accuracy_caption(table[table["part"] == "accuracy"]),
        "Below: median number of samples until the best cell, with its interval of 95 %, and "
        "the mean, as in table 2; where trials were stopped, a lower bound of it.",
        *stopped,
        compared_sentence("the exponential weight", "losses"),
        PAIRED,
    )
