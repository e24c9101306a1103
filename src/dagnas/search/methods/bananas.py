"""BANANAS: Bayesian optimisation with an ensemble of networks on the path encoding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from dagnas.search.method import Trial, method
from dagnas.search.models.ensemble import Ensemble
from dagnas.search.models.guided import Score, guided
from dagnas.search.models.path_encoding import PathEncoding
from dagnas.search.pool import Sameness
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells


@method(
    label="BANANAS",
    colour="#DDAA33",
    per_space={
        "nasbench101": {"paths": 40, "changes": 4.0},
        "nasbench201": {"paths": 20, "changes": 1.5},
    },
)
def bananas(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    device: str = "cpu",
    initial: PositiveInt = 10,
    k: PositiveInt = 10,
    candidates: PositiveInt = 100,
    litter: PositiveInt = 100,
    changes: PositiveFloat = 2.0,
    paths: PositiveInt = 100,
    members: PositiveInt = 5,
    layers: PositiveInt = 10,
    width: PositiveInt = 20,
    epochs: PositiveInt = 150,
    batch_size: PositiveInt = 32,
    lr: PositiveFloat = 0.01,
    sameness: Sameness = "class",
) -> Trial:
    """Evaluate the mutants of the best cells that an ensemble likes best (White et al. 2021).

    Algorithm 1 with the settings of the authors' public code (naszilla), which differ from
    the paper's in the loss: it is the mean absolute error.

    Parameters
    ----------
    initial : int
        Random cells evaluated first.
    k : int
        Evaluations between two trainings of the ensemble.
    candidates : int
        Mutants of the best cells among which these are chosen.
    litter : int
        Mutants of the best cell before the next best one is mutated.
    changes : float
        Mean number of variables that a mutation changes. On NAS-Bench-101 it is that of the code,
        where each of 21 edges changes with probability 1/7 and each of 5 operations with 1/5; on
        NAS-Bench-201 each of 6 operations with 1/4.
    paths : int
        Features of the truncated path encoding: 40 on NAS-Bench-101, all paths of up to three
        operations, and 20 on NAS-Bench-201, all of up to two.
    members : int
        Networks of the ensemble.
    layers, width : int
        Hidden layers of each, and units of a layer.
    epochs, batch_size : int
        Passes over the evaluated cells at each training, from new weights, and cells of a step.
    lr : float
        Step size of Adam.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are evaluated.
    """
    generator = torch_generator(rng)
    encoding = PathEncoding(space, rng, paths)

    def learn(cells: Cells, signals: NDArray[np.float64]) -> Score:
        ensemble = Ensemble(members, len(encoding.columns), layers, width, generator, device)
        ensemble.fit(encoding(cells), 100 - signals, epochs=epochs, batch_size=batch_size, lr=lr)
        return lambda mutants: thompson(ensemble.predict(encoding(mutants)), rng)

    yield from guided(
        space,
        rng,
        learn,
        initial=initial,
        k=k,
        candidates=candidates,
        litter=litter,
        changes=changes,
        sameness=sameness,
    )


def thompson(predictions: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Independent Thompson sampling (White et al. 2021, section 4): a draw for each candidate.

    Each is normal with the mean and the standard deviation of the ensemble's predictions, that of
    the population.

    Parameters
    ----------
    predictions : ndarray, shape (M, B)
        Of M networks.
    rng : numpy Generator

    Returns
    -------
    ndarray, shape (B,)
    """
    return np.asarray(rng.normal(predictions.mean(axis=0), predictions.std(axis=0)))
