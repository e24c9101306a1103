"""Regularized evolution."""

from __future__ import annotations

from collections import deque

import numpy as np
from pydantic import PositiveInt

from dagnas.search.method import Proposal, Trial, method
from dagnas.spaces.cell_space import CellSpace


@method(per_space={"nasbench201": {"population": 10, "tournament": 3}})
def regularized_evolution(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    population: PositiveInt = 100,
    tournament: PositiveInt = 10,
) -> Trial:
    """Aging evolution: mutate the best of a random few, let the oldest die (Real et al. 2019).

    Parameters
    ----------
    population : int
        Cells alive: 100 on NAS-Bench-101, 10 on NAS-Bench-201, as in their public scripts.
    tournament : int
        Cells among which a parent is chosen, drawn without replacement.
    """
    first = space.sample(population, rng)
    signals = yield first
    alive = deque(zip(range(population), first, signals, strict=True), maxlen=population)
    step = population
    while True:
        drawn = rng.choice(len(alive), min(tournament, len(alive)), replace=False)
        number, parent, _ = max((alive[i] for i in drawn), key=lambda member: member[2])
        child = space.mutate(parent, rng)
        (signal,) = yield Proposal(child, np.array([number]))
        alive.append((step, child, signal))
        step += 1
