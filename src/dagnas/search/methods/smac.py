"""SMAC: Bayesian optimisation with a random forest."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from dagnas.search.method import Trial, method
from dagnas.spaces.cell_space import CellSpace


@method(per_space={"nasbench201": {"repeats": 1}})
def smac(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    trees: PositiveInt = 10,
    random_fraction: Annotated[float, Field(ge=0, le=1)] = 0.33,
    repeats: PositiveInt = 4,
    challengers: PositiveInt = 5000,
    local_searches: PositiveInt = 10,
    max_invalid: PositiveInt = 100,
) -> Trial:
    """Evaluate where a random forest expects the largest improvement (Hutter et al. 2011).

    The ``smac`` package is asked and told. Settings are those of NAS-Bench-101's public script,
    which GOAL inherits (appendix B): one random cell at first, a new forest for every further
    cell, expected improvement of the error itself and not of its logarithm. What the script left
    alone is as the package had it then: each split looks at 5/6 of the variables, a leaf holds
    three cells at least, and random cells compete with the ends of local searches. An invalid
    cell is told to have error 1 and costs nothing.

    Parameters
    ----------
    trees : int
        Trees of the forest.
    random_fraction : float
        Fraction of cells that are drawn at random instead.
    repeats : int
        Evaluations of a cell at most: the incumbent, and any that is no worse so far, is
        evaluated again. Once on NAS-Bench-201, where the signal of a cell does not vary.
    challengers : int
        Random cells among which the largest expected improvement is sought.
    local_searches : int
        Local searches from the best of these, and as many from the best cells evaluated.
    max_invalid : int
        Invalid cells in a row after which a random valid one is evaluated.
    """
    # The package takes seconds to import, which only those who run it should wait for.
    from ConfigSpace import Configuration
    from smac.main.exceptions import ConfigurationSpaceExhaustedException
    from smac.runhistory import TrialInfo, TrialValue

    from dagnas.search.models.smac_optimizer import build

    optimizer = build(space, rng, trees, random_fraction, repeats, challengers, local_searches)
    while True:
        for _ in range(max_invalid):
            try:
                asked = optimizer.ask()
            except ConfigurationSpaceExhaustedException:
                return
            cell = space.from_values(asked.config.get_array().astype(np.int64)[None])
            if space.is_valid(cell)[0]:
                break
            optimizer.tell(asked, TrialValue(cost=1.0), save=False)
        else:
            cell = space.sample(1, rng)
            vector = space.to_values(cell)[0].astype(np.float64)
            config = Configuration(optimizer.scenario.configspace, vector=vector)
            asked = TrialInfo(config, seed=asked.seed)
        (signal,) = yield cell
        optimizer.tell(asked, TrialValue(cost=1 - signal / 100), save=False)
