"""D-VAE with Bayesian optimisation, which NGAE compares with.

A graph VAE is trained without accuracies, and a Gaussian process on its latent space chooses the
points to decode and evaluate (Zhang et al., NeurIPS 2019, section 4.3).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from dagnas.predictors.graph_vae.measures import posterior
from dagnas.predictors.graph_vae.model import SIZES, GraphVAE
from dagnas.predictors.graph_vae.passing import prepare
from dagnas.predictors.graph_vae.schedule import Schedule, Weights
from dagnas.predictors.graph_vae.training import Examples, build, fit_graph_vae
from dagnas.search.method import Trial, method
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.latent import Region, decode_valid
from dagnas.search.models.latent_process import LatentProcess, Posterior
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: Where improvement is expected: at drawn points, or at the codes of their cells.
At = Literal["points", "codes"]


@method()
def dvae_bo(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    device: str = "cpu",
    initial: Annotated[int, Field(ge=2)] = 100,
    unlabelled: NonNegativeInt = 1000,
    epochs: PositiveInt = 25,
    lr: PositiveFloat = 1e-3,
    batch: PositiveInt = 50,
    inducing: PositiveInt = 500,
    candidates: PositiveInt = 10_000,
    at: At = "points",
    sameness: Sameness = "class",
) -> Trial:
    """Bayesian optimisation in the latent space of a graph VAE that knows no accuracies.

    The VAE is NGAE's, trained once on the cells evaluated first and on others that are not
    evaluated: embedding a space takes no accuracies. D-VAE trains on 17,118 cells of ENAS.

    Parameters
    ----------
    initial : int
        Random cells evaluated first.
    unlabelled : int
        Further random cells to train on, without evaluation.
    epochs : int
        Of training.
    lr : float
        Learning rate.
    batch : int
        New cells evaluated in each round.
    inducing : int
        Inducing points of the Gaussian process, at most.
    candidates : int
        Points of the latent space that each round chooses from; D-VAE's released code draws as
        many, uniformly in a box, and then climbs from the best one.
    at : {"points", "codes"}
        Where improvement is expected: at a point, as in D-VAE, or at the code of the cell that it
        decodes to. The process learns from codes of cells, and a drawn point can be far from all
        of these, its own cell's among them.
    sameness : {"cell", "class"}
        Whether a cell is skipped if this very cell was evaluated, or also if a cell isomorphic
        to it was.
    """
    seen = Seen(space, sameness)
    generator = torch_generator(rng)
    model = build(space, SIZES["desk"], generator).to(device)
    cells = sample_new(space, initial, rng, seen)
    signals = yield cells
    # A copy: cells that the VAE is trained on are not proposed.
    shown = concatenate([cells, sample_new(space, unlabelled, rng, seen.copy())])
    unknown = torch.full((len(shown),), torch.nan)
    fit_graph_vae(
        model,
        Examples(prepare(space, shown), unknown, unknown),
        epochs=epochs,
        schedule=Schedule(lr=lr, weights=Weights(performance=0, complexity=0)),
        generator=generator,
    )
    yield from bayesian_rounds(
        model,
        cells,
        signals,
        batch=batch,
        inducing=inducing,
        candidates=candidates,
        at=at,
        rng=rng,
        seen=seen,
    )


def bayesian_rounds(
    model: GraphVAE,
    cells: Cells,
    signals: NDArray[np.float64],
    *,
    batch: int,
    inducing: int,
    candidates: int,
    at: At = "points",
    rng: np.random.Generator,
    seen: Seen,
) -> Generator[Cells, NDArray[np.float64], None]:
    """Rounds of Bayesian optimisation with a trained graph VAE.

    Each round fits a sparse Gaussian process to the codes of all evaluated cells, draws points,
    decodes them, and chooses among those that give new cells by `choose`. Points are drawn where
    the codes of the given cells lie: those of later ones, chosen to be good, would narrow the
    region.

    Parameters
    ----------
    model : GraphVAE
        Trained; it is not changed.
    cells : Cells
        At least two, evaluated.
    signals : ndarray, shape (B,)
        Their accuracies, in %.
    batch, inducing, candidates, at : int, int, int and str
        See `dvae_bo`.
    rng : numpy Generator
    seen : Seen
        Cells that are no longer new, ``cells`` among them; proposals are added.

    Yields
    ------
    Cells
        ``batch`` new ones, the first chosen first; random ones where points lead to too few, and
        fewer if the space is spent, which ends the rounds. Their accuracies are to be sent.
    """
    space, generator = model.space, torch_generator(rng)
    codes = _encode(model, cells)
    region, known = Region.of(codes), _as_array(codes)
    while True:
        targets = (signals - signals.mean()) / (signals.std() or 1.0)
        process = LatentProcess.fitted(known, targets, inducing, rng)
        points = region.draw(candidates, generator)
        found, rows = decode_valid(model, points)
        places = _as_array(points[rows] if at == "points" else _encode(model, found))
        # Of points with the same cell, the one of the largest improvement now stands for it.
        found_at, best = process.at(places), targets.max()
        order = np.argsort(-expected_improvement(found_at.mean, found_at.sd, best), kind="stable")
        order = order[seen.new(found[order])]
        new = found[order[choose(process.at(places[order]), best, batch)]]
        seen.add(new)
        new = concatenate([new, sample_new(space, batch - len(new), rng, seen)])
        if not len(new):
            return
        gained = yield new
        known = np.concatenate([known, _as_array(_encode(model, new))])
        signals = np.concatenate([signals, gained])


def choose(candidates: Posterior, best: float, count: int) -> NDArray[np.int64]:
    """Choose points one after another, each of the largest expected improvement.

    Every chosen point is then taken to have the value that is predicted there, before the next
    one is chosen (the "kriging believer" of Ginsbourger et al. 2010).

    Parameters
    ----------
    candidates : Posterior
        At the points to choose from; it takes in the values predicted at the chosen ones.
    best : float
        Largest value so far.
    count : int
        Points to choose; there may be fewer.

    Returns
    -------
    ndarray of int
        Their numbers, the first chosen first.
    """
    chosen: list[int] = []
    for _ in range(min(count, len(candidates.mean))):
        gains = expected_improvement(candidates.mean, candidates.sd, best)
        gains[chosen] = -np.inf
        row = int(gains.argmax())
        best = max(best, candidates.mean[row])
        candidates.add(row, candidates.mean[row])
        chosen.append(row)
    return np.array(chosen, dtype=np.int64)


def _encode(model: GraphVAE, cells: Cells) -> torch.Tensor:
    """Means of the cells' posteriors, shape (B, J), on the model's device."""
    device = next(model.parameters()).device
    if not len(cells):
        return torch.empty(0, model.sizes.latent, device=device)
    return posterior(model, prepare(model.space, cells).to(device))[0]


def _as_array(points: torch.Tensor) -> NDArray[np.float64]:
    return points.cpu().numpy().astype(np.float64)
