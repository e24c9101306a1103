"""Regularized evolution."""

from __future__ import annotations

from collections import deque
from typing import Literal

import numpy as np
from pydantic import PositiveInt

from dagnas.search.method import Proposal, Trial, method
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells


@method(per_space={"nasbench201": {"population": 10, "tournament": 3}})
def regularized_evolution(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    population: PositiveInt = 100,
    tournament: PositiveInt = 10,
    replacement: bool = False,
    invalid: Literal["redrawn", "kept"] = "redrawn",
) -> Trial:
    """Aging evolution: mutate the best of a random few, let the oldest die (Real et al. 2019).

    The public script of NAS-Bench-101 (automl's nas_benchmarks) is the method with
    ``replacement``, ``invalid="kept"`` and the draw "script", by which a cell of more than nine
    edges before pruning is invalid.

    Parameters
    ----------
    population : int
        Cells alive: 100 on NAS-Bench-101, 10 on NAS-Bench-201, as in their public scripts.
    tournament : int
        Cells among which a parent is chosen.
    replacement : bool
        Whether these are drawn with replacement, so that one may be drawn twice.
    invalid : {"redrawn", "kept"}
        What becomes of invalid cells, drawn or mutated: others are drawn instead, or they live
        with an accuracy of zero, which costs nothing. If kept, first cells are uniform over the
        values of all variables.
    """
    if invalid == "kept":
        cells = space.from_values(rng.integers(space.sizes, size=(population, len(space.sizes))))
    else:
        cells = space.sample(population, rng)
    parents, step = np.full(population, -1), 0
    alive: deque[tuple[int, Cells, float]] = deque(maxlen=population)
    while True:
        valid = space.is_valid(cells) if invalid == "kept" else np.ones(len(cells), dtype=bool)
        signals = np.zeros(len(cells))
        if valid.any():
            signals[valid] = yield Proposal(cells[valid], parents[valid])
        # Numbers of the evaluations; of an invalid cell there was none.
        numbers = np.where(valid, step + np.cumsum(valid) - 1, -1).tolist()
        step += int(valid.sum())
        alive.extend(zip(numbers, cells, signals.tolist(), strict=True))
        size = tournament if replacement else min(tournament, len(alive))
        drawn = rng.choice(len(alive), size, replace=replacement)
        number, parent, _ = max((alive[i] for i in drawn), key=lambda member: member[2])
        parents = np.array([number])
        if invalid == "kept":
            cells = space.from_values(space.change(space.to_values(parent), rng))
        else:
            cells = space.mutate(parent, rng)
