"""Table 1: the graph VAE as an autoencoder, after several epochs (section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagnas.papers.inputs import Inputs
from dagnas.papers.ngae.fig3 import emulated
from dagnas.papers.ngae.labels import label_cells
from dagnas.papers.result import Result
from dagnas.seeds import stream, torch_generator

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.predictors.graph_vae.measures import Prior
    from dagnas.predictors.graph_vae.model import GraphVAE
    from dagnas.spaces.cells import Cells

RESULT = Result(
    place="Table 1",
    title="Reconstruction accuracy, validity, uniqueness and novelty",
    reads={"autoencoders": ("ngae_{benchmark}",)},
    benchmarks=("{benchmark}",),
)
#: Encodings of a test cell and decodings of each; points of the prior and decodings of each.
ENCODINGS, POINTS, DECODINGS = 10, 1000, 10
#: Test cells at most: all of the paper's 1,902, and not many times that of another benchmark.
CELLS = 2000
#: Columns: label, colour.
MEASURES = {
    "accuracy": ("Reconstruction", "#D55E00"),
    "validity": ("Validity", "#0072B2"),
    "uniqueness": ("Uniqueness", "#009E73"),
    "novelty": ("Novelty", "#CC79A7"),
}
#: The paper's numbers (%), by benchmark, measure and epoch.
PAPER = {
    "enas": {
        "accuracy": {100: 82.83, 200: 99.97, 300: 99.99},
        "validity": {100: 99.98, 200: 100.0, 300: 100.0},
        "uniqueness": {100: 51.55, 200: 42.05, 300: 38.56},
        "novelty": {100: 100.0, 200: 100.0, 300: 100.0},
    }
}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """The four measures with the weights of every epoch that was kept.

    Returns
    -------
    DataFrame
        Columns benchmark, epoch, measure (accuracy, validity, uniqueness, novelty), value, paper
        (both %; NaN where the paper has no number, and uniqueness and novelty are NaN where
        nothing is valid), to_paper (value less that), of (decodings that the value is a share of),
        emulated, train_cells and test_cells (of the benchmark). Accuracy is the share of the
        decodings of test cells that are the cell encoded; the other three are of points drawn from
        the prior (section 5.1).
    """
    import pandas as pd

    from dagnas.predictors.graph_vae.measures import reconstruction

    rows = []
    for name in inputs.result.names("autoencoders"):
        asked = inputs.config.section("autoencoders")[name]
        stored, labelled = inputs.autoencoder(name), label_cells(inputs, name)
        space = inputs.benchmark(asked.benchmark).space
        train, test = (labelled.cells[part] for part in labelled.split)
        drawn = stream("ngae/table1", name).permutation(len(test))[:CELLS]
        chosen = test[np.sort(drawn)]
        for epoch in sorted(stored.training.states):
            model = stored.model(space, epoch)
            found = {
                "accuracy": reconstruction(
                    model,
                    chosen,
                    generator=torch_generator(stream("ngae/table1", name, epoch)),
                    noise=asked.noise,
                    encodings=ENCODINGS,
                    decodings=DECODINGS,
                )
            }
            found |= _prior(model, train, name, epoch)._asdict()
            points = POINTS * DECODINGS
            valid = round(found["validity"] * points)
            of = {"accuracy": len(chosen) * ENCODINGS * DECODINGS, "validity": points}
            for measure, share in found.items():
                row = {"benchmark": asked.benchmark, "epoch": epoch, "measure": measure}
                row |= {"value": 100 * share, "of": of.get(measure, valid)}
                paper = PAPER.get(asked.benchmark, {}).get(measure, {})
                row |= {"paper": paper.get(epoch, np.nan), "emulated": emulated(inputs, name)}
                row |= {"train_cells": len(train), "test_cells": len(test)}
                rows.append(row)
    table = pd.DataFrame(rows)
    table.insert(5, "to_paper", table["value"] - table["paper"])
    heads = ["benchmark", "epoch", "measure", "value", "paper", "to_paper", "of", "emulated"]
    return table[[*heads, "train_cells", "test_cells"]]


def _prior(model: GraphVAE, train: Cells, name: str, epoch: int) -> Prior:
    """Measures of the prior; if no decoding is valid, there is nothing to be unique or novel."""
    from dagnas.errors import DagnasError
    from dagnas.predictors.graph_vae.measures import Prior, prior

    generator = torch_generator(stream("ngae/table1", name, epoch, "prior"))
    try:
        return prior(model, train, generator=generator, points=POINTS, decodings=DECODINGS)
    except DagnasError:
        return Prior(0.0, np.nan, np.nan)


def draw(table: pd.DataFrame) -> Figure:
    """A row a benchmark, a panel a measure: dots are ours, open diamonds the paper's."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    benchmarks = list(table["benchmark"].unique())
    figure = Figure(figsize=(13, 2.7 * len(benchmarks)), layout="constrained")
    grid = figure.subplots(len(benchmarks), len(MEASURES), squeeze=False, sharey="row")
    for axes, benchmark in zip(grid, benchmarks, strict=True):
        rows = table[table["benchmark"] == benchmark]
        for ax, (measure, (label, colour)) in zip(axes, MEASURES.items(), strict=True):
            _panel(ax, rows[rows["measure"] == measure], colour)
            ax.set(title=label, xlabel="%")
            style.stamp(ax, rows["emulated"].iloc[0])
        axes[0].set_ylabel(style.benchmark_label(benchmark))
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, colour: str) -> None:
    for place, (_, row) in enumerate(rows.iterrows()):
        words = ["none valid" if np.isnan(row["value"]) else f"{row['value']:.2f}"]
        ax.plot(row["value"], place, "o", color=colour, ms=9)
        if not np.isnan(row["paper"]):
            ax.plot(row["paper"], place, "D", mec="#222222", mfc="none", ms=9)
            words.append(f"paper {row['paper']:.2f}")
        ends = [end for end in (row["value"], row["paper"]) if not np.isnan(end)] or [0.0]
        # Above the marks, and away from the nearer edge.
        left = float(np.mean(ends)) < 50
        ax.annotate(
            ", ".join(words),
            (min(ends) if left else max(ends), place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="left" if left else "right",
            fontsize=9,
        )
    ax.set(xlim=(-4, 104), ylim=(len(rows) - 0.6, -0.7))
    ax.set_yticks(range(len(rows)), [f"{epoch} epochs" for epoch in rows["epoch"]])
    ax.grid(visible=False, axis="y")


def caption(table: pd.DataFrame) -> str:
    """What each number is a share of, and what a decoding by chance means for uniqueness."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, own_sentence

    return join_sentences(
        f"Reconstruction: share of exact decodings of the test cells, {ENCODINGS} points of each "
        f"cell's posterior times {DECODINGS} decodings; the posterior's noise is that of the "
        f"training. The others: {POINTS:,} points of the prior, scaled to training cells' codes, "
        f"times {DECODINGS} decodings; share of valid cells, and of these the share of "
        "different ones and of those that are not in the training set. Were all decodings of a "
        f"point the same, uniqueness could not be above {100 // DECODINGS} %. Dots are ours, "
        "diamonds the paper's.",
        *(_cells_sentence(row) for _, row in table.drop_duplicates("benchmark").iterrows()),
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"]),
    )


def _cells_sentence(row: pd.Series) -> str:
    from dagnas.drawing import style

    train, test = row["train_cells"], row["test_cells"]
    few = f", of which {CELLS:,} drawn at random" if test > CELLS else ""
    label = style.benchmark_label(row["benchmark"])
    return f"{label}: {train:,} training and {test:,} test cells{few}."
