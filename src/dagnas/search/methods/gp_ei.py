"""Bayesian optimisation of vectors: a Gaussian process, expected improvement, and brackets."""

from __future__ import annotations

import itertools
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from dagnas.search.method import Trial, method
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.cube_process import CubeProcess
from dagnas.search.models.hyperband import Bracket, Epochs, Results, halve, rungs, variables
from dagnas.spaces.vectors import Vectors, VectorSpace

#: Standard deviations of the local moves, in sides of the unit cube, one after the other.
MOVES = (0.1, 0.05, 0.02, 0.01)
#: Vectors that local moves begin with: the most promising ones, and the best evaluated.
_ENDS = 5


@method(space=VectorSpace)
def gp_ei(
    space: VectorSpace,
    rng: np.random.Generator,
    *,
    fidelities: tuple[int, ...] = (),
    brackets: bool = True,
    eta: Annotated[int, Field(ge=2)] = 2,
    initial: PositiveInt = 8,
    candidates: PositiveInt = 1000,
    refit: PositiveInt = 3,
) -> Trial:
    """Evaluate the vector of the largest expected improvement, in brackets of successive halving.

    This is what the released code of NAGO (Ru et al. 2020, section 2.2) does under the name of
    BOHB: a Gaussian process stands for the density model. Its kernel is a squared exponential with
    a length scale for each number, noise is fitted too, and improvement is over the largest mean
    at an evaluated vector, since with noise the best signal is luck. Vectors are points of the unit
    cube; whole numbers are rounded before the model sees them.

    Parameters
    ----------
    fidelities : tuple of int
        Epochs that an evaluation can train, ascending.
    brackets : bool
        Whether trainings are of several lengths; if not, all are of the longest. With 30, 60 and
        120 epochs and ``eta = 2`` three brackets follow each other, as released: 4 generators for
        30 epochs, of which 2 are trained for 60 and 1 for 120; 2 new ones for 60, of which 1 is
        trained for 120; 1 new one for 120. Fifty times these are the 350 generators of the paper.
    eta : int
        Ratio of the epochs of successive rungs, and of those tried to those kept.
    initial : int
        Random vectors, for each length of training, before the model begins.
    candidates : int
        Random vectors among which the largest improvement is sought, before local moves.
    refit : int
        Evaluations after which hyperparameters are fitted again; later, once those evaluated are a
        tenth more.

    Notes
    -----
    The model is made of the results of one length of training, that with which the bracket begins.
    The released code adds all results anew at every bracket and so mixes lengths, which is a
    mistake. It proposes the vectors of a bracket at a time; here each is proposed when the one
    before is known.
    """
    lengths = rungs(fidelities, eta)
    lengths = lengths if brackets else lengths[-1:]
    seen = {epochs: Results(variables(space)) for epochs in lengths}
    models: dict[Epochs, tuple[int, CubeProcess]] = {}

    def propose(epochs: Epochs) -> Vectors:
        results = seen[epochs]
        count = len(results.signals)
        if count < initial:
            return space.sample(1, rng)
        points = space.encode(results.values)
        fitted, last = models.get(epochs, (0, None))
        known = last.hyperparameters if last else None
        again = count - fitted >= max(refit, fitted // 10)
        model = CubeProcess(points, results.signals, known, refit=again)
        models[epochs] = (count if again else fitted), model
        best = results.values[np.argsort(-model.predict(points)[0], kind="stable")[:_ENDS]]
        return most_promising(space, rng, model, best, candidates)

    yield from halve(space, itertools.cycle(_brackets(lengths, eta)), seen, propose)


def _brackets(lengths: tuple[Epochs, ...], eta: int) -> list[Bracket]:
    """Brackets that follow each other: each begins a rung later, with one vector of its last."""
    return [
        [(eta ** (len(lengths) - 1 - i), lengths[i]) for i in range(first, len(lengths))]
        for first in range(len(lengths))
    ]


def most_promising(
    space: VectorSpace,
    rng: np.random.Generator,
    model: CubeProcess,
    best: Vectors,
    candidates: int,
) -> Vectors:
    """Vector of the largest expected improvement that is found.

    Random vectors are followed by moves of the most promising of them, and of ``best``. Each move
    that is an improvement is kept.

    Parameters
    ----------
    space : VectorSpace
    rng : numpy Generator
    model : CubeProcess
    best : ndarray, shape (B, d)
    candidates : int
        Random vectors.

    Returns
    -------
    ndarray, shape (1, d)
    """

    def worth(vectors: Vectors) -> np.ndarray:
        return expected_improvement(*model.predict(space.encode(vectors)), model.best)

    drawn = space.sample(candidates, rng)
    ends = drawn[np.argsort(-worth(drawn), kind="stable")[:_ENDS]]
    ends = np.concatenate([ends, best])
    heights = worth(ends)
    # As many moves in all as random vectors.
    tries = max(1, candidates // (len(ends) * len(MOVES)))
    for sd in MOVES:
        moved = space.near(np.repeat(ends, tries, axis=0), rng, sd)
        moved = moved.reshape(len(ends), tries, -1)
        found = worth(moved.reshape(-1, moved.shape[-1])).reshape(len(ends), tries)
        rows, top = np.arange(len(ends)), found.argmax(axis=1)
        better = found[rows, top] > heights
        ends = np.where(better[:, None], moved[rows, top], ends)
        heights = np.where(better, found[rows, top], heights)
    return ends[[int(heights.argmax())]]
