"""path_gp: Bayesian optimisation on statistics of paths, a method of this project; docs/path_gp.md.

A Gaussian process on features that are cheap for all cells of a space, so that nothing stands
between the acquisition function and its maximum.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from dagnas.search.method import Trial, method
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.candidates import Listed, Pool, Sameness
from dagnas.search.models.matern import (
    Hyperparameters,
    MaternProcess,
    fit,
    posterior_mean,
    usual_prior,
)
from dagnas.spaces.base import TooMany
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.vectors import VectorSpace


@method(space=(CellSpace, VectorSpace), label="path GP", colour="#AA3377")
def path_gp(
    space: CellSpace | VectorSpace,
    rng: np.random.Generator,
    *,
    initial: PositiveInt = 5,
    refit: PositiveInt = 5,
    pool: PositiveInt = 1000,
    sameness: Sameness = "auto",
    stretch: bool = True,
) -> Trial:
    """Evaluate the architecture of which the next signal improves most on the best one so far.

    Parameters
    ----------
    initial : int
        Random architectures evaluated first.
    refit : int
        Evaluations after which hyperparameters are fitted again; later, once the evaluated are an
        eighth more.
    pool : int
        Candidates at each evaluation where a space cannot be listed.
    sameness : {"cell", "class", "auto"}
        Whether isomorphic cells are evaluated: all, one of them, or, "auto", all until two of them
        show that a class shares its trainings. In a pool it is always one.
    stretch : bool
        Whether the best signals are told apart more than others; see `stretched`.
    """
    candidates = _candidates(space, sameness, pool, rng)
    cells = candidates.sample(initial, rng)
    signals = yield cells
    candidates.take(cells, signals)
    known, fitted = candidates.known, 0
    hyperparameters: list[Hyperparameters] = []
    while True:
        targets = _standardised(stretched(signals) if stretch else signals)
        due = not fitted or len(signals) - fitted >= max(refit, fitted // 8)
        if due:
            best = fit(known, targets, usual_prior(len(known)), hyperparameters)
            hyperparameters, fitted = [best], len(signals)
        if due or candidates.fresh:
            mean = partial(posterior_mean, best, known, targets)
            process = MaternProcess(best, known, candidates.shortlist(mean))
        mean_there, variance = process.predict(targets)
        # The next signal has noise too, and it is the signal that is to improve.
        sd = np.sqrt(variance + best.noise)
        cells = candidates.best(expected_improvement(mean_there, sd, targets.max()), rng)
        if not len(cells):
            return
        signals = np.concatenate([signals, (yield cells)])
        candidates.take(cells, signals)
        known = candidates.known
        process.add([block[-1:] for block in known])


def stretched(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signals on a scale that is logarithmic in their distance from a little above the best.

    ``-log((max y + s - y) / s)`` with s the distance from the median to the 90th percentile: a
    point at the top counts for as much as several points further down, where a search does not
    look.

    Parameters
    ----------
    signals : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
        Of largest value 0.
    """
    middle, high = np.quantile(signals, [0.5, 0.9])
    unit = (high - middle) or signals.std() or 1.0
    return np.asarray(-np.log1p((signals.max() - signals) / unit))


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))


def _candidates(
    space: CellSpace | VectorSpace, sameness: Sameness, pool: int, rng: np.random.Generator
) -> Listed | Pool:
    """All cells of a space, or a pool where it cannot be listed."""
    if isinstance(space, CellSpace):
        try:
            return Listed(space, sameness)
        except TooMany:
            pass
    return Pool(space, pool, rng)
