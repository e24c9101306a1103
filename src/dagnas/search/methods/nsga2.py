"""NSGA-II: evolution towards the Pareto front of the signal and costs, by pymoo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.evaluator import Evaluator
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.problems.static import StaticProblem

from dagnas.search.method import Trial, method
from dagnas.search.models.pareto import losses, present
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.vectors import VectorSpace

Array = NDArray[np.float64]


@method(space=(CellSpace, VectorSpace), label="NSGA-II", colour="#117733")
def nsga2(
    space: CellSpace | VectorSpace,
    rng: np.random.Generator,
    *,
    objectives: Sequence[str] = (),
    population: Annotated[int, Field(ge=2)] = 20,
) -> Trial:
    """Evolve a population by non-dominated sorting and crowding distance (Deb et al. 2002).

    Each generation has as many children as the population has members. Vectors are points of the
    unit cube, with simulated binary crossover and polynomial mutation, at pymoo's settings. Cells
    are whole numbers, the values of their variables. These are names without an order, so that
    crossover takes each from either parent, and mutation draws it anew.

    A child that is no valid cell is not evaluated and dominated by all others, as is one without
    costs, such as a generator that draws no network. A child equal to a
    member is drawn again, but nothing keeps a cell that died from being evaluated once more.

    Parameters
    ----------
    population : int
        Random architectures evaluated first, and members of every generation.
    """
    evolution: Evolution
    if isinstance(space, CellSpace):
        values = space.to_values(space.sample(population, rng))
        evolution = Evolution(values, 1 + len(objectives), rng, sizes=space.sizes)
    else:
        points = space.encode(space.sample(population, rng))
        evolution = Evolution(points, 1 + len(objectives), rng)
    batch: Any
    while len(points := evolution.ask()):
        valid = np.ones(len(points), dtype=bool)
        found = np.zeros((len(points), 1 + len(objectives)))
        if isinstance(space, CellSpace):
            cells = space.from_values(points.astype(np.int64))
            valid = space.is_valid(cells)
            batch = cells[valid]
        else:
            batch = space.decode(points)
        if valid.any():
            told = yield batch
            valid[valid] = present(told)
            found[valid] = losses(told)[present(told)]
        evolution.tell(found, valid)


class Evolution:
    """NSGA-II on vectors of numbers, by ask and tell.

    Parameters
    ----------
    first : ndarray, shape (N, n)
        First population: points of the unit cube, or whole numbers.
    objectives : int
        Number of objectives, all minimised.
    rng : numpy.random.Generator
    sizes : ndarray of int, shape (n,), optional
        Number of values of each variable, if these are names, numbered from 0.
    """

    def __init__(
        self,
        first: NDArray[Any],
        objectives: int,
        rng: np.random.Generator,
        sizes: NDArray[np.int64] | None = None,
    ) -> None:
        count = first.shape[1]
        high = np.ones(count) if sizes is None else sizes - 1.0
        self._problem = Problem(
            n_var=count, n_obj=objectives, n_ieq_constr=1, xl=np.zeros(count), xu=high
        )
        operators = {}
        if sizes is not None:
            operators = {"crossover": UniformCrossover(), "mutation": _Redraw(sizes)}
        self._algorithm = NSGA2(pop_size=len(first), sampling=first.astype(np.float64), **operators)
        self._algorithm.setup(
            self._problem, seed=int(rng.integers(2**31)), termination=NoTermination()
        )
        self._asked: Any = None

    def ask(self) -> Array:
        """Points to evaluate, shape (B, n): the first population, then children; none if none new.

        Children are not equal to members of the population, nor to each other.
        """
        self._asked = self._algorithm.ask()
        count = self._problem.n_var
        return np.empty((0, count)) if self._asked is None else np.array(self._asked.get("X"))

    def tell(self, losses: Array, valid: NDArray[np.bool_] | None = None) -> None:
        """Take in what was asked for.

        Parameters
        ----------
        losses : ndarray, shape (B, number of objectives)
        valid : ndarray of bool, shape (B,), optional
            Whether each may survive where others do; all by default.
        """
        broken = np.zeros(len(losses)) if valid is None else 1.0 - valid
        static = StaticProblem(self._problem, F=losses, G=broken[:, None])
        Evaluator().eval(static, self._asked)
        self._algorithm.tell(infills=self._asked)

    @property
    def members(self) -> Array:
        """Population that survived, shape (N, n)."""
        return np.array(self._algorithm.pop.get("X"))

    @property
    def best(self) -> Array:
        """Members that no other dominates, shape (F, n)."""
        return np.array(self._algorithm.opt.get("X"))


class _Redraw(Mutation):  # type: ignore[misc]
    """Mutation of named values: each is drawn anew with a probability of one over their number."""

    def __init__(self, sizes: NDArray[np.int64]) -> None:
        super().__init__()
        self._sizes = sizes

    def _do(
        self,
        problem: Any,
        points: Array,
        *args: Any,
        random_state: np.random.Generator,
        **rest: Any,
    ) -> Array:
        drawn = random_state.integers(self._sizes, size=points.shape)
        changed = random_state.random(points.shape) < 1 / len(self._sizes)
        return np.where(changed, drawn, points)
