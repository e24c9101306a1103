"""Table 1: correlation of predicted and actual accuracies (section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.papers.bonas.lstm12k import TABLES, UNRELEASED, lstm_sentence
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RANKINGS = tuple(
    f"bonas_predictors_{benchmark}"
    for benchmark in ("nasbench101", "nasbench201", *TABLES, "digits201")
)
RESULT = Result(
    place="Table 1",
    title="Correlation of predicted and actual accuracies",
    reads={"rankings": RANKINGS},
    required=(),
)
#: Rows of the paper, from the top, with colours.
PREDICTORS = {
    "wide_mlp": ("MLP", "#0072B2"),
    "lstm": ("LSTM", "#009E73"),
    "gcn": ("GCN", "#D55E00"),
}
#: The paper's correlations (%).
PAPER = {
    "nasbench101": {"wide_mlp": 83.0, "lstm": 74.1, "gcn": 84.1},
    "nasbench201": {"wide_mlp": 86.5, "lstm": 79.5, "gcn": 97.3},
    UNRELEASED: {"wide_mlp": 53.0, "lstm": 56.0, "gcn": 74.2},
}
MEASURES = ("pearson", "spearman", "kendall")
#: Columns that are equal in all trials of a predictor.
CONSTANT = ("train_size", "cells", "emulated", "quantity", "epochs")


def correlations(inputs: Inputs) -> pd.DataFrame:
    """Correlations (%) of every trial.

    Returns
    -------
    DataFrame
        Columns benchmark, predictor, trial, train_size, emulated, cells (in the test set),
        quantity (that is predicted), epochs (of training), pearson, spearman and kendall.
    """
    import pandas as pd
    from scipy import stats

    rows = []
    for name in inputs.result.names("rankings"):
        ranking = inputs.config.section("rankings")[name]
        epochs = ranking.epochs
        keys = ["benchmark", "predictor", "trial", "train_size", "emulated"]
        for key, cells in inputs.ranking(name).groupby(keys, sort=False):
            pair = (cells["target"], -cells["score"].astype(float))
            predictor = cells["predictor"].iloc[0]
            rows.append(
                {
                    **dict(zip(keys, key, strict=True)),
                    "cells": len(cells),
                    "quantity": ranking.target,
                    "epochs": epochs if isinstance(epochs, int) else epochs[predictor],
                    "pearson": 100 * stats.pearsonr(*pair).statistic,
                    "spearman": 100 * stats.spearmanr(*pair).statistic,
                    "kendall": 100 * stats.kendalltau(*pair).statistic,
                }
            )
    return pd.DataFrame(rows)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Mean correlation of every predictor on every benchmark, and the paper's.

    Returns
    -------
    DataFrame
        Columns benchmark, predictor, n (trials; 0 on the paper's benchmark that is not run),
        train_size, cells (in a test set), pearson, spearman and kendall (means, %), each with its
        standard deviation (pearson_sd, ...), paper (%), to_paper (pearson less that; empty where
        the table is not the paper's), lead (pearson less the predictor's best rival's), emulated,
        quantity (of the benchmark that is predicted, such as "cifar10/test/108") and epochs (that a
        predictor was trained for).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    groups = correlations(inputs).groupby(["benchmark", "predictor"], sort=False)
    for (benchmark, predictor), trials in groups:
        row = {"benchmark": benchmark, "predictor": predictor, "n": len(trials)}
        row |= {key: trials[key].iloc[0] for key in CONSTANT}
        for measure in MEASURES:
            row |= {measure: trials[measure].mean(), f"{measure}_sd": trials[measure].std()}
        rows.append(row)
    if not {row["benchmark"] for row in rows} & set(TABLES):
        missing = {"benchmark": UNRELEASED, "n": 0, "emulated": "", "quantity": ""}
        rows += [{**missing, "predictor": name} for name in PREDICTORS]
    table = pd.DataFrame(rows)
    pairs = list(zip(table["benchmark"], table["predictor"], strict=True))
    theirs = {**PAPER, **{name: PAPER[UNRELEASED] for name in TABLES}}
    table["paper"] = [theirs.get(b, {}).get(p, np.nan) for b, p in pairs]
    table["to_paper"] = (table["pearson"] - table["paper"]).mask(table["benchmark"].isin(TABLES))
    table["lead"] = table["pearson"] - [_best_rival(table, b, p) for b, p in pairs]
    values = [f"{measure}{part}" for measure in MEASURES for part in ("", "_sd")]
    heads = ["benchmark", "predictor", "n", "train_size", "cells", *values]
    return table[[*heads, "paper", "to_paper", "lead", "emulated", "quantity", "epochs"]]


def _best_rival(table: pd.DataFrame, benchmark: str, predictor: str) -> float:
    rivals = (table["benchmark"] == benchmark) & (table["predictor"] != predictor)
    return float(table.loc[rivals, "pearson"].max())


def label(benchmark: str, run: bool = True) -> str:
    """Name of a benchmark for people, also of the one that is not run."""
    from dagnas.drawing.style import benchmark_label

    return benchmark_label(benchmark) if run else "LSTM-12K"


def draw(table: pd.DataFrame) -> Figure:
    """A panel a benchmark: dots with standard deviations are ours, open diamonds the paper's."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    benchmarks = list(table["benchmark"].unique())
    figure = Figure(figsize=(4.1 * len(benchmarks), 2.9), layout="constrained")
    axes = figure.subplots(1, len(benchmarks), sharey=True, squeeze=False)[0]
    for ax, benchmark in zip(axes, benchmarks, strict=True):
        rows = table[table["benchmark"] == benchmark].set_index("predictor")
        for place, (predictor, (_, colour)) in enumerate(PREDICTORS.items()):
            if predictor in rows.index:
                _row(ax, place, rows.loc[predictor].to_dict(), colour)
        run = bool((rows["n"] > 0).any())
        ax.set(title=label(benchmark, run), xlabel="correlation (%)", ylim=(2.5, -0.5))
        low = rows[["pearson", "paper"]].min().min()
        ax.set_xlim(min(45, low - 5), 102)
        ax.set_yticks(range(len(PREDICTORS)), [name for name, _ in PREDICTORS.values()])
        style.stamp(ax, rows["emulated"].iloc[0])
        if not run:
            ax.set_xlabel("correlation (%); not run: never released")
    return figure


