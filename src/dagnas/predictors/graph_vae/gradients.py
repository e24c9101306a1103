"""Functions whose gradients are written out, since automatic ones take about twice the time.

Each equals a few lines of plain PyTorch, which stand in its docstring and which tests compare it
with, values and gradients both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional as F

from dagnas.predictors.products import multiply

_sigmoid_backward: Any = torch.ops.aten.sigmoid_backward
_tanh_backward: Any = torch.ops.aten.tanh_backward


def propagate(
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
    """States of all vertices, one after another (NGAE, equation 2).

    With ``gru`` the gated recurrent unit, its inputs given, vertex v is::

        sums = (weights[v, :, :, None] * messages_of_earlier_vertices).sum(dim=0)
        sums += carry[v, :, None] * (states[v - 1] if v else start)
        states[v] = gru(inputs[v], sums)
        gate, value = (states[v] @ send.T + place[v] + kind[:, None]).chunk(2, dim=-1)
        messages[v] = gate.sigmoid() * value

    Gradients of weights are one product over all vertices, instead of one for each.

    Parameters
    ----------
    inputs : tensor, shape (V, B, 3 H)
        Inputs of the unit's gates.
    weights : tensor, shape (V, V K, B)
        Weights of messages, see `dagnas.predictors.graph_vae.passing.Batch`; without a gradient.
    carry : tensor, shape (V, B), optional
        Weight of the state of the vertex before; without a gradient. None is 0.
    start : tensor, shape (B, H)
        State before the first vertex.
    recurrent, bias : tensor, shapes (3 H, H) and (3 H,)
        Weights of the unit on the sums.
    send, place, kind : tensor, shapes (2 H, H), (V, 2 H) and (K, 2 H)
        Gates and values of messages: weights of states, terms of positions, and terms of types of
        edges, (0, 2 H) where only one type carries messages.

    Returns
    -------
    tensor, shape (V, B, H)
    """
    apply: Callable[..., torch.Tensor] = _Propagate.apply
    return apply(inputs, weights, carry, start, recurrent, bias, send, place, kind)


def score_pairs(tails: torch.Tensor, heads: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """``relu(tails[u] + heads[v - 1]) @ weight.T`` of all pairs u < v, ordered by v, then u.

    The edge decoder's last two layers. Taking pairs out of arrays and adding their gradients up
    again would cost more than the layers.

    Parameters
    ----------
    tails, heads : tensor, shape (V - 1, B, E)
        Of vertices 0 to V - 2, and 1 to V - 1.
    weight : tensor, shape (R, E)

    Returns
    -------
    tensor, shape (P, B, R)
    """
    apply: Callable[..., torch.Tensor] = _Pairs.apply
    return apply(tails, heads, weight)


class _Propagate(torch.autograd.Function):
    """Function of `propagate`."""

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
            multiply(a[v], recurrent.T, out=g[v]).add_(bias)
            torch.add(in_both[v], hidden_both[v], out=b[v]).sigmoid_()
            torch.addcmul(in_new[v], reset[v], hidden_new[v], out=n[v]).tanh_()
            torch.lerp(n[v], a[v], keep[v], out=h[v])
            if v < vertices - 1:
                if len(kind):
                    torch.add(multiply(h[v], send.T).add_(place[v]), kind[:, None], out=s[v])
                else:
                    multiply(h[v], send.T, out=s[v][0]).add_(place[v])
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
                to_h[v].add_(multiply(to_s[v].sum(dim=0) if kinds > 1 else to_s[v][0], send))
            passed = to_h[v] * keep[v]
            to_new[v].copy_(_tanh_backward(to_h[v] - passed, n[v]))
            to_keep[v].copy_(_sigmoid_backward(to_h[v] * (a[v] - n[v]), keep[v]))
            to_reset[v].copy_(_sigmoid_backward(to_new[v] * hidden_new[v], reset[v]))
            from_both[v].copy_(to_both[v])
            torch.mul(to_new[v], reset[v], out=from_new[v])
            passed.add_(multiply(to_g[v], recurrent))
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
            multiply(flat.T, sums.flatten(0, 1)),
            flat.sum(dim=0),
            multiply(by_vertex.flatten(0, 1).T, states[:-1].flatten(0, 1)),
            of_place,
            of_sending.sum(dim=(0, 2)) if len(kind) else torch.zeros_like(kind),
        )


def _views(values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return values.unbind(0)


class _Pairs(torch.autograd.Function):
    """Function of `score_pairs`."""

    @staticmethod
    def forward(
        ctx: Any, tails: torch.Tensor, heads: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        last = len(tails)
        hidden = tails.new_empty(last * (last + 1) // 2, *tails.shape[1:])
        for v in range(1, last + 1):
            torch.add(tails[:v], heads[v - 1], out=hidden[v * (v - 1) // 2 : v * (v + 1) // 2])
        hidden.relu_()
        ctx.save_for_backward(hidden, weight)
        return multiply(hidden.flatten(0, 1), weight.T).view(*hidden.shape[:2], -1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, ...]:
        (grad,) = grads
        hidden, weight = ctx.saved_tensors
        rows = grad.flatten(0, 1)
        of_weight = multiply(rows.T, hidden.flatten(0, 1))
        of_hidden = torch.ops.aten.threshold_backward(
            multiply(rows, weight).view_as(hidden), hidden, 0
        )
        last = math.isqrt(2 * len(hidden))
        of_tails = hidden.new_zeros(last, *hidden.shape[1:])
        of_heads = torch.empty_like(of_tails)
        for v in range(1, last + 1):
            block = of_hidden[v * (v - 1) // 2 : v * (v + 1) // 2]
            of_tails[:v] += block
            torch.sum(block, dim=0, out=of_heads[v - 1])
        return of_tails, of_heads, of_weight
