"""Losses that train a predictor on evaluated cells."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F


def pairwise_ranking(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Pairwise ranking loss of a batch (GOAL, equation 3).

    The sum over ordered pairs i != j of ``log(1 + exp(-(s_i - s_j) sign(y_i - y_j)))``. A sum, as
    in the paper, and not a mean: Adam takes the same steps for both but for weight decay, which
    a sum makes weaker by the number of pairs. Pairs of equal targets say nothing about order:
    equation 3 gives them the constant log 2, here they give 0; gradients are the same.

    Parameters
    ----------
    scores, targets : tensor, shape (B,)
        Predicted scores and true values, both lower for better cells.

    Returns
    -------
    tensor, shape ()
    """
    signs = torch.sign(targets - targets[:, None])
    violations = (scores[:, None] - scores) * signs
    return (F.softplus(violations) * signs.abs()).sum()


def weighted_square(weight: str) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Squared error, weighted by the true accuracy y in [0, 1] (BONAS, sections 3.4 and 4.5).

    Parameters
    ----------
    weight : str
        A key of `WEIGHTS`.

    Returns
    -------
    callable
        Maps predicted and true errors of a batch, fractions in [0, 1], both (B,), to the mean of
        weight times squared difference.
    """

    def loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (WEIGHTS[weight](1 - targets) * (scores - targets).square()).mean()

    return loss


#: Weights of a cell of accuracy y: of equation 6, of the two others of section 4.5, and none.
WEIGHTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "exponential": lambda y: y.expm1() / math.expm1(1),
    "log": lambda y: y.log1p() / math.log(2),
    "linear": lambda y: y,
    "mse": torch.ones_like,
}
