"""MOBO: multi-objective Bayesian optimisation with noise that varies (NAGO, section 2.2).

NAGO adapts USeMO (Belakaria et al. 2020, "Uncertainty-aware Search Framework for Multi-Objective
Bayesian Optimization"): an acquisition function for each objective, the Pareto set of all of them,
and of this set the point of the largest uncertainty. It changes the surrogate, to
`dagnas.predictors.sghmc`, and takes batches, by local penalisation of the uncertainty. None of it
was released, and the appendix on batches is not at hand; docs/mobo.md has our readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from dagnas.predictors.sghmc import BayesianNetwork, Chain
from dagnas.search.method import Trial, method
from dagnas.search.methods.nsga2 import Evolution
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.coordinates import CellCoordinates, VectorCoordinates
from dagnas.search.models.cube_process import CubeProcess
from dagnas.search.models.pareto import losses, present
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.vectors import VectorSpace

Array = NDArray[np.float64]
Coordinates = CellCoordinates | VectorCoordinates

#: Networks sampled by SGHMC, with noise that varies or does not, or a Gaussian process.
Surrogate = Literal["heteroscedastic", "homoscedastic", "gp"]
#: Expected improvement, or an upper confidence bound.
Acquisition = Literal["improvement", "bound"]
#: Standard deviation of a new observation, with its noise, or of the function.
Uncertainty = Literal["observation", "function"]

#: Points, beside the candidates, where the slope of the uncertainty is looked at, and the step of
#: its finite differences in sides of the cube.
_LOOKS, _STEP = 200, 1e-3
#: Draws in a row without a vector that is new, after which a space counts as spent.
_ATTEMPTS = 100


@method(space=(CellSpace, VectorSpace), label="MOBO", colour="#AA4499")
def mobo(
    space: CellSpace | VectorSpace,
    rng: np.random.Generator,
    *,
    objectives: Sequence[str] = (),
    initial: Annotated[int, Field(ge=2)] = 10,
    batch: PositiveInt = 4,
    surrogate: Surrogate = "heteroscedastic",
    acquisition: Acquisition = "improvement",
    beta: PositiveFloat = 2.0,
    uncertainty: Uncertainty = "observation",
    refit: PositiveInt = 1,
    population: Annotated[int, Field(ge=2)] = 50,
    generations: PositiveInt = 30,
    steps: PositiveInt = 13_000,
    burn_in: NonNegativeInt = 3_000,
) -> Trial:
    """Evaluate points of the acquisitions' Pareto set that are most uncertain (NAGO, section 2.2).

    The signal is maximised and every cost minimised. Vectors are points of the unit cube; whole
    numbers are rounded before a model sees them, so that acquisitions are flat where the vector
    is the same. Cells are the values of their variables, which models see one-hot, since they are
    names; NSGA-II varies the values. What was evaluated before is not evaluated again, as long as
    there is anything else. Models leave out vectors without costs, such as generators that draw no
    network.

    Parameters
    ----------
    initial : int
        Random architectures evaluated first.
    batch : int
        Architectures evaluated in each round, where those after the first are the most uncertain
        under local penalisation.
    surrogate : {"heteroscedastic", "homoscedastic", "gp"}
        Model of each objective.
    acquisition : {"improvement", "bound"}
        Expected improvement over the largest mean at an evaluated vector, or mean and ``beta``
        standard deviations.
    beta : float
        Standard deviations of the bound.
    uncertainty : {"observation", "function"}
        Standard deviation that acquisitions and the choice among points take: that of NAGO's
        equations, which has the noise in it, or without it.
    refit : int
        Rounds after which models are made anew; in between they do not know the latest results.
    population, generations : int
        Of NSGA-II, which finds the Pareto set.
    steps, burn_in : int
        Of the sampler of a network's weights.
    """
    # Every hundredth sample, as in the public network; of short chains at least ten.
    chain = Chain(steps, burn_in, every=max(1, min(100, (steps - burn_in) // 10)))
    chain.check()
    sought: Coordinates
    sought = CellCoordinates(space) if isinstance(space, CellSpace) else VectorCoordinates(space)
    rows = sought.sample(initial, rng)
    told = yield sought.architectures(rows)
    while not (known := present(told)).any():
        new = sought.sample(initial, rng)
        more = yield sought.architectures(new)
        rows, told = np.concatenate([rows, new]), np.concatenate([told, more])
    gains = -losses(told[known])
    models: _Models | None = None
    for number in count():
        if models is None or number % refit == 0:
            points = sought.points(rows[known])
            models = _Models(points, gains, surrogate, uncertainty, chain, rng)
        first = sought.beginning(rows[known], population, rng)
        evolution = Evolution(first, gains.shape[1], rng, sizes=sought.sizes)
        for _ in range(generations):
            if not len(asked := evolution.ask()):
                break
            found = sought.rows(asked)
            losing = -models.acquisitions(sought.points(found), acquisition, beta)
            evolution.tell(losing, sought.is_valid(found))
        both = [sought.rows(asked) for asked in (evolution.best, evolution.members)]
        both = [found[sought.is_valid(found)] for found in both]
        candidates = _new(sought, both, rows, batch, rng)
        points = sought.points(candidates)
        if isinstance(space, CellSpace):
            beside = sought.points(sought.sample(_LOOKS, rng))
            steep = _largest_slope(models, np.concatenate([points, beside]))
        else:
            steep = _steepness(models, points, rng)
        new = candidates[penalised(points, models.volume(points), steep, batch)]
        told = yield sought.architectures(new)
        rows, known = np.concatenate([rows, new]), np.concatenate([known, present(told)])
        gains = np.concatenate([gains, -losses(told[present(told)])])


class _Models:
    """Models of all objectives, each in units of the sd of what it was given."""

    def __init__(
        self,
        points: Array,
        gains: Array,
        surrogate: Surrogate,
        uncertainty: Uncertainty,
        chain: Chain,
        rng: np.random.Generator,
    ) -> None:
        self._of_function = uncertainty == "function"
        self._models: list[BayesianNetwork | CubeProcess] = [
            CubeProcess(points, column)
            if surrogate == "gp"
            else BayesianNetwork(points, column, rng, noise=surrogate, chain=chain)
            for column in gains.T
        ]
        #: Largest mean of each objective at the points, shape (M,).
        self.best = self.predict(points)[0].max(axis=0)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Means and standard deviations of all objectives, shape (B, M) each."""
        both = [self._one(model, points) for model in self._models]
        means, sds = zip(*both, strict=True)
        return np.stack(means, axis=1), np.stack(sds, axis=1)

    def _one(self, model: BayesianNetwork | CubeProcess, points: Array) -> tuple[Array, Array]:
        if isinstance(model, CubeProcess):
            mean, sd = model.predict(points)
            noise = 0.0 if self._of_function else model.hyperparameters.noise
            return mean, np.sqrt(sd**2 + noise)
        found = model.predict(points)
        variance = found.model if self._of_function else found.variance
        # Samples may agree to the last bit, and no acquisition is defined without uncertainty.
        sd = np.sqrt(np.maximum(variance, 1e-12 * model.unit**2))
        return (found.mean - model.centre) / model.unit, sd / model.unit

    def volume(self, points: Array) -> Array:
        """Uncertainty of points, shape (B,): the product of all standard deviations.

        USeMO's U (section 4.2) is the volume of the box from lower to upper confidence bounds,
        which is this times a constant.
        """
        return np.asarray(self.predict(points)[1].prod(axis=1))

    def acquisitions(self, points: Array, acquisition: Acquisition, beta: float) -> Array:
        """Acquisition of every objective at points, more is better; shape (B, M)."""
        means, sds = self.predict(points)
        if acquisition == "bound":
            return means + beta * sds
        columns = zip(means.T, sds.T, self.best, strict=True)
        return np.stack([expected_improvement(*column) for column in columns], axis=1)


