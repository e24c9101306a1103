"""Products of matrices on a CPU by NumPy's library, OpenBLAS, in place of PyTorch's, MKL.

Of MKL's kernels only the slowest give equal bytes on the CPUs of all makers; those of OpenBLAS for
one level of CPU do so at about three times the speed (python -m perf.predictors). Products are most
of what training a predictor does. On other devices all functions are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def multiply(
    left: torch.Tensor, right: torch.Tensor, out: torch.Tensor | None = None
) -> torch.Tensor:
    """Product of two matrices, without a gradient.

    Parameters
    ----------
    left, right : tensor, shapes (a, b) and (b, c)
    out : tensor, shape (a, c), optional
        Where to write it.
    """
    if left.device.type != "cpu":
        return torch.mm(left, right, out=out)
    arrays = left.detach().numpy(), right.detach().numpy()
    if out is None:
        return torch.from_numpy(np.matmul(*arrays))
    np.matmul(*arrays, out=out.numpy())
    return out


def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Product of two matrices, shapes (a, b) and (b, c), with its gradient."""
    apply: Callable[..., torch.Tensor] = _Product.apply
    return apply(left, right) if left.device.type == "cpu" else left @ right


def linear(
    inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """``inputs @ weight.T + bias`` with its gradient, as PyTorch's function of that name.

    Parameters
    ----------
    inputs : tensor, shape (..., a)
    weight : tensor, shape (c, a)
    bias : tensor, shape (c,), optional
    """
    if inputs.device.type != "cpu":
        return F.linear(inputs, weight, bias)
    apply: Callable[..., torch.Tensor] = _Linear.apply
    rows = apply(inputs.reshape(-1, inputs.shape[-1]), weight, bias)
    return rows.view(*inputs.shape[:-1], len(weight))


class Linear(nn.Linear):
    """PyTorch's linear layer, with the products of this module."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Apply the layer to states, shape (..., in_features)."""
        return linear(inputs, self.weight, self.bias)


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Take gradients with respect to inputs alone.

    A function that is not PyTorch's own is not told which gradients are asked for, only which
    tensors have one.
    """
    weights = [values for values in model.parameters() if values.requires_grad]
    try:
        for values in weights:
            values.requires_grad_(False)
        yield
    finally:
        for values in weights:
            values.requires_grad_()


class _Product(torch.autograd.Function):
    """Function of `product`."""

    @staticmethod
    def forward(ctx: Any, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(left, right)
        return multiply(left, right)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        left, right = ctx.saved_tensors
        of_left, of_right = ctx.needs_input_grad
        return (
            multiply(grads[0], right.T) if of_left else None,
            multiply(left.T, grads[0]) if of_right else None,
        )


class _Linear(torch.autograd.Function):
    """Function of `linear` on rows."""

    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight)
        outputs = multiply(inputs, weight.T)
        return outputs if bias is None else outputs.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        return (
            multiply(grads[0], weight) if of_inputs else None,
            multiply(grads[0].T, inputs) if of_weight else None,
            grads[0].sum(dim=0) if of_bias else None,
        )
