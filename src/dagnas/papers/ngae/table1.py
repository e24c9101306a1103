"""Table 1: the graph VAE as an autoencoder, after several epochs (section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.clusters import interval_of_clusters
from dagnas.errors import DagnasError
from dagnas.papers.inputs import Inputs
from dagnas.papers.ngae.fig3 import emulated
from dagnas.papers.ngae.labels import label_cells
from dagnas.papers.result import Result
from dagnas.seeds import stream, torch_generator

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
#: Draws of so many points: uniqueness depends on their number, so that more are no larger draw.
#: A scale of fewer trials has as many draws as trials.
DRAWS = 10
#: Test cells at most: all of the paper's 1,902, and not many times that of another benchmark.
CELLS = 2000
#: Parts of the test cells, by which epochs are compared.
PARTS = 20
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
        Columns benchmark, epoch, measure (accuracy, validity, uniqueness, novelty), value (%),
        low and high (its interval of 95 %), gain, gain_low and gain_high (points of accuracy over
        the epoch kept before), paper (%; NaN where the paper has no number, as uniqueness and
        novelty are where nothing is valid), to_paper (value less that), of (decodings that the
        value is a share of), emulated, train_cells and test_cells (of the benchmark) and draws.
        Accuracy is the share of the decodings of test cells that are the cell encoded, a mean over
        equal parts of these; the other three are means over draws of points from the prior
        (section 5.1). Intervals are over parts or draws, and gains are paired by part.
    """
    import pandas as pd

    rows = []
    for name in inputs.result.names("autoencoders"):
        asked = inputs.config.section("autoencoders")[name]
        stored, labelled = inputs.autoencoder(name), label_cells(inputs, name)
        space = inputs.benchmark(asked.benchmark).space
        train, test = (labelled.cells[part] for part in labelled.split)
        some = stream("ngae/table1", name).permutation(len(test))[:CELLS]
        parts, before = np.array_split(some, min(PARTS, len(some))), None
        about: dict[str, Any] = {"emulated": emulated(inputs, name)}
        draws = min(DRAWS, inputs.config.trials)
        about |= {"train_cells": len(train), "test_cells": len(test), "draws": draws}
        for epoch in sorted(stored.training.states):
            model = stored.model(space, epoch)
            exact = _exact(model, [test[part] for part in parts], asked.noise, name, epoch)
            found = {"accuracy": exact} | _prior(model, train, draws, name, epoch)
            drawn = POINTS * DECODINGS * draws
            of = dict.fromkeys(found, round(drawn * found["validity"].mean() / 100))
            of |= {"accuracy": len(some) * ENCODINGS * DECODINGS, "validity": drawn}
            for measure, values in found.items():
                row = {"benchmark": asked.benchmark, "epoch": epoch, "measure": measure}
                row |= _mean("", "value", values)
                if measure == "accuracy" and before is not None:
                    row |= _mean("gain_", "gain", exact - before)
                paper = PAPER.get(asked.benchmark, {}).get(measure, {}).get(epoch, np.nan)
                row |= {"paper": paper, "to_paper": row["value"] - paper}
                rows.append(row | {"of": of[measure]} | about)
            before = exact
    columns = ["benchmark", "epoch", "measure", "value", "low", "high"]
    columns += ["gain", "gain_low", "gain_high", "paper", "to_paper", "of", *about]
    return pd.DataFrame(rows).reindex(columns=columns)


def _mean(prefix: str, name: str, values: NDArray[np.float64]) -> dict[str, float]:
    """Mean of the values that are known, and the ends of its interval."""
    known = values[~np.isnan(values)]
    low, high = interval_of_clusters(known)
    mean = float(known.mean()) if len(known) else np.nan
    return {name: mean, f"{prefix}low": low, f"{prefix}high": high}


def _exact(
    model: GraphVAE, parts: list[Cells], noise: float, name: str, epoch: int
) -> NDArray[np.float64]:
    """Share of exact decodings of each part of the test cells, %."""
    from dagnas.predictors.graph_vae.measures import reconstruction

    settings: dict[str, Any] = {"encodings": 1, "decodings": DECODINGS, "noise": noise}
    settings["generator"] = torch_generator(stream("ngae/table1", name, epoch))
    # Each cell so many times, with noise of its own: larger batches are decoded faster.
    repeated = [cells[np.tile(np.arange(len(cells)), ENCODINGS)] for cells in parts]
    return 100 * np.array([reconstruction(model, cells, **settings) for cells in repeated])


def _prior(
    model: GraphVAE, train: Cells, draws: int, name: str, epoch: int
) -> dict[str, NDArray[np.float64]]:
    """Measures of every draw from the prior, %; shape (draws,) each.

    If no decoding is valid, there is nothing to be unique or novel.
    """
    from dagnas.predictors.graph_vae.measures import Prior, prior

    found = []
    for number in range(draws):
        generator = torch_generator(stream("ngae/table1", name, epoch, "prior", number))
        try:
            one = prior(model, train, generator=generator, points=POINTS, decodings=DECODINGS)
        except DagnasError:
            one = Prior(0.0, np.nan, np.nan)
        found.append(one)
    return dict(zip(Prior._fields, 100 * np.array(found).T, strict=True))


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

    # Tables made before there were several draws do not name them.
    draws = f", means over {table['draws'].iloc[0]} draws" if "draws" in table else ""
    return join_sentences(
        f"Reconstruction: share of exact decodings of the test cells, {ENCODINGS} points of each "
        f"cell's posterior times {DECODINGS} decodings; the posterior's noise is that of the "
        f"training. The others{draws}: {POINTS:,} points of the prior, scaled to "
        f"training cells' codes, times {DECODINGS} decodings; share of valid cells, and of these "
        "the share of different ones and of those that are not in the training set. Were all "
        f"decodings of a point the same, uniqueness could not be above {100 // DECODINGS} %. Dots "
        "are ours, diamonds the paper's.",
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
