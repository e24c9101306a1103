"""Training of networks of decided layers (NAS over a graph search space, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dagnas.networks.layered import LayeredNetwork
from dagnas.seeds import stream, torch_generator
from dagnas.spaces.layers import Layer
from dagnas.training.images import ImageSet, Split, shift


@dataclass(frozen=True, kw_only=True)
class LayeredRecipe:
    """Training of a network.

    Attributes
    ----------
    epochs : int
        20 in section 4.3.
    batch_size : int
    learning_rate, momentum, weight_decay : float
    shift : int
        As in `dagnas.training.recipe.Recipe`.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    shift: int = 1


class Accuracies(NamedTuple):
    """Fractions of images that a trained network classifies correctly."""

    valid: float
    test: float


def train_layers(
    layers: Sequence[Layer],
    images: ImageSet,
    parts: Split,
    recipe: LayeredRecipe,
    names: Sequence[str | int],
    device: str = "cpu",
) -> Accuracies:
    """Train a network from new weights and measure its accuracies on held-out images.

    Parameters
    ----------
    layers : sequence of Layer
    images : ImageSet
    parts : Split
        Images to train, validate and test on.
    recipe : LayeredRecipe
    names : sequence of str or int
        Names of the random stream of weights and batches.
    device : str
    """
    rng = stream(images.name, *names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        network = LayeredNetwork(layers, images.images.shape[3], images.classes).to(device)
    pixels = images.images[parts.train]
    mean, deviation = pixels.mean(), pixels.std()
    labels = torch.from_numpy(images.labels).to(device)

    def normalised(some: NDArray[np.uint8]) -> torch.Tensor:
        scaled = (some.astype(np.float32) - mean) / deviation
        return torch.from_numpy(scaled.transpose(0, 3, 1, 2)).to(device, torch.float32)

    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    steps = len(parts.train) // recipe.batch_size
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs * steps)
    generator = torch_generator(rng)
    for _ in range(recipe.epochs):
        order = torch.randperm(len(parts.train), generator=generator).numpy()
        for batch in order[: steps * recipe.batch_size].reshape(steps, -1):
            rows = parts.train[batch]
            moved = normalised(shift(images.images[rows], recipe.shift, rng))
            loss = nn.functional.cross_entropy(network(moved), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()

    def accuracy(rows: NDArray[np.int64]) -> float:
        correct = 0
        with torch.inference_mode():
            for some in np.array_split(rows, -(-len(rows) // 512)):
                found = network(normalised(images.images[some])).argmax(dim=1)
                correct += int((found == labels[some]).sum())
        return correct / len(rows)

    return Accuracies(accuracy(parts.valid), accuracy(parts.test))
