"""Searches in the latent space of a trained graph VAE (NGAE, sections 5.2 and 5.3)."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.predictors.graph_vae.labelled import Split
from dagnas.predictors.graph_vae.measures import posterior
from dagnas.predictors.graph_vae.model import GraphVAE
from dagnas.predictors.graph_vae.passing import Batch, prepare
from dagnas.predictors.pairwise import PairwiseRidge
from dagnas.search.methods.dvae_bo import bayesian_rounds
from dagnas.search.models.latent import Region, ascend, decode_valid, objective
from dagnas.search.pool import Seen
from dagnas.seeds import torch_generator
from dagnas.spaces.cells import Cells, concatenate

#: Objectives of ascents: whether they have the complexity predictor.
OBJECTIVES = {"performance": False, "both": True}


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

    There are two regressions. What searches are told of other cells is from one on the rows that
    the graph VAE was trained on, whose accuracies they know. What they found is judged by one on
    rows held out, which no search knows: so none climbs the errors of its judge.

    Parameters
    ----------
    benchmark : TabularBenchmark
    target : str
        Accuracy that is asked for: dataset/split/epochs.
    split : Split
        Rows of the table that the graph VAE was trained on, and those held out.
    """

    def __init__(self, benchmark: TabularBenchmark, target: str, split: Split) -> None:
        self.benchmark, self.target, self.split = benchmark, target, split

    @cached_property
    def emulator(self) -> PairwiseRidge:
        """Regression that gives searches the accuracies of cells that the table lacks."""
        return self._fit(self.split.train)

    @cached_property
    def judge(self) -> PairwiseRidge:
        """Regression that cells found are judged by, on classes of cells that no search knows."""
        return self._fit(self.hidden)

    @cached_property
    def hidden(self) -> NDArray[np.int64]:
        """Rows held out whose class has no row that the graph VAE was trained on."""
        classes = self.benchmark.space.canonical(self.benchmark.cells)
        train, test = self.split
        return test[~np.isin(classes[test], classes[train])]

    def _fit(self, rows: NDArray[np.int64]) -> PairwiseRidge:
        values = self.benchmark.values(self.target)[rows]
        return PairwiseRidge(self.benchmark.space, self.benchmark.cells[rows], values)

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
    """Different cells that a search found, best first by what the search itself knows of them.

    Attributes
    ----------
    cells : Cells
    predicted : ndarray, shape (B,)
        Accuracies, %, that the search's own predictor gives to the cells' codes; NaN without one.
    """

    cells: Cells
    predicted: NDArray[np.float64]

    def table(self, known: Accuracies) -> pa.Table:
        """All that is known of the cells.

        Returns
        -------
        pyarrow.Table
            Columns cell (text), code, accuracy (%, of the table or else emulated), emulated
            (whether it is), judged (%, what the judge gives to the cell, whether it is in the table
            or not) and predicted, best first.
        """
        space = known.benchmark.space
        accuracies, emulated = known.of(self.cells)
        # A regression refuses to predict nothing.
        judged = known.judge.predict(self.cells) if len(self.cells) else accuracies
        columns = {
            "cell": pa.array(space.to_str(self.cells), pa.string()),
            "code": space.pack(self.cells),
            "accuracy": accuracies,
            "emulated": emulated,
            "judged": judged,
            "predicted": self.predicted,
        }
        return pa.table(columns)


def search_by_ascent(
    model: GraphVAE,
    train: Batch,
    *,
    points: int,
    steps: int,
    rate: float,
    complexity: bool,
    rng: np.random.Generator,
) -> Found:
    """Cells at the ends of ascents from points of the prior (NGAE, algorithm 1).

    Parameters
    ----------
    model : GraphVAE
    train : Batch
        Cells that it was trained on, whose codes the prior is scaled to.
    points : int
        Points that climb.
    steps, rate : int and float
        L and eta.
    complexity : bool
        Whether the objective has the complexity predictor (equation 7).
    rng : Generator
    """
    starts = Region.of(posterior(model, train)[0]).draw(points, torch_generator(rng))
    climb = ascend(model, starts, steps=steps, rate=rate, complexity=complexity)
    cells, _ = decode_valid(model, climb.points)
    return ranked(model, cells, complexity)


