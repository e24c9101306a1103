"""Measures of a graph VAE as an autoencoder (NGAE, table 1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from dagnas.errors import DagnasError
from dagnas.predictors.graph_vae.model import GraphVAE
from dagnas.predictors.graph_vae.passing import Batch, prepare
from dagnas.predictors.graph_vae.training import Examples
from dagnas.spaces.cells import Cells

#: Cells encoded or decoded at a time.
_CHUNK = 2048


class Prior(NamedTuple):
    """Measures of what points drawn from the prior decode to, as fractions in [0, 1].

    Attributes
    ----------
    validity : float
        Of decodings that are cells of the space.
    uniqueness : float
        Different cells, up to isomorphism, for each valid decoding.
    novelty : float
        Of valid decodings that are isomorphic to no cell trained on.
    """

    validity: float
    uniqueness: float
    novelty: float


@torch.no_grad()
def posterior(model: GraphVAE, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of many cells' posteriors, shape (B, J) each."""
    count = batch.nodes.shape[1]
    parts = [
        model.encode(batch.take(slice(start, start + _CHUNK))) for start in range(0, count, _CHUNK)
    ]
    mean, log_variance = (torch.cat(values) for values in zip(*parts, strict=True))
    return mean, torch.exp(0.5 * log_variance)


@torch.no_grad()
def guesses(model: GraphVAE, batch: Batch) -> torch.Tensor:
    """Performance and complexity that the predictors give to many cells, shape (B, 2).

    At the means of the posteriors.
    """
    mean, _ = posterior(model, batch)
    return torch.cat([model.performance(mean), model.complexity(mean)], dim=1)


def errors(model: GraphVAE, examples: Examples) -> tuple[float, float]:
    """Root mean squared errors of performance and complexity (NGAE, section 5.2)."""
    truth = torch.stack([examples.performance, examples.complexity], dim=1)
    performance, complexity = (guesses(model, examples.batch) - truth).square().mean(dim=0).sqrt()
    return float(performance), float(complexity)


def reconstruction(
    model: GraphVAE,
    cells: Cells,
    *,
    generator: torch.Generator,
    noise: float = 0.01,
    encodings: int = 10,
    decodings: int = 10,
) -> float:
    """Fraction of decodings that are the encoded cell, vertex by vertex, once both are pruned.

    Parameters
    ----------
    model : GraphVAE
    cells : Cells
        Such as those of the test set.
    generator : torch.Generator
        Source of noise and choices, on the model's device.
    noise : float
        What the posterior's noise is multiplied by, as in training.
    encodings, decodings : int
        Points drawn from each cell's posterior, and decodings of each (D-VAE, section 4.1).
    """
    device = next(model.parameters()).device
    cells = model.space.prune(cells)
    mean, deviation = posterior(model, prepare(model.space, cells).to(device))
    equal = 0
    for _ in range(encodings):
        normal = torch.randn(mean.shape, generator=generator, device=device)
        points = mean + noise * deviation * normal
        for _ in range(decodings):
            for start in range(0, len(points), _CHUNK):
                rows = slice(start, start + _CHUNK)
                found, valid, _ = model.decode(points[rows], generator)
                same = model.space.prune(found[valid]).same(cells[rows][valid])
                equal += int(same.sum())
    return equal / (len(cells) * encodings * decodings)


def prior(
    model: GraphVAE,
    trained: Cells,
    *,
    generator: torch.Generator,
    points: int = 1000,
    decodings: int = 10,
) -> Prior:
    """Validity, uniqueness and novelty of what points of the prior decode to.

    As in D-VAE's released code, the points are scaled to mean and standard deviation of the
    posterior means of the cells trained on, dimension by dimension.

    Parameters
    ----------
    model : GraphVAE
    trained : Cells
        Those trained on.
    generator : torch.Generator
        Source of points and choices, on the model's device.
    points, decodings : int
        Points, and decodings of each.

    Raises
    ------
    DagnasError
        No decoding is valid.
    """
    device, space = next(model.parameters()).device, model.space
    mean, _ = posterior(model, prepare(space, trained).to(device))
    normal = torch.randn(points, mean.shape[1], generator=generator, device=device)
    drawn = mean.mean(dim=0) + mean.std(dim=0) * normal
    codes, total = [], points * decodings
    for _ in range(decodings):
        found, valid, _ = model.decode(drawn, generator)
        codes.append(space.canonical(found[valid]))
    found_codes = np.concatenate(codes)
    if not len(found_codes):
        raise DagnasError(f"none of {total} points of the prior decodes to a valid cell")
    known = np.isin(found_codes, space.canonical(trained))
    return Prior(
        len(found_codes) / total,
        len(np.unique(found_codes)) / len(found_codes),
        1 - float(known.mean()),
    )
