"""Mutants of evaluated cells, as candidates of a predictor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dagnas.search.pool import Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate


def vary(space: CellSpace, cells: Cells, changes: float, rng: np.random.Generator) -> Cells:
    """Change variables of every cell, each with the same probability.

    What is no other cell of the space is drawn again.

    Parameters
    ----------
    space : CellSpace
    cells : Cells
    changes : float
        Mean number of variables that change, before anything is drawn again; 1 for exactly one.
    rng : numpy Generator
    """
    if changes == 1:
        return space.mutate(cells, rng)
    values = space.to_values(cells)
    varied, pending = values.copy(), np.arange(len(values))
    while len(pending):
        old = values[pending]
        changed = rng.random(old.shape) < changes / len(space.sizes)
        steps = 1 + rng.integers(space.sizes - 1, size=old.shape)
        trial = np.where(changed, (old + steps) % space.sizes, old)
        others = space.from_values(trial)
        # Variables that a cell does not use may change and leave it as it is.
        accepted = (space.differences(cells[pending], others) > 0) & space.is_valid(others)
        varied[pending[accepted]] = trial[accepted]
        pending = pending[~accepted]
    return space.from_values(varied)


def offspring(
    space: CellSpace,
    cells: Cells,
    signals: NDArray[np.float64],
    seen: Seen,
    rng: np.random.Generator,
    *,
    wanted: int,
    litter: int,
    mutate: Callable[[Cells], Cells],
) -> tuple[Cells, NDArray[np.int64]]:
    """Mutate evaluated cells, the best one first, until enough mutants are new.

    What the mutants of all evaluated cells lack is drawn at random.

    Parameters
    ----------
    space : CellSpace
    cells : Cells
        Evaluated cells, in the order of their evaluations.
    signals : ndarray, shape (N,)
    seen : Seen
        Cells that are no candidates; it stays as it is.
    rng : numpy Generator
    wanted : int
        Candidates.
    litter : int
        Mutants of a cell before the next one's turn.
    mutate : callable
        Gives a mutant of each cell of a batch.

    Returns
    -------
    candidates : Cells
        No two the same; fewer than ``wanted`` if the space is spent.
    parents : ndarray of int, shape (len(candidates),)
        Number of the evaluation that each descends from, -1 for random ones.
    """
    seen = seen.copy()
    found, parents = [cells[:0]], [np.empty(0, dtype=np.int64)]
    missing = wanted
    for number in np.argsort(-signals, kind="stable"):
        if missing == 0:
            break
        mutants = mutate(cells[np.full(litter, number)])
        mutants = mutants[seen.new(mutants)[:missing]]
        seen.add(mutants)
        found.append(mutants)
        parents.append(np.full(len(mutants), number))
        missing -= len(mutants)
    drawn = sample_new(space, missing, rng, seen)
    return (
        concatenate([*found, drawn]),
        np.concatenate([*parents, np.full(len(drawn), -1)]),
    )
