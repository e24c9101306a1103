"""NAO: neural architecture optimization."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from dagnas.predictors.nao import NAO, fit_nao
from dagnas.predictors.predictor import drawing_from
from dagnas.search.method import Proposal, Trial, method
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

Weight = Annotated[float, Field(ge=0, le=1)]

#: Steps decoded at a time: decoding token by token is as slow for one as for several.
_TOGETHER = 10


@method()
def nao(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    initial: PositiveInt = 100,
    proposals: PositiveInt = 100,
    seeds: PositiveInt = 100,
    steps: PositiveInt = 100,
    lr: PositiveFloat = 0.01,
    trade_off: Weight = 0.8,
    step_size: PositiveFloat = 1.0,
    max_steps: PositiveInt = 100,
    sameness: Sameness = "class",
) -> Trial:
    """Climb in the embedding space of an auto-encoder of cells (Luo et al. 2018, algorithm 1).

    With the settings of Luo et al. (2020) for 300 evaluations of NAS-Bench-101, but for training:
    theirs takes 10,000 steps at a rate of 0.001 for every 100 cells in the pool.

    Parameters
    ----------
    initial : int
        Random cells in the first pool.
    proposals : int
        New cells evaluated in each round.
    seeds : int
        Best cells of the pool, whose embeddings are moved.
    steps : int
        Training steps of the auto-encoder in each round, each of up to 100 cells; it continues
        from the weights of the last round.
    lr : float
        Learning rate.
    trade_off : float
        lambda, the weight of the predictor's loss; the decoder's has 1 - lambda.
    step_size : float
        eta. The seeds are moved by eta, 2 eta, 3 eta ... until there are enough new cells.
    max_steps : int
        Largest multiple of eta; cells still missing then are drawn at random.
    sameness : {"cell", "class"}
        Whether a cell is skipped if this very cell was evaluated, or also if a cell isomorphic
        to it was.
    """
    seen = Seen(space, sameness)
    generator = torch_generator(rng)
    with drawing_from(generator):
        network = NAO(space.sizes.tolist())
    cells = sample_new(space, initial, rng, seen)
    signals = yield cells
    while True:
        # Pruned: parts of a cell without effect would only mislead the network.
        values = torch.from_numpy(space.to_values(space.prune(cells)))
        scaled = (signals - signals.mean()) / (signals.std() or 1.0)
        fit_nao(
            network,
            values,
            torch.from_numpy(scaled).float(),
            steps=steps,
            trade_off=trade_off,
            lr=lr,
            generator=generator,
        )
        best = np.argsort(-signals, kind="stable")[:seeds]
        new, origins = _ascend(
            space, network, values[torch.from_numpy(best)], seen, step_size, proposals, max_steps
        )
        fill = sample_new(space, proposals - len(new), rng, seen)
        new = concatenate([new, fill])
        if not len(new):
            return
        gained = yield Proposal(new, np.concatenate([best[origins], np.full(len(fill), -1)]))
        cells = concatenate([cells, new])
        signals = np.concatenate([signals, gained])


def _ascend(
    space: CellSpace,
    network: NAO,
    values: torch.Tensor,
    seen: Seen,
    step_size: float,
    wanted: int,
    max_steps: int,
) -> tuple[Cells, NDArray[np.int64]]:
    """New cells, noted as proposed, that seeds become when their codes climb.

    Parameters
    ----------
    values : int tensor, shape (B, L)
        Values of all variables of the seeds, best first.

    Returns
    -------
    new : Cells
        At most ``wanted``: from short steps first, and from better seeds first.
    origins : ndarray of int
        Seed that each comes from.
    """
    with torch.no_grad():
        codes = network.encode(values)
    found, origins = [space.from_values(values[:0].numpy())], [np.arange(0)]
    missing = wanted
    for multiples in torch.split(torch.arange(1, max_steps + 1), _TOGETHER):
        moved = [network.move(codes, multiple * step_size) for multiple in multiples.tolist()]
        decoded = space.from_values(network.generate(torch.cat(moved)).numpy())
        valid = np.flatnonzero(space.is_valid(decoded))
        new = valid[seen.new(decoded[valid])][:missing]
        seen.add(decoded[new])
        found.append(decoded[new])
        origins.append(new % len(codes))
        missing -= len(new)
        if not missing:
            break
    return concatenate(found), np.concatenate(origins)
