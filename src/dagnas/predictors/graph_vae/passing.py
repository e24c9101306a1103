"""Asynchronous message passing along the vertices of acyclic graphs (NGAE, equation 2).

Arrays have the vertex first and the graph second, so that all graphs of a batch pass a vertex
together and what belongs to a vertex is one block of memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dagnas.predictors.graph_vae.gradients import propagate
from dagnas.predictors.products import Linear, linear
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells

#: First bias of gates, which opens them by nine tenths.
_OPEN = 2.0


class Batch(NamedTuple):
    """Cells of one space as tensors, vertex first.

    A *pair* is a possible edge u -> v, u < v; pairs are ordered by v, then u, and there are
    P = V (V - 1) / 2. K is the number of edge types that carry messages: all but "none".

    Attributes
    ----------
    nodes : int64 tensor, shape (V, B)
        Types of vertices.
    edges : int64 tensor, shape (P, B)
        Types of pairs.
    weights : float tensor, shape (V, V K, B)
        [v, u K + k, b] is 1 where cell b has an edge u -> v of the k-th type that carries
        messages, and 0 elsewhere.
    """

    nodes: torch.Tensor
    edges: torch.Tensor
    weights: torch.Tensor

    def take(self, rows: torch.Tensor | slice) -> Batch:
        """Batch of some of the cells."""
        return Batch(*(part[..., rows] for part in self))

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on ``device``."""
        return Batch(*(part.to(device) for part in self))


def silent(space: CellSpace) -> int:
    """Number of the edge type without messages, or -1 if all edges carry them."""
    return space.edge_types.index("none") if "none" in space.edge_types else -1


def prepare(space: CellSpace, cells: Cells) -> Batch:
    """Pruned cells as a batch on the CPU."""
    cells = space.prune(cells)
    vertices, types = space.num_nodes, range(len(space.edge_types))
    heads, tails = np.tril_indices(vertices, -1)
    carrying = np.array([kind for kind in types if kind != silent(space)])
    edges = cells.edges.transpose(2, 1, 0)
    above = np.triu(np.ones((vertices, vertices), dtype=bool), 1).T
    weights = (edges[:, :, None] == carrying[:, None]) & above[:, :, None, None]
    return Batch(
        torch.from_numpy(cells.nodes.T.astype(np.int64)),
        torch.from_numpy(edges[heads, tails].astype(np.int64)),
        torch.from_numpy(weights.reshape(vertices, -1, len(cells)).astype(np.float32)),
    )


class Placed(Linear):
    """Linear layer on states of vertices with the vertex's position appended as a one-hot.

    Parameters
    ----------
    hidden, vertices, outputs : int
        Length of a state, number of positions, length of what comes out.
    kinds : int
        Length of a further one-hot that is appended.
    """

    def __init__(self, hidden: int, vertices: int, outputs: int, kinds: int = 0) -> None:
        super().__init__(hidden + vertices + kinds, outputs)
        self.split = (hidden, vertices, kinds)

    def parts(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Weights of states (outputs, hidden), terms of positions and of kinds (..., outputs)."""
        state, place, kind = torch.split(self.weight, list(self.split), dim=1)
        return state, place.T + self.bias, kind.T

    def forward(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """Apply the layer to states, shape (n, B, hidden), of n vertices from ``first`` on."""
        state, place, _ = self.parts()
        return linear(states, state) + place[first : first + len(states), None]


class Passing(nn.Module):
    """Gated sum over predecessors and gated recurrent unit: A and U of NGAE, equation 2.

    With the one-hot type T_v of a vertex, ``h_v = GRU(T_v, sum_{u -> v} g(h_u) * m(h_u))``, where
    the gate ``g = sigmoid(linear)`` and the map ``m = linear`` see beside h_u the position of u,
    as in D-VAE, and the type of the edge where several types carry messages.

    Parameters
    ----------
    vertices, types, kinds : int
        V, T and K.
    hidden : int
        Length H of a state.
    """

    def __init__(self, vertices: int, types: int, kinds: int, hidden: int) -> None:
        super().__init__()
        self.hidden, self.kinds = hidden, kinds
        self.unit = nn.GRUCell(types, hidden)
        #: Gates, then maps.
        self.send = Placed(hidden, vertices, 2 * hidden, kinds if kinds > 1 else 0)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Initialise weights so that messages are nearly the states, and types show in them.

        The paper says nothing of initial weights. With torch's, a type changes a state by
        hundredths and a message is a fraction of the state it comes from. The first vertices are
        then lost on the way to the last: after two epochs of 17,118 ENAS cells, types would still
        be predicted no better than at random.
        """
        nn.init.normal_(self.unit.weight_ih)
        for gate in self.unit.weight_hh.chunk(3):
            nn.init.orthogonal_(gate)
        nn.init.eye_(self.send.weight[self.hidden :, : self.hidden])
        self.send.bias[: self.hidden] += _OPEN

    def read(self, nodes: torch.Tensor) -> torch.Tensor:
        """Inputs of the unit's gates, shape (..., 3 H), from types of shape (...)."""
        return F.embedding(nodes, self.unit.weight_ih.T) + self.unit.bias_ih

    def update(self, inputs: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        """States (..., H), U of equation 2, from `read` types (..., 3 H) and sums (..., H)."""
        hidden = linear(sums, self.unit.weight_hh, self.unit.bias_hh)
        width = 2 * self.hidden
        reset, keep = torch.sigmoid(inputs[..., :width] + hidden[..., :width]).chunk(2, dim=-1)
        new = torch.tanh(torch.addcmul(inputs[..., width:], reset, hidden[..., width:]))
        return torch.lerp(new, sums, keep)

    def messages(self, states: torch.Tensor, vertex: int) -> torch.Tensor:
        """Messages of a vertex by type of edge, shape (K, B, H), from its states (B, H)."""
        sent: torch.Tensor = self.send(states[None], vertex)
        if self.kinds > 1:
            sent = sent + self.send.parts()[2][:, None]
        gate, value = sent.chunk(2, dim=-1)
        return torch.sigmoid(gate) * value

    def forward(
        self,
        inputs: torch.Tensor,
        weights: torch.Tensor,
        start: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """States of all vertices, in their order.

        Parameters
        ----------
        inputs : tensor, shape (V, B, 3 H)
            Types, as `read` gives them.
        weights : tensor, shape (V, V K, B)
            See `Batch`.
        start : tensor, shape (B, H), optional
            If given, a vertex without incoming edges takes the state of the vertex before it
            instead of an aggregate, and the first vertex takes this.

        Returns
        -------
        tensor, shape (V, B, H)
        """
        state, place, kind = self.send.parts()
        carry = None if start is None else weights.sum(dim=1).eq(0).to(inputs.dtype)
        begin = inputs.new_zeros(inputs.shape[1], self.hidden) if start is None else start
        recurrent, bias = self.unit.weight_hh, self.unit.bias_hh
        return propagate(inputs, weights, carry, begin, recurrent, bias, state, place, kind)
