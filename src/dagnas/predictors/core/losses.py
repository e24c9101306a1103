"""Losses that train a predictor on evaluated cells."""

from __future__ import annotations

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
