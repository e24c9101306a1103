"""Evolution guided by a predictor: the loop that BANANAS and NPENAS share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dagnas.search.method import Proposal, Trial
from dagnas.search.models.mutants import offspring, vary
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: Predicts the errors of cells, shape (B,), in any unit; least ones are evaluated.
Score = Callable[[Cells], NDArray[np.float64]]

#: Learns from evaluated cells and their signals (accuracies in %, shape (N,)).
Learn = Callable[[Cells, NDArray[np.float64]], Score]


def guided(
    space: CellSpace,
    rng: np.random.Generator,
    learn: Learn,
    *,
    initial: int,
    k: int,
    candidates: int,
    litter: int,
    changes: float,
    sameness: Sameness,
) -> Trial:
    """Mutate the best cells into many, evaluate those of the least predicted error, and repeat.

    Algorithm 1 of White et al. (BANANAS, 2021) and of Wei et al. (NPENAS, 2020).

    Parameters
    ----------
    space : CellSpace
    rng : numpy Generator
    learn : callable
        Trains the predictor anew, before each choice.
    initial : int
        Random cells evaluated first.
    k : int
        Evaluations between two trainings.
    candidates : int
        Mutants among which these are chosen.
    litter : int
        Mutants of a cell before the next best one's turn.
    changes : float
        Mean number of variables that a mutation changes; see `vary`.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are evaluated.
    """
    seen = Seen(space, sameness)
    cells = sample_new(space, initial, rng, seen)
    signals = yield cells
    while True:
        score = learn(cells, signals)
        mutants, parents = offspring(
            space,
            cells,
            signals,
            seen,
            rng,
            wanted=candidates,
            litter=litter,
            mutate=lambda batch: vary(space, batch, changes, rng),
        )
        if not len(mutants):
            return
        chosen = np.argsort(score(mutants), kind="stable")[:k]
        new = mutants[chosen]
        seen.add(new)
        gained = yield Proposal(new, parents[chosen])
        cells = concatenate([cells, new])
        signals = np.concatenate([signals, gained])
