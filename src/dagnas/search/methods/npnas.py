"""NPNAS: a neural predictor trained once."""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from dagnas.search.method import Trial, method
from dagnas.search.models.surrogate import Surrogate
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.spaces.base import TooMany
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells


@method(per_space={"nasbench101": {"samples": 172}})
def npnas(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    device: str = "cpu",
    samples: PositiveInt = 128,
    epochs: PositiveInt = 300,
    predictor: str = "ecc",
    pool: PositiveInt = 10_000,
    batch: PositiveInt = 8,
    sameness: Sameness = "class",
) -> Trial:
    """Train a surrogate on random cells, then evaluate the whole space in its order (Wen et al.).

    With GOAL's surrogate, as GOAL compares against it (appendix B).

    Parameters
    ----------
    samples : int
        Random cells to train on: 128, and 172 on NAS-Bench-101.
    epochs : int
        Training epochs.
    predictor : str
        Name of the surrogate's model.
    pool : int
        Random cells that stand for a space of too many to list; the trial ends with them.
    batch : int
        Cells proposed at a time; it has no effect on what is found.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are evaluated.
    """
    seen = Seen(space, sameness)
    cells = sample_new(space, samples, rng, seen)
    signals = yield cells
    surrogate = Surrogate(space, predictor, rng, device)
    surrogate.fit(cells, signals, epochs)
    everything = _all_or_some(space, pool, rng)
    everything = everything[seen.new(everything)]
    order = np.argsort(surrogate.score(everything), kind="stable")
    for start in range(0, len(order), batch):
        yield everything[order[start : start + batch]]


def _all_or_some(space: CellSpace, pool: int, rng: np.random.Generator) -> Cells:
    """All cells of a space, or ``pool`` random ones if they are too many to list."""
    try:
        return space.enumerate()
    except TooMany:
        return space.sample(pool, rng)
