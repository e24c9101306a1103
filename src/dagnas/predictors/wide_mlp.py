"""Multilayer perceptron of five wide layers: a predictor that BONAS compares with."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import PositiveInt
from torch import nn

from dagnas.predictors.predictor import predictor
from dagnas.predictors.products import Linear
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Graphs


class WideMLP(nn.Module):
    """Fully connected layers with ReLU on the one-hots of the free edges and vertices.

    Parameters
    ----------
    space : CellSpace
    widths : sequence of int
        Units of each hidden layer.

    Attributes
    ----------
    inputs : int64 tensor
        Allowed types of the places that allow more than one, in the flattened one-hots.
    """

    inputs: torch.Tensor

    def __init__(self, space: CellSpace, widths: list[int]) -> None:
        super().__init__()
        masks = (space.node_mask, space.edge_mask)
        free = [mask & (mask.sum(axis=-1, keepdims=True) > 1) for mask in masks]
        inputs = torch.cat([torch.from_numpy(part).flatten() for part in free]).nonzero()[:, 0]
        self.register_buffer("inputs", inputs, persistent=False)
        hidden = [(Linear(a, b), nn.ReLU()) for a, b in pairwise([len(inputs), *widths])]
        self.layers = nn.Sequential(*sum(hidden, ()), Linear(widths[-1], 1))

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Predicted errors of relaxed cells, as fractions, shape (B,); lower is better."""
        flat = torch.cat([graphs.nodes.flatten(1), graphs.edges.flatten(1)], dim=1)
        # No sigmoid: the first steps of Adam at 0.001 take a net this wide so far out that a
        # sigmoid is 0 to the last bit for all cells, and so is its gradient from then on.
        scores: torch.Tensor = self.layers(flat[:, self.inputs])[:, 0]
        return scores


@predictor
def wide_mlp(space: CellSpace, *, outer: PositiveInt = 512, inner: PositiveInt = 2048) -> WideMLP:
    """Multilayer perceptron of 512, 2048, 2048, 512 and 1 units (BONAS, section 4.1)."""
    return WideMLP(space, [outer, inner, inner, outer])
