"""Regularized evolution."""

from __future__ import annotations

from collections import deque
from typing import Any, Literal

import numpy as np
from pydantic import PositiveInt

from dagnas.errors import DagnasError
from dagnas.search.method import Proposal, Trial, method
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.vectors import VectorSpace


@method(
    space=(CellSpace, VectorSpace),
    per_space={"nasbench201": {"population": 10, "tournament": 3}},
)
def regularized_evolution(
    space: CellSpace | VectorSpace,
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

    Of a vector, a mutation draws one number anew.

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

    Raises
    ------
    DagnasError
        Invalid vectors shall be kept.
    """
    if invalid == "kept" and isinstance(space, VectorSpace):
        raise DagnasError(
            f"invalid='kept' of method 'regularized_evolution': no vector of {space.name} is "
            "invalid; valid: 'redrawn'"
        )
    keeping = space if invalid == "kept" and isinstance(space, CellSpace) else None
    batch: Any
    if keeping is not None:
        batch = keeping.from_values(
            rng.integers(keeping.sizes, size=(population, len(keeping.sizes)))
        )
    else:
        batch = space.sample(population, rng)
    parents, step = np.full(population, -1), 0
    alive: deque[tuple[int, Any, float]] = deque(maxlen=population)
    while True:
        valid = keeping.is_valid(batch) if keeping is not None else np.ones(len(batch), dtype=bool)
        signals = np.zeros(len(batch))
        if valid.any():
            signals[valid] = yield Proposal(batch[valid], parents[valid])
        # Numbers of the evaluations; of an invalid cell there was none.
        numbers = np.where(valid, step + np.cumsum(valid) - 1, -1).tolist()
        step += int(valid.sum())
        members = (batch[i : i + 1] for i in range(len(batch)))
        alive.extend(zip(numbers, members, signals.tolist(), strict=True))
        size = tournament if replacement else min(tournament, len(alive))
        drawn = rng.choice(len(alive), size, replace=replacement)
        number, parent, _ = max((alive[i] for i in drawn), key=lambda member: member[2])
        parents = np.array([number])
        if keeping is not None:
            batch = keeping.from_values(keeping.change(keeping.to_values(parent), rng))
        else:
            batch = space.mutate(parent, rng)
