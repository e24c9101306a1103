"""Graph convolutional network with a global vertex: BONAS's predictor of accuracy."""

from __future__ import annotations

import math

import numpy as np
import torch
from pydantic import PositiveInt
from torch import nn

from dagnas.predictors.encoded import EncodedPredictor
from dagnas.predictors.predictor import predictor
from dagnas.predictors.products import product
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Graphs

#: Of batch normalisation, as PyTorch's.
EPSILON, MOMENTUM = 1e-5, 0.1


class GCN(EncodedPredictor):
    """Cells as graphs with a global vertex, and a network on these that predicts errors.

    Scores are predicted errors as fractions, in [0, 1].

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

    body: Body
    links: torch.Tensor

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
        # Vertices apart from the rest are no part of the cell: the global one does not see them.
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
        return nodes, self.links.to(nodes.dtype).expand(batch, -1, -1)


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
        parts = torch.split(weights, [math.prod(shape) for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def embed(self, graphs: Graphs) -> torch.Tensor:
        """Last state of the global vertex of encoded graphs, shape (B, hidden), as trained."""
        states, _, _ = self._convolve(graphs, trained=True)
        return states

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Predicted errors of encoded graphs, as fractions, shape (B,)."""
        states, mean, variance = self._convolve(graphs, trained=not self.training)
        *_, head, bias = self.split(self.weights)
        if self.training:
            self.mean.lerp_(mean, MOMENTUM)
            self.variance.lerp_(variance, MOMENTUM)
        return torch.sigmoid(-(states @ head + bias))

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
            values = product(sums.reshape(-1, sums.shape[2]), kernel)
            if not trained:
                average = there / there.sum()
                means[layer] = (average @ values)[0]
                spread = (average @ values.square())[0] - means[layer].square()
                variances[layer] = spread.clamp(min=0)
            factor = scale * (variances[layer] + EPSILON).rsqrt()
            states = torch.addcmul(shift - means[layer] * factor, values, factor).relu_()
            states = states.view(*sums.shape[:2], -1)
        return states[:, 0], torch.stack(means).detach(), torch.stack(variances).detach()


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
