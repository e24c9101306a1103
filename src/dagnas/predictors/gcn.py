"""Graph convolutional network with a global vertex: BONAS's predictor of accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from pydantic import PositiveInt
from torch import nn

from dagnas.predictors.core.predictor import predictor
from dagnas.spaces.core.cells import Graphs
from dagnas.spaces.core.space import CellSpace

#: Of an embedding's batch normalisation, as PyTorch's.
_EPSILON, _MOMENTUM = 1e-5, 0.1


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

    All weights are one vector, and the gradient is written out: a step of training is a hundred
    small operations, and it takes half the time of the same network of PyTorch's modules.

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
        self.weights = nn.Parameter(torch.empty(sum(map(math.prod, self.shapes))))
        self.register_buffer("mean", torch.zeros(layers, hidden))
        self.register_buffer("variance", torch.ones(layers, hidden))
        with torch.no_grad():
            self.weights.uniform_(-0.05, 0.05)
            *norms, _, _ = self.split(self.weights)
            for scale, shift in zip(norms[1::3], norms[2::3], strict=True):
                scale.fill_(1)
                shift.zero_()

    def split(self, weights: torch.Tensor) -> list[torch.Tensor]:
        """Parts of a vector of all weights: kernel, scale and shift a layer, then the head's."""
        parts = weights.split([math.prod(shape) for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def embed(self, graphs: Graphs) -> torch.Tensor:
        """Last state of the global vertex of encoded graphs, shape (B, hidden), as trained."""
        *layers, _, _ = self.split(self.weights)
        (sums, messages), states = graphs, graphs.nodes
        factors = torch.stack(layers[1::3]) * (self.variance + _EPSILON).rsqrt()
        offsets = torch.stack(layers[2::3]) - self.mean * factors
        for layer, kernel in enumerate(layers[::3]):
            if layer == len(factors) - 1:
                # Of the last states only the global vertex's are read.
                messages, sums = messages[:, -1:], sums[:, -1:]
            if layer:
                sums = torch.bmm(messages, states)
            values = sums.reshape(-1, sums.shape[2]) @ kernel
            states = torch.addcmul(offsets[layer], values, factors[layer]).relu_()
            states = states.view(*sums.shape[:2], -1)
        return states[:, 0]

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Predicted error of encoded graphs, a share in [0, 1], shape (B,)."""
        if self.training:
            output, mean, variance = _Step.apply(self, *graphs, self.weights)
            self.mean.lerp_(mean, _MOMENTUM)
            self.variance.lerp_(variance, _MOMENTUM)
        else:
            *_, head, bias = self.split(self.weights)
            output = self.embed(graphs) @ head + bias
        return torch.sigmoid(-output)


class _Step(torch.autograd.Function):
    """The network in training: what it computes, and the gradient of that."""

    @staticmethod
    def forward(
        ctx: Any, body: Body, sums: torch.Tensor, messages: torch.Tensor, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        *layers, head, bias = body.split(weights)
        # Statistics are those of the vertices that are there.
        there = (messages.diagonal(dim1=1, dim2=2) > 0).to(weights.dtype).reshape(1, -1)
        share, states = there / there.sum(), sums
        saved: list[tuple[torch.Tensor, ...]] = []
        for kernel, scale, shift in zip(*[iter(layers)] * 3, strict=True):
            if len(saved) == len(layers) // 3 - 1:
                messages, sums = messages[:, -1:], sums[:, -1:]
                share = share.new_full((1, len(sums)), 1 / len(sums))
            if saved:
                sums = torch.bmm(messages, states.view(len(sums), -1, len(head)))
            inputs = sums.reshape(-1, len(kernel))
            values = inputs @ kernel
            mean = (share @ values)[0]
            variance = ((share @ values.square())[0] - mean.square()).clamp_(min=0)
            inverse = (variance + _EPSILON).rsqrt()
            factor = inverse * scale
            states = torch.addcmul(shift - mean * factor, values, factor).relu_()
            saved.append((messages, share, inputs, values, states, mean, variance, inverse, factor))
        ctx.body, ctx.saved = body, saved
        ctx.save_for_backward(weights)
        means, variances = (torch.stack([layer[i] for layer in saved]) for i in (5, 6))
        ctx.mark_non_differentiable(means, variances)
        return states @ head + bias, means, variances

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (weights,) = ctx.saved_tensors
        result = torch.empty_like(weights)
        *layers, head, _ = ctx.body.split(weights)
        *parts, of_head, of_bias = ctx.body.split(result)
        slope, states = gradients[0], ctx.saved[-1][4]
        torch.mv(states.T, slope, out=of_head)
        of_bias.copy_(slope.sum())
        slope = torch.outer(slope, head)
        for layer in reversed(range(len(ctx.saved))):
            messages, share, inputs, values, states, mean, _, inverse, factor = ctx.saved[layer]
            of_kernel, of_scale, of_shift = parts[3 * layer : 3 * layer + 3]
            slope = torch.ops.aten.threshold_backward(slope, states, 0)
            torch.sum(slope, 0, out=of_shift)
            # The sum of slope times normalised value.
            torch.mul((slope * values).sum(0) - mean * of_shift, inverse, out=of_scale)
            # Every row moves mean and variance by its share. A vertex that is not there has none,
            # but its slope leads nowhere: all of its messages weigh zero.
            pull = -share.max() * factor * inverse * of_scale
            offset = -share.max() * factor * of_shift - mean * pull
            slope = torch.addcmul(torch.addcmul(offset, values, pull), slope, factor)
            torch.mm(inputs.T, slope, out=of_kernel)
            if layer:
                slope = (slope @ layers[3 * layer].T).view(len(messages), -1, len(head))
                slope = torch.bmm(messages.transpose(1, 2), slope).view(-1, len(head))
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
