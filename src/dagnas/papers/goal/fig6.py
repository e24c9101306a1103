"""Figure 6: ranking of all cells by a surrogate after a search (appendix D)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.spaces import SPACES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

RESULT = Result(
    place="Figure 6",
    title="Ranking by a surrogate after a search and one of uniform samples",
    reads={"rankings": ("goal_after_search",)},
)
#: What counts as the corner of the best cells: this share of all classes by true rank.
CORNER = 0.05
COLUMNS = [
    *("panel", "benchmark", "source", "train_size", "trial", "cells", "spearman"),
    *("spearman_best", "recall_best", "rank_best", "target", "true_rank", "predicted_rank"),
    "emulated",
]
TITLES = {"search": "After a search", "uniform": "Uniform samples"}


def classes(inputs: Inputs) -> pd.DataFrame:
    """Scores of one cell per class: the first of each class in the order of the ranking."""
    space = SPACES.get("nasbench201")
    scores = inputs.ranking("goal_after_search")
    scores = scores.assign(key=space.canonical(space.unpack(scores["code"].to_numpy())))
    return scores.drop_duplicates(["source", "trial", "key"]).drop(columns="key")


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Quality of the ranking, over all classes and in the corner of the best ones; ranks.

    Returns
    -------
    DataFrame
        Columns panel, benchmark, source, train_size, trial, cells, spearman, spearman_best,
        recall_best, rank_best, target, true_rank, predicted_rank and emulated. Rows whose panel is

        - measures: of so many classes of cells, ranked by the target (in words), Spearman's rho
          over all and over the true best 5 %, the share of these among the predicted best 5 %, and
          the mean true rank of the predicted best 1 %, in % of all (lower is better);
        - cells: ranks of one class, 1 the best, in the first trial.
    """
    import pandas as pd
    from scipy.stats import spearmanr

    from dagnas.papers.panels import quantity_words

    scores = classes(inputs)
    by_trial = scores.groupby(["source", "trial"])
    scores["true_rank"] = by_trial["target"].rank(ascending=False)
    scores["predicted_rank"] = by_trial["score"].rank()
    rows = []
    for (source, trial), cells in by_trial:
        true, predicted = cells["true_rank"], cells["predicted_rank"]
        total = len(cells)
        best, chosen = true <= CORNER * total, predicted <= CORNER * total
        rows.append(
            {
                "panel": "measures",
                "benchmark": cells["benchmark"].iloc[0],
                "source": source,
                "train_size": cells["train_size"].iloc[0],
                "trial": trial,
                "cells": total,
                "spearman": spearmanr(true, predicted).statistic,
                "spearman_best": spearmanr(true[best], predicted[best]).statistic,
                "recall_best": (best & chosen).sum() / best.sum(),
                "rank_best": 100 * true[predicted <= 0.01 * total].mean() / total,
                "target": f"the search signal, {quantity_words(cells['quantity'].iloc[0])}",
                "emulated": cells["emulated"].iloc[0],
            }
        )
    shown = scores[scores["trial"] == scores["trial"].min()].drop(columns="target")
    parts = [pd.DataFrame(rows), shown.assign(panel="cells")]
    table: pd.DataFrame = pd.concat(parts, ignore_index=True)[COLUMNS]
    return table


def draw(table: pd.DataFrame) -> Figure:
    """True and predicted ranks of one trial, above for all classes, below for the best ones."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    measures, ranks = (table[table["panel"] == panel] for panel in ("measures", "cells"))
    shown = ranks["trial"].iloc[0]
    figure = Figure(figsize=(9, 9), layout="constrained")
    style.headline(figure, f"Ranking of {style.benchmark_label(table['benchmark'].iloc[0])}")
    for column, (source, title) in enumerate(TITLES.items()):
        cells = ranks[ranks["source"] == source]
        row = measures[(measures["source"] == source) & (measures["trial"] == shown)].iloc[0]
        colour = ("#D55E00", "#0072B2")[column]
        whole, corner = (figure.add_subplot(2, 2, column + 1), figure.add_subplot(2, 2, column + 3))
        limit = CORNER * len(cells)
        for ax, size, width in ((whole, 3, len(cells)), (corner, 14, 2 * limit)):
            ax.plot([0, width], [0, width], color="#999999", lw=1, zorder=3)
            ax.scatter(
                cells["true_rank"],
                cells["predicted_rank"],
                s=size,
                alpha=0.35,
                color=colour,
                linewidths=0,
                rasterized=True,
            )
            ax.set(xlim=(0, width), ylim=(0, width), aspect="equal")
            ax.set(xlabel="true rank", ylabel="predicted rank")
        whole.add_patch(_square(2 * limit))
        corner.axvline(limit, color="#444444", lw=1, ls=":")
        rho = "\N{GREEK SMALL LETTER RHO}"
        whole.set_title(f"{title}: {rho} = {row['spearman']:.3f}")
        corner.set_title(f"Best corner: {rho} of best 5 % = {row['spearman_best']:.3f}")
        style.stamp(whole, row["emulated"])
    return figure


def _square(side: float) -> Rectangle:
    """Frame of the corner."""
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), side, side, fill=False, ec="#222222", lw=1.2, zorder=4)


def caption(table: pd.DataFrame) -> str:
    """What is ranked by what, and means over trials."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import (
        between,
        emulated_sentence,
        join_sentences,
        own_sentence,
        plural,
    )

    measures = table[table["panel"] == "measures"]
    benchmark, target = measures[["benchmark", "target"]].iloc[0]
    means = measures.groupby("source")[
        ["spearman", "spearman_best", "recall_best", "rank_best"]
    ].mean()
    text = "; ".join(
        f"{TITLES[str(source)].lower()}: {row['spearman']:.3f} overall, {row['spearman_best']:.3f} "
        f"over the true best 5 %, which make up {100 * row['recall_best']:.0f} % of the predicted "
        f"best 5 %, mean true rank of the predicted best 1 % at {row['rank_best']:.1f} % of all"
        for source, row in means.iterrows()
    )
    return join_sentences(
        f"{benchmark_label(benchmark)}. True rank (by {target}, mean over trainings; 1 is "
        f"best) and predicted rank of {between(measures['cells'])} classes of cells in trial "
        f"{measures['trial'].min()}: left by the surrogate of GOAL at the end of a search, right "
        f"by one trained on as many uniform samples ({between(measures['train_size'])} cells over "
        "all trials); the cells that each was trained on are among them. Below, the corner framed "
        "above; the dotted line bounds the true best 5 %. "
        f"Spearman's rank correlation, mean over "
        f"{plural(measures['trial'].nunique(), 'trial')}: {text}.",
        own_sentence([benchmark]),
        emulated_sentence(measures["emulated"]),
    )
