"""Models of PyTorch Geometric as predictors."""

from __future__ import annotations

import torch
from torch import nn

from dagnas.errors import DagnasError, unknown
from dagnas.spaces.cells import Graphs

_NAMES = ("x", "edge_index", "edge_attr", "edge_weight", "batch")


class FromPyG(nn.Module):
    """Adapter made by `from_pyg`."""

    def __init__(self, model: nn.Module, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.inputs = model, inputs

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Score relaxed cells, shape (B,); lower is better."""
        nodes, edges = graphs
        batch, vertices = nodes.shape[:2]
        # Sorted by head, as aggregations over sequences and sets want them.
        heads, tails = torch.tril_indices(vertices, vertices, -1, device=nodes.device)
        number = torch.arange(batch, device=nodes.device)
        starts = vertices * number[:, None]
        types = edges[:, tails, heads]
        given = {
            "x": nodes.flatten(0, 1),
            "edge_index": torch.stack([(starts + tails).flatten(), (starts + heads).flatten()]),
            "edge_attr": types.flatten(0, 1),
            "edge_weight": types[..., 1:].sum(dim=2).flatten(),
            "batch": number.repeat_interleave(vertices),
        }
        scores: torch.Tensor = self.model(*(given[name] for name in self.inputs))
        if not isinstance(scores, torch.Tensor):
            raise DagnasError(
                f"{type(self.model).__name__} gave {type(scores).__name__}; a predictor gives a "
                "tensor, one score a graph"
            )
        if scores.numel() != batch:
            raise DagnasError(
                f"{type(self.model).__name__} gave a tensor of shape {tuple(scores.shape)} for "
                f"{batch} graphs; a predictor gives one score a graph (pool the vertices first)"
            )
        return scores.flatten()


def from_pyg(model: nn.Module, inputs: str = "x, edge_index, edge_attr, batch") -> FromPyG:
    """Make a predictor of a PyTorch Geometric model that gives one score a graph.

    The model sees each cell as the fully connected graph of GOAL's section 4.1 (every edge
    i -> j, i < j, with its type as attribute), so that its scores have gradients with respect to
    all types of vertices and edges.

    Parameters
    ----------
    model : nn.Module
        Its forward gives a tensor of shape (B,) or (B, 1), lower for better cells.
    inputs : str
        What it is called with, in order, as PyTorch Geometric's ``Sequential`` writes it:

        - ``x``, float, shape (B V, T): types of vertices, cell by cell;
        - ``edge_index``, int, shape (2, B V (V - 1) / 2): tails and heads of edges, sorted by
          head and then tail;
        - ``edge_attr``, float, shape (B V (V - 1) / 2, R): types of edges;
        - ``edge_weight``, float, shape (B V (V - 1) / 2,): 1 less the weight of type 0, which in
          all spaces means that there is no edge; for models without attributes;
        - ``batch``, int, shape (B V,): the cell that a vertex belongs to.

    Raises
    ------
    DagnasError
        ``model`` is no module, or a name in ``inputs`` is none of these; later, if the model
        gives no score a graph.
    """
    if not isinstance(model, nn.Module):
        raise DagnasError(f"from_pyg takes a module of torch, not {type(model).__name__}")
    names = tuple(name.strip() for name in inputs.split(","))
    for name in names:
        if name not in _NAMES:
            raise unknown("input of a PyTorch Geometric model", name, _NAMES)
    return FromPyG(model, names)
