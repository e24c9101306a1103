"""Stacks of NAS-Bench-201 networks, computed as one network with a leading axis of cells.

Networks of a table are tiny, so that calls cost more than arithmetic. A stack of G networks needs
one call in place of G: feature maps have the shape (G, C, P, B) for C channels, P pixels and B
images. A convolution of few pixels is one matrix product per network, by the matrix that maps all
pixels of all channels at once. No network's numbers depend on the others of its stack.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dagnas.spaces.cells import Cells
from dagnas.spaces.nasbench201 import OPERATIONS
from dagnas.spaces.paths import prune
from dagnas.spaces.sizes.nasbench201 import Skeleton201

#: Largest matrix, in entries, by which a convolution is applied; beyond, it is a convolution.
_DENSE = 2**16
_NONE, _SKIP, _CONV1, _CONV3, _POOL = range(len(OPERATIONS))
#: Weight of the newest batch in running means; large, since an epoch has only a few steps.
_MOMENTUM = 0.25


class _Grid(NamedTuple):
    """Pixels of a feature map."""

    height: int
    width: int

    def strided(self, stride: int) -> _Grid:
        return _Grid(-(-self.height // stride), -(-self.width // stride))

    @property
    def pixels(self) -> int:
        return self.height * self.width


class _Edge(NamedTuple):
    """Operation from vertex ``i`` to ``j``, and the networks (None: all) that have it."""

    i: int
    j: int
    operation: int
    networks: Tensor | None


class StackedNetworks:
    """Stack of G networks of the NAS-Bench-201 space, one per cell.

    Networks are those of Dong and Yang (2020, section 2.1), in the size and with the reductions of
    a skeleton: convolutions are ReLU, convolution, batch norm; average pooling ignores the
    padding. Operations on no path from input to output are left out: they have no effect, or would
    add a constant.

    Parameters
    ----------
    cells : Cells
        G cells of the space ``nasbench201``.
    skeleton : Skeleton201
    rngs : sequence of numpy Generator
        One per cell, for its initial weights, uniform in +- 1 / sqrt(fan in).
    device : str or torch.device
    dtype : torch.dtype
    """

    def __init__(
        self,
        cells: Cells,
        skeleton: Skeleton201,
        rngs: Sequence[np.random.Generator],
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.skeleton, self.device, self.dtype = skeleton, torch.device(device), dtype
        self.count = len(cells.edges)
        self._rngs = rngs
        self._edges = self._plan(cells)
        #: Trainable tensors by name. The first axis is networks, or networks times channels in
        #: batch norms.
        self.parameters: dict[str, Tensor] = {}
        self._running: dict[str, tuple[Tensor, Tensor]] = {}
        self._constants: dict[tuple[Hashable, ...], Tensor] = {}
        self._matrices: dict[str, Tensor] | None = None
        everyone = np.arange(self.count)
        channels = skeleton.channels
        self._add_weights("stem", everyone, channels, skeleton.image_channels * 9)
        self._add_norm("stem", self.count, channels)
        for stack in range(skeleton.stacks):
            if stack:
                self._add_reduction(f"reduction{stack}", channels)
                channels *= 2
            for cell in range(skeleton.cells):
                for edge in self._edges:
                    if edge.operation in (_CONV1, _CONV3):
                        name = self._name(stack, cell, edge)
                        members = everyone if edge.networks is None else edge.networks.cpu().numpy()
                        taps = 9 if edge.operation == _CONV3 else 1
                        self._add_weights(name, members, channels, channels * taps)
                        self._add_norm(name, len(members), channels)
        self._add_norm("last", self.count, channels)
        self._add_weights("head", everyone, skeleton.classes, channels)
        self._add_weights("bias", everyone, skeleton.classes, 1, fan_in=channels)

    def _plan(self, cells: Cells) -> list[_Edge]:
        operations = np.where(prune(cells.edges > _NONE), cells.edges, _NONE)
        edges = []
        for j in range(1, 4):
            for i in range(j):
                for operation in (_SKIP, _CONV1, _CONV3, _POOL):
                    members = np.flatnonzero(operations[:, i, j] == operation)
                    if len(members):
                        some = torch.from_numpy(members).to(self.device)
                        everyone = len(members) == self.count
                        edges.append(_Edge(i, j, operation, None if everyone else some))
        return edges

    def _name(self, stack: int, cell: int, edge: _Edge) -> str:
        return f"stack{stack}.cell{cell}.{edge.i}{edge.j}.{edge.operation}"

    def _add_weights(
        self,
        name: str,
        members: NDArray[np.int64],
        outputs: int,
        inputs: int,
        fan_in: int | None = None,
    ) -> None:
        bound = (fan_in or inputs) ** -0.5
        drawn = np.stack([self._rngs[g].uniform(-bound, bound, (outputs, inputs)) for g in members])
        tensor = torch.from_numpy(drawn).to(self.device, self.dtype)
        self.parameters[name] = tensor.requires_grad_()

    def _add_norm(self, name: str, count: int, channels: int) -> None:
        ones = torch.ones(count * channels, device=self.device, dtype=self.dtype)
        self._running[name] = torch.zeros_like(ones), ones
        self.parameters[f"{name}.scale"] = ones.clone().requires_grad_()
        self.parameters[f"{name}.shift"] = torch.zeros_like(ones).requires_grad_()

    def _add_reduction(self, name: str, channels: int) -> None:
        everyone = np.arange(self.count)
        if self.skeleton.residual:
            self._add_weights(f"{name}.a", everyone, 2 * channels, channels * 9)
            self._add_norm(f"{name}.a", self.count, 2 * channels)
            self._add_weights(f"{name}.b", everyone, 2 * channels, 2 * channels * 9)
            self._add_norm(f"{name}.b", self.count, 2 * channels)
        else:
            self._add_norm(name, self.count, 2 * channels)
        self._add_weights(name, everyone, 2 * channels, channels)

    def forward(self, images: Tensor, training: bool) -> Tensor:
        """Logits of all networks on the same images.

        Parameters
        ----------
        images : Tensor, shape (image channels, H, W, B)
            Normalised images.
        training : bool
            True: batch norms use the statistics of these images and update their running means.

        Returns
        -------
        Tensor, shape (G, classes, B)
        """
        skeleton = self.skeleton
        grid = _Grid(skeleton.height, skeleton.width)
        x, grid = self._stem(images, grid)
        x = self._norm(x, "stem", training)
        for stack in range(skeleton.stacks):
            if stack:
                x, grid = self._reduction(x, f"reduction{stack}", grid, training)
            for cell in range(skeleton.cells):
                x = self._cell(x, stack, cell, grid, training)
        features = F.relu(self._norm(x, "last", training)).mean(2)
        return torch.baddbmm(self.parameters["bias"], self.parameters["head"], features)

    def evaluate(self, batches: Sequence[Tensor]) -> Tensor:
        """Logits on batches of images, from running statistics; shape (G, classes, images)."""
        # Weights do not change meanwhile, so their matrices are computed once.
        self._matrices = {}
        try:
            with torch.no_grad():
                return torch.cat([self.forward(images, False) for images in batches], dim=-1)
        finally:
            self._matrices = None

    def _stem(self, images: Tensor, grid: _Grid) -> tuple[Tensor, _Grid]:
        channels, stride = self.skeleton.channels, self.skeleton.stem_stride
        out = grid.strided(stride)
        weights = self.parameters["stem"]
        inputs, batch = images.shape[0], images.shape[-1]
        if self._is_dense(channels, inputs, grid, out):
            matrix = self._matrix("stem", inputs, grid, stride)
            x = matrix.reshape(-1, matrix.shape[-1]) @ images.reshape(-1, batch)
        else:
            maps = images.permute(3, 0, 1, 2)
            kernels = weights.view(-1, inputs, 3, 3)
            x = F.conv2d(maps, kernels, stride=stride, padding=1).permute(1, 2, 3, 0)
        return x.reshape(self.count, channels, out.pixels, batch), out

    def _cell(self, x: Tensor, stack: int, cell: int, grid: _Grid, training: bool) -> Tensor:
        vertices, rectified = [x], [F.relu(x)]
        for j in range(1, 4):
            total = torch.zeros_like(x)
            # Sources are added in a fixed order, since rounding depends on it and must not depend
            # on the operations of other networks.
            for edge in self._edges:
                if edge.j != j:
                    continue
                convolves = edge.operation in (_CONV1, _CONV3)
                y = (rectified if convolves else vertices)[edge.i]
                if edge.networks is not None:
                    y = y.index_select(0, edge.networks)
                if convolves:
                    name = self._name(stack, cell, edge)
                    map_ = self._conv1 if edge.operation == _CONV1 else self._conv3
                    y = self._norm(map_(y, name, grid), name, training)
                elif edge.operation == _POOL:
                    y = self._pool(y, grid)
                total = total + y if edge.networks is None else total.index_add(0, edge.networks, y)
            vertices.append(total)
            rectified.append(F.relu(total))
        return vertices[3]

    def _reduction(self, x: Tensor, name: str, grid: _Grid, training: bool) -> tuple[Tensor, _Grid]:
        half = grid.strided(2)
        short = self._conv1(self._halve(x, grid), name, half)
        if not self.skeleton.residual:
            return self._norm(short, name, training), half
        y = self._norm(self._conv3(F.relu(x), f"{name}.a", grid, 2), f"{name}.a", training)
        y = self._norm(self._conv3(F.relu(y), f"{name}.b", half), f"{name}.b", training)
        return short + y, half

    def _norm(self, x: Tensor, name: str, training: bool) -> Tensor:
        mean, variance = self._running[name]
        count, channels, pixels, batch = x.shape
        y = F.batch_norm(
            x.reshape(1, count * channels, pixels * batch),
            mean,
            variance,
            self.parameters[f"{name}.scale"],
            self.parameters[f"{name}.shift"],
            training,
            _MOMENTUM,
        )
        return y.view(x.shape)

    def _conv1(self, x: Tensor, name: str, grid: _Grid) -> Tensor:
        y = torch.bmm(self.parameters[name], x.reshape(len(x), x.shape[1], -1))
        return y.view(len(x), -1, grid.pixels, x.shape[-1])

    def _conv3(self, x: Tensor, name: str, grid: _Grid, stride: int = 1) -> Tensor:
        count, channels, _, batch = x.shape
        out = grid.strided(stride)
        weights = self.parameters[name]
        outputs = weights.shape[1]
        if self._is_dense(outputs, channels, grid, out):
            y = torch.bmm(self._matrix(name, channels, grid, stride), x.reshape(count, -1, batch))
            return y.view(count, outputs, out.pixels, batch)
        # One by one, since the order of sums in a grouped convolution depends on its groups.
        maps = x.permute(0, 3, 1, 2).reshape(count, batch, channels, *grid)
        kernels = weights.view(count, outputs, channels, 3, 3)
        each = [
            F.conv2d(own, kernel, stride=stride, padding=1)
            for own, kernel in zip(maps.unbind(), kernels.unbind(), strict=True)
        ]
        return torch.stack(each).flatten(3).permute(0, 2, 3, 1)

    def _is_dense(self, outputs: int, inputs: int, grid: _Grid, out: _Grid) -> bool:
        return outputs * out.pixels * inputs * grid.pixels <= _DENSE

    def _matrix(self, name: str, channels: int, grid: _Grid, stride: int) -> Tensor:
        """Matrices of 3x3 convolutions on whole maps; shape (networks, O * Q, C * P)."""
        if self._matrices is not None and name in self._matrices:
            return self._matrices[name]
        weights = self.parameters[name]
        key = ("conv", channels, grid, stride)
        if key not in self._constants:
            self._constants[key] = self._taps(channels, grid, stride)
        # One product per network, since the order of sums in a joint one depends on their number.
        taps = self._constants[key].expand(len(weights), -1, -1)
        matrix = torch.bmm(weights, taps).view(len(weights), -1, channels * grid.pixels)
        if self._matrices is not None:
            self._matrices[name] = matrix
        return matrix

    def _taps(self, channels: int, grid: _Grid, stride: int) -> Tensor:
        """Contribution of each of a kernel's 9 C weights to the matrix; shape (9 C, Q * C * P)."""
        each = torch.eye(grid.pixels).view(grid.pixels, 1, *grid)
        kernels = torch.eye(9).view(9, 1, 3, 3)
        maps = F.conv2d(each, kernels, stride=stride, padding=1).flatten(2)  # P, 9, Q
        both = torch.einsum("ptq,cd->ctqdp", maps, torch.eye(channels))
        return both.reshape(9 * channels, -1).to(self.device, self.dtype)

    def _pool(self, x: Tensor, grid: _Grid) -> Tensor:
        """3x3 average pooling, without the padding."""
        return self._average(
            x, grid, "pool", lambda maps: F.avg_pool2d(maps, 3, 1, 1, count_include_pad=False)
        )

    def _halve(self, x: Tensor, grid: _Grid) -> Tensor:
        """2x2 average pooling; a last odd row or column is averaged on its own."""
        return self._average(x, grid, "halve", lambda maps: F.avg_pool2d(maps, 2, ceil_mode=True))

    def _average(
        self, x: Tensor, grid: _Grid, name: str, pool: Callable[[Tensor], Tensor]
    ) -> Tensor:
        if not self._is_dense(1, 1, grid, grid):
            return _from_maps(pool(_to_maps(x, grid)), len(x))
        key = (name, grid)
        if key not in self._constants:
            each = torch.eye(grid.pixels, dtype=torch.float64).view(-1, 1, *grid)
            matrix = pool(each).flatten(1).T.contiguous()
            self._constants[key] = matrix.to(self.device, self.dtype)
        return torch.matmul(self._constants[key], x)


def _to_maps(x: Tensor, grid: _Grid) -> Tensor:
    """Reshape (G, C, P, B) to (B, G * C, H, W)."""
    return x.permute(3, 0, 1, 2).reshape(x.shape[-1], -1, *grid)


def _from_maps(x: Tensor, count: int) -> Tensor:
    """Reshape (B, G * C, H, W) to (G, C, P, B)."""
    return x.view(len(x), count, -1, x.shape[2] * x.shape[3]).permute(1, 2, 3, 0)
