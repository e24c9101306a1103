"""Scores of cells by a supernet: one at a time, or many of NAS-Bench-201 that share prefixes.

Cells of NAS-Bench-201 that have the same first operations share the maps of the first cell, and
the rest of their networks is computed in chunks, with a leading axis of cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dagnas.networks.nasbench201 import Reduction201
from dagnas.networks.supernet201 import EDGES, SharedCell201, Supernet201
from dagnas.networks.switched_norm import statistics
from dagnas.spaces.nasbench201 import OPERATIONS

#: Values of the maps of a chunk at most: a core's cache holds a few such maps.
_VALUES = 2**19
#: Largest matrix, in entries, by which a convolution is applied; beyond, it is a convolution.
_DENSE = 2**16
_KINDS = len(OPERATIONS)


class Scores(NamedTuple):
    """Scores of B cells.

    Attributes
    ----------
    accuracy : ndarray, shape (B,)
        Validation accuracy, %.
    loss : ndarray, shape (B,)
        Mean cross-entropy on the validation images, nats.
    """

    accuracy: NDArray[np.float64]
    loss: NDArray[np.float64]


class Examples(NamedTuple):
    """Images on which cells are scored, with what normalises them.

    Attributes
    ----------
    images : Tensor, shape (N + V, C, H, W)
        N images to calibrate on, V to validate on.
    labels : Tensor, shape (V,)
        Labels of the images to validate on.
    calibration : int or None
        N, whose statistics normalise all images; 0: those of all; None: running statistics.
    """

    images: Tensor
    labels: Tensor
    calibration: int | None

    def judge(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Accuracy (%) and mean loss of logits (..., N + V, classes); shape (...) each."""
        logits = logits[..., self.calibration or 0 :, :].double()
        labels = self.labels.expand(logits.shape[:-1])
        hits = (logits.argmax(dim=-1) == labels).double().mean(dim=-1)
        chosen = logits.log_softmax(dim=-1).gather(-1, labels[..., None])
        return 100 * hits, -chosen[..., 0].mean(dim=-1)


def score_one(network: nn.Module, architecture: Any, examples: Examples) -> tuple[float, float]:
    """Accuracy (%) and loss of one architecture with the weights of a supernet."""
    with statistics(network, examples.calibration):
        accuracy, loss = examples.judge(network(examples.images, architecture))
    return float(accuracy), float(loss)


def score_201(
    network: Supernet201,
    operations: NDArray[np.int64],
    examples: Examples,
    progress: Callable[[int], object] = lambda cells: None,
) -> Scores:
    """Scores of many cells of NAS-Bench-201; equal to those of `score_one` within rounding.

    Parameters
    ----------
    network : Supernet201
    operations : ndarray of int64, shape (B, 6)
        Operations of each cell, pruned; no two rows are equal.
    examples : Examples
    progress : callable
        Called with the number of cells after each chunk.
    """
    found = np.empty((2, len(operations)))
    with statistics(network, examples.calibration):
        for rows, logits in _Shared(network, examples).logits(operations):
            found[:, rows] = torch.stack(examples.judge(logits)).cpu().numpy()
            progress(len(rows))
    return Scores(*found)


class _Layout(Protocol):
    """Arithmetic on maps with a leading axis of G cells, in a memory layout of its own."""

    def enter(self, images: Tensor) -> Tensor:
        """Maps of images (B, C, H, W), for one cell."""

    def apply(self, module: Any, maps: Tensor) -> Tensor:
        """Maps after a convolution or an average pooling."""

    def norm(self, module: Any, maps: Tensor) -> Tensor:
        """Maps after a batch norm, of each cell by its own statistics."""

    def features(self, maps: Tensor) -> Tensor:
        """Means over pixels, shape (G, B, C)."""


