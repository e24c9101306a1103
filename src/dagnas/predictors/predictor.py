"""Predictors: named builders of torch modules with typed settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dagnas.errors import DagnasError
from dagnas.settings import Settings
from dagnas.spaces.cell_space import CellSpace

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Predictor:
    """Kind of model that scores cells, made by `predictor` from a builder function.

    Attributes
    ----------
    builder : callable
        ``builder(space, *, setting: type = default, ...)`` returns an ``nn.Module`` whose
        ``forward(graphs)`` maps relaxed cells of ``space`` (``Graphs`` of torch tensors: nodes
        (B, V, T), edges (B, V, V, R)) to scores (B,), lower for better cells. A module whose first
        part has no weights may be an `dagnas.predictors.encoded.EncodedPredictor`.
    """

    builder: Callable[..., nn.Module]

    @property
    def name(self) -> str:
        """Name of the builder."""
        return self.builder.__name__

    @property
    def module(self) -> str:
        """Dotted name of the module that defines the builder."""
        return self.builder.__module__

    @cached_property
    def _settings(self) -> Settings:
        return Settings(f"predictor {self.name!r}", self.builder)

    @property
    def settings(self) -> dict[str, Any]:
        """All settings and their defaults."""
        return self._settings.defaults

    def build(self, space: CellSpace, generator: torch.Generator, **settings: Any) -> nn.Module:
        """Build a module for ``space`` on the CPU, with weights drawn from ``generator``.

        Builders use torch's ordinary initialisers. Torch's global CPU generator is put aside while
        they run: weights do not depend on it, and it does not advance.

        Parameters
        ----------
        space : CellSpace
            The space to score; its masks give V, T and R.
        generator : torch.Generator
            Source of the weights, on the CPU.
        **settings
            Override the defaults.

        Raises
        ------
        DagnasError
            The name of a setting is unknown, or a value is not of its type or range; or the
            builder returns no module with weights in single precision.
        """
        with drawing_from(generator):
            model = self.builder(space, **self._settings.check(settings))
        self._check_weights(model)
        return model

    def _check_weights(self, model: Any) -> None:
        import torch
        from torch import nn

        if not isinstance(model, nn.Module):
            what = "None" if model is None else f"a {type(model).__name__}"
            raise DagnasError(f"predictor {self.name!r} returns {what}, no module of torch")
        weights = list(model.parameters())
        if not weights:
            raise DagnasError(f"predictor {self.name!r} has no parameters, so nothing to train")
        for values in weights:
            if values.dtype != torch.float32:
                raise DagnasError(
                    f"predictor {self.name!r} has weights of {values.dtype}; cells are given as "
                    "torch.float32"
                )


def predictor(builder: Callable[..., nn.Module]) -> Predictor:
    """Decorate a builder function as the predictor of its name."""
    return Predictor(builder)


@contextmanager
def drawing_from(generator: torch.Generator, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's global generators from ``generator``, and put them back afterwards.

    What draws from global state in the context (initialisers, dropout) then depends on
    ``generator`` alone. ``device`` is a GPU that may draw beside the CPU.
    """
    import torch

    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    on_gpu = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            torch.cuda.manual_seed(seed)
        yield
