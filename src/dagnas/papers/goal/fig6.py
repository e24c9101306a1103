"""Figure 6: ranking of all cells by a surrogate after a search (appendix D)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.spaces import SPACES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 6",
    title="Ranking by a surrogate after a search and one of uniform samples",
    rankings=("goal_after_search",),
    benchmarks=("nasbench201", "digits201"),
    optional=("nasbench201", "digits201"),
)
#: What counts as the corner of the best cells: this share of all classes by true rank.
CORNER = 0.05
TITLES = {"search": "After a search", "uniform": "Uniform samples"}


def classes(inputs: Inputs) -> pd.DataFrame:
    """Scores of one cell per class: the first of each class in the order of the ranking."""
    space = SPACES.get("nasbench201")
    scores = inputs.ranking("goal_after_search")
    scores = scores.assign(key=space.canonical(space.unpack(scores["code"].to_numpy())))
    return scores.drop_duplicates(["source", "trial", "key"]).drop(columns="key")


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Quality of the ranking, over all classes and in the corner of the best ones.

    Returns
    -------
    DataFrame
        Columns benchmark, source, train_size, trial, cells, and

        - spearman: Spearman's rho over all classes,
        - spearman_best: the same over the true best 5 %,
        - recall_best: share of the true best 5 % among the predicted best 5 %,
        - rank_best: mean true rank of the predicted best 1 %, in % of all (lower is better),
        - emulated.
    """
    import pandas as pd
    from scipy.stats import spearmanr

    rows = []
    for (source, trial), cells in classes(inputs).groupby(["source", "trial"]):
        true, predicted = cells["target"].rank(ascending=False), cells["score"].rank()
        total = len(cells)
        best, chosen = true <= CORNER * total, predicted <= CORNER * total
        rows.append(
            {
                "benchmark": cells["benchmark"].iloc[0],
                "source": source,
                "train_size": cells["train_size"].iloc[0],
                "trial": trial,
                "cells": total,
                "spearman": spearmanr(true, predicted).statistic,
                "spearman_best": spearmanr(true[best], predicted[best]).statistic,
                "recall_best": (best & chosen).sum() / best.sum(),
                "rank_best": 100 * true[predicted <= 0.01 * total].mean() / total,
                "emulated": cells["emulated"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """True and predicted ranks of one trial, above for all classes, below for the best ones."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    scores = classes(inputs)
    shown = table["trial"].min()
    figure = Figure(figsize=(9, 9), layout="constrained")
    style.headline(figure, f"Ranking of {style.benchmark_label(table['benchmark'].iloc[0])}")
    for column, (source, title) in enumerate(TITLES.items()):
        cells = scores[(scores["source"] == source) & (scores["trial"] == shown)]
        row = table[(table["source"] == source) & (table["trial"] == shown)].iloc[0]
        true, predicted = cells["target"].rank(ascending=False), cells["score"].rank()
        colour = ("#D55E00", "#0072B2")[column]
        whole, corner = (figure.add_subplot(2, 2, column + 1), figure.add_subplot(2, 2, column + 3))
        limit = CORNER * len(cells)
        for ax, size, width in ((whole, 3, len(cells)), (corner, 14, 2 * limit)):
            ax.plot([0, width], [0, width], color="#999999", lw=1, zorder=3)
            ax.scatter(
                true, predicted, s=size, alpha=0.35, color=colour, linewidths=0, rasterized=True
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


def _square(side: float):  # type: ignore[no-untyped-def]
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), side, side, fill=False, ec="#222222", lw=1.2, zorder=4)


def _signal(inputs: Inputs) -> str:
    """The search signal in words, as exactly as the benchmarks that are declared tell."""
    from dagnas.papers.panels import quantity_words

    study = inputs.config.rankings["goal_after_search"].study
    if inputs.config.studies[study].benchmark not in inputs.result.benchmarks:
        return "the search signal"
    return f"the search signal, {quantity_words(inputs.policy(study).signal)}"


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """What is ranked by what, and means over trials."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import between, emulated_sentence, own_sentence

    benchmark = table["benchmark"].iloc[0]
    means = table.groupby("source")[
        ["spearman", "spearman_best", "recall_best", "rank_best"]
    ].mean()
    text = "; ".join(
        f"{TITLES[str(source)].lower()}: {row['spearman']:.3f} overall, {row['spearman_best']:.3f} "
        f"over the true best 5 %, which make up {100 * row['recall_best']:.0f} % of the predicted "
        f"best 5 %, mean true rank of the predicted best 1 % at {row['rank_best']:.1f} % of all"
        for source, row in means.iterrows()
    )
    sentences = [
        f"{benchmark_label(benchmark)}. True rank (by {_signal(inputs)}, mean over trainings; 1 is "
        f"best) and predicted rank of {between(table['cells'])} classes of cells in trial "
        f"{table['trial'].min()}: left by the surrogate of GOAL at the end of a search, right by "
        f"one trained on as many uniform samples ({between(table['train_size'])} cells over all "
        "trials); the cells that each was trained on are among them. Below, the corner framed "
        "above; the dotted line bounds the true best 5 %. "
        f"Spearman's rank correlation, mean over {table['trial'].nunique()} trials: {text}.",
        own_sentence([benchmark]),
        emulated_sentence(table["emulated"]),
    ]
    return " ".join(filter(None, sentences))
