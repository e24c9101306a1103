"""Figure 3: how well the graph network and a multilayer perceptron rank cells (section 6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 3",
    title="Ranking by the standalone surrogate",
    rankings=("goal_uniform",),
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Spearman's rho of every predictor, training size and trial.

    Returns
    -------
    DataFrame
        Columns benchmark, predictor, train_size, trial, spearman, cells (in the test set) and
        emulated.
    """
    import pandas as pd
    from scipy.stats import spearmanr

    groups = inputs.ranking("goal_uniform").groupby(["predictor", "train_size", "trial"])
    return pd.DataFrame(
        {
            "benchmark": cells["benchmark"].iloc[0],
            "predictor": predictor,
            "train_size": size,
            "trial": trial,
            "spearman": spearmanr(100 - cells["target"], cells["score"]).statistic,
            "cells": len(cells),
            "emulated": cells["emulated"].iloc[0],
        }
        for (predictor, size, trial), cells in groups
    )


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """Left: true and predicted ranks of one trial; right: rho against the training size."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    looks = style.looks(sorted(table["predictor"].unique()), style.PREDICTORS)
    scores = inputs.ranking("goal_uniform")
    shown = _shown(table)
    figure = Figure(figsize=(3.9 * len(looks) + 4.6, 4.2), layout="constrained")
    style.headline(figure, f"Ranking of {style.benchmark_label(table['benchmark'].iloc[0])}")
    *scatters, sizes = figure.subplots(1, len(looks) + 1, width_ratios=[1.0] * (len(looks) + 1))
    for ax, (predictor, look) in zip(scatters, looks.items(), strict=True):
        cells = scores[
            (scores["predictor"] == predictor)
            & (scores["train_size"] == shown["train_size"])
            & (scores["trial"] == shown["trial"])
        ]
        ax.plot([0, len(cells)], [0, len(cells)], color="#999999", lw=1, zorder=3)
        ax.scatter(
            cells["target"].rank(ascending=False),
            cells["score"].rank(),
            s=5,
            color=look.colour,
            alpha=0.3,
            linewidths=0,
            rasterized=True,
        )
        rho = shown["spearman"][predictor]
        ax.set(
            title=f"{look.label}: \N{GREEK SMALL LETTER RHO} = {rho:.3f}",
            xlabel="true rank",
            ylabel="predicted rank",
            xlim=(0, len(cells)),
            ylim=(0, len(cells)),
            aspect="equal",
        )
        style.stamp(ax, cells["emulated"].iloc[0])
    for predictor, look in looks.items():
        of_size = table[table["predictor"] == predictor].groupby("train_size")["spearman"]
        mean, sd = of_size.mean(), of_size.std()
        sizes.errorbar(
            mean.index,
            mean,
            sd,
            color=look.colour,
            lw=look.width,
            marker="o",
            capsize=4,
            elinewidth=1.4,
        )
    ticks = sorted(table["train_size"].unique())
    sizes.set_xscale("log", base=2)
    sizes.set_xticks(ticks, [str(tick) for tick in ticks])
    sizes.minorticks_off()
    sizes.set_box_aspect(1)
    sizes.set(
        title="Training size",
        xlabel="training cells",
        ylabel="Spearman's \N{GREEK SMALL LETTER RHO}",
    )
    ends = table[table["train_size"] == ticks[-1]].groupby("predictor")["spearman"].mean()
    style.label_ends(sizes, [(ends[p], look) for p, look in looks.items()])
    return figure


def _shown(table: pd.DataFrame) -> dict:
    """Which trial the scatter plots show: the first one at the largest training size."""
    size = table["train_size"].max()
    trial = table["trial"].min()
    rows = table[(table["train_size"] == size) & (table["trial"] == trial)]
    spearman = dict(zip(rows["predictor"], rows["spearman"], strict=True))
    return {"train_size": size, "trial": trial, "spearman": spearman}


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """What is ranked, which trial is shown, and how many there are."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import (
        between,
        emulated_sentence,
        own_sentence,
        quantity_words,
    )

    benchmark = table["benchmark"].iloc[0]
    target = inputs.config.rankings["goal_uniform"].target
    shown = _shown(table)
    trials = between(table.groupby(["predictor", "train_size"])["trial"].nunique())
    sentences = [
        f"{benchmark_label(benchmark)}. Left: true rank (by {quantity_words(target)}, 1 is best) "
        f"and predicted rank of {between(table['cells'])} test cells, one of each class, by "
        f"predictors trained on "
        f"{shown['train_size']} other cells (trial {shown['trial']}). Right: Spearman's rank "
        f"correlation against the number of training cells, mean and standard deviation over "
        f"{trials} trials.",
        own_sentence([benchmark]),
        emulated_sentence(table["emulated"]),
    ]
    return " ".join(filter(None, sentences))
