"""Weight sharing in NAS-Bench-201: one network that holds the weights of all cells."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dagnas.networks.nasbench201 import Reduction201
from dagnas.networks.operations import Norm, nasbench201_operation
from dagnas.networks.switched_norm import SWITCHED
from dagnas.spaces.cells import Cells
from dagnas.spaces.nasbench201 import OPERATIONS
from dagnas.spaces.paths import prune
from dagnas.spaces.sizes.nasbench201 import Skeleton201

#: Edges (i, j), i < j, by head and then tail, as the space orders its variables.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_NONE = OPERATIONS.index("none")


def pruned(cells: Cells) -> NDArray[np.int64]:
    """Operations of cells without those on no path from input to output, which have no effect.

    Parameters
    ----------
    cells : Cells
        B cells of NAS-Bench-201.

    Returns
    -------
    ndarray of int64, shape (B, 6)
        Operations of `EDGES`; cells of equal rows compute the same with shared weights.
    """
    operations = np.where(prune(cells.edges > _NONE), cells.edges, _NONE)
    tails, heads = np.array(EDGES).T
    found: NDArray[np.int64] = operations[:, tails, heads].astype(np.int64)
    return found


class SharedCell201(nn.Module):
    """Cell with the weights of all operations on all edges.

    Operations are children named by edge and operation, such as "01_nor_conv_3x3".

    Parameters
    ----------
    channels : int
    norm : Norm
    """

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.operations = nn.ModuleDict()
        for i, j in EDGES:
            for name in OPERATIONS[1:]:
                self.operations[f"{i}{j}_{name}"] = nasbench201_operation(name, channels, norm)
        self._table = [
            [None, *(self.operations[f"{i}{j}_{name}"] for name in OPERATIONS[1:])]
            for i, j in EDGES
        ]

    def forward(self, maps: Tensor, choice: NDArray[np.int64] | Tensor) -> Tensor:
        """Last vertex of one cell, or of the mixture of all.

        Parameters
        ----------
        maps : Tensor, shape (B, C, H, W)
        choice : ndarray of int, shape (6,), or Tensor, shape (6, 5)
            Operations of one cell, or weights of all operations.
        """
        if isinstance(choice, Tensor):
            return self._mixed(maps, choice)
        vertices: list[Tensor | None] = [maps, None, None, None]
        for (i, j), kind, operations in zip(EDGES, choice.tolist(), self._table, strict=True):
            operation, source, before = operations[kind], vertices[i], vertices[j]
            if operation is not None and source is not None:
                found = operation(source)
                vertices[j] = found if before is None else before + found
        last = vertices[3]
        return torch.zeros_like(maps) if last is None else last

    def operation(self, edge: int, kind: int) -> nn.Module:
        """Module of an operation other than zero on an edge, by their numbers."""
        found = self._table[edge][kind]
        assert found is not None
        return found

    def _mixed(self, maps: Tensor, weights: Tensor) -> Tensor:
        vertices = [maps]
        for head in range(1, 4):
            terms = [
                weights[edge, kind] * operation(vertices[i])
                for edge, (i, j) in enumerate(EDGES)
                if j == head
                for kind, operation in enumerate(self._table[edge])
                # Zeros add nothing; their weight takes from that of others by the softmax.
                if operation is not None
            ]
            vertices.append(reduce(add, terms))
        return vertices[3]


class Supernet201(nn.Module):
    """Network that holds the weights of all cells of NAS-Bench-201, around the same skeleton.

    Children are named as those of `dagnas.networks.nasbench201.Network201`. As in the benchmark's
    own supernets, batch norms of the cells learn no scale and shift, those of the rest do.

    Parameters
    ----------
    skeleton : Skeleton201
    norm : Norm
        Batch norms of the cells.
    """

    def __init__(self, skeleton: Skeleton201, norm: Norm = SWITCHED) -> None:
        super().__init__()
        self.skeleton = skeleton
        around = replace(norm, affine=True)
        channels, stride = skeleton.channels, skeleton.stem_stride
        conv = nn.Conv2d(skeleton.image_channels, channels, 3, stride, 1, bias=False)
        self.stem = nn.Sequential(OrderedDict(conv=conv, norm=around(channels)))
        self.body = nn.ModuleDict()
        for stack in range(skeleton.stacks):
            if stack:
                self.body[f"reduction{stack}"] = Reduction201(channels, skeleton.residual, around)
                channels *= 2
            for number in range(skeleton.cells):
                self.body[f"stack{stack}_cell{number}"] = SharedCell201(channels, norm)
        self.last = nn.Sequential(OrderedDict(norm=around(channels), relu=nn.ReLU()))
        self.head = nn.Linear(channels, skeleton.classes)

    def forward(self, images: Tensor, architecture: NDArray[np.int64] | Tensor) -> Tensor:
        """Logits of one cell, or of the mixture of all operations.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W)
        architecture : ndarray of int64, shape (6,), or Tensor, shape (6, 5)
            Operations of one cell, a row that `pruned` gives, so that nothing is computed which
            has no effect; or the weights of all operations on all edges, as DARTS has them.

        Returns
        -------
        Tensor, shape (B, classes)
        """
        maps = self.stem(images)
        for block in self.body.values():
            maps = block(maps, architecture) if isinstance(block, SharedCell201) else block(maps)
        logits: Tensor = self.head(self.last(maps).mean(dim=(2, 3)))
        return logits
