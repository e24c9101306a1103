"""Evolution of single path one-shot search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt

from dagnas.search.method import Trial, method
from dagnas.search.pool import Seen
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: Draws for each cell that is wanted, at most; those seen before are not taken (public script).
_ATTEMPTS = 10

Draw = Callable[[], NDArray[np.int64]]


@method(label="SPOS")
def spos(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    population: PositiveInt = 50,
    top: PositiveInt = 10,
    mutation: Annotated[float, Field(gt=0, le=1)] = 0.1,
    mutated: NonNegativeInt = 25,
    crossed: NonNegativeInt = 25,
) -> Trial:
    """Evolution of single path one-shot search (Guo et al. 2019, algorithm 1).

    Each generation consists of mutations and crossovers of the best cells of all generations so
    far, and of random cells where too few of these are new. Defaults are those of algorithm 1 and
    section 3.4 (population 50, the best 10, mutation with probability 0.1, half and half). What
    they leave open is as in the authors' public script: a mutated value may be the old one again,
    both parents of a crossover may be the same, and no cell is evaluated twice. Their limits on
    the size of networks are left out. There a generation ends after 10 times as many draws as
    cells are wanted; so do random cells here, and the trial with them, since a small space is
    spent.

    Parameters
    ----------
    population : int
        Cells of a generation.
    top : int
        Best cells that parents are drawn from.
    mutation : float
        Probability that a value of a cell is drawn anew.
    mutated, crossed : int
        Cells of a generation that are made by mutation and by crossover.
    """
    seen = Seen(space, "cell")

    def fresh(draw: Draw, wanted: int) -> list[Cells]:
        """Up to ``wanted`` cells, valid and new."""
        found: list[Cells] = []
        for _ in range(_ATTEMPTS * wanted):
            if len(found) == wanted:
                break
            cell = space.from_values(draw()[None])
            if space.is_valid(cell)[0] and len(seen.new(cell)):
                seen.add(cell)
                found.append(cell)
        return found

    def random() -> NDArray[np.int64]:
        values: NDArray[np.int64] = space.to_values(space.sample(1, rng))[0]
        return values

    def parent() -> NDArray[np.int64]:
        values: NDArray[np.int64] = best[rng.integers(len(best))]
        return values

    def mutate() -> NDArray[np.int64]:
        anew = rng.random(len(space.sizes)) < mutation
        return np.where(anew, rng.integers(space.sizes), parent())

    def cross() -> NDArray[np.int64]:
        first, second = parent(), parent()
        return np.where(rng.random(len(first)) < 0.5, first, second)

    best = np.empty((0, len(space.sizes)), dtype=np.int64)
    signals = np.empty(0)
    generation = fresh(random, population)
    while generation:
        cells = concatenate(generation)
        gained = yield cells
        best = np.concatenate([best, space.to_values(cells)])
        signals = np.concatenate([signals, gained])
        # Stable, so that of equal cells the earlier stays.
        kept = np.argsort(-signals, kind="stable")[:top]
        best, signals = best[kept], signals[kept]
        generation = fresh(mutate, mutated) + fresh(cross, crossed)
        generation += fresh(random, population - len(generation))
