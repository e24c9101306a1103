"""Asynchronous message passing along the vertices of acyclic graphs (NGAE, equation 2).

Arrays have the vertex first and the graph second, so that all graphs of a batch pass a vertex
together and what belongs to a vertex is one block of memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells

_sigmoid_backward: Any = torch.ops.aten.sigmoid_backward
_tanh_backward: Any = torch.ops.aten.tanh_backward

#: What gates begin with: nine tenths open.
_OPEN = 2.0


class Batch(NamedTuple):
    """Cells of one space in the form that the graph VAE reads.

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


class Placed(nn.Linear):
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
        """Weights on states (outputs, hidden), and what positions and kinds add: (.., outputs)."""
        state, place, kind = self.weight.split(self.split, dim=1)
        return state, place.T + self.bias, kind.T

    def forward(self, states: torch.Tensor, first: int = 0) -> torch.Tensor:
        """Apply the layer to states, shape (n, B, hidden), of n vertices from ``first`` on."""
        state, place, _ = self.parts()
        return F.linear(states, state) + place[first : first + len(states), None]


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
        self._let_pass()

    @torch.no_grad()
    def _let_pass(self) -> None:
        """Begin with messages that are nearly the states, and with types that are seen in them.

        The paper says nothing of initial weights. With torch's, a type changes a state by
        hundredths and a message is a fraction of the state it comes from, so that what a cell
        begins with is lost on its way: after two epochs of 17,118 ENAS cells, types would still be
        guessed no better than by chance.
        """
        nn.init.normal_(self.unit.weight_ih)
        for gate in self.unit.weight_hh.chunk(3):
            nn.init.orthogonal_(gate)
        nn.init.eye_(self.send.weight[self.hidden :, : self.hidden])
        self.send.bias[: self.hidden] += _OPEN

    def read(self, nodes: torch.Tensor) -> torch.Tensor:
        """What types contribute to the unit's gates: (..., 3 H) of types of shape (...)."""
        return F.embedding(nodes, self.unit.weight_ih.T) + self.unit.bias_ih

    def update(self, inputs: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        """U: states (..., H) from `read` types (..., 3 H) and aggregated messages (..., H)."""
        hidden = F.linear(sums, self.unit.weight_hh, self.unit.bias_hh)
        width = 2 * self.hidden
        reset, keep = torch.sigmoid(inputs[..., :width] + hidden[..., :width]).chunk(2, dim=-1)
        new = torch.tanh(torch.addcmul(inputs[..., width:], reset, hidden[..., width:]))
        return torch.lerp(new, sums, keep)

    def messages(self, states: torch.Tensor, vertex: int) -> torch.Tensor:
        """What a vertex sends, by type of edge: (K, B, H) of its states (B, H)."""
        sent = self.send(states[None], vertex)
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
        states: torch.Tensor = _Propagate.apply(
            inputs,
            weights,
            carry,
            begin,
            self.unit.weight_hh,
            self.unit.bias_hh,
            state,
            place,
            kind,
        )
        return states


class _Propagate(torch.autograd.Function):
    """`Passing.forward` with its gradient written out: about half the time of automatic ones.

    Gradients of weights are then one product over all vertices, instead of one for each.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        weights: torch.Tensor,
        carry: torch.Tensor | None,
        start: torch.Tensor,
        recurrent: torch.Tensor,
        bias: torch.Tensor,
        send: torch.Tensor,
        place: torch.Tensor,
        kind: torch.Tensor,
    ) -> torch.Tensor:
        vertices, batch, width = inputs.shape
        size, kinds = width // 3, weights.shape[1] // vertices
        states, sums, new = (inputs.new_empty(vertices, batch, size) for _ in range(3))
        hidden, both = torch.empty_like(inputs), inputs.new_empty(vertices, batch, 2 * size)
        sending = inputs.new_empty(vertices - 1, kinds, batch, 2 * size)
        sent = inputs.new_empty(vertices - 1, kinds, batch, size)
        sums[0] = 0
        carries = [False] * vertices if carry is None else carry.any(dim=1).tolist()
        # Taking a view costs as much as a small product: all of one kind are taken together.
        of, out = _views(weights[..., None]), sent.flatten(0, 1)
        in_both, in_new = _views(inputs[..., : 2 * size]), _views(inputs[..., 2 * size :])
        hidden_both, hidden_new = _views(hidden[..., : 2 * size]), _views(hidden[..., 2 * size :])
        reset, keep = _views(both[..., :size]), _views(both[..., size:])
        gate, value = _views(sending[..., :size]), _views(sending[..., size:])
        h, a, n, g, b, s, m = map(_views, (states, sums, new, hidden, both, sending, sent))
        for v in range(vertices):
            if v:
                torch.sum(of[v][: v * kinds] * out[: v * kinds], dim=0, out=a[v])
            if carry is not None and carries[v]:
                a[v].addcmul_(carry[v, :, None], h[v - 1] if v else start)
            torch.addmm(bias, a[v], recurrent.T, out=g[v])
            torch.add(in_both[v], hidden_both[v], out=b[v]).sigmoid_()
            torch.addcmul(in_new[v], reset[v], hidden_new[v], out=n[v]).tanh_()
            torch.lerp(n[v], a[v], keep[v], out=h[v])
            if v < vertices - 1:
                if len(kind):
                    torch.add(torch.addmm(place[v], h[v], send.T), kind[:, None], out=s[v])
                else:
                    torch.addmm(place[v], h[v], send.T, out=s[v][0])
                torch.mul(gate[v].sigmoid_(), value[v], out=m[v])
        ctx.carries = carries
        ctx.save_for_backward(
            weights, carry, recurrent, send, kind, states, sums, hidden, both, new, sending
        )
        return states

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        saved: Sequence[Any] = ctx.saved_tensors
        weights, carry, recurrent, send, kind, states, sums, hidden, both, new, sending = saved
        (vertices, _, size), kinds = states.shape, sending.shape[1]
        of_states, of_start = grads[0].clone(), torch.zeros_like(states[0])
        of_sent = torch.zeros_like(sending[..., :size])
        of_inputs, of_hidden = torch.empty_like(hidden), torch.empty_like(hidden)
        of_sending = torch.empty_like(sending)
        of, out = _views(weights[..., None]), of_sent.flatten(0, 1)
        hidden_new = _views(hidden[..., 2 * size :])
        reset, keep = _views(both[..., :size]), _views(both[..., size:])
        gate, value = _views(sending[..., :size]), _views(sending[..., size:])
        to_gate, to_value = _views(of_sending[..., :size]), _views(of_sending[..., size:])
        to_both, to_new = _views(of_inputs[..., : 2 * size]), _views(of_inputs[..., 2 * size :])
        to_reset, to_keep = _views(of_inputs[..., :size]), _views(of_inputs[..., size : 2 * size])
        from_both = _views(of_hidden[..., : 2 * size])
        from_new = _views(of_hidden[..., 2 * size :])
        a, n, to_h, to_g = map(_views, (sums, new, of_states, of_hidden))
        to_m, to_s = _views(of_sent), _views(of_sending)
        for v in reversed(range(vertices)):
            if v < vertices - 1:
                torch.mul(to_m[v], gate[v], out=to_value[v])
                to_gate[v].copy_(_sigmoid_backward(to_m[v] * value[v], gate[v]))
                to_h[v].addmm_(to_s[v].sum(dim=0) if kinds > 1 else to_s[v][0], send)
            passed = to_h[v] * keep[v]
            to_new[v].copy_(_tanh_backward(to_h[v] - passed, n[v]))
            to_keep[v].copy_(_sigmoid_backward(to_h[v] * (a[v] - n[v]), keep[v]))
            to_reset[v].copy_(_sigmoid_backward(to_new[v] * hidden_new[v], reset[v]))
            from_both[v].copy_(to_both[v])
            torch.mul(to_new[v], reset[v], out=from_new[v])
            passed.addmm_(to_g[v], recurrent)
            if ctx.carries[v]:
                (to_h[v - 1] if v else of_start).addcmul_(carry[v, :, None], passed)
            if v:
                out[: v * kinds].addcmul_(of[v][: v * kinds], passed)
        flat = of_hidden.flatten(0, 1)
        by_vertex = of_sending.sum(dim=1) if kinds > 1 else of_sending[:, 0]
        of_place = F.pad(by_vertex.sum(dim=1), (0, 0, 0, 1))
        return (
            of_inputs,
            None,
            None,
            of_start,
            flat.T @ sums.flatten(0, 1),
            flat.sum(dim=0),
            by_vertex.flatten(0, 1).T @ states[:-1].flatten(0, 1),
            of_place,
            of_sending.sum(dim=(0, 2)) if len(kind) else torch.zeros_like(kind),
        )


def _views(values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return values.unbind(0)


class Pairs(torch.autograd.Function):
    """``relu(tails[u] + heads[v]) @ weight`` of all pairs: the edge decoder's last two layers.

    By hand, since taking pairs out of arrays and adding their gradients up again would cost more
    than the layers.
    """

    @staticmethod
    def forward(
        ctx: Any, tails: torch.Tensor, heads: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Values, shape (P, B, R).

        Parameters
        ----------
        ctx : object
        tails, heads : tensor, shape (V - 1, B, E)
            Of vertices 0 to V - 2, and 1 to V - 1.
        weight : tensor, shape (R, E)
        """
        last = len(tails)
        hidden = tails.new_empty(last * (last + 1) // 2, *tails.shape[1:])
        for v in range(1, last + 1):
            torch.add(tails[:v], heads[v - 1], out=hidden[v * (v - 1) // 2 : v * (v + 1) // 2])
        hidden.relu_()
        ctx.save_for_backward(hidden, weight)
        return hidden @ weight.T

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Gradients of all three."""
        (grad,) = grads
        hidden, weight = ctx.saved_tensors
        of_weight = grad.flatten(0, 1).T @ hidden.flatten(0, 1)
        of_hidden = torch.ops.aten.threshold_backward(grad @ weight, hidden, 0)
        last = math.isqrt(2 * len(hidden))
        of_tails = hidden.new_zeros(last, *hidden.shape[1:])
        of_heads = torch.empty_like(of_tails)
        for v in range(1, last + 1):
            block = of_hidden[v * (v - 1) // 2 : v * (v + 1) // 2]
            of_tails[:v] += block
            torch.sum(block, dim=0, out=of_heads[v - 1])
        return of_tails, of_heads, of_weight
