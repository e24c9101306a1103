"""Vertices and edges on a path from the input of a graph to its output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def vertices_on_paths(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the vertices on a path from the first vertex to the last.

    Parameters
    ----------
    edges : ndarray of bool, shape (B, V, V)
        Upper triangular.

    Returns
    -------
    ndarray of bool, shape (B, V)
        All false where no path exists.
    """
    batch, vertices = edges.shape[:2]
    # Graphs last, so that each step reads and writes whole rows.
    graphs = np.ascontiguousarray(edges.transpose(1, 2, 0))
    from_input = np.zeros((vertices, batch), dtype=bool)
    to_output = np.zeros((vertices, batch), dtype=bool)
    from_input[0] = to_output[-1] = True
    for v in range(1, vertices):
        from_input[v] = (graphs[:v, v] & from_input[:v]).any(axis=0)
    for v in range(vertices - 2, -1, -1):
        to_output[v] = (graphs[v, v + 1 :] & to_output[v + 1 :]).any(axis=0)
    return np.ascontiguousarray((from_input & to_output).T)


def prune(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop the edges that lie on no path from the first vertex to the last.

    Parameters
    ----------
    edges : ndarray of bool, shape (B, V, V)
        Upper triangular.

    Returns
    -------
    ndarray of bool, shape (B, V, V)
    """
    used = vertices_on_paths(edges)
    return edges & used[:, :, None] & used[:, None, :]
