"""Figure 5: the best cells that NGAE finds, without complexity predictor and with D-VAE (5.3)."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.papers.inputs import Inputs
from dagnas.papers.ngae.fig3 import emulated
from dagnas.papers.ngae.fig4 import RATE, STEPS
from dagnas.papers.result import Result
from dagnas.seeds import stream, torch_generator
from dagnas.spaces.cells import Cells, concatenate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.predictors.graph_vae.model import GraphVAE
    from dagnas.predictors.pairwise import PairwiseRidge

METHODS = ("ngae", "ngae_performance", "ngae_dvae")
RESULT = Result(
    place="Figure 5",
    title="Best cells found",
    autoencoders=tuple(f"{method}_{{benchmark}}" for method in METHODS),
    benchmarks=("{benchmark}",),
)
TOP = 3
#: Points of the prior that NGAE's ascents start from.
POINTS = 1000
#: D-VAE's Bayesian optimisation (its section 4.3): rounds, cells of a round, inducing points; and
#: the points that its released code draws in each round to choose from.
ROUNDS, BATCH, INDUCING, CANDIDATES = 10, 50, 500, 10_000
LABELS = {
    "ngae": "NGAE",
    "ngae_performance": "NGAE without complexity predictor",
    "ngae_dvae": "D-VAE + Bayesian optimisation",
    "training": "training cells",
}


class Known(NamedTuple):
    """Accuracies of cells.

    Attributes
    ----------
    accuracies : ndarray, shape (B,)
        In %.
    emulated : ndarray of bool, shape (B,)
        Whether a model gave them, since the table has no such cell.
    """

    accuracies: NDArray[np.float64]
    emulated: NDArray[np.bool_]


class Accuracies:
    """Accuracies of any cells: those of a table, and of other cells emulated ones.

    Parameters
    ----------
    benchmark : TabularBenchmark
    target : str
        Accuracy that is asked for: dataset/split/epochs.
    """

    def __init__(self, benchmark: TabularBenchmark, target: str) -> None:
        self.benchmark, self.target = benchmark, target

    @cached_property
    def emulator(self) -> PairwiseRidge:
        """Regression fitted on all rows of the table."""
        from dagnas.predictors.pairwise import PairwiseRidge

        values = self.benchmark.values(self.target)
        return PairwiseRidge(self.benchmark.space, self.benchmark.cells, values)

    def of(self, cells: Cells) -> Known:
        """Accuracies of cells."""
        space = self.benchmark.space
        codes = (space.canonical if self.benchmark.by_class else space.pack)(cells)
        held = np.isin(codes, self.benchmark.table["code"])
        accuracies = np.empty(len(cells))
        rows = self.benchmark.rows(cells[held])
        accuracies[held] = self.benchmark.values(self.target)[rows]
        if not held.all():
            accuracies[~held] = self.emulator.predict(cells[~held])
        return Known(accuracies, ~held)


class Found(NamedTuple):
    """What a method found: different cells, best first by what the method itself knows of them.

    Attributes
    ----------
    cells : Cells
    predicted : ndarray, shape (B,)
        Accuracies, %, that the method's own predictor gives to the cells' codes; NaN without one.
    """

    cells: Cells
    predicted: NDArray[np.float64]


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """The best cells of every method, and the best ones that the graph VAEs were trained on.

    Returns
    -------
    DataFrame
        Columns benchmark, method ("ngae", "ngae_performance", "ngae_dvae" or "training"), epoch
        (whose weights the method's graph VAE has; NA of training cells), rank (from 1 on), cell
        (text), code, accuracy (%, of the table or else emulated), regression (%, what the emulator
        gives to the cell, whether it is in the table or not), predicted (%, of the method's own
        predictor; NaN without one), madds (multiply-adds, millions), complexity (madds between the
        table's least, 0, and greatest, 1), found (different cells that the best are chosen from)
        and emulated.
    """
    import pandas as pd

    names = inputs.result.autoencoders
    frames = []
    for benchmark in dict.fromkeys(inputs.config.autoencoders[name].benchmark for name in names):
        first = f"{METHODS[0]}_{benchmark}"
        known = Accuracies(inputs.benchmark(benchmark), inputs.config.autoencoders[first].target)
        found = {
            "ngae": by_ascent(inputs, f"ngae_{benchmark}", complexity=True),
            "ngae_performance": by_ascent(
                inputs, f"ngae_performance_{benchmark}", complexity=False
            ),
            "ngae_dvae": by_bayesian_rounds(inputs, f"ngae_dvae_{benchmark}", known),
            "training": trained_on(inputs, first, known),
        }
        space, scale = known.benchmark.space, inputs.labelled(first).scale
        mark = emulated(inputs, first)
        for method, (cells, predicted) in found.items():
            best = cells[:TOP]
            epoch: int | None = None
            if method in METHODS:
                epoch = len(inputs.autoencoder(f"{method}_{benchmark}").training.records)
            accuracies, guessed = known.of(best)
            madds = space.madds(best)
            frames.append(
                pd.DataFrame(
                    {
                        "benchmark": benchmark,
                        "method": method,
                        "epoch": epoch,
                        "rank": np.arange(1, len(best) + 1),
                        "cell": space.to_str(best),
                        "code": space.pack(best),
                        "accuracy": accuracies,
                        "regression": known.emulator.predict(best) if len(best) else accuracies,
                        "predicted": predicted[:TOP],
                        "madds": madds / 1e6,
                        "complexity": scale.apply(madds),
                        "found": len(cells),
                        "emulated": np.where(guessed, "accuracy", mark),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True).astype({"epoch": "Int64"})


def by_ascent(inputs: Inputs, name: str, *, complexity: bool) -> Found:
    """Cells at the ends of ascents from points of the prior (NGAE, algorithm 1).

    They are ranked by the predicted objective at their own codes: the point that a cell was
    decoded from may lie where no cell does.
    """
    from dagnas.predictors.graph_vae.measures import posterior
    from dagnas.search.models.latent import Region, ascend, decode_valid

    space = inputs.benchmark(inputs.config.autoencoders[name].benchmark).space
    model = inputs.autoencoder(name).model(space)
    codes, _ = posterior(model, inputs.labelled(name).train.batch)
    points = Region.of(codes).draw(POINTS, torch_generator(stream("ngae/fig5", name)))
    climb = ascend(model, points, steps=STEPS, rate=RATE, complexity=complexity)
    cells, _ = decode_valid(model, climb.points)
    return ranked(model, cells, complexity)


def ranked(model: GraphVAE, cells: Cells, complexity: bool) -> Found:
    """One cell of each class, best first by the objective at its code."""
    import torch

    from dagnas.predictors.graph_vae.measures import posterior
    from dagnas.predictors.graph_vae.passing import prepare
    from dagnas.search.models.latent import objective

    if not len(cells):
        return Found(cells, np.empty(0))
    cells = cells[np.unique(model.space.canonical(cells), return_index=True)[1]]
    codes, _ = posterior(model, prepare(model.space, cells))
    with torch.no_grad():
        heights = objective(model, codes, complexity).double().numpy()
        predicted = objective(model, codes, complexity=False).double().numpy()
    order = np.argsort(-heights, kind="stable")
    return Found(cells[order], 100 * predicted[order])


def by_bayesian_rounds(inputs: Inputs, name: str, known: Accuracies) -> Found:
    """Cells that Bayesian optimisation evaluates after the training cells, best first (D-VAE)."""
    from dagnas.search.methods.dvae_bo import bayesian_rounds
    from dagnas.search.pool import Seen

    space = known.benchmark.space
    labelled = inputs.labelled(name)
    train = space.prune(labelled.cells[labelled.split.train])
    seen = Seen(space, "class")
    seen.add(train)
    rounds = bayesian_rounds(
        inputs.autoencoder(name).model(space),
        train,
        known.of(train).accuracies,
        batch=BATCH,
        inducing=INDUCING,
        candidates=CANDIDATES,
        rng=stream("ngae/fig5", name),
        seen=seen,
    )
    found: list[Cells] = []
    told: list[NDArray[np.float64]] = []
    # A space may be spent before all rounds are done.
    with suppress(StopIteration):
        new = next(rounds)
        while True:
            found.append(new)
            told.append(known.of(new).accuracies)
            if len(told) == ROUNDS:
                break
            new = rounds.send(told[-1])
    rounds.close()
    cells = concatenate([train[:0], *found])
    order = np.argsort(-np.concatenate([np.empty(0), *told]), kind="stable")
    return Found(cells[order], np.full(len(cells), np.nan))


def trained_on(inputs: Inputs, name: str, known: Accuracies) -> Found:
    """Training cells, best first by the table."""
    labelled = inputs.labelled(name)
    cells = known.benchmark.space.prune(labelled.cells[labelled.split.train])
    cells = cells[np.unique(known.benchmark.space.canonical(cells), return_index=True)[1]]
    order = np.argsort(-known.of(cells).accuracies, kind="stable")
    return Found(cells[order], np.full(len(cells), np.nan))


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """A row a benchmark: the cells of each method, with what is known of them above."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from dagnas.drawing import style

    benchmarks = list(table["benchmark"].unique())
    figure = Figure(layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    rows = figure.subfigures(len(benchmarks), 1, squeeze=False)[:, 0]
    sizes = []
    for part, benchmark in zip(rows, benchmarks, strict=True):
        mine = table[table["benchmark"] == benchmark]
        sizes.append(_draw_row(part, mine, inputs.benchmark(benchmark)))
        if len(benchmarks) > 1:
            part.suptitle(style.benchmark_label(benchmark), x=0.01, ha="left", fontweight="bold")
    width, height = np.max([w for w, _ in sizes]), np.sum([h for _, h in sizes])
    figure.set_size_inches(width, height)
    return figure


def _draw_row(place: Any, rows: pd.DataFrame, benchmark: TabularBenchmark) -> tuple[float, float]:
    """Cells of one benchmark, all to one scale; the size that this asks for, in inches."""
    from dagnas.drawing.cells import INCHES_PER_UNIT, draw_cell

    # Where edges are labelled, cells are wide: they stand below one another, and smaller.
    wide = bool((benchmark.space.edge_mask.sum(axis=2) > 2).any())
    shape, unit = ((TOP, 1), 0.7 * INCHES_PER_UNIT) if wide else ((1, TOP), INCHES_PER_UNIT)
    drawn: list[Axes] = []
    for part, method in zip(place.subfigures(1, len(METHODS)), METHODS, strict=True):
        mine = rows[rows["method"] == method]
        part.suptitle(LABELS[method], fontsize=12, fontweight="bold")
        panels = part.subplots(*shape, squeeze=False).ravel()
        for ax in panels[len(mine) :]:
            ax.set_axis_off()
        for ax, (_, row) in zip(panels, mine.iterrows(), strict=False):
            draw_cell(benchmark.space, benchmark.space.from_str([row["cell"]]), ax)
            _label(ax, row)
            drawn.append(ax)
    frames = np.array([[*ax.get_xlim(), *ax.get_ylim()] for ax in drawn]).reshape(-1, 4)
    width, height = (float(np.ptp(frames[:, k : k + 2], axis=1).max(initial=1)) for k in (0, 2))
    # Room for the words above, which are wider than a narrow cell, and for the stamp.
    width, height = max(width, 3.4), height + (0.4 / unit if rows["emulated"].any() else 0.0)
    for ax, (left, right, low, _) in zip(drawn, frames, strict=True):
        middle = (left + right) / 2
        ax.set(xlim=(middle - width / 2, middle + width / 2), ylim=(low, low + height))
    inches = np.array([len(METHODS) * shape[1] * width, shape[0] * height]) * unit
    return inches[0] + 0.9, inches[1] + 0.55 + 0.85 * shape[0]


def _label(ax: Axes, row: pd.Series) -> None:
    from dagnas.drawing import style

    known = not np.isnan(row["predicted"])
    words = f"predicted {row['predicted']:.2f} %" if known else "no predictor"
    words += f"\n{row['madds']:.1f} M multiply-adds"
    ax.set_title(words, loc="center", fontsize=8.5, fontweight="normal", pad=4)
    mark = "*" if row["emulated"] else ""
    ax.annotate(
        f"{row['accuracy']:.2f} %{mark}",
        (0.5, 1),
        xytext=(0, 29),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        fontsize=11,
        fontweight="bold",
    )
    style.stamp(ax, row["emulated"])


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """How cells were found and ranked, and how methods compare."""
    from dagnas.papers.panels import emulated_sentence, own_sentence

    sentences = [
        f"The {TOP} best cells of each method, with accuracy (bold; * emulated), accuracy that "
        "the method's own predictor gives, and multiply-adds of its network on one image "
        f"(deviations.md). NGAE: {POINTS:,} points of the prior climb {STEPS} steps of size "
        f"{RATE:g} and are decoded; different cells are ranked by the predicted objective at their "
        "own codes: equation 7, and the predicted accuracy alone without complexity predictor. "
        f"D-VAE: {ROUNDS} rounds of {BATCH} cells with {INDUCING} inducing points, after the "
        "training cells; ranked by accuracy.",
        *(
            _numbers(table[table["benchmark"] == benchmark])
            for benchmark in table["benchmark"].unique()
        ),
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"], "cells that the table lacks (marked)"),
    ]
    return " ".join(filter(None, sentences))


def _numbers(rows: pd.DataFrame) -> str:
    from dagnas.drawing import style

    parts = []
    for method, label in LABELS.items():
        mine = rows[rows["method"] == method]
        if mine.empty:
            parts.append(f"{label}: no valid cell")
            continue
        parts.append(
            f"{label} {mine['accuracy'].mean():.2f} % ({mine['regression'].mean():.2f} % by the "
            f"regression that emulates) and {mine['madds'].mean():.1f} M, of "
            f"{mine['found'].iloc[0]:,} cells"
        )
    name = style.benchmark_label(rows["benchmark"].iloc[0])
    return f"{name}, means of the {TOP} best: {'; '.join(parts)}."
