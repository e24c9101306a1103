"""Figures 3 and 6: predicted against actual accuracies (section 4.1, appendix B)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dagnas.papers.bonas.lstm12k import TABLES, lstm_sentence
from dagnas.papers.bonas.table1 import PREDICTORS, RANKINGS, label
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figures 3 and 6",
    title="Predicted and actual accuracies",
    reads={"rankings": RANKINGS},
    required=(),
)
#: Cells of a panel, so that the picture stays small; the correlation is that of all test cells.
SHOWN = 1000


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Points of the first trial, the same cells for all predictors.

    Returns
    -------
    DataFrame
        Columns benchmark, predictor, trial, code, actual and predicted (accuracy, %), density (of
        a Gaussian kernel density estimator on the points of the panel), pearson (of all test
        cells, %), cells (that it is of) and emulated.
    """
    import pandas as pd
    from scipy.stats import pearsonr

    frames = []
    for name in inputs.result.names("rankings"):
        scores = inputs.ranking(name)
        benchmark = scores["benchmark"].iloc[0]
        first = scores[scores["trial"] == scores["trial"].min()]
        for predictor in PREDICTORS:
            cells = first[first["predictor"] == predictor].sort_values("code")
            if cells.empty:
                continue
            predicted = 100 * (1 - cells["score"].astype(float))
            count = min(SHOWN, len(cells))
            # A stream without the predictor's name: all panels of a row show the same cells.
            chosen = np.sort(stream("bonas/fig3", benchmark).choice(len(cells), count, False))
            points = np.stack([cells["target"].to_numpy(), predicted.to_numpy()])[:, chosen]
            frames.append(
                pd.DataFrame(
                    {
                        "benchmark": benchmark,
                        "predictor": predictor,
                        "trial": cells["trial"].iloc[0],
                        "code": cells["code"].to_numpy()[chosen],
                        "actual": points[0],
                        "predicted": points[1],
                        "density": density(points),
                        "pearson": 100 * pearsonr(cells["target"], predicted).statistic,
                        "cells": len(cells),
                        "emulated": cells["emulated"].iloc[0],
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def density(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Density at points (2, N) of a Gaussian kernel estimator fitted on them, by Scott's rule.

    Points on one line, as of a predictor that gives all cells one score, have none: NaN.
    """
    from scipy.stats import gaussian_kde

    try:
        return np.asarray(gaussian_kde(points)(points))
    except np.linalg.LinAlgError:
        return np.full(points.shape[1], np.nan)


def draw(table: pd.DataFrame) -> Figure:
    """A row a benchmark, a panel a predictor; the line is where both accuracies are equal."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    benchmarks = list(table["benchmark"].unique())
    figure = Figure(figsize=(3.9 * len(PREDICTORS), 3.4 * len(benchmarks)), layout="constrained")
    grid = figure.subplots(len(benchmarks), len(PREDICTORS), squeeze=False)
    for axes, benchmark in zip(grid, benchmarks, strict=True):
        row = table[table["benchmark"] == benchmark]
        low, high = row["actual"].min() - 3, row["actual"].max() + 3
        for ax, (predictor, (name, _)) in zip(axes, PREDICTORS.items(), strict=True):
            # The densest points are drawn last, so that none of the rest hide them.
            points = row[row["predictor"] == predictor].sort_values("density")
            if points.empty:
                ax.set_axis_off()
                continue
            ax.plot([low, high], [low, high], color="#999999", lw=1)
            dots = ax.scatter(
                points["actual"],
                points["predicted"],
                c=points["density"].fillna(0),
                s=6,
                cmap="viridis",
                linewidths=0,
                rasterized=True,
            )
            figure.colorbar(dots, ax=ax, pad=0.02)
            ax.set(xlim=(low, high), ylim=(low, high))
            what = "perplexity saved" if benchmark in TABLES else "accuracy"
            ax.set(xlabel=f"actual {what} (%)", ylabel=f"predicted {what} (%)")
            ax.set_title(f"{label(benchmark)}: {name}", fontsize=10.5)
            ax.text(
                0.04,
                0.95,
                f"{points['pearson'].iloc[0]:.1f} %",
                transform=ax.transAxes,
                va="top",
                fontweight="bold",
            )
            style.stamp(ax, points["emulated"].iloc[0])
    return figure


def caption(table: pd.DataFrame) -> str:
    """Points that are shown, their number, and how many lie outside of the panels."""
    from dagnas.papers.panels import between, emulated_sentence, join_sentences, own_sentence

    outside = sum(
        int((~row["predicted"].between(row["actual"].min() - 3, row["actual"].max() + 3)).sum())
        for _, row in table.groupby("benchmark")
    )
    return join_sentences(
        f"Predicted and actual test accuracies of cells held out (trial {between(table['trial'])})."
        f" A panel shows {SHOWN:,} of the test cells, drawn at random, or all if there are fewer; "
        "colours are the density of a Gaussian kernel estimator fitted on these points. In the "
        "corner, Pearson's correlation over all test cells of the trial. NAS-Bench-101 is the "
        "paper's figure 3, NAS-Bench-201 its figure 6, LSTM-12K its figure 7.",
        lstm_sentence(table["benchmark"]),
        f"{outside} points lie outside of the panels." if outside else "",
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"]),
    )
