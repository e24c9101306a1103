"""Training of one network for itself, from new weights to accuracies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from dagnas.training.device_images import DeviceImages
from dagnas.training.train_recipe import TrainRecipe
from dagnas.training.trainer import Curve, StandAlone, drawn, evaluate, train


class Accuracies(NamedTuple):
    """Fractions of images that a trained network classifies correctly."""

    valid: float
    test: float


class Trained(NamedTuple):
    """A network after its training."""

    network: nn.Module
    curve: Curve
    accuracies: Accuracies


def train_alone(
    build: Callable[[], nn.Module],
    images: DeviceImages,
    recipe: TrainRecipe,
    names: Sequence[str | int],
    *,
    device: str = "cpu",
    devices: int = 1,
    checkpoint: Path | None = None,
    progress: Callable[[Mapping[str, float | None]], object] | None = None,
    every_epoch: bool = True,
    code: str = "",
) -> Trained:
    """Train a network from new weights and measure its accuracies on held-out images.

    Parameters
    ----------
    build : callable
        Returns the network, whose weights are drawn from the stream of ``names``.
    images : DeviceImages
    recipe : TrainRecipe
    names : sequence of str or int
        Names of the random streams.
    device, devices, checkpoint, progress, code
        As of `dagnas.training.trainer.train`.
    every_epoch : bool
        Whether the curve holds the validation accuracy after each epoch, ``valid_accuracy``, in %.

    Raises
    ------
    DagnasError
        As `dagnas.training.trainer.train` does.
    """
    network = drawn(build, *names)

    def measure(epoch: int) -> dict[str, float]:
        return {"valid_accuracy": evaluate(network, images, images.split.valid)[0]}

    curve = train(
        StandAlone(network, recipe),
        images,
        recipe,
        names,
        device=device,
        devices=devices,
        checkpoint=checkpoint,
        progress=progress,
        measure=measure if every_epoch else None,
        code=code,
    )
    valid, test = (
        evaluate(network, images, rows)[0] / 100 for rows in (images.split.valid, images.split.test)
    )
    return Trained(network, curve, Accuracies(valid, test))