def penalised(points: Array, volumes: Array, steepness: float, count: int) -> NDArray[np.int64]:
    """Numbers of the points of a batch: each the most uncertain, given those before it.

    Once a point is evaluated nothing is left of its uncertainty u. If L bounds the slope of
    uncertainty, what is left at a distance r from there is at most L r. So the uncertainty of every
    other point is multiplied by ``min(1, L r / u)``: the idea of local penalisation is that of
    Gonzalez et al. (2016, section 3), and the cone that of Alvi et al. (2019, equation 11), who
    have it in place of a normal distribution function.

    Parameters
    ----------
    points : ndarray, shape (B, d)
        Points of the unit cube.
    volumes : ndarray, shape (B,)
        Uncertainty of each.
    steepness : float
        L.
    count : int
        Points of the batch.

    Returns
    -------
    ndarray of int, shape (min(count, B),)
    """
    left = volumes.astype(np.float64)
    chosen: list[int] = []
    for _ in range(min(count, len(points))):
        best = int(left.argmax())
        chosen.append(best)
        distance = np.linalg.norm(points - points[best], axis=1)
        left = left * np.minimum(1, steepness * distance / volumes[best])
        left[chosen] = -1
    return np.array(chosen, dtype=np.int64)


def _steepness(models: _Models, points: Array, rng: np.random.Generator) -> float:
    """Largest slope of the uncertainty at points and at random ones, by finite differences.

    Gonzalez et al. (2016, section 3.3) take the largest norm of a gradient for L too.
    """
    size = points.shape[1]
    looks = np.concatenate([points, rng.random((_LOOKS, size))])
    moves = _STEP / 2 * np.eye(size)
    ends = np.stack([looks[:, None] + moves, looks[:, None] - moves])
    volumes = models.volume(ends.reshape(-1, size)).reshape(ends.shape[:3])
    slopes = np.linalg.norm((volumes[0] - volumes[1]) / _STEP, axis=1)
    return float(slopes.max())


def _largest_slope(models: _Models, points: Array) -> float:
    """Largest slope of the uncertainty between two of the points, where nothing lies between."""
    volumes = models.volume(points)
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    apart = distance > 0
    slopes = np.abs(volumes[:, None] - volumes)[apart] / distance[apart]
    return float(slopes.max(initial=0.0))


def _new(
    space: VectorSpace | Coordinates,
    found: list[Array],
    known: Array,
    count: int,
    rng: np.random.Generator,
) -> Array:
    """Rows of the first of some batches that has enough new ones, or else random ones beside.

    Parameters
    ----------
    space : VectorSpace, CellCoordinates or VectorCoordinates
        Draws random rows.
    found : list of ndarray, shape (B, d)
        The Pareto set, and where it is too small the whole population.
    known : ndarray, shape (N, d)
        Rows evaluated before.
    count : int
        Rows that are enough.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (at least ``count``, d)
        Different ones, and none of ``known``, unless the space has no more of them.
    """
    for rows in found:
        new = _without(rows, known)
        if len(new) >= count:
            return new
    for _ in range(_ATTEMPTS):
        new = np.concatenate([new, _without(space.sample(count, rng), known)])
        new = np.unique(new, axis=0)
        if len(new) >= count:
            return new
    return np.concatenate([new, space.sample(count - len(new), rng)])


def _without(rows: Array, known: Array) -> Array:
    """Different rows, in the order of their numbers, without those of ``known``."""
    unique = np.unique(rows, axis=0)
    return np.asarray(unique[~(unique[:, None] == known).all(axis=2).any(axis=1)])
