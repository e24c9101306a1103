"""Operations of the DARTS space and of NAS-Bench-201 as torch modules.

Networks and supernets are made of the same modules. Stand-alone networks have batch norms with a
learnable scale; supernets often not, so that `Norm` is an argument everywhere.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Norm:
    """Settings of batch norms; called with a number of channels it makes one.

    Attributes
    ----------
    affine : bool
        Whether scale and shift are learned.
    momentum : float
        Weight of the newest batch in running statistics.
    track : bool
        False: statistics are always those of the batch, in evaluation too.
    """

    affine: bool = True
    momentum: float = 0.1
    track: bool = True

    def __call__(self, channels: int) -> nn.BatchNorm2d:
        """Batch norm of so many channels."""
        return nn.BatchNorm2d(
            channels, momentum=self.momentum, affine=self.affine, track_running_stats=self.track
        )


#: Batch norms as PyTorch has them: those of both benchmarks' official networks.
NORM = Norm()


class Zero(nn.Module):
    """Zeros of the shape that an operation of this stride gives."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        """Zeros; shape (B, C, H / stride, W / stride), rounded up."""
        return torch.zeros_like(maps[:, :, :: self.stride, :: self.stride])


class _EverySecond(nn.Conv2d):
    """1x1 convolution of stride 2."""

    #: With fewer channels and the memory format channels_last, oneDNN's AVX2 code for the gradient
    #: writes past the end of its buffers (seen with torch 2.13).
    _SAFE = 8

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        if self.in_channels < self._SAFE:
            return nn.functional.conv2d(maps[:, :, ::2, ::2], self.weight)
        return super().forward(maps)


class FactorizedReduction(nn.Module):
    """Half the pixels by two 1x1 convolutions of stride 2, the second one pixel aside.

    Each gives half the channels. An image of odd height or width is followed by zeros for the
    second convolution, so that both see equally many pixels.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    norm : Norm
    """

    def __init__(self, inputs: int, outputs: int, norm: Norm = NORM) -> None:
        super().__init__()
        half = outputs // 2
        self.relu = nn.ReLU()
        self.first = _EverySecond(inputs, outputs - half)
        self.second = _EverySecond(inputs, half)
        self.norm = norm(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of half the height and width, rounded up."""
        maps = self.relu(maps)
        height, width = maps.shape[2:]
        aside = nn.functional.pad(maps[:, :, 1:, 1:], (0, width % 2, 0, height % 2))
        found: Tensor = self.norm(torch.cat([self.first(maps), self.second(aside)], dim=1))
        return found


def relu_conv_norm(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, norm: Norm = NORM
) -> nn.Sequential:
    """ReLU, convolution, batch norm, as children ``relu``, ``conv`` and ``norm``."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(OrderedDict(relu=nn.ReLU(), conv=conv, norm=norm(outputs)))


def _depthwise(
    channels: int, kernel: int, stride: int, norm: Norm, dilation: int = 1
) -> list[nn.Module]:
    """ReLU, convolution of each channel alone, 1x1 convolution of all, batch norm."""
    padding = dilation * (kernel // 2)
    each = nn.Conv2d(
        channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
    )
    return [nn.ReLU(), each, nn.Conv2d(channels, channels, 1, bias=False), norm(channels)]


def _separable(kernel: int) -> Callable[[int, int, Norm], nn.Module]:
    """Depthwise separable convolution, applied twice."""

    def make(channels: int, stride: int, norm: Norm) -> nn.Module:
        first = _depthwise(channels, kernel, stride, norm)
        return nn.Sequential(*first, *_depthwise(channels, kernel, 1, norm))

    return make


def _dilated(kernel: int) -> Callable[[int, int, Norm], nn.Module]:
    """Depthwise separable convolution of dilation 2, applied once."""
    return lambda channels, stride, norm: nn.Sequential(
        *_depthwise(channels, kernel, stride, norm, dilation=2)
    )


def _skip(channels: int, stride: int, norm: Norm) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels, norm)


def _conv_7x1_1x7(channels: int, stride: int, norm: Norm) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, (1, 7), (1, stride), (0, 3), bias=False),
        nn.Conv2d(channels, channels, (7, 1), (stride, 1), (3, 0), bias=False),
        norm(channels),
    )


def _max_pool(channels: int, stride: int, norm: Norm) -> nn.Module:
    return nn.MaxPool2d(3, stride, padding=1)


def _average_pool(channels: int, stride: int, norm: Norm) -> nn.Module:
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


#: Operations of the DARTS space by official name; NASNet's and AmoebaNet's last two are outside it.
_DARTS: dict[str, Callable[[int, int, Norm], nn.Module]] = {
    "none": lambda channels, stride, norm: Zero(stride),
    "max_pool_3x3": _max_pool,
    "avg_pool_3x3": _average_pool,
    "skip_connect": _skip,
    "sep_conv_3x3": _separable(3),
    "sep_conv_5x5": _separable(5),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
    "sep_conv_7x7": _separable(7),
    "conv_7x1_1x7": _conv_7x1_1x7,
}


def darts_operation(
    name: str, channels: int, stride: int = 1, norm: Norm = NORM, *, norm_pools: bool = False
) -> nn.Module:
    """Operation of the DARTS space (Liu et al. 2019, section 3.1.1).

    A skip connection of stride 2 is a factorised reduction. Separable convolutions are applied
    twice, dilated ones once.

    Parameters
    ----------
    name : str
        Official name. "sep_conv_7x7" and "conv_7x1_1x7" are outside the space, for NASNet and
        AmoebaNet.
    channels : int
        Of input and output.
    stride : int
        1 or 2.
    norm : Norm
    norm_pools : bool
        Whether a batch norm without scale and shift follows a pooling. The official supernet has
        it, the network of a genotype has not.

    Returns
    -------
    torch Module
        From maps (B, channels, H, W) to (B, channels, H / stride, W / stride), rounded up.
    """
    operation = _DARTS[name](channels, stride, norm)
    if norm_pools and "pool" in name:
        return nn.Sequential(operation, replace(norm, affine=False)(channels))
    return operation


def nasbench201_operation(name: str, channels: int, norm: Norm = NORM) -> nn.Module:
    """Operation of NAS-Bench-201 (Dong and Yang 2020, section 2.1), always of stride 1.

    Convolutions are ReLU, convolution, batch norm; average pooling ignores the padding.

    Parameters
    ----------
    name : str
        One of `dagnas.spaces.nasbench201.OPERATIONS`.
    channels : int
        Of input and output.
    norm : Norm

    Returns
    -------
    torch Module
        From maps (B, channels, H, W) to maps of the same shape.
    """
    if name == "none":
        return Zero()
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return _average_pool(channels, 1, norm)
    kernel = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[name]
    return relu_conv_norm(channels, channels, kernel, norm=norm)
