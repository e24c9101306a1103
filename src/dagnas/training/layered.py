"""Networks of decided layers, and their training (NAS over a graph search space, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dagnas.seeds import stream, torch_generator
from dagnas.spaces.layers import Layer
from dagnas.training.images import ImageSet, Split, shift

#: Layers that begin with a stride of 2.
REDUCTIONS = (3, 5)
STEM = 8
_ACTIVATIONS = {"relu": nn.ReLU, "swish": nn.SiLU}


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


class LayeredNetwork(nn.Sequential):
    """Network of a stem, the layers, and a linear classifier of the mean over pixels.

    Parameters
    ----------
    layers : sequence of Layer
    image_channels, classes : int
    """

    def __init__(self, layers: Sequence[Layer], image_channels: int, classes: int) -> None:
        blocks: list[nn.Module] = [_convolution(image_channels, STEM, 3), nn.ReLU()]
        channels = STEM
        for number, layer in enumerate(layers, start=1):
            for repeat in range(layer.repeats):
                stride = 2 if number in REDUCTIONS and repeat == 0 else 1
                blocks.append(_Block(channels, layer, stride))
                channels = layer.filters
        pool: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(*blocks, *pool, nn.Linear(channels, classes))


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution and batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class _Block(nn.Module):
    """Repetition of a layer: its operation, squeeze-and-excitation, and the skip connection."""

    def __init__(self, channels: int, layer: Layer, stride: int) -> None:
        super().__init__()
        activation, kernel, filters = _ACTIVATIONS[layer.activation], layer.kernel, layer.filters
        if layer.operation == "convolution":
            parts = [_convolution(channels, filters, kernel, stride), activation()]
        else:
            wide = channels * layer.expansion
            parts = [_convolution(channels, wide, 1), activation()] if wide > channels else []
            parts += [_convolution(wide, wide, kernel, stride, groups=wide), activation()]
            parts += [_convolution(wide, filters, 1)]
            # An inverted bottleneck ends linearly (Sandler et al. 2018).
            parts += [] if layer.operation == "inverted" else [activation()]
        if layer.squeeze:
            parts.append(_Squeeze(filters, layer.squeeze, activation))
        self.body = nn.Sequential(*parts)
        self.skip = layer.skip and stride == 1 and channels == filters

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.body(maps)
        return found + maps if self.skip else found


class _Squeeze(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018): weights of channels from their means over pixels."""

    def __init__(self, channels: int, fraction: float, activation: type[nn.Module]) -> None:
        super().__init__()
        narrow = max(1, int(channels * fraction))
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, narrow, 1),
            activation(),
            nn.Conv2d(narrow, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        scaled: torch.Tensor = maps * self.scale(maps)
        return scaled


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
