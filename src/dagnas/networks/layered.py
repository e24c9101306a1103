"""Networks of decided layers (NAS over a graph search space, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from dagnas.networks.family import NetworkFamily
from dagnas.networks.shape import NetworkShape
from dagnas.spaces.layers import Layer, graph_of_layers, read_layers

#: Layers that begin with a stride of 2.
REDUCTIONS = (3, 5)
STEM = 8
_ACTIVATIONS = {"relu": nn.ReLU, "swish": nn.SiLU}


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


def _read(text: str) -> list[Layer]:
    space = graph_of_layers()
    (walk,) = space.from_str([text])
    return read_layers(space.decisions(walk))


def _make(architecture: Sequence[Layer], shape: NetworkShape) -> LayeredNetwork:
    return LayeredNetwork(architecture, shape.image_channels, shape.classes)


layers = NetworkFamily(name="layers", read=_read, make=_make, shape=NetworkShape())