def _row(ax: Axes, place: int, row: Mapping[str, Any], colour: str) -> None:
    words = []
    if row["n"]:
        mean, spread = row["pearson"], row["pearson_sd"]
        ax.errorbar(mean, place, xerr=spread, fmt="o", color=colour, capsize=4, ms=8)
        # One trial has no spread.
        deviation = "" if np.isnan(spread) else f" \N{PLUS-MINUS SIGN} {spread:.1f}"
        words.append(f"{mean:.1f}{deviation}")
    if not np.isnan(row["paper"]):
        ax.plot(row["paper"], place + 0.18, "D", mec="#222222", mfc="none", ms=8)
        words.append(f"paper {row['paper']:.1f}")
    ends = [row["pearson"], row["paper"]]
    # Above the marks, and away from the nearer edge.
    left = float(np.nanmean(ends)) < 75
    ax.annotate(
        ", ".join(words),
        (np.nanmin(ends) if left else np.nanmax(ends), place),
        xytext=(0, 8),
        textcoords="offset points",
        ha="left" if left else "right",
        fontsize=9,
    )


def caption(table: pd.DataFrame) -> str:
    """Training of the predictors, their test cells, and benchmarks that are not run."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, own_sentence

    run = table[table["n"] > 0].groupby("benchmark", sort=False)
    return join_sentences(
        "Pearson's correlation (%) of predicted and actual test accuracies of cells held out, mean "
        "and standard deviation over trials (dots), and the paper's (diamonds); the table has "
        "Spearman's and Kendall's too.",
        *(f"{split_sentence(rows)} {epochs_sentence(rows)}" for _, rows in run),
        "Weights are those of the epoch after which scores had the highest correlation with the "
        "accuracies of the validation cells.",
        lstm_sentence(table.loc[table["n"] > 0, "benchmark"]),
        "NAS-Bench-201 is the paper's NAS-Bench-102."
        if "nasbench201" in set(table["benchmark"])
        else "",
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"]),
    )


def split_sentence(rows: pd.DataFrame) -> str:
    """Numbers of cells of one benchmark that predictors were trained and tested on."""
    from dagnas.papers.panels import quantity_words

    row = rows.iloc[0]
    return (
        f"{label(row['benchmark'])}: {quantity_words(row['quantity'])}, "
        f"{int(row['train_size']):,} training and {int(row['cells']):,} test cells, "
        f"{row['n']:.0f} {'trial' if row['n'] == 1 else 'trials'}."
    )


def epochs_sentence(rows: pd.DataFrame) -> str:
    """Number of times that each predictor saw the training cells."""
    epochs = rows.set_index("predictor")["epochs"]
    words = [f"{PREDICTORS[p][0]} {epochs[p]:.0f}" for p in PREDICTORS if p in epochs]
    return f"Epochs: {', '.join(words)}."
