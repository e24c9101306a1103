"""NASBOT: Bayesian optimisation with a Gaussian process on a distance of architectures.

The kernel is that of Kandasamy et al. (2018, section 4), one exponential of distances and one of
normalised distances. The distances are those of `dagnas.search.models.distance`, not OTMANN's. Two
things follow. The paper's exponent adds up distances with four weights nu of places; here each of
these is ``labels + nu places``, and two rates say as much as four. And the normalised distances
are not squared, because only then the kernel is positive definite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from dagnas.search.method import Proposal, Trial, method
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.distance import Features, distances, features
from dagnas.search.models.gaussian_process import GaussianProcess, Hyperparameters, fit
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: Probabilities that a mutation takes one step, two, ... five, in the authors' code.
STEPS = (0.5, 0.25, 0.125, 0.075, 0.05)


def _hyperparameters(noise: float, scale: float, rate: float, normalised: float) -> Hyperparameters:
    rates = np.array([[rate, rate], [normalised, normalised]])
    return Hyperparameters(noise, np.array([scale, scale]), rates)


#: Ranges in units of the variance of the signals; those of the first rates suit masses of 1.
BOUNDS = _hyperparameters(0.005, 0.01, 1e-4, 0.1), _hyperparameters(0.2, 100.0, 10.0, 100.0)
START = _hyperparameters(0.05, 1.0, 0.1, 1.0)


@method()
def nasbot(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    initial: PositiveInt = 10,
    pool: PositiveInt = 10,
    refit: PositiveInt = 7,
    sameness: Sameness = "class",
) -> Trial:
    """Evaluate the cell of the largest expected improvement (Kandasamy et al. 2018, section 4).

    Parameters
    ----------
    initial : int
        Random cells evaluated first.
    pool : int
        Evaluated cells, the best, with which each evolution begins.
    refit : int
        Evaluations after which hyperparameters are fitted again; later, once the cells evaluated
        are a tenth more.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are evaluated.
    """
    seen = Seen(space, sameness)
    cells = sample_new(space, initial, rng, seen)
    signals = yield cells
    model = _Model(space, cells, signals, [START])
    fitted = len(cells)
    while True:
        new, parent = _evolve(space, rng, model, cells, signals, seen, pool)
        if not len(new):
            return
        seen.add(new)
        signal = yield Proposal(new, np.array([parent]))
        cells = concatenate([cells, new])
        signals = np.concatenate([signals, signal])
        if len(cells) - fitted >= max(refit, fitted // 10):
            model = _Model(space, cells, signals, [START, model.process.hyperparameters])
            fitted = len(cells)
        else:
            model.add(new, signal)


class _Model:
    """The Gaussian process of a trial: signals, less their median and over their sd."""

    def __init__(
        self,
        space: CellSpace,
        cells: Cells,
        signals: NDArray[np.float64],
        starts: list[Hyperparameters],
    ) -> None:
        self.space = space
        self.known = features(space, cells)
        self.centre, self.unit = np.median(signals), signals.std() or 1.0
        targets = (signals - self.centre) / self.unit
        gaps = distances(self.known, self.known)
        self.process = GaussianProcess(fit(gaps, targets, starts, BOUNDS), gaps, targets)
        self.best = targets.max()

    def add(self, cell: Cells, signal: NDArray[np.float64]) -> None:
        """Take in one more evaluation (batches of one)."""
        new = features(self.space, cell)
        (target,) = (signal - self.centre) / self.unit
        self.process.add(distances(self.known, new)[..., 0], target)
        self.known = Features(*map(np.concatenate, zip(self.known, new, strict=True)))
        self.best = max(self.best, target)

    def improvement(self, cells: Cells) -> NDArray[np.float64]:
        """Expected improvement over the best signal, in units of the signals' sd; shape (B,)."""
        gaps = distances(self.known, features(self.space, cells))
        return expected_improvement(*self.process.predict(gaps), self.best)


def _evolve(
    space: CellSpace,
    rng: np.random.Generator,
    model: _Model,
    cells: Cells,
    signals: NDArray[np.float64],
    seen: Seen,
    pool: int,
) -> tuple[Cells, int]:
    """The new cell of the largest expected improvement that evolution finds; if none, a random one.

    After t evaluations ``n = 25 sqrt(t)``, from 50 to 500, cells are looked at, ``3 sqrt(n)`` in
    a generation. Parents are drawn, with replacement, from all that were looked at, with
    probabilities that grow as the exponential of the improvement over twice its sd.

    Returns
    -------
    cell : Cells
        A batch of one, or of none if the space is spent.
    parent : int
        Number of the evaluated cell that it descends from, -1 for a random one.
    """
    size = np.clip(25 * np.sqrt(len(cells)), 50, 500)
    births = int(np.clip(3 * np.sqrt(size), 5, 100))
    roots = np.argsort(-signals, kind="stable")[:pool]
    members = cells[roots]
    known = len(members)
    fitness = model.improvement(members)
    met = Seen(space, seen.sameness)
    for _ in range(int(size) // births):
        weights = np.exp((fitness - fitness.max()) / (2 * fitness.std() or 1.0))
        drawn = rng.choice(len(members), births, p=weights / weights.sum())
        children = _mutate(space, members[drawn], rng)
        new = np.intersect1d(seen.new(children), met.new(children))
        children = children[new]
        met.add(children)
        members = concatenate([members, children])
        roots = np.concatenate([roots, roots[drawn[new]]])
        fitness = np.concatenate([fitness, model.improvement(children)])
    if len(members) == known:
        return sample_new(space, 1, rng, seen), -1
    best = known + int(fitness[known:].argmax())
    return members[best], int(roots[best])


def _mutate(space: CellSpace, cells: Cells, rng: np.random.Generator) -> Cells:
    """Mutate each cell by one to five steps."""
    steps = -np.sort(-rng.choice(len(STEPS), len(cells), p=STEPS))
    for step in range(len(STEPS)):
        moving = int((steps >= step).sum())
        cells = concatenate([space.mutate(cells[:moving], rng), cells[moving:]])
    return cells
