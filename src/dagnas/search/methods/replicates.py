"""Random search that evaluates every vector several times."""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from dagnas.search.method import Trial, method
from dagnas.spaces.vectors import VectorSpace


@method(space=VectorSpace, label="RS, repeated", colour="#777777")
def replicates(
    space: VectorSpace,
    rng: np.random.Generator,
    *,
    networks: PositiveInt = 2,
) -> Trial:
    """Evaluate random vectors several times each, one after another.

    Where an evaluation draws a network of a generator, these are networks of the same generator:
    what they differ by is the noise of the signal. The first of each vector are a random search.

    Parameters
    ----------
    networks : int
        Evaluations of each vector.
    """
    while True:
        yield np.repeat(space.sample(1, rng), networks, axis=0)
