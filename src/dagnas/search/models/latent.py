"""Search in the latent space of a graph VAE: points of the prior, gradient ascent, decoding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dagnas.predictors.graph_vae.model import GraphVAE
from dagnas.predictors.products import frozen
from dagnas.spaces.cells import Cells


class Region(NamedTuple):
    """Region of the cells that a graph VAE was trained on: mean and deviation of their codes.

    With a small weight on its divergence, the codes do not fill the standard normal prior, so
    points are drawn from the prior scaled to this region, as in D-VAE's released code.

    Attributes
    ----------
    mean, deviation : tensor, shape (J,)
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    @staticmethod
    def of(codes: torch.Tensor) -> Region:
        """Region of posterior means, shape (N, J)."""
        return Region(codes.mean(dim=0), codes.std(dim=0))

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Points, shape (count, J); ``generator`` is on the CPU."""
        normal = torch.randn(count, len(self.mean), generator=generator)
        return self.mean + self.deviation * normal.to(self.mean)


class Climb(NamedTuple):
    """Gradient ascent of many points.

    Attributes
    ----------
    points : tensor, shape (B, J)
        Where they end.
    heights : tensor, shape (steps + 1, B)
        Objective before the first step and after each.
    """

    points: torch.Tensor
    heights: torch.Tensor


def objective(model: GraphVAE, points: torch.Tensor, complexity: bool) -> torch.Tensor:
    """Predicted performance, less predicted complexity if asked for (NGAE, equation 7); (B,)."""
    value: torch.Tensor = model.performance(points)[:, 0]
    return value - model.complexity(points)[:, 0] if complexity else value


def ascend(
    model: GraphVAE, points: torch.Tensor, *, steps: int, rate: float, complexity: bool
) -> Climb:
    """Follow the gradient of the objective from each point (NGAE, algorithm 1, lines 12 and 13).

    Parameters
    ----------
    model : GraphVAE
    points : tensor, shape (B, J)
    steps, rate : int and float
        L and eta.
    complexity : bool
        Whether the objective has the complexity predictor.
    """
    points, heights = points.detach(), []
    for _ in range(steps):
        points.requires_grad_()
        with frozen(model):
            height = objective(model, points, complexity)
            (gradient,) = torch.autograd.grad(height.sum(), points)
        heights.append(height.detach())
        points = (points + rate * gradient).detach()
    with torch.no_grad():
        heights.append(objective(model, points, complexity))
    return Climb(points, torch.stack(heights))


def decode_valid(model: GraphVAE, points: torch.Tensor) -> tuple[Cells, NDArray[np.int64]]:
    """Likeliest decodings that are cells of the space, pruned, and the points they come from.

    Where places of a cell depend on each other, decodings are brought to the nearest cells.
    """
    if not model.space.variables_are_places:
        return model.decode_to_nearest(points), np.arange(len(points))
    cells, valid, _ = model.decode(points)
    rows = np.flatnonzero(valid)
    return model.space.prune(cells[rows]), rows
