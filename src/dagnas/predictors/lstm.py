"""Long short-term memory on a cell as a sequence: a predictor that BONAS compares with."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import PositiveInt
from torch import nn

from dagnas.predictors.predictor import predictor
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Graphs


class LSTM(nn.Module):
    """Reads the free edges and vertices of a cell one by one, and predicts from its last state.

    Before each vertex come the edges that lead to it, so that a prefix of the sequence is a part
    of the cell. Only places with more than one allowed type are read.

    Parameters
    ----------
    space : CellSpace
    hidden : int
        Units of the state, and size of the embedding of a type.

    Attributes
    ----------
    places : int64 tensor, shape (L,)
        Places in order: vertex v as v, and the edge i -> j as V + i V + j.
    """

    places: torch.Tensor

    def __init__(self, space: CellSpace, hidden: int) -> None:
        super().__init__()
        (vertices, node_types), edge_types = space.node_mask.shape, space.edge_mask.shape[-1]
        places = []
        for head in range(vertices):
            tails = np.flatnonzero(space.edge_mask[:head, head].sum(axis=1) > 1)
            places += [vertices + tail * vertices + head for tail in tails]
            places += [head] if space.node_mask[head].sum() > 1 else []
        self.register_buffer("places", torch.tensor(places), persistent=False)
        self.of_nodes = nn.Parameter(torch.randn(node_types, hidden))
        self.of_edges = nn.Parameter(torch.randn(edge_types, hidden))
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def embed(self, graphs: Graphs) -> torch.Tensor:
        """Sequences of embeddings of relaxed cells, shape (B, L, hidden)."""
        nodes, edges = graphs.nodes @ self.of_nodes, graphs.edges.flatten(1, 2) @ self.of_edges
        return torch.cat([nodes, edges], dim=1)[:, self.places]

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Predicted errors of relaxed cells, as fractions, shape (B,); lower is better."""
        _, (last, _) = self.lstm(self.embed(graphs))
        scores: torch.Tensor = self.head(last[0])[:, 0]
        return torch.sigmoid(scores)


@predictor
def lstm(space: CellSpace, *, hidden: PositiveInt = 100) -> LSTM:
    """LSTM with 100 units and embeddings of 100 (BONAS, section 4.1)."""
    return LSTM(space, hidden)
