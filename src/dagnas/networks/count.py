"""Parameters and multiply-adds of any network, without computing anything."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


class LayerCount(NamedTuple):
    """Size of one part of a network.

    Attributes
    ----------
    name, kind : str
        Place in the network, and class of the module.
    shape : tuple of int
        Channels, height and width of the output for one image, or its length; empty for a part
        that only training runs.
    parameters : int
    multiply_adds : int
        Of convolutions and linear layers, biases left out, for one image.
    elementwise : int
        Further operations as the counters of P-DARTS and PC-DARTS have them: two an element of
        batch norms, one an element of ReLUs, one an element that a pooling reads, and biases.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    elementwise: int


class Count(NamedTuple):
    """Size of a network and of its parts; fields as those of `LayerCount`."""

    layers: tuple[LayerCount, ...]

    @property
    def parameters(self) -> int:
        """Trainable parameters, an auxiliary head's included."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of convolutions and linear layers."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def elementwise(self) -> int:
        """Operations of batch norms, ReLUs, poolings and biases."""
        return sum(layer.elementwise for layer in self.layers)


def parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def count(network: nn.Module, image: tuple[int, int, int]) -> Count:
    """Size of a network in evaluation, on one image.

    Shapes alone are computed, on torch's device ``meta``, by a copy of the network.

    Parameters
    ----------
    network : torch Module
        On any device, also ``meta``.
    image : (int, int, int)
        Channels, height and width.
    """
    network = copy.deepcopy(network).to("meta").eval()
    shapes: dict[nn.Module, tuple[int, ...]] = {}
    elementwise: Counter[nn.Module] = Counter()

    def note(module: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        shapes[module] = tuple(found.shape[1:])
        elementwise[module] += _elementwise(module, given[0], found)

    for module in network.modules():
        module.register_forward_hook(note)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *image, device="meta"))
    # Flops are two a multiply-add.
    flops = counter.get_flop_counts()
    top = type(network).__name__
    return Count(
        tuple(
            LayerCount(
                name,
                type(part).__name__,
                shapes.get(part, ()),
                parameters(part),
                sum(flops.get(f"{top}.{name}", {}).values()) // 2,
                sum(elementwise[module] for module in part.modules()),
            )
            for name, part in _parts(network)
            if not isinstance(part, nn.Identity)
        )
    )


def _parts(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Children of a network, those in lists one by one."""
    for name, part in network.named_children():
        if isinstance(part, (nn.ModuleList, nn.ModuleDict)):
            yield from _parts(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part


def _elementwise(module: nn.Module, given: Tensor, found: Tensor) -> int:
    if isinstance(module, nn.BatchNorm2d):
        return 2 * found.numel()
    if isinstance(module, nn.ReLU):
        return found.numel()
    if isinstance(module, _POOLS):
        return given.numel()
    if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
        return found.numel()
    return 0
