"""Emulation of the values that the compact NAS-Bench-101 table lacks.

Of every cell's trainings the compact table holds only the mean test accuracy. Validation
accuracy, the three single trainings and the training time are emulated here, by models fitted on
1,469 cells whose values are public. Randomness comes from named streams, so that every call gives
the same numbers. docs/emulation.md states the model and its measured quality.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.ensemble import GradientBoostingRegressor

from dagnas.errors import DagnasError
from dagnas.seeds import stream
from dagnas.spaces.cells import Cells
from dagnas.spaces.paths import prune
from dagnas.spaces.sizes import nasbench101 as sizes
from dagnas.spaces.sizes.base import IMAGE
from dagnas.tables.importers.bits import cells_from_bits
from dagnas.tables.noise import NASBENCH101 as SPREAD
from dagnas.tables.noise import REALISATIONS, realised

Floats = NDArray[np.float64]
Model = Callable[[Floats], Floats]

EPOCHS = 108
REPEATS = 3
# Every accuracy of NAS-Bench-101 is a number of correct images out of these.
IMAGES = 9984
# Accuracy of random guesses among ten classes.
GUESSING = 0.1
# A training can fail and never do better than random guesses. The means of cells with failed
# trainings form clumps; below each of these means at least so many of the three have failed.
FAILED = ((0.64, 1), (0.37, 2), (0.20, 3))
# Channels are computed in groups of this many by the tensor units of the original study.
LANES = 8
# Rows processed at a time, so that they stay in the processor's cache.
CHUNK = 8192

TABLE_COLUMNS = ("num_vertices", "edge_bits", "op_code", "params", "test_correct_of_29952")
SUBSET_COLUMNS = (
    "row",
    "params",
    f"valid_{EPOCHS}",
    f"test_{EPOCHS}",
    f"train_seconds_{EPOCHS}",
)
#: Quantity that searches see, and its further realisations, which differ in all noise.
VALID = f"cifar10/valid/{EPOCHS}"
REALISED = tuple(realised(VALID, number) for number in range(2, REALISATIONS + 1))
COLUMNS = (
    f"{VALID}/mean",
    *(f"cifar10/{split}/{EPOCHS}/s{i}" for split in ("valid", "test") for i in range(REPEATS)),
    f"cifar10/seconds/{EPOCHS}/mean",
    *(f"{quantity}/s{i}" for quantity in REALISED for i in range(REPEATS)),
)


def _columns(table: pa.Table, names: tuple[str, ...], what: str) -> dict[str, NDArray[Any]]:
    missing = sorted(set(names) - set(table.schema.names))
    if missing:
        raise DagnasError(
            f"{what} lacks the columns {', '.join(missing)}; it has: "
            f"{', '.join(table.schema.names)}"
        )
    return {name: table[name].to_numpy() for name in names}


def read_cells(table: pa.Table) -> Cells:
    """Cells of a compact NAS-Bench-101 table, in its order."""
    numbers = (table[name].to_numpy().astype(np.int64) for name in TABLE_COLUMNS[:3])
    return cells_from_bits(*numbers)


def failed_runs(test: Floats) -> NDArray[np.int64]:
    """Number of failed trainings out of three, from their mean test accuracy; shape (B,)."""
    failed = np.zeros(len(test), dtype=np.int64)
    for below, runs in FAILED:
        failed[test < below] = runs
    return failed


def survivors(mean: Floats, failed: NDArray[np.int64]) -> Floats:
    """Mean accuracy of the trainings that did not fail; `GUESSING` if all did; shape (B,)."""
    alive = np.maximum(REPEATS - failed, 1)
    return np.where(failed == REPEATS, GUESSING, (REPEATS * mean - GUESSING * failed) / alive)


def _logit(accuracy: Floats) -> Floats:
    return np.log((accuracy - GUESSING) / (1 - accuracy))


@dataclass(frozen=True)
class ValidModel:
    """Validation accuracy from test accuracy, both of trainings that did not fail.

    The logit of one, between `GUESSING` and 1, is linear in that of the other, with residuals of
    standard deviation ``residual`` * sqrt(p(1 - p)).
    """

    slope: float
    intercept: float
    residual: float

    @staticmethod
    def fit(test: Floats, valid: Floats) -> ValidModel:
        """Weighted least squares; ``test`` and ``valid`` of shape (B,), in 0..1."""
        failed = failed_runs(test)
        test, valid = survivors(test, failed), survivors(valid, failed)
        x, y, weight = _logit(test), _logit(valid), 1 / (valid * (1 - valid))
        weight = weight / weight.sum()
        x_mean, y_mean = (weight * x).sum(), (weight * y).sum()
        slope = (weight * (x - x_mean) * (y - y_mean)).sum() / (weight * (x - x_mean) ** 2).sum()
        model = ValidModel(float(slope), float(y_mean - slope * x_mean), 0.0)
        standard = (valid - model.survivor(test)) / np.sqrt(test * (1 - test))
        return ValidModel(model.slope, model.intercept, float(standard.std(ddof=2)))

    def survivor(self, test: Floats) -> Floats:
        """Validation accuracy expected of trainings whose test accuracy is ``test``."""
        above = np.maximum(test, GUESSING + 1e-6)
        odds: Floats = np.exp(self.slope * _logit(above) + self.intercept)
        return (odds + GUESSING) / (odds + 1)

    def mean(self, test: Floats) -> Floats:
        """Expected mean over three trainings, failed ones included, from their mean on the test."""
        failed = failed_runs(test)
        alive = self.survivor(survivors(test, failed))
        return (failed * GUESSING + (REPEATS - failed) * alive) / REPEATS


def work(cells: Cells) -> Floats:
    """Work of one training step by kind, the features of the training time.

    Multiply-adds of convolutions and projections; activations written by each operation, their
    channels rounded up to whole lanes; the number of operations, since each has a fixed cost; and
    residual connections from the cell's input to its output, alone or to a concatenation.

    Returns
    -------
    ndarray, shape (B, F)
    """
    edges = prune(cells.edges.astype(bool))
    from_input, to_output, inner = edges[:, 0, 1:-1], edges[:, 1:-1, -1], edges[:, 1:-1, 1:-1]
    used = sizes.vertex_channels(edges, sizes.STEM)[:, 1:-1] > 0
    kinds = [(cells.nodes[:, 1:-1] == kind) & used for kind in (1, 2, 3)]
    madds = sizes.nasbench101_size(cells).madds
    written = np.zeros((len(cells.nodes), 5))
    for stack in range(sizes.STACKS):
        width = sizes.vertex_channels(edges, sizes.STEM * 2**stack)[:, 1:-1]
        lanes = sizes.CELLS * (IMAGE >> stack) ** 2 * (-(-width // LANES) * LANES)
        for column, chosen in enumerate([*kinds, from_input, inner.sum(axis=1)]):
            written[:, column] += (lanes * chosen).sum(axis=1)
    branches = to_output.sum(axis=1)
    residual = edges[:, 0, -1]
    return np.column_stack(
        [
            np.ones(len(edges)),
            *(madds[kind] for kind in ("conv3x3", "conv1x1", "projection")),
            written,
            *(chosen.sum(axis=1) for chosen in [*kinds, from_input]),
            inner.sum(axis=(1, 2)),
            residual,
            residual & (branches > 1),
            branches * (branches > 1),
        ]
    ).astype(np.float64)


def fit_additive(features: Floats, seconds: Floats) -> Model:
    """Fit non-negative least squares: every kind of work takes time, and the times add up.

    Parameters
    ----------
    features : ndarray, shape (B, F)
        Of ``work``.
    seconds : ndarray, shape (B,)

    Returns
    -------
    callable
        Seconds of shape (B,) from features of shape (B, F).
    """
    scale = np.maximum(features.max(axis=0), 1)
    weights = nnls(features / scale, seconds)[0] / scale
    # einsum adds in a fixed order, whatever the number of threads.
    return lambda work: np.einsum("bf,f->b", work, weights)


def fit_seconds(features: Floats, seconds: Floats) -> Model:
    """Fit an additive model times a boosted correction; arguments as in ``fit_additive``.

    The additive part extrapolates beyond the cells of the fit. Shallow trees correct it by a
    bounded factor where times do not add up.
    """
    additive = fit_additive(features, seconds)
    trees = GradientBoostingRegressor(
        n_estimators=100, max_depth=3, learning_rate=0.15, subsample=0.7, random_state=0
    )
    trees.fit(features, np.log(seconds / additive(features)))
    return lambda work: additive(work) * np.exp(trees.predict(work))


def held_out(
    fit: Callable[[Floats, Floats], Model], x: Floats, y: Floats, folds: NDArray[np.integer]
) -> Floats:
    """Predictions for every fold by the model fitted on the other folds.

    Parameters
    ----------
    fit : callable
        Returns a model of ``y`` from inputs and ``y``.
    x : ndarray, shape (B, ...)
    y : ndarray, shape (B,)
    folds : ndarray of int, shape (B,)
        Fold of every cell; cells of a negative fold are always in the fit.

    Returns
    -------
    ndarray, shape (B,)
        NaN for cells of a negative fold.
    """
    predictions = np.full(len(y), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        inside = folds == fold
        predictions[inside] = fit(x[~inside], y[~inside])(x[inside])
    return predictions


def fit_valid(test: Floats, valid: Floats) -> Model:
    """Fit the mean validation accuracy to the mean test accuracy (`ValidModel`)."""
    return ValidModel.fit(test, valid).mean


@dataclass(frozen=True)
class Subset:
    """Public cells, checked against the table that they belong to; accuracies in 0..1."""

    cells: Cells
    test: Floats
    valid: Floats
    seconds: Floats
    num_vertices: NDArray[np.int64]


def read_subset(table: pa.Table, subset: pa.Table) -> Subset:
    """Read the public subset and check it, row by row, against the compact table.

    Parameters
    ----------
    table : pa.Table
        Compact NAS-Bench-101, all rows.
    subset : pa.Table
        Public curves; its ``row`` points into ``table``. Values may be NaN where unknown.

    Raises
    ------
    DagnasError
        A column is missing, a row is outside the table, or a value contradicts the table.
    """
    main = _columns(table, TABLE_COLUMNS, "the NAS-Bench-101 table")
    public = _columns(subset, SUBSET_COLUMNS, "the subset of curves")
    for name, values in main.items():
        if not np.isfinite(values).all():
            raise DagnasError(
                f"the NAS-Bench-101 table has no number in {name}, row "
                f"{np.flatnonzero(~np.isfinite(values))[0]}"
            )
    rows = public["row"]
    wrong = ~((rows >= 0) & (rows < table.num_rows))
    if wrong.any():
        raise DagnasError(
            f"the subset of curves points at row {rows[wrong][0]}; "
            f"the NAS-Bench-101 table has rows 0 to {table.num_rows - 1}"
        )
    rows = rows.astype(np.int64)
    valid, test, seconds = (public[name].astype(np.float64) for name in SUBSET_COLUMNS[2:])
    expected = main["test_correct_of_29952"][rows] / (REPEATS * IMAGES)
    wrong = (public["params"] != main["params"][rows]) | (np.abs(test - expected) > 1e-6)
    if wrong.any():
        raise DagnasError(
            f"the subset of curves contradicts the NAS-Bench-101 table at its row {rows[wrong][0]}"
            ": parameters or test accuracy differ"
        )
    for name, values, top in (("valid", valid, 1), ("train_seconds", seconds, np.inf)):
        wrong = (values <= 0) | (values > top)
        if wrong.any():
            raise DagnasError(
                f"the subset of curves has {name}_{EPOCHS} = {values[wrong][0]} "
                f"at row {rows[wrong][0]}"
            )
        if np.isfinite(values).sum() < 20:
            raise DagnasError(f"the subset of curves has too few values of {name}_{EPOCHS}")
    return Subset(
        read_cells(table.take(rows)), test, valid, seconds, main["num_vertices"][rows].astype(int)
    )


def _apportion(total: NDArray[np.int64], runs: Floats) -> NDArray[np.int64]:
    """Whole numbers near ``runs`` (B, 3) with row sums ``total`` (B,)."""
    counts = np.rint(runs).astype(np.int64)
    order = np.argsort(runs - counts, axis=1)
    rest = (total - counts.sum(axis=1))[:, None]
    # Rounding leaves at most one per run, which goes to the runs with the largest rounding.
    rank = np.argsort(order, axis=1)
    whole: NDArray[np.int64] = counts + (rank >= REPEATS - rest) - (rank < -rest)
    return whole


def repeats(
    correct: NDArray[np.int64], model: ValidModel, realisation: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Correct images of three trainings of every cell, on the test and the validation set.

    Parameters
    ----------
    correct : ndarray of int64, shape (B,)
        Correct test images of all three trainings together.
    model : ValidModel
    realisation : int
        Number of the random stream.

    Returns
    -------
    tests, valids : ndarray of int64, shape (B, 3)
        The sum over a row of ``tests`` is ``correct``.
    """
    rng = stream("emulation", "nasbench101", "repeats", realisation)
    mean = correct / (REPEATS * IMAGES)
    failed = failed_runs(mean)
    alive_mean = survivors(mean, failed)
    # Which trainings failed: the first ones of a random order of the three.
    order = np.argsort(rng.random((len(mean), REPEATS)), axis=1)
    alive = order >= failed[:, None]
    unit = np.sqrt(alive_mean * (1 - alive_mean))[:, None]
    partners = np.maximum(alive.sum(axis=1, keepdims=True), 1)
    offset = model.residual * rng.standard_normal((len(mean), 1)) * np.sqrt(REPEATS / partners)
    scale = SPREAD.scales(len(mean), rng)[:, None]
    # What validation and test do not share of a training explains at most the whole residual of
    # a mean over three, which is that of two such parts.
    own = np.minimum(scale, np.sqrt(REPEATS / 2) * model.residual)
    shared = np.sqrt(scale**2 - own**2)
    quality, *chance = rng.standard_normal((3, len(mean), REPEATS))

    def centred(noise: Floats) -> Floats:
        noise = noise * alive
        mean: Floats = noise.sum(axis=1, keepdims=True) / partners
        return (noise - mean) * alive

    test_noise, valid_noise = (centred(shared * quality + own * part) for part in chance)
    test = np.where(alive, alive_mean[:, None] + unit * test_noise, GUESSING)
    test[failed == REPEATS] = mean[failed == REPEATS, None]
    expected = model.survivor(alive_mean)[:, None]
    valid = np.where(alive, expected + unit * (offset + valid_noise), GUESSING)
    tests = _apportion(correct, IMAGES * test)
    return tests, np.clip(np.rint(IMAGES * valid), 0, IMAGES).astype(np.int64)


