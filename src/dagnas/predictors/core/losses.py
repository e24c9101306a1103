"""Losses that train a predictor on evaluated cells."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def pairwise_ranking(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Pairwise ranking loss of a batch (GOAL, equation 3).

    The sum over ordered pairs i != j of ``log(1 + exp(-(s_i - s_j) sign(y_i - y_j)))``. As in the
    paper it is a sum, so weight decay weighs less the more pairs there are. Pairs of equal
    targets say nothing about order: equation 3 gives them the constant log 2, here they give 0.

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
