"""NPENAS: evolution guided by a neural predictor."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from dagnas.predictors.fit import as_tensors
from dagnas.predictors.gcn.model import GCN
from dagnas.predictors.gcn.training import fit_square
from dagnas.predictors.predictor import drawing_from
from dagnas.search.method import Trial, method
from dagnas.search.models.guided import Score, guided
from dagnas.search.pool import Sameness
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs


@method(
    label="NPENAS-NP",
    colour="#CC6677",
    per_space={"nasbench101": {"changes": 4.0}},
)
def npenas(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    device: str = "cpu",
    initial: PositiveInt = 10,
    k: PositiveInt = 10,
    candidates: PositiveInt = 100,
    parents: PositiveInt = 10,
    changes: PositiveFloat = 1.0,
    epochs: PositiveInt = 300,
    batch_size: PositiveInt = 16,
    lr: PositiveFloat = 0.005,
    sameness: Sameness = "class",
) -> Trial:
    """Mutate the best cells into many, evaluate those that a network predicts to be best.

    NPENAS-NP of Wei et al. (2020, algorithm 1 and section 3), with the settings of the
    authors' public code. In place of their graph isomorphism network there is BONAS's network with
    a global vertex, in their size and, like theirs, with plain sums over predecessors.

    Parameters
    ----------
    initial : int
        Random cells evaluated first.
    k : int
        Evaluations between two trainings of the network.
    candidates : int
        Mutants among which these are chosen.
    parents : int
        Best cells that are mutated, each into an equal share of the candidates; the next best ones
        where too few of these are new.
    changes : float
        Mean number of variables that a mutation changes, 1 for exactly one. On NAS-Bench-101 it is
        that of the code, where each of 21 edges changes with probability 1/7 and each of 5
        operations with 1/5.
    epochs, batch_size : int
        Passes over the evaluated cells at each training, from new weights, and cells of a step.
    lr : float
        Step size of Adam.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are evaluated.
    """
    generator = torch_generator(rng)

    def learn(cells: Cells, signals: NDArray[np.float64]) -> Score:
        with drawing_from(generator):
            network = GCN(space, layers=3, hidden=32, normalized=False).to(device)
        fit_square(
            network.body,
            _encode(network, space, cells, device),
            torch.as_tensor(1 - signals / 100, dtype=torch.float32, device=device),
            loss="mse",
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            generator=generator,
        )
        return lambda mutants: _errors(network, space, mutants, device)

    yield from guided(
        space,
        rng,
        learn,
        initial=initial,
        k=k,
        candidates=candidates,
        litter=max(candidates // parents, 1),
        changes=changes,
        sameness=sameness,
    )


def _errors(network: GCN, space: CellSpace, cells: Cells, device: str) -> NDArray[np.float64]:
    """Predicted errors, as fractions."""
    network.eval()
    with torch.inference_mode():
        errors = network.body(_encode(network, space, cells, device))
    return np.asarray(errors.cpu().numpy())


def _encode(network: GCN, space: CellSpace, cells: Cells, device: str) -> Graphs:
    return network.encode(as_tensors(space.to_graph(space.prune(cells)), device))
