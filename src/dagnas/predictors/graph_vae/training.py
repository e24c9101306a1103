"""Training a graph VAE with its predictors, from a checkpoint where there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from dagnas.errors import DagnasError
from dagnas.files import atomic_path
from dagnas.outside.tensors import read_tensors
from dagnas.predictors.graph_vae.model import GraphVAE, Losses, Sizes
from dagnas.predictors.graph_vae.passing import Batch
from dagnas.predictors.graph_vae.schedule import Schedule
from dagnas.predictors.predictor import drawing_from
from dagnas.spaces.cell_space import CellSpace


class Examples(NamedTuple):
    """N cells with what predictors are to learn of them.

    Attributes
    ----------
    batch : Batch
    performance, complexity : float tensor, shape (N,)
        In [0, 1], or NaN where not known.
    """

    batch: Batch
    performance: torch.Tensor
    complexity: torch.Tensor

    def take(self, rows: torch.Tensor | slice) -> Examples:
        """Some of the examples."""
        return Examples(self.batch.take(rows), self.performance[rows], self.complexity[rows])

    def to(self, device: torch.device | str) -> Examples:
        """The same examples on ``device``."""
        batch, performance, complexity = self
        return Examples(batch.to(device), performance.to(device), complexity.to(device))


class Record(NamedTuple):
    """Losses of an epoch of training: means over the cells, each when it was visited.

    Attributes
    ----------
    epoch : int
        From 1 on.
    lr : float
    nodes, edges, divergence, performance, complexity : float
        See `Losses`.
    """

    epoch: int
    lr: float
    nodes: float
    edges: float
    divergence: float
    performance: float
    complexity: float


class Training(NamedTuple):
    """Result of a finished training.

    Attributes
    ----------
    records : list of Record
        One for each epoch.
    states : dict of int to dict
        Weights after those epochs that were to be kept, as `torch.nn.Module.state_dict` gives them.
    """

    records: list[Record]
    states: dict[int, dict[str, torch.Tensor]]


def build(
    space: CellSpace, sizes: Sizes, generator: torch.Generator, bidirectional: bool = False
) -> GraphVAE:
    """Graph VAE on the CPU with weights drawn from ``generator``."""
    with drawing_from(generator):
        return GraphVAE(space, sizes, bidirectional)


def fit_graph_vae(
    model: GraphVAE,
    train: Examples,
    *,
    epochs: int = 300,
    schedule: Schedule,
    generator: torch.Generator,
    keep: Collection[int] = (),
    checkpoint: Path | None = None,
    every: int = 1,
    progress: Callable[[Record], None] | None = None,
) -> Training:
    """Train ``model`` in place on NGAE's objective (equation 6).

    An epoch visits all cells once in a new order. With a checkpoint, an interrupted training
    resumes where the last one was written and ends with the same bits as one without interruption;
    a finished one continues if more epochs are asked for.

    Parameters
    ----------
    model : GraphVAE
        On the device to train on.
    train : Examples
    epochs : int
    schedule : Schedule
    generator : torch.Generator
        Source of orders and noise, on the CPU; it ends where it would have without interruption.
    keep : collection of int
        Epochs whose weights are kept beside the last ones, which `model` has.
    checkpoint : Path, optional
        Written atomically after every ``every`` epochs and after the last.
    every : int
    progress : callable, optional
        Called with the record of each epoch.

    Returns
    -------
    Training

    Raises
    ------
    DagnasError
        Training diverges; the checkpoint is damaged, is of another training or is further on than
        ``epochs``.
    """
    device = next(model.parameters()).device
    train = train.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=schedule.lr, fused=True)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=schedule.factor, patience=schedule.patience
    )
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "plateau": plateau}
    identity = _identity(model, train, schedule, generator)
    records: list[Record] = []
    states: dict[int, dict[str, torch.Tensor]] = {}
    if checkpoint is not None and checkpoint.exists():
        stored = _read(checkpoint, identity, epochs)
        for name, part in parts.items():
            part.load_state_dict(stored[name])
        generator.set_state(stored["generator"])
        records = [Record(*values) for values in stored["records"]]
        states = stored["states"]
        if lost := sorted(epoch for epoch in keep if epoch <= len(records) and epoch not in states):
            raise DagnasError(
                f"{checkpoint} is beyond epoch {lost[0]}, whose weights are to be kept"
            )
    for epoch in range(len(records) + 1, epochs + 1):
        lr = optimizer.param_groups[0]["lr"]
        with _without_subnormals():
            means = _epoch(model, train, optimizer, schedule, generator)
        record = Record(epoch, lr, *means.tolist())
        if not means.isfinite().all():
            raise DagnasError(f"training diverges: losses of epoch {epoch} hold NaN or infinity")
        plateau.step(float(Losses(*means).objective(schedule.weights)))
        records.append(record)
        if epoch in keep:
            states[epoch] = {name: w.cpu().clone() for name, w in model.state_dict().items()}
        if checkpoint is not None and (epoch % every == 0 or epoch == epochs):
            stored = {name: part.state_dict() for name, part in parts.items()}
            stored |= {"generator": generator.get_state(), "identity": identity}
            stored |= {"records": [tuple(values) for values in records], "states": states}
            with atomic_path(checkpoint) as temporary:
                torch.save(stored, temporary)
        if progress is not None:
            progress(record)
    return Training(records, states)


@contextmanager
def _without_subnormals() -> Iterator[None]:
    """Treat numbers below 1e-38 as zero.

    Gradients of losses near zero are full of them, and a processor takes many times as long for
    each: a step on ENAS's cells late in a training takes 1.4 times as long with them.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _epoch(
    model: GraphVAE,
    train: Examples,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    generator: torch.Generator,
) -> torch.Tensor:
    """One pass over all cells; means of all losses, in the order of `Losses`, on the CPU."""
    device, count = train.performance.device, len(train.performance)
    order = torch.randperm(count, generator=generator)
    noise = schedule.noise * torch.randn(count, model.sizes.latent, generator=generator)
    shuffled, noise = train.take(order.to(device)), noise.to(device)
    totals = torch.zeros(len(Losses._fields), dtype=torch.float64, device=device)
    for start in range(0, count, schedule.batch_size):
        rows = slice(start, start + schedule.batch_size)
        optimizer.zero_grad()
        losses = model.losses(*shuffled.take(rows), noise[rows])
        torch.autograd.backward(losses.objective(schedule.weights))
        optimizer.step()
        totals += torch.stack(losses).detach().sum(dim=1)
    return totals.cpu() / count


