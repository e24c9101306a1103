"""Multilayer perceptron on the flattened one-hot cell: the alternative that GOAL compares with."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import PositiveInt
from torch import nn

from dagnas.predictors.predictor import predictor
from dagnas.predictors.products import Linear
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Graphs


class MLP(nn.Module):
    """Fully connected layers with ReLU on the allowed positions of the one-hots.

    Parameters
    ----------
    node_mask : bool tensor, shape (V, T)
        Types that a vertex may have.
    edge_mask : bool tensor, shape (V, V, R)
        Types that an edge may have.
    layers : int
        Hidden layers.
    hidden : int
        Units of each.
    """

    allowed: torch.Tensor

    def __init__(
        self, node_mask: torch.Tensor, edge_mask: torch.Tensor, layers: int, hidden: int
    ) -> None:
        super().__init__()
        allowed = torch.cat([node_mask.flatten(), edge_mask.flatten()]).nonzero()[:, 0]
        self.register_buffer("allowed", allowed, persistent=False)
        widths = [len(allowed)] + [hidden] * layers
        hidden_layers = [(Linear(a, b), nn.ReLU()) for a, b in pairwise(widths)]
        self.layers = nn.Sequential(*sum(hidden_layers, ()), Linear(widths[-1], 1))

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Score relaxed cells, shape (B,); lower is better."""
        flat = torch.cat([graphs.nodes.flatten(1), graphs.edges.flatten(1)], dim=1)
        scores: torch.Tensor = self.layers(flat[:, self.allowed])
        return scores[:, 0]


@predictor
def mlp(space: CellSpace, *, layers: PositiveInt = 4, hidden: PositiveInt = 64) -> MLP:
    """Multilayer perceptron of 4 x 64 (GOAL, section 6.2)."""
    node_mask, edge_mask = torch.from_numpy(space.node_mask), torch.from_numpy(space.edge_mask)
    return MLP(node_mask, edge_mask, layers, hidden)
