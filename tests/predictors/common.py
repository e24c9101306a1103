"""Small spaces and random graphs that the tests of predictors share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from dagnas.spaces.cells import Graphs

#: (V, T, R) of the tests, NAS-Bench-201's and NAS-Bench-101's among them.
SHAPES = [(4, 3, 5), (7, 5, 2), (3, 1, 2), (2, 2, 1)]


def any_space(vertices: int, node_types: int, edge_types: int) -> Any:
    """Stand-in for a space in which every vertex and edge may have every type."""
    upper = np.triu(np.ones((vertices, vertices), dtype=bool), 1)
    return SimpleNamespace(
        node_mask=np.ones((vertices, node_types), dtype=bool),
        edge_mask=np.repeat(upper[:, :, None], edge_types, axis=2),
    )


def one_hots(count: int, vertices: int, node_types: int, edge_types: int, seed: int = 0) -> Graphs:
    """Random cells as NumPy's one-hots."""
    rng = np.random.default_rng(seed)
    nodes = np.eye(node_types, dtype=np.float32)[rng.integers(node_types, size=(count, vertices))]
    size = (count, vertices, vertices)
    edges = np.eye(edge_types, dtype=np.float32)[rng.integers(edge_types, size=size)]
    return Graphs(nodes, edges * np.triu(np.ones((vertices, vertices), np.float32), 1)[..., None])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def as_double(graphs: Graphs) -> Graphs:
    return Graphs(*(torch.as_tensor(values, dtype=torch.float64) for values in graphs))
