"""Graph convolutional network with a global vertex: BONAS's predictor of accuracy."""

from __future__ import annotations

import itertools
import math
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import PositiveInt
from torch import nn

from dagnas.predictors.core.layers import collect, normalise, normalise_back
from dagnas.predictors.core.predictor import predictor
from dagnas.spaces.core.cells import Graphs
from dagnas.spaces.core.space import CellSpace

#: Of an embedding's batch normalisation, as PyTorch's.
_EPSILON, _MOMENTUM = 1e-5, 0.1

Vector = TypeVar("Vector", torch.Tensor, np.ndarray)


class GCN(nn.Module):
    """Cells as graphs with a global vertex, and the network that sees these.

    Parameters
    ----------
    space : CellSpace
        Where edges have more types than "none" and "connected", operations are on edges, and the
        graph's vertices are the edges of the cell (its line graph) with an input and an output.
    layers, hidden : int
        Convolutions, and channels of each.
    normalized : bool
        Whether sums over predecessors are normalised as in equation 3.

    Attributes
    ----------
    body : Body
        The network, on what `encode` gives.
    """

    def __init__(self, space: CellSpace, layers: int, hidden: int, normalized: bool) -> None:
        super().__init__()
        self.on_edges = space.edge_mask.shape[-1] > 2
        self.normalized = normalized
        pairs = np.argwhere(space.edge_mask.any(axis=2))
        if self.on_edges:
            links = _line_graph(pairs, space.num_nodes)
            width = space.edge_mask.shape[-1] + 2
            self.register_buffer("links", torch.from_numpy(links), persistent=False)
        else:
            width = space.node_mask.shape[-1]
        self.tails, self.heads = (torch.from_numpy(column) for column in pairs.T)
        self.body = Body(width + 1, layers, hidden)

    def encode(self, graphs: Graphs) -> Graphs:
        """Graphs with a global vertex, the last one.

        Parameters
        ----------
        graphs : Graphs of tensors
            Relaxed cells: nodes (B, V, T), edges (B, V, V, R).

        Returns
        -------
        Graphs
            For every vertex the sum of the features that are sent to it, shape (B, n + 1, F), and
            weights of messages, shape (B, n + 1, n + 1): [b, i, j] of the one from j to i. Vertices
            without edges are zero in both.
        """
        nodes, links = self._line(graphs) if self.on_edges else self._plain(graphs)
        # Vertices apart from the rest are no part of the cell, and the global one does not see
        # them.
        there = (links.sum(dim=1) + links.sum(dim=2) > 0).to(nodes.dtype)
        batch, size, width = nodes.shape
        features = nodes.new_zeros(batch, size + 1, width + 1)
        features[:, :-1, :-1] = nodes
        features[:, -1, -1] = 1
        messages = nodes.new_zeros(batch, size + 1, size + 1)
        messages[:, :-1, :-1] = links + torch.diag_embed(there)
        messages[:, -1, :-1] = there
        messages[:, -1, -1] = 1
        if self.normalized:
            scale = messages.sum(dim=2).clamp(min=1).rsqrt()
            messages = scale[:, :, None] * messages * scale[:, None]
        return Graphs(torch.bmm(messages, features), messages)

    def _plain(self, graphs: Graphs) -> tuple[torch.Tensor, torch.Tensor]:
        return graphs.nodes, graphs.edges[..., 1].transpose(1, 2)

    def _line(self, graphs: Graphs) -> tuple[torch.Tensor, torch.Tensor]:
        operations = graphs.edges[:, self.tails, self.heads]
        batch, size, types = operations.shape
        nodes = operations.new_zeros(batch, size + 2, types + 2)
        nodes[:, 1:-1, :-2] = operations
        nodes[:, 0, -2] = nodes[:, -1, -1] = 1
        links: Any = self.links
        return nodes, links.to(nodes.dtype).expand(batch, -1, -1)

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Predicted error of relaxed cells, a share in [0, 1], shape (B,); lower is better."""
        scores: torch.Tensor = self.body(self.encode(graphs))
        return scores


class Body(nn.Module):
    """Convolutions with batch normalisation and ReLU; the global vertex is the embedding.

    Batch normalisation takes its statistics over the vertices that are there, in the last layer
    over global ones. All weights are one vector, so that a step of an optimizer is one operation.

    Parameters
    ----------
    width : int
        Features of a vertex.
    layers, hidden : int

    References
    ----------
    BONAS, sections 2.3, 3.1 and 4.1.
    """

    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, width: int, layers: int, hidden: int) -> None:
        super().__init__()
        shapes = [(a, hidden) for a in [width] + [hidden] * (layers - 1)]
        self.shapes = [shape for kernel in shapes for shape in (kernel, (hidden,), (hidden,))]
        self.shapes += [(hidden,), (1,)]
        ends = list(itertools.accumulate(map(math.prod, self.shapes), initial=0))
        self.ranges = list(itertools.pairwise(ends))
        self.weights = nn.Parameter(torch.empty(ends[-1]))
        self.register_buffer("mean", torch.zeros(layers, hidden))
        self.register_buffer("variance", torch.ones(layers, hidden))
        with torch.no_grad():
            self.weights.uniform_(-0.05, 0.05)
            *norms, _, _ = self.split(self.weights)
            for scale, shift in zip(norms[1::3], norms[2::3], strict=True):
                scale.fill_(1)
                shift.zero_()

    def split(self, weights: Vector) -> list[Vector]:
        """Parts of a vector of all weights: kernel, scale and shift a layer, then the head's."""
        return [
            weights[start:end].reshape(shape)
            for (start, end), shape in zip(self.ranges, self.shapes, strict=True)
        ]

    def embed(self, graphs: Graphs) -> torch.Tensor:
        """Last state of the global vertex of encoded graphs, shape (B, hidden), as trained."""
        states, _, _ = self._convolve(graphs, trained=True)
        return states

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Predicted error of encoded graphs, a share in [0, 1], shape (B,)."""
        if self.training and self.weights.is_cpu:
            output, mean, variance = _Step.apply(self, *graphs, self.weights)
        else:
            states, mean, variance = self._convolve(graphs, trained=not self.training)
            *_, head, bias = self.split(self.weights)
            output = states @ head + bias
        if self.training:
            self.mean.lerp_(mean, _MOMENTUM)
            self.variance.lerp_(variance, _MOMENTUM)
        return torch.sigmoid(-output)

    def _convolve(
        self, graphs: Graphs, trained: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Embeddings, and means and variances of all layers: running ones or the batch's."""
        *layers, _, _ = self.split(self.weights)
        (sums, messages), states = graphs, graphs.nodes
        there = (messages.diagonal(dim1=1, dim2=2) > 0).to(sums.dtype).reshape(1, -1)
        means, variances = list(self.mean), list(self.variance)
        for layer, (kernel, scale, shift) in enumerate(zip(*[iter(layers)] * 3, strict=True)):
            if layer == len(means) - 1:
                # Of the last states only the global vertex's are read.
                messages, sums = messages[:, -1:], sums[:, -1:]
                there = there.new_ones(1, len(sums))
            if layer:
                sums = torch.bmm(messages, states)
            values = sums.reshape(-1, sums.shape[2]) @ kernel
            if not trained:
                share = there / there.sum()
                means[layer] = (share @ values)[0]
                spread = (share @ values.square())[0] - means[layer].square()
                variances[layer] = spread.clamp(min=0)
            factor = scale * (variances[layer] + _EPSILON).rsqrt()
            states = torch.addcmul(shift - means[layer] * factor, values, factor).relu_()
            states = states.view(*sums.shape[:2], -1)
        return states[:, 0], torch.stack(means).detach(), torch.stack(variances).detach()


