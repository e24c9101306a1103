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
    reads={"rankings": ("goal_uniform",)},
)
COLUMNS = [
    *("panel", "benchmark", "predictor", "train_size", "trial", "spearman", "cells", "target"),
    *("true_rank", "predicted_rank", "emulated"),
]


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Spearman's rho of every predictor, training size and trial, and the ranks of one trial.

    Returns
    -------
    DataFrame
        Columns panel, benchmark, predictor, train_size, trial, spearman, cells, target,
        true_rank, predicted_rank and emulated. Rows whose panel is

        - measures: Spearman's rho over a test set of so many cells, ranked by the target (in
          words);
        - cells: ranks of one test cell, 1 the best, in the first trial at the largest training
          size.
    """
    import pandas as pd
    from scipy.stats import spearmanr

    from dagnas.papers.panels import quantity_words

    scores = inputs.ranking("goal_uniform")
    measures = pd.DataFrame(
        {
            "panel": "measures",
            "benchmark": cells["benchmark"].iloc[0],
            "predictor": predictor,
            "train_size": size,
            "trial": trial,
            "spearman": spearmanr(100 - cells["target"], cells["score"]).statistic,
            "cells": len(cells),
            "target": quantity_words(cells["quantity"].iloc[0]),
            "emulated": cells["emulated"].iloc[0],
        }
        for (predictor, size, trial), cells in scores.groupby(["predictor", "train_size", "trial"])
    )
    shown = scores[
        (scores["train_size"] == scores["train_size"].max())
        & (scores["trial"] == scores["trial"].min())
    ]
    by_predictor = shown.groupby("predictor")
    cells = shown.drop(columns="target").assign(
        panel="cells",
        true_rank=by_predictor["target"].rank(ascending=False),
        predicted_rank=by_predictor["score"].rank(),
    )
    table: pd.DataFrame = pd.concat([measures, cells], ignore_index=True)[COLUMNS]
    return table


def draw(table: pd.DataFrame) -> Figure:
    """Left: true and predicted ranks of one trial; right: rho against the training size."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    looks = style.looks(sorted(table["predictor"].unique()), style.PREDICTORS)
    measures, ranks = (table[table["panel"] == panel] for panel in ("measures", "cells"))
    shown = _shown(table)
    figure = Figure(figsize=(3.9 * len(looks) + 4.6, 4.2), layout="constrained")
    style.headline(figure, f"Ranking of {style.benchmark_label(table['benchmark'].iloc[0])}")
    *scatters, sizes = figure.subplots(1, len(looks) + 1, width_ratios=[1.0] * (len(looks) + 1))
    for ax, (predictor, look) in zip(scatters, looks.items(), strict=True):
        cells = ranks[ranks["predictor"] == predictor]
        ax.plot([0, len(cells)], [0, len(cells)], color="#999999", lw=1, zorder=3)
        ax.scatter(
            cells["true_rank"],
            cells["predicted_rank"],
            s=5,
            color=look.colour,
            alpha=0.3,
            linewidths=0,
            rasterized=True,
        )
        rho = shown.loc[shown["predictor"] == predictor, "spearman"].item()
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
        of_size = measures[measures["predictor"] == predictor].groupby("train_size")["spearman"]
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
    ticks = sorted(measures["train_size"].unique())
    sizes.set_xscale("log", base=2)
    sizes.set_xticks(ticks, [str(tick) for tick in ticks])
    sizes.minorticks_off()
    sizes.set_box_aspect(1)
    sizes.set(
        title="Training size",
        xlabel="training cells",
        ylabel="Spearman's \N{GREEK SMALL LETTER RHO}",
    )
    ends = measures[measures["train_size"] == ticks[-1]].groupby("predictor")["spearman"].mean()
    style.label_ends(sizes, [(ends[p], look) for p, look in looks.items()])
    return figure


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Measures of the trial that the scatter plots show, a predictor a row."""
    cell = table[table["panel"] == "cells"].iloc[0]
    of_trial = table[
        (table["train_size"] == cell["train_size"]) & (table["trial"] == cell["trial"])
    ]
    shown: pd.DataFrame = of_trial[of_trial["panel"] == "measures"]
    return shown


def caption(table: pd.DataFrame) -> str:
    """What is ranked, which trial is shown, and how many there are."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import (
        between,
        counted,
        emulated_sentence,
        join_sentences,
        own_sentence,
    )

    measures = table[table["panel"] == "measures"]
    shown = _shown(table).iloc[0]
    trials = measures.groupby(["predictor", "train_size"])["trial"].nunique()
    return join_sentences(
        f"{benchmark_label(shown['benchmark'])}. Left: true rank (by {shown['target']}, 1 is best) "
        f"and predicted rank of {between(measures['cells'])} test cells, one of each class, by "
        f"predictors trained on {shown['train_size']} other cells (trial {shown['trial']}). "
        "Right: Spearman's rank correlation against the number of training cells, mean and "
        f"standard deviation over {counted(trials, 'trial')}.",
        own_sentence([shown["benchmark"]]),
        emulated_sentence(measures["emulated"]),
    )
