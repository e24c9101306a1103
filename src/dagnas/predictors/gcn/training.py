"""Training of a GCN: compiled on a CPU, by PyTorch elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dagnas.errors import DagnasError
from dagnas.predictors.fit import fit
from dagnas.predictors.gcn.compiled import train
from dagnas.predictors.gcn.model import EPSILON, MOMENTUM, Body
from dagnas.predictors.losses import WEIGHTS, weighted_square
from dagnas.predictors.predictor import drawing_from
from dagnas.spaces.cells import Graphs


def fit_square(
    body: Body,
    graphs: Graphs,
    errors: torch.Tensor,
    *,
    loss: str,
    epochs: int,
    batch_size: int = 128,
    lr: float = 1e-3,
    generator: torch.Generator,
) -> None:
    """Train a body in place by a new Adam on a weighted squared error (BONAS, section 4.1).

    The result is that of `dagnas.predictors.fit.fit` but for rounding. On a CPU it takes about a
    sixth of the time.

    Parameters
    ----------
    body : Body
    graphs : Graphs
        Encoded cells, on the body's device.
    errors : tensor, shape (N,)
        True errors as fractions, in [0, 1].
    loss : str
        A key of `dagnas.predictors.losses.WEIGHTS`.
    epochs, batch_size : int
    lr : float
    generator : torch.Generator
        Source of the order of cells.

    Raises
    ------
    DagnasError
        Training diverges.
    """
    if not body.weights.is_cpu:
        settings: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
        settings |= {"weight_decay": 0.0, "generator": generator, "loss": weighted_square(loss)}
        fit(body, graphs, errors, **settings)
        return
    with drawing_from(generator):
        orders = torch.stack([torch.randperm(len(errors)) for _ in range(epochs)])
    losses = train(
        graphs.nodes.numpy(),
        graphs.edges.numpy(),
        errors.numpy(),
        WEIGHTS[loss](1 - errors).numpy(),
        body.weights.detach().numpy(),
        body.mean.numpy(),
        body.variance.numpy(),
        orders.numpy(),
        batch_size,
        lr,
        EPSILON,
        MOMENTUM,
    )
    if not np.isfinite(losses).all():
        raise DagnasError("losses in training hold NaN or infinity")
