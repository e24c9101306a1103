"""NGAE: neural architecture optimization with a graph VAE."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from scipy.special import ndtr

from dagnas.predictors.graph_vae.labelled import Scale, label
from dagnas.predictors.graph_vae.measures import posterior
from dagnas.predictors.graph_vae.model import SIZES, GraphVAE
from dagnas.predictors.graph_vae.passing import prepare
from dagnas.predictors.graph_vae.schedule import Schedule
from dagnas.predictors.graph_vae.training import Examples, build, fit_graph_vae
from dagnas.search.method import Trial, method
from dagnas.search.models.latent import Region, ascend, decode_valid, objective
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: Form in which performance is predicted: a fraction, or a quantile of the normal distribution.
Target = Literal["share", "standardised"]


@method()
def ngae(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    device: str = "cpu",
    initial: Annotated[int, Field(ge=2)] = 100,
    proposals: PositiveInt = 50,
    unlabelled: NonNegativeInt = 1000,
    epochs: PositiveInt = 20,
    later_epochs: PositiveInt = 5,
    lr: PositiveFloat = 1e-3,
    points: PositiveInt = 3000,
    steps: PositiveInt = 20,
    rate: PositiveFloat = 1.0,
    complexity: bool = True,
    target: Target = "share",
    sameness: Sameness = "class",
) -> Trial:
    """Climb in the latent space of a graph VAE (NGAE, algorithm 1), and evaluate where it leads.

    The paper trains once, on 17,118 cells whose accuracies are known, and returns what it decodes.
    A search has few accuracies. Here training and climbing take turns with evaluation, and the
    graph VAE is shown further cells that are not evaluated: encoder, decoder and the predictor of
    complexity, which follows from the cell, learn from them as well.

    Each round climbs from many points, drawn where the codes of all these cells lie, and decodes
    where they end. Of the new cells those of the highest objective at their own codes are
    evaluated: what a point decodes to need not be as good as the point.

    Parameters
    ----------
    initial : int
        Random cells evaluated first.
    proposals : int
        New cells evaluated in each round, random ones where points lead to too few.
    unlabelled : int
        Random cells that are shown and not evaluated; later rounds may propose them.
    epochs, later_epochs : int
        Of training in the first round, and in each round after it; weights go on from the last.
    lr : float
        lambda, the learning rate.
    points : int
        Where climbs begin.
    steps, rate : int and float
        L and eta.
    complexity : bool
        Whether the objective is predicted performance less predicted complexity (equation 7), or
        performance alone. The predictor of complexity is then not trained.
    target : {"share", "standardised"}
        Form of predicted performance: the accuracy as a fraction (section 3.2), or the normal
        distribution function of the standardised accuracy. Good cells differ by hundredths of the
        first, so that complexity, which spreads over [0, 1], nearly decides alone.
    sameness : {"cell", "class"}
        Whether a cell is skipped if this very cell was evaluated, or also if a cell isomorphic
        to it was.

    Raises
    ------
    DagnasError
        With ``complexity``: the size of the space's networks is not known.
    """
    seen = Seen(space, sameness)
    generator = torch_generator(rng)
    model = build(space, SIZES["desk"], generator).to(device)
    cells = sample_new(space, initial, rng, seen)
    signals = yield cells
    # A copy: cells that the VAE is trained on are not proposed.
    others = sample_new(space, unlabelled, rng, seen.copy())
    scale = Scale.of(space.madds(concatenate([cells, others]))) if complexity else None
    schedule, now = Schedule(lr=lr), epochs
    while True:
        others = others[seen.new(others)]
        train = _examples(space, cells, _targets(signals, target), others, scale).to(device)
        fit_graph_vae(model, train, epochs=now, schedule=schedule, generator=generator)
        codes, _ = posterior(model, train.batch)
        start = Region.of(codes).draw(points, generator)
        climb = ascend(model, start, steps=steps, rate=rate, complexity=complexity)
        found, _ = decode_valid(model, climb.points)
        found = found[seen.new(found)]
        new = found[_best(model, found, complexity)[:proposals]]
        seen.add(new)
        new = concatenate([new, sample_new(space, proposals - len(new), rng, seen)])
        if not len(new):
            return
        gained = yield new
        cells, signals = concatenate([cells, new]), np.concatenate([signals, gained])
        now = later_epochs


def _targets(signals: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    """Targets of predicted performance, in [0, 1], from accuracies in %."""
    if target == "share":
        return signals / 100
    return np.asarray(ndtr((signals - signals.mean()) / (signals.std() or 1.0)))


def _examples(
    space: CellSpace,
    cells: Cells,
    targets: NDArray[np.float64],
    others: Cells,
    scale: Scale | None,
) -> Examples:
    """Evaluated cells and others, with complexities if there is a scale for them."""
    shown = concatenate([cells, others])
    known = np.concatenate([targets, np.full(len(others), np.nan)])
    if scale is not None:
        return label(space, shown, 100 * known, scale)
    performance = torch.from_numpy(known).float()
    return Examples(prepare(space, shown), performance, torch.full_like(performance, torch.nan))


@torch.no_grad()
def _best(model: GraphVAE, cells: Cells, complexity: bool) -> NDArray[np.int64]:
    """Numbers of cells by descending objective at the means of their posteriors."""
    if not len(cells):
        return np.arange(0)
    device = next(model.parameters()).device
    codes, _ = posterior(model, prepare(model.space, cells).to(device))
    return np.argsort(-objective(model, codes, complexity).cpu().numpy(), kind="stable")


#: NGAE without complexity predictor (NGAE, section 5.3).
ngae_performance = ngae.variant("ngae_performance", __name__, complexity=False)
