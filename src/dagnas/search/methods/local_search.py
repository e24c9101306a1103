"""Local search: climb from cell to neighbouring cell, begin anew at the top."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import PositiveInt

from dagnas.search.method import Proposal, Trial, method
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import concatenate


@method(label="Local search", colour="#6A3D9A")
def local_search_nas(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    initial: PositiveInt = 10,
    query: Literal["all", "until better"] = "all",
    minimum: Literal["restart", "continue"] = "restart",
    sameness: Sameness = "class",
) -> Trial:
    """Move to the best neighbour until there is none better (White, Nolen and Savani 2021).

    Algorithm 1 with what the authors' public code (naszilla) adds: the climb begins at the best of
    ten random cells, no cell is evaluated twice, and at a local minimum of the error all begins
    anew. A neighbour that was evaluated before is not moved to, as it would lead where the search
    was.

    Parameters
    ----------
    initial : int
        Random cells of which the best is where a climb begins.
    query : {"all", "until better"}
        Whether a step evaluates all neighbours and moves to the best, or evaluates them in random
        order and moves to the first that is better (the code's default, ``query_full_nbhd`` off).
    minimum : {"restart", "continue"}
        Whether a local minimum is followed by new random cells. If not, every step moves to the
        best evaluated cell whose neighbours were not yet looked at (the code's
        ``stop_at_minimum`` off).
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are evaluated.
    """
    seen = Seen(space, sameness)
    cells, signals = space.sample(0, rng), np.empty(0)
    left: set[int] = set()  # evaluations whose neighbours were looked at
    while True:
        drawn = sample_new(space, initial, rng, seen)
        if not len(drawn):
            return
        gained = yield drawn
        cells, signals = concatenate([cells, drawn]), np.concatenate([signals, gained])
        at = len(signals) - len(gained) + int(gained.argmax())
        climbing = True
        while climbing:
            left.add(at)
            near = space.neighbours(cells[at])
            near = near[rng.permutation(seen.new(near))]
            step = max(len(near), 1) if query == "all" else 1
            first = len(signals)
            for start in range(0, len(near), step):
                some = near[start : start + step]
                seen.add(some)
                gained = yield Proposal(some, np.full(len(some), at))
                cells, signals = concatenate([cells, some]), np.concatenate([signals, gained])
                if gained.max() > signals[at]:
                    break
            better = signals[first:]
            if minimum == "continue":
                waiting = [i for i in np.argsort(-signals, kind="stable") if i not in left]
                climbing = bool(waiting)
                at = int(waiting[0]) if waiting else at
            elif len(better) and better.max() > signals[at]:
                at = first + int(better.argmax())
            else:
                climbing = False
