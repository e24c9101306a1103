"""Weight sharing in the DARTS space: one network that holds the weights of all cells."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce as fold
from operator import add
from typing import Any

import torch
from torch import Tensor, nn

from dagnas.networks.operations import (
    FactorizedReduction,
    Norm,
    darts_operation,
    relu_conv_norm,
)
from dagnas.networks.switched_norm import SWITCHED
from dagnas.spaces.genotypes import NODES, OPERATIONS, Genotype, Input

#: Edges (source, node) in the official order; sources 0 and 1 are the two cells before.
EDGES = tuple((source, 2 + node) for node in range(NODES) for source in range(2 + node))
_EDGE = {edge: number for number, edge in enumerate(EDGES)}
#: Channels of the stem, over those of a node in the first cell.
_STEM = 3

#: Weights of all operations on all edges in the normal and in the reduction cell: (14, 8) each,
#: the zero operation "none" first.
Mixture = tuple[Tensor, Tensor]


class SharedDartsCell(nn.Module):
    """Cell with the weights of all operations on all edges.

    Operations are children named by edge and operation, such as "0_2_sep_conv_3x3".

    Parameters
    ----------
    before, last : int
        Channels of the cell before the last, and of the last.
    channels : int
        Of each node.
    reduction : bool
        Whether operations on the two cells before have a stride of 2.
    shrunk : bool
        Whether the last cell has half the pixels of the one before.
    norm : Norm
    """

    def __init__(
        self, before: int, last: int, channels: int, reduction: bool, shrunk: bool, norm: Norm
    ) -> None:
        super().__init__()
        adapt = FactorizedReduction if shrunk else relu_conv_norm
        self.reduction = reduction
        self.before = adapt(before, channels, norm=norm)
        self.last = relu_conv_norm(last, channels, norm=norm)
        self.operations = nn.ModuleDict()
        for source, node in EDGES:
            stride = 2 if reduction and source < 2 else 1
            for name in OPERATIONS:
                operation = darts_operation(name, channels, stride, norm, norm_pools=True)
                self.operations[f"{source}_{node}_{name}"] = operation

    def forward(self, before: Tensor, last: Tensor, choice: tuple[Input, ...] | Tensor) -> Tensor:
        """Concatenation of all nodes, of one cell or of the mixture of all.

        Parameters
        ----------
        before, last : Tensor
            Outputs of the cell before the last, and of the last.
        choice : tuple of Input, or Tensor, shape (14, 8)
            Two inputs a node, or weights of all operations.
        """
        nodes = [self.before(before), self.last(last)]
        for node in range(2, 2 + NODES):
            if isinstance(choice, Tensor):
                terms = [
                    choice[_EDGE[source, node], kind] * self._operate(name, nodes, source, node)
                    for source in range(node)
                    # Zeros add nothing; their weight takes from that of others by the softmax.
                    for kind, name in enumerate(OPERATIONS, start=1)
                ]
            else:
                inputs = choice[2 * node - 4 : 2 * node - 2]
                terms = [self._operate(name, nodes, source, node) for name, source in inputs]
            nodes.append(fold(add, terms))
        return torch.cat(nodes[2:], dim=1)

    def _operate(self, name: str, nodes: list[Tensor], source: int, node: int) -> Tensor:
        found: Tensor = self.operations[f"{source}_{node}_{name}"](nodes[source])
        return found


class SupernetDarts(nn.Module):
    """Network that holds the weights of all cells of the DARTS space (Liu et al. 2019).

    As in the official search, batch norms learn no scale and shift but in the stem, and one
    follows each pooling.

    Parameters
    ----------
    image_channels, classes : int
    channels : int
        Of each node of the first cells; twice as many after each reduction.
    layers : int
        Cells in all. Those at a third and at two thirds of the depth are reductions.
    norm : Norm
    """

    def __init__(
        self,
        image_channels: int,
        classes: int,
        channels: int,
        layers: int,
        norm: Norm = SWITCHED,
    ) -> None:
        super().__init__()
        before = last = _STEM * channels
        self.stem = nn.Sequential(
            nn.Conv2d(image_channels, last, 3, padding=1, bias=False),
            replace(norm, affine=True)(last),
        )
        self.cells = nn.ModuleList()
        shrunk = False
        for layer in range(layers):
            reduction = layer in (layers // 3, 2 * layers // 3)
            channels *= 2 if reduction else 1
            self.cells.append(SharedDartsCell(before, last, channels, reduction, shrunk, norm))
            before, last, shrunk = last, NODES * channels, reduction
        self.classifier = nn.Linear(last, classes)

    def forward(self, images: Tensor, architecture: Genotype | Mixture) -> Tensor:
        """Logits of one architecture, of which only two inputs a node are computed, or a mixture.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W)
        architecture : Genotype or Mixture
            Normal and reduction cell, or their weights of all operations.

        Returns
        -------
        Tensor, shape (B, classes)
        """
        before = last = self.stem(images)
        cells: Any = self.cells
        for cell in cells:
            before, last = last, cell(before, last, architecture[int(cell.reduction)])
        logits: Tensor = self.classifier(last.mean(dim=(2, 3)))
        return logits