def ranked(model: GraphVAE, cells: Cells, complexity: bool) -> Found:
    """One cell of each class, best first by the objective at its code.

    The point that a cell was decoded from may lie where no cell does, so it does not count.
    """
    if not len(cells):
        return Found(cells, np.empty(0))
    cells = cells[np.unique(model.space.canonical(cells), return_index=True)[1]]
    codes, _ = posterior(model, prepare(model.space, cells))
    with torch.no_grad():
        heights = objective(model, codes, complexity).double().numpy()
        predicted = objective(model, codes, complexity=False).double().numpy()
    order = np.argsort(-heights, kind="stable")
    return Found(cells[order], 100 * predicted[order])


def search_by_rounds(
    model: GraphVAE,
    train: Cells,
    known: Accuracies,
    *,
    rounds: int,
    batch: int,
    inducing: int,
    candidates: int,
    rng: np.random.Generator,
) -> Found:
    """Cells that Bayesian optimisation evaluates after the training cells, best first (D-VAE).

    Parameters
    ----------
    model : GraphVAE
    train : Cells
        Cells that it was trained on.
    known : Accuracies
        What the optimisation is told.
    rounds, batch, inducing, candidates : int
        Rounds; cells of a round; inducing points of the process; points to choose from in a round.
    rng : Generator
    """
    space = known.benchmark.space
    train = space.prune(train)
    seen = Seen(space, "class")
    seen.add(train)
    proposals = bayesian_rounds(
        model,
        train,
        known.of(train).accuracies,
        batch=batch,
        inducing=inducing,
        candidates=candidates,
        rng=rng,
        seen=seen,
    )
    found: list[Cells] = []
    told: list[NDArray[np.float64]] = []
    # A space may be spent before all rounds are done.
    with suppress(StopIteration):
        new = next(proposals)
        while True:
            found.append(new)
            told.append(known.of(new).accuracies)
            if len(told) == rounds:
                break
            new = proposals.send(told[-1])
    proposals.close()
    cells = concatenate([train[:0], *found])
    order = np.argsort(-np.concatenate([np.empty(0), *told]), kind="stable")
    return Found(cells[order], np.full(len(cells), np.nan))


def ascent_paths(
    model: GraphVAE,
    train: Batch,
    *,
    points: int,
    steps: int,
    rate: float,
    rng: np.random.Generator,
) -> pa.Table:
    """Predictions on the way of ascents along both objectives, from the same points of the prior.

    Parameters
    ----------
    model : GraphVAE
    train : Batch
        Cells that it was trained on, whose codes the prior is scaled to.
    points : int
        Points that climb.
    steps, rate : int and float
        L and eta.
    rng : Generator

    Returns
    -------
    pyarrow.Table
        Columns objective ("performance", the predicted accuracy alone, or "both", equation 7),
        step (0 is the start), point, accuracy and complexity (predicted, % and in [0, 1]) and
        distance (root mean square over dimensions of the distance to the mean code, in the codes'
        standard deviations; about 1 for points of the prior).
    """
    region = Region.of(posterior(model, train)[0])
    starts = region.draw(points, torch_generator(rng))
    parts = []
    for name, complexity in OBJECTIVES.items():
        path = _path(model, starts, steps, rate, complexity)
        with torch.no_grad():
            accuracy, guess = 100 * model.performance(path)[..., 0], model.complexity(path)[..., 0]
            distance = ((path - region.mean) / region.deviation).square().mean(dim=-1).sqrt()
        step, point = np.indices(accuracy.shape, dtype=np.int32)
        columns = {
            "objective": pa.array([name] * step.size),
            "step": step.ravel(),
            "point": point.ravel(),
            "accuracy": accuracy.double().numpy().ravel(),
            "complexity": guess.double().numpy().ravel(),
            "distance": distance.double().numpy().ravel(),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def _path(
    model: GraphVAE, points: torch.Tensor, steps: int, rate: float, complexity: bool
) -> torch.Tensor:
    """Points at the start and after each step, shape (steps + 1, B, J)."""
    way = [points]
    for _ in range(steps):
        way.append(ascend(model, way[-1], steps=1, rate=rate, complexity=complexity).points)
    return torch.stack(way)