class _Step(torch.autograd.Function):
    """`Body._convolve` in training and the head, on a CPU, in about a third of the time."""

    @staticmethod
    def forward(
        ctx: Any, body: Body, sums: torch.Tensor, messages: torch.Tensor, weights: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        *layers, head, bias = body.split(weights.detach().numpy())
        ctx.body, ctx.messages = body, messages.numpy()
        there = ctx.messages.diagonal(axis1=1, axis2=2) > 0
        rows = np.where(there, there.cumsum().reshape(there.shape) - 1, -1)
        # The last layer has a row a graph, its global vertex.
        last = np.full_like(rows, -1)
        last[:, -1] = np.arange(len(rows))
        depth = len(layers) // 3
        ctx.rows = [rows] * depth + [last]
        ctx.saved = []
        # The sums over what the first layer receives are given.
        states = sums.numpy()[there if depth > 1 else last >= 0]
        for layer, (kernel, scale, shift) in enumerate(zip(*[iter(layers)] * 3, strict=True)):
            inputs = states
            if layer:
                sources, targets = ctx.rows[layer : layer + 2]
                inputs = collect(ctx.messages, sources, targets, states, targets.max() + 1)
            values = inputs @ kernel
            states, mean, variance = normalise(values, scale, shift, _EPSILON)
            ctx.saved.append((inputs, values, states, mean, variance))
        ctx.save_for_backward(weights)
        output = torch.from_numpy(states @ head + bias)
        means, variances = (
            torch.from_numpy(np.stack([each[i] for each in ctx.saved])) for i in (3, 4)
        )
        ctx.mark_non_differentiable(means, variances)
        return output, means, variances

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (weights,) = ctx.saved_tensors
        result = torch.empty_like(weights)
        *layers, head, _ = ctx.body.split(weights.detach().numpy())
        *parts, of_head, of_bias = ctx.body.split(result.numpy())
        slope = gradients[0].numpy()
        of_head[:], of_bias[:] = slope @ ctx.saved[-1][2], slope.sum()
        slope = np.outer(slope, head)
        for layer in reversed(range(len(ctx.saved))):
            inputs, *normalised = ctx.saved[layer]
            kernel, scale, _ = layers[3 * layer : 3 * layer + 3]
            of_kernel, of_scale, of_shift = parts[3 * layer : 3 * layer + 3]
            values, states, mean, variance = normalised
            normalise_back(
                slope, states, values, mean, variance, scale, _EPSILON, of_scale, of_shift
            )
            np.dot(inputs.T, slope, out=of_kernel)
            if layer:
                # What was received goes back along the messages.
                senders, receivers = ctx.rows[layer : layer + 2]
                back = ctx.messages.transpose(0, 2, 1)
                size = len(ctx.saved[layer - 1][0])
                slope = collect(back, receivers, senders, slope @ kernel.T, size)
        return None, None, None, result


def _line_graph(pairs: np.ndarray, vertices: int) -> np.ndarray:
    """Messages (n, n) among an input, the edges ``pairs`` (tail, head) of a cell, and an output."""
    tails, heads = (column for column in pairs.T)
    size = len(pairs) + 2
    links = np.zeros((size, size), dtype=np.float32)
    links[1:-1, 1:-1] = tails[:, None] == heads
    links[1:-1, 0] = tails == 0
    links[-1, 1:-1] = heads == vertices - 1
    return links


@predictor
def gcn(
    space: CellSpace,
    *,
    layers: PositiveInt = 4,
    hidden: PositiveInt = 64,
    normalized: bool = True,
) -> GCN:
    """GCN of 4 x 64 with a global vertex (BONAS, section 4.1)."""
    return GCN(space, layers, hidden, normalized)
