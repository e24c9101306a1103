"""Networks of NAS-Bench-101 cells (Ying et al. 2019, section 2.1), by ``nasbench_pytorch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from dagnas.networks.family import NetworkFamily
from dagnas.networks.shape import NetworkShape
from dagnas.spaces.cells import Cells
from dagnas.spaces.nasbench101 import nasbench101 as _space

if TYPE_CHECKING:
    from nasbench_pytorch.model.model import Network

#: Weight of the newest batch in running statistics; TensorFlow's 0.997 is that of the old ones.
_MOMENTUM = 0.003


def network101(
    cell: Cells,
    *,
    image_channels: int = 3,
    classes: int = 10,
    channels: int = 128,
    stacks: int = 3,
    cells: int = 3,
) -> Network:
    """Network of one cell.

    Parameters
    ----------
    cell : Cells
        One cell; what is on no path from input to output is left out.
    image_channels, classes : int
    channels : int
        After the stem; twice as many from stack to stack.
    stacks, cells : int
        Stacks, and cells in each.

    Returns
    -------
    nasbench_pytorch Network
        With the parameters of the benchmark's network alone, and its batch norms' momentum.
    """
    # Its `datasets` module would need torchvision; `model` does not import it.
    from nasbench_pytorch.model.model import Cell, Network, Placeholder

    ((matrix, operations),) = _space.to_matrices(_space.prune(cell))
    network = Network(
        (matrix.astype(int), operations), classes, image_channels, channels, stacks, cells
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Set here, since the package hands its argument on to some of its norms only.
            module.momentum = _MOMENTUM
        elif isinstance(module, Placeholder):
            # No part of the network and never given a gradient, which data parallelism refuses.
            del module.a
        elif isinstance(module, Cell):
            del module.dev_param
            module.register_buffer("dev_param", torch.empty(0), persistent=False)
    return network


def _make(cell: Cells, shape: NetworkShape) -> nn.Module:
    assert shape.channels
    assert shape.layers
    network: nn.Module = network101(
        cell,
        image_channels=shape.image_channels,
        classes=shape.classes,
        channels=shape.channels,
        cells=shape.layers,
    )
    return network


nasbench101 = NetworkFamily(
    name="nasbench101",
    read=lambda text: _space.from_str([text]),
    make=_make,
    shape=NetworkShape(channels=128, layers=3),
    # Two poolings halve images and drop a last odd row.
    smallest=4,
)