def emulate(table: pa.Table, subset: pa.Table) -> dict[str, Floats]:
    """Emulate validation accuracy, single trainings and training time of NAS-Bench-101.

    Parameters
    ----------
    table : pa.Table
        Compact NAS-Bench-101: num_vertices, edge_bits, op_code, params, test_correct_of_29952.
    subset : pa.Table
        Public values: row (into ``table``), params, valid_108, test_108, train_seconds_108.

    Returns
    -------
    dict of str to ndarray of float64, shape (B,)
        The columns ``COLUMNS``: accuracies in percent, time in seconds, all at 108 epochs. The
        mean of the three test accuracies is the real one; the mean of the three validation
        accuracies is the column of that name. Further realisations of the noise are columns of
        single validation accuracies.

    Raises
    ------
    DagnasError
        A table lacks a column or a number, or the two contradict each other.
    """
    public = read_subset(table, subset)
    known = np.isfinite(public.valid)
    model = ValidModel.fit(public.test[known], public.valid[known])
    correct = table["test_correct_of_29952"].to_numpy().astype(np.int64)
    tests, valids = repeats(correct, model)
    timed = np.isfinite(public.seconds)
    seconds = fit_seconds(work(public.cells)[timed], public.seconds[timed])
    cells = read_cells(table)
    parts = [cells[start : start + CHUNK] for start in range(0, len(cells), CHUNK)]
    values = [
        100 * valids.sum(axis=1) / (REPEATS * IMAGES),
        *(100 * valids / IMAGES).T,
        *(100 * tests / IMAGES).T,
        np.concatenate([seconds(work(part)) for part in parts]),
        *(
            column
            for number in range(2, REALISATIONS + 1)
            for column in (100 * repeats(correct, model, number)[1] / IMAGES).T
        ),
    ]
    return dict(zip(COLUMNS, values, strict=True))
