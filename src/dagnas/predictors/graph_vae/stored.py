"""A trained graph VAE as a file: weights after several epochs, and how training went."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from dagnas.errors import DagnasError, unknown
from dagnas.files import atomic_path
from dagnas.outside.tensors import read_tensors
from dagnas.predictors.graph_vae.model import GraphVAE, Sizes
from dagnas.predictors.graph_vae.training import Record, Training, as_tensors
from dagnas.spaces.cell_space import CellSpace

#: Widths of networks are smaller; D-VAE's largest is 2,004.
_WIDEST = 4096


@dataclass(frozen=True)
class Stored:
    """Contents of the file.

    Attributes
    ----------
    space : str
        Name of the space whose cells are encoded.
    sizes : Sizes
    bidirectional : bool
    training : Training
        Its states are those that were kept; those after the last epoch are among them.
    """

    space: str
    sizes: Sizes
    bidirectional: bool
    training: Training

    @staticmethod
    def of(model: GraphVAE, training: Training) -> Stored:
        """Contents for a model that was just trained."""
        last = {name: weights.cpu() for name, weights in model.state_dict().items()}
        whole = training._replace(states={**training.states, len(training.records): last})
        return Stored(model.space.name, model.sizes, model.bidirectional, whole)

    def model(self, space: CellSpace, epoch: int | None = None) -> GraphVAE:
        """Model on the CPU with the weights after an epoch, by default the last.

        Raises
        ------
        DagnasError
            The space is another one, or the weights of that epoch were not kept.
        """
        if space.name != self.space:
            raise DagnasError(f"this graph VAE encodes cells of {self.space}, not of {space.name}")
        epoch = epoch or len(self.training.records)
        if epoch not in self.training.states:
            raise unknown("epoch of a graph VAE", str(epoch), map(str, self.training.states))
        weights = self.training.states[epoch]
        # Without room for weights: the widths of a file may ask for more than its weights have.
        with torch.device("meta"):
            wanted = GraphVAE(space, self.sizes, self.bidirectional).state_dict()
        if _shapes(wanted) != _shapes(weights):
            raise DagnasError(f"the weights are of another graph VAE than one of {self.sizes}")
        model = GraphVAE(space, self.sizes, self.bidirectional)
        model.load_state_dict(weights)
        return model

    def write(self, path: Path) -> None:
        """Write the file atomically; equal contents give equal bytes."""
        records, states = self.training
        stored = asdict(self) | {"training": [[tuple(record) for record in records], states]}
        # Given a path, torch would write the path's name into the file.
        buffer = io.BytesIO()
        torch.save(stored, buffer)
        with atomic_path(path) as temporary:
            temporary.write_bytes(buffer.getvalue())

    @staticmethod
    def read(path: Path) -> Stored:
        """Read the file.

        Raises
        ------
        DagnasError
            It is missing, damaged, or no such file.
        """
        try:
            return _stored(as_tensors(read_tensors(path)))
        except DagnasError as error:
            if not path.exists():
                raise
            raise DagnasError(f"{path} is no readable graph VAE: {error}") from error


def _shapes(weights: dict[str, torch.Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in weights.items()}


def _stored(found: Any) -> Stored:
    """Contents of a file, after checking their types.

    Raises
    ------
    DagnasError
        Something is missing or of another type.
    """
    try:
        records, states = found["training"]
        space, bidirectional = found["space"], found["bidirectional"]
        widths = [found["sizes"][field.name] for field in fields(Sizes)]
        rows = [[*record] for record in records]
        weights = [w for state in states.values() for w in state.items()]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DagnasError(f"it lacks a part ({type(error).__name__})") from error
    if not isinstance(space, str) or not isinstance(bidirectional, bool):
        raise DagnasError("space or direction of another type")
    if not all(type(width) is int and 0 < width <= _WIDEST for width in widths):
        raise DagnasError(f"a width of its networks is not in 1 to {_WIDEST}")
    if not rows or any(
        len(row) != len(Record._fields) or set(map(type, row)) - {int, float} for row in rows
    ):
        raise DagnasError("its records are no losses of epochs")
    if not all(type(epoch) is int for epoch in states) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in weights
    ):
        raise DagnasError("its weights are no tensors by epoch")
    training = Training([Record(*row) for row in rows], states)
    return Stored(space, Sizes(*widths), bidirectional, training)