class _Maps(_Layout):
    """Layout (G, B, H, W, C), in which cells are further images of the format channels_last."""

    def enter(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1)[None].contiguous()

    def apply(self, module: Any, maps: Tensor) -> Tensor:
        found: Tensor = module(maps.flatten(0, 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return found.view(*maps.shape[:2], *found.shape[1:])

    def norm(self, module: Any, maps: Tensor) -> Tensor:
        each = [module(own.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) for own in maps]
        return torch.stack(each) if len(each) > 1 else each[0][None]

    def features(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3))


class _Dense(_Layout):
    """Layout (G, C, P, B) for P pixels, in which a convolution is one matrix product."""

    def __init__(self, height: int, width: int) -> None:
        #: Height and width by number of pixels.
        self._shapes = {height * width: (height, width)}
        self._matrices: dict[tuple[nn.Module, int], Tensor] = {}

    def enter(self, images: Tensor) -> Tensor:
        return images.flatten(2).permute(1, 2, 0)[None].contiguous()

    def apply(self, module: Any, maps: Tensor) -> Tensor:
        cells, channels, pixels, batch = maps.shape
        # A pooling is the same for all channels.
        inputs = channels if isinstance(module, nn.Conv2d) else 1
        if (module, pixels) not in self._matrices:
            height, width = self._shapes[pixels]
            unit = torch.eye(inputs * pixels, dtype=maps.dtype, device=maps.device)
            found = module(unit.view(-1, inputs, height, width))
            self._shapes[found.shape[2] * found.shape[3]] = tuple(found.shape[2:])
            self._matrices[module, pixels] = found.flatten(1).T.contiguous()
        matrix = self._matrices[module, pixels]
        columns = maps.reshape(-1, inputs * pixels, batch)
        # One product for each cell, since the order of sums in a joint one depends on their number.
        product = torch.bmm(matrix.expand(len(columns), -1, -1), columns)
        outputs = module.out_channels if isinstance(module, nn.Conv2d) else channels
        return product.view(cells, outputs, -1, batch)

    def norm(self, module: Any, maps: Tensor) -> Tensor:
        channels, ones = maps.shape[1], (-1, maps.shape[1], 1, 1)
        if module.images is None:
            assert module.running_mean is not None
            assert module.running_var is not None
            mean, scale = module.running_mean, (module.running_var + module.eps).rsqrt()
        else:
            # Rows of a layer norm are the values of one channel of one cell; torch's batch norm
            # takes three times as long.
            own = maps[..., : module.images] if module.images else maps
            rows = own.flatten(2)
            normal, mean, scale = torch.native_layer_norm(
                rows, rows.shape[2:], None, None, module.eps
            )
            if module.images == 0 and not module.affine:
                return normal.view(maps.shape)
        mean, scale = mean.view(-1, channels), scale.view(-1, channels)
        if module.affine:
            scale = scale * module.weight
        shift = -mean * scale + (module.bias if module.affine else 0)
        return torch.addcmul(shift.view(ones), maps, scale.view(ones))

    def features(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=2).transpose(1, 2)


def _layout(network: Supernet201) -> _Layout:
    """Layout in which a network is computed faster: small images as matrices."""
    skeleton = network.skeleton
    height, width = (-(-n // skeleton.stem_stride) for n in (skeleton.height, skeleton.width))
    small = (skeleton.channels * height * width) ** 2 <= _DENSE
    return _Dense(skeleton.height, skeleton.width) if small else _Maps()


class _Shared:
    """Networks of many cells on the same images."""

    def __init__(self, network: Supernet201, examples: Examples) -> None:
        self._network, self._layout = network, _layout(network)
        self._images = examples.images

    def logits(self, operations: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Rows of chunks of cells, with their logits of shape (G, B, classes)."""
        stem: Any = self._network.stem
        last: Any = self._network.last
        blocks: list[Any] = list(self._network.body.values())
        maps = self._layout.enter(self._images)
        maps = self._layout.norm(stem.norm, self._layout.apply(stem.conv, maps))
        first, *rest = blocks
        for rows, outputs in self._first(first, maps, operations):
            for block in rest:
                if isinstance(block, SharedCell201):
                    outputs = self._cell(block, outputs, operations[rows])
                else:
                    outputs = self._reduction(block, outputs)
            outputs = F.relu(self._layout.norm(last.norm, outputs))
            yield rows, self._network.head(self._layout.features(outputs))

    def _first(
        self, cell: SharedCell201, maps: Tensor, operations: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Rows of chunks of cells, with the outputs of the first cell of their networks.

        Cells with the same operations on the edges to vertices 1 and 2 have these in common.
        """
        size = max(1, _VALUES // maps.numel())
        one: list[Tensor | None] = [self._operate(cell, 0, kind, maps) for kind in range(_KINDS)]
        from_input = {
            edge: [self._operate(cell, edge, kind, maps) for kind in range(_KINDS)]
            for edge in (1, 3)
        }
        table_of_input = _table(from_input[3], maps)
        for first in range(_KINDS):
            own = np.flatnonzero(operations[:, 0] == first)
            if not len(own):
                continue
            from_one = {
                edge: [self._operate(cell, edge, kind, one[first]) for kind in range(_KINDS)]
                for edge in (2, 4)
            }
            table_of_one = _table(from_one[4], maps)
            for second, third in np.unique(operations[own, 1:3], axis=0):
                rows = own[(operations[own, 1:3] == (second, third)).all(axis=1)]
                two = _sum(from_input[1][second], from_one[2][third])
                from_two = [self._operate(cell, 5, kind, two) for kind in range(_KINDS)]
                tables = [table_of_input, table_of_one, _table(from_two, maps)]
                for chunk in np.split(rows, range(size, len(rows), size)):
                    yield chunk, self._combined(tables, operations[chunk, 3:])

    def _combined(self, tables: list[Tensor], kinds: NDArray[np.int64]) -> Tensor:
        """Sums of one row of each table; ``kinds`` tells which, of shape (G, tables)."""
        places = torch.from_numpy(kinds).to(self._images.device)
        terms = (t.index_select(0, p) for t, p in zip(tables, places.T, strict=True))
        return reduce(torch.Tensor.add_, terms)

    def _cell(self, cell: SharedCell201, maps: Tensor, operations: NDArray[np.int64]) -> Tensor:
        """Outputs of one cell of G networks."""
        vertices: list[Tensor | None] = [maps, None, None, None]
        for edge, (i, j) in enumerate(EDGES):
            source = vertices[i]
            if source is None:
                continue
            for kind in np.unique(operations[:, edge]):
                members = np.flatnonzero(operations[:, edge] == kind)
                if len(members) == len(maps):
                    vertices[j] = _sum(vertices[j], self._operate(cell, edge, kind, source))
                elif kind:
                    some = torch.from_numpy(members).to(maps.device)
                    found = self._operate(cell, edge, kind, source.index_select(0, some))
                    assert found is not None
                    total = vertices[j]
                    if total is None:
                        total = torch.zeros_like(maps)
                    # Not in place: a skip connection makes two vertices one tensor.
                    vertices[j] = total.index_add(0, some, found)
        last = vertices[3]
        return torch.zeros_like(maps) if last is None else last

    def _operate(
        self, cell: SharedCell201, edge: int, kind: int, maps: Tensor | None
    ) -> Tensor | None:
        """Maps after an operation; None for zeros."""
        if maps is None or not kind:
            return None
        operation: Any = cell.operation(edge, kind)
        layout = self._layout
        if isinstance(operation, nn.Identity):
            return maps
        if isinstance(operation, nn.Sequential):
            return layout.norm(operation.norm, layout.apply(operation.conv, F.relu(maps)))
        return layout.apply(operation, maps)

    def _reduction(self, block: Reduction201, maps: Tensor) -> Tensor:
        layout = self._layout
        short = layout.apply(block.conv, layout.apply(block.pool, maps))
        if not block.residual:
            return layout.norm(block.norm, short)
        parts: list[Any] = [block.a, block.b]
        for part in parts:
            maps = layout.norm(part.norm, layout.apply(part.conv, F.relu(maps)))
        return short + maps


def _sum(*terms: Tensor | None) -> Tensor | None:
    """Sum of maps, of which None are zeros."""
    known = [term for term in terms if term is not None]
    return sum(known[1:], start=known[0]) if known else None


def _table(terms: list[Tensor | None], maps: Tensor) -> Tensor:
    """Maps by operation, shape (operations, ...)."""
    return torch.cat([torch.zeros_like(maps) if term is None else term for term in terms])
