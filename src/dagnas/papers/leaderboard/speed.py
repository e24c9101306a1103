"""Speed: how long methods themselves take, beside the training that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Leaderboard",
    title="Wall-clock time of the methods themselves",
    reads={"studies": ("goal_{benchmark}", "leaderboard_seconds_*")},
    required=(),
    walls=True,
)
#: What is shown of a trial: column, title and label of its panel.
PANELS = (
    ("per_cell", "(a) For each cell evaluated", "wall-clock seconds per evaluation"),
    ("ratio", "(b) Beside the training", "wall-clock seconds per simulated second of training"),
)
MARKS = ("o", "s", "D", "^", "v", "P", "X")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#332288")


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Wall-clock seconds of every method on every benchmark, medians and quartiles over trials.

    Medians, since a trial that shared its processor with others may have taken long. What is
    measured is the whole of a trial but for opening the benchmark: the looking up of evaluations
    is in it, and no training of cells.

    Returns
    -------
    DataFrame
        Columns benchmark, method, quantity, median, low and high (quartiles), n (trials) and
        emulated. Quantities: wall (seconds a trial), simulated (training seconds of its
        evaluations), evaluations, per_cell (wall by evaluations), ratio (wall by simulated).
    """
    import pandas as pd

    frames = []
    for study in inputs.result.names("studies"):
        by_trial = inputs.traces(study).groupby(["method", "trial"], sort=False)
        trials = by_trial.agg(simulated=("seconds", "max"), evaluations=("step", "size"))
        walls = inputs.walls(study).set_index(["method", "trial"])["seconds"]
        trials.insert(0, "wall", walls)
        trials["per_cell"] = trials["wall"] / trials["evaluations"]
        trials["ratio"] = trials["wall"] / trials["simulated"]
        marks = set(inputs.traces(study)["emulated"].iloc[0].split())
        found = trials.reset_index().melt(id_vars=["method", "trial"], var_name="quantity")
        frames.append(
            found.groupby(["method", "quantity"], sort=False)["value"]
            .agg(
                median="median",
                low=lambda values: values.quantile(0.25),
                high=lambda values: values.quantile(0.75),
                n="size",
            )
            .reset_index()
            .assign(
                benchmark=inputs.config.section("studies")[study].benchmark,
                emulated=" ".join(marks & {"seconds"}),
            )
        )
    columns = ["benchmark", "method", "quantity", "median", "low", "high", "n", "emulated"]
    return pd.concat(frames, ignore_index=True)[columns]


def draw(table: pd.DataFrame) -> Figure:
    """Seconds a cell and a second of training, a row a method and a mark a benchmark."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style
    from dagnas.papers.panels import marks

    cells = table[table["quantity"] == "per_cell"]
    methods = list(cells.groupby("method")["median"].median().sort_values(kind="stable").index)
    looks = style.looks(list(table["method"].unique()))
    figure = Figure(figsize=(12.4, 2.2 + 0.36 * max(len(methods), 6)), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for ax, (quantity, title, label) in zip(panels, PANELS, strict=True):
        _panel(ax, table[table["quantity"] == quantity], methods)
        ax.set(title=title, xlabel=label)
    style.name_rows(panels[0], [looks[method] for method in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    names = panels[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=3)
    style.stamp(figure, marks(table["emulated"]))
    return figure


def _panel(ax: Axes, panel: pd.DataFrame, methods: list[str]) -> None:
    """One quantity: a dot a benchmark for every method, with quartiles."""
    from dagnas.drawing.style import benchmark_label

    benchmarks = list(panel["benchmark"].unique())
    for place, benchmark in enumerate(benchmarks):
        here = panel[panel["benchmark"] == benchmark]
        colour = COLOURS[place % len(COLOURS)]
        # Side by side, since marks on one another cannot be read.
        shift = 0.5 * ((place + 0.5) / len(benchmarks) - 0.5)
        heights = np.array([methods.index(method) for method in here["method"]]) + shift
        ax.hlines(heights, here["low"], here["high"], color=colour, lw=1.6)
        ax.plot(
            here["median"],
            heights,
            color=colour,
            marker=MARKS[place % len(MARKS)],
            ls="none",
            ms=6,
            label=benchmark_label(benchmark),
        )
    ax.set_xscale("log")
    ax.grid(visible=False, axis="y")


def caption(table: pd.DataFrame) -> str:
    """What is measured, and what is emulated."""
    from dagnas.papers.panels import counted, emulated_sentence, join_sentences, own_sentence

    return join_sentences(
        "Wall-clock seconds of a trial, all of them the method's own since evaluations are looked "
        "up: (a) by the number of evaluations, (b) by the simulated seconds of their training. "
        f"Medians and quartiles over {counted(table['n'], 'trial')}, each on one thread; "
        "how long a trial takes depends on the machine and on what else it does, so these numbers "
        "do not repeat.",
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"]),
    )