def _identity(
    model: GraphVAE, train: Examples, schedule: Schedule, generator: torch.Generator
) -> str:
    """Text that differs between trainings whose results may differ."""
    digest = hashlib.sha256(generator.get_state().numpy().tobytes())
    for values in (*train.batch, train.performance, train.complexity):
        digest.update(values.contiguous().cpu().numpy().tobytes())
    shape = {"space": model.space.name, **asdict(model.sizes)}
    shape["bidirectional"] = model.bidirectional
    return f"{shape} {asdict(schedule)} {digest.hexdigest()}"


def as_tensors(thing: Any) -> Any:
    """Plain data with tensors in place of arrays, in dicts and lists."""
    if isinstance(thing, np.ndarray):
        return torch.from_numpy(thing)
    if isinstance(thing, dict):
        return {key: as_tensors(value) for key, value in thing.items()}
    return [as_tensors(value) for value in thing] if isinstance(thing, list) else thing


def _read(checkpoint: Path, identity: str, epochs: int) -> dict[str, Any]:
    try:
        stored: dict[str, Any] = as_tensors(read_tensors(checkpoint))
        found, done = stored["identity"], len(stored["records"])
    except (DagnasError, KeyError, TypeError) as error:
        raise DagnasError(f"{checkpoint} is no readable checkpoint: {error}") from error
    if found != identity:
        raise DagnasError(
            f"{checkpoint} is of another training; remove it or choose another file. It is of "
            f"{found}; expected {identity}"
        )
    if done > epochs:
        raise DagnasError(f"{checkpoint} is after {done} epochs, more than the {epochs} asked for")
    return stored
