"""Vertices and edges that lie on a path from the input of a graph to its output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
    batch, vertices = edges.shape[:2]
    from_input = np.zeros((batch, vertices), dtype=bool)
    to_output = np.zeros((batch, vertices), dtype=bool)
    from_input[:, 0] = to_output[:, -1] = True
    for v in range(1, vertices):
        from_input[:, v] = (edges[:, :v, v] & from_input[:, :v]).any(axis=1)
    for v in range(vertices - 2, -1, -1):
        to_output[:, v] = (edges[:, v, v + 1 :] & to_output[:, v + 1 :]).any(axis=1)
    used = from_input & to_output
    return edges & used[:, :, None] & used[:, None, :]
