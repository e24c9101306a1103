"""Training of predictors, and their scores and gradients at cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from dagnas.errors import DagnasError
from dagnas.predictors.losses import pairwise_ranking
from dagnas.predictors.predictor import drawing_from
from dagnas.predictors.products import frozen
from dagnas.spaces.cells import Graphs

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Fit(NamedTuple):
    """Training state: optimizer and losses.

    Attributes
    ----------
    optimizer : torch.optim.Optimizer
        With its state, to be given to the next `fit` of the same model.
    losses : tensor, shape (epochs,)
        Sum of the batches' losses in each epoch, on the model's device.
    """

    optimizer: torch.optim.Optimizer
    losses: torch.Tensor


def as_tensors(graphs: Graphs, device: torch.device | str = "cpu") -> Graphs:
    """Graphs as float32 tensors on ``device``; no copy of what already is."""
    return Graphs(*(torch.as_tensor(a, dtype=torch.float32, device=device) for a in graphs))


def fit(
    model: nn.Module,
    graphs: Graphs,
    targets: Any,
    *,
    epochs: int = 25,
    batch_size: int = 32,
    lr: float = 2e-3,
    weight_decay: float = 5e-4,
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Loss = pairwise_ranking,
) -> Fit:
    """Train ``model`` in place on evaluated cells (defaults: GOAL, sections 6.2 and 6.3).

    Each epoch visits the cells once, in minibatches of an order drawn on the CPU. A last batch of
    a single cell is left out: it holds no pair. The result depends on the data, the weights,
    ``generator`` and ``optimizer`` alone.

    Parameters
    ----------
    model : nn.Module
        A built predictor, on the device to train on.
    graphs : Graphs
        Cells: nodes (N, V, T), edges (N, V, V, R); NumPy's or torch's.
    targets : array or tensor, shape (N,)
        True values, lower for better cells (such as the error in percent).
    epochs, batch_size : int
        Passes over the cells, cells per step.
    lr, weight_decay : float
        Step size of a new Adam, and its L2 penalty.
    generator : torch.Generator
        Source of the order (and of dropout, in models that have it), on the CPU.
    optimizer : torch.optim.Optimizer, optional
        Of an earlier `fit` of this model. By default a new Adam.
    loss : callable
        Maps scores and targets of a batch, both (B,), to its loss.

    Raises
    ------
    DagnasError
        Cells and targets differ in number or are not finite, or training diverges.
    """
    device = next(model.parameters()).device
    nodes, edges = as_tensors(graphs, device)
    targets = torch.as_tensor(targets, dtype=torch.float32, device=device)
    if not len(nodes) == len(edges) == len(targets):
        raise DagnasError(f"{len(nodes)} cells to train on, but {len(targets)} targets")
    for name, values in (("nodes", nodes), ("edges", edges), ("targets", targets)):
        _check_finite(values, f"{name} to train on")
    if optimizer is None:
        optimizer = torch.optim.Adam(
            model.parameters(), lr=lr, weight_decay=weight_decay, fused=True
        )
    losses = torch.zeros(epochs, device=device)
    model.train()
    with drawing_from(generator, device):
        for epoch in range(epochs):
            order = torch.randperm(len(targets)).to(device)
            batches = (values[order].split(batch_size) for values in (nodes, edges, targets))
            for *inputs, truth in zip(*batches, strict=True):
                if len(truth) > 1:
                    optimizer.zero_grad()
                    value = loss(model(Graphs(*inputs)), truth)
                    torch.autograd.backward(value)
                    optimizer.step()
                    losses[epoch] += value.detach()
    _check_finite(losses, "losses in training")
    return Fit(optimizer, losses)


def predict(model: nn.Module, graphs: Graphs, batch: int = 256) -> torch.Tensor:
    """Score cells.

    Parameters
    ----------
    model : nn.Module
        A trained predictor.
    graphs : Graphs
        Cells: nodes (N, V, T), edges (N, V, V, R); NumPy's or torch's.
    batch : int
        Cells at a time.

    Returns
    -------
    tensor, shape (N,)
        On the model's device; lower is better.

    Raises
    ------
    DagnasError
        A score is not finite.
    """
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        parts = [
            model(as_tensors(Graphs(*(a[start : start + batch] for a in graphs)), device))
            for start in range(0, len(graphs.nodes), batch)
        ]
        scores = torch.cat(parts) if parts else torch.empty(0, device=device)
    _check_finite(scores, "scores of cells")
    return scores


def gradient(model: nn.Module, graphs: Graphs) -> Graphs:
    """Gradient of every cell's score with respect to its one-hots, for GOAL's equation 4.

    Parameters
    ----------
    model : nn.Module
        A trained predictor.
    graphs : Graphs
        Cells, one-hot or relaxed: nodes (B, V, T), edges (B, V, V, R).

    Returns
    -------
    Graphs
        Of the same shapes, on the model's device; zero for i >= j, where cells have no edges.

    Raises
    ------
    DagnasError
        A gradient is not finite.
    """
    device = next(model.parameters()).device
    model.eval()
    inputs = [values.detach().requires_grad_() for values in as_tensors(graphs, device)]
    with frozen(model):
        scores = model(Graphs(*inputs))
        nodes, edges = torch.autograd.grad(scores.sum(), inputs, materialize_grads=True)
    edges = edges * torch.ones_like(edges[0, :, :, 0]).triu(1)[..., None]
    for values in (nodes, edges):
        _check_finite(values, "gradients at cells")
    return Graphs(nodes, edges)


def _check_finite(values: torch.Tensor, what: str) -> None:
    if not values.isfinite().all():
        raise DagnasError(f"{what} hold NaN or infinity")
