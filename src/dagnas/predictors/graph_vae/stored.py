"""A trained graph VAE as a file: weights after several epochs, and how training went."""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dagnas.errors import DagnasError, unknown
from dagnas.files import atomic_path
from dagnas.predictors.graph_vae.model import GraphVAE, Sizes
from dagnas.predictors.graph_vae.training import Record, Training
from dagnas.spaces.cell_space import CellSpace

_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    pickle.UnpicklingError,
    KeyError,
    TypeError,
    ValueError,
)


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
        model = GraphVAE(space, self.sizes, self.bidirectional)
        model.load_state_dict(self.training.states[epoch])
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
            # Plain data and tensors alone: a file from outside must not run anything.
            found: dict[str, Any] = torch.load(path, weights_only=True)
            records, states = found["training"]
            return Stored(
                found["space"],
                Sizes(**found["sizes"]),
                found["bidirectional"],
                Training([Record(*record) for record in records], states),
            )
        except FileNotFoundError as error:
            raise DagnasError(f"no such file: {path}") from error
        except _UNREADABLE as error:
            raise DagnasError(f"{path} is no readable graph VAE: {error}") from error
