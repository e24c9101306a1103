"""Networks of NAS-Bench-201 cells (Dong and Yang 2020, section 2.1)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from dagnas.networks.family import NetworkFamily
from dagnas.networks.operations import NORM, Norm, nasbench201_operation, relu_conv_norm
from dagnas.networks.shape import NetworkShape
from dagnas.spaces.cells import Cells
from dagnas.spaces.nasbench201 import OPERATIONS
from dagnas.spaces.nasbench201 import nasbench201 as _space
from dagnas.spaces.sizes.nasbench201 import Skeleton201


class Cell201(nn.Module):
    """Cell: every vertex is the sum of its edges' operations on the vertices before.

    Operations are children named by their edge, such as "01".

    Parameters
    ----------
    cell : Cells
        One cell. Operations without effect are kept, as in the benchmark, whose parameters they
        count to; a batch pruned before has none.
    channels : int
    norm : Norm
    """

    def __init__(self, cell: Cells, channels: int, norm: Norm = NORM) -> None:
        super().__init__()
        (edges,) = cell.edges
        self.steps = [(i, j) for j in range(1, 4) for i in range(j) if edges[i, j]]
        for i, j in self.steps:
            operation = OPERATIONS[edges[i, j]]
            self.add_module(f"{i}{j}", nasbench201_operation(operation, channels, norm))

    def forward(self, maps: Tensor) -> Tensor:
        """Last vertex; the shape of the maps."""
        vertices = [maps] + [torch.zeros_like(maps)] * 3
        for i, j in self.steps:
            vertices[j] = vertices[j] + self.get_submodule(f"{i}{j}")(vertices[i])
        return vertices[3]


class Reduction201(nn.Module):
    """Half the pixels, twice the channels.

    Parameters
    ----------
    channels : int
        Of the input.
    residual : bool
        As in `dagnas.spaces.sizes.nasbench201.Skeleton201`.
    norm : Norm
    """

    def __init__(self, channels: int, residual: bool = True, norm: Norm = NORM) -> None:
        super().__init__()
        # An odd last row or column stays, averaged alone: 3x3 convolutions of stride 2 keep it.
        self.pool = nn.AvgPool2d(2, stride=2, ceil_mode=True)
        self.conv = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.residual = residual
        if residual:
            self.a = relu_conv_norm(channels, 2 * channels, 3, 2, norm)
            self.b = relu_conv_norm(2 * channels, 2 * channels, 3, norm=norm)
        else:
            self.norm = norm(2 * channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of half the height and width, rounded up."""
        short = self.conv(self.pool(maps))
        found: Tensor = short + self.b(self.a(maps)) if self.residual else self.norm(short)
        return found


class Network201(nn.Module):
    """Network of one cell; its children are named as the tensors of `StackedNetworks`.

    Parameters
    ----------
    cell : Cells
        One cell; see `Cell201`.
    skeleton : Skeleton201
    norm : Norm
    """

    def __init__(self, cell: Cells, skeleton: Skeleton201, norm: Norm = NORM) -> None:
        super().__init__()
        channels, stride = skeleton.channels, skeleton.stem_stride
        conv = nn.Conv2d(skeleton.image_channels, channels, 3, stride, 1, bias=False)
        self.stem = nn.Sequential(OrderedDict(conv=conv, norm=norm(channels)))
        self.body = nn.ModuleDict()
        for stack in range(skeleton.stacks):
            if stack:
                self.body[f"reduction{stack}"] = Reduction201(channels, skeleton.residual, norm)
                channels *= 2
            for number in range(skeleton.cells):
                self.body[f"stack{stack}_cell{number}"] = Cell201(cell, channels, norm)
        self.last = nn.Sequential(OrderedDict(norm=norm(channels), relu=nn.ReLU()))
        self.head = nn.Linear(channels, skeleton.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (B, classes), of images (B, C, H, W)."""
        maps = self.stem(images)
        for block in self.body.values():
            maps = block(maps)
        logits: Tensor = self.head(self.last(maps).mean(dim=(2, 3)))
        return logits


def _make(cell: Cells, shape: NetworkShape) -> Network201:
    assert shape.channels
    assert shape.layers
    skeleton = Skeleton201(
        *(shape.height, shape.width, shape.image_channels, shape.classes),
        channels=shape.channels,
        cells=shape.layers,
    )
    return Network201(cell, skeleton)


nasbench201 = NetworkFamily(
    name="nasbench201",
    read=lambda text: _space.from_str([text]),
    make=_make,
    shape=NetworkShape(channels=16, layers=5),
)
