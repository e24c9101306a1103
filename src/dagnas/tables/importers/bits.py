"""Cells of NAS-Bench-101 from the numbers of the compact files, whose bits are edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.cells import Cells


def cells_from_bits(
    num_vertices: NDArray[np.int64], edge_bits: NDArray[np.int64], op_code: NDArray[np.int64]
) -> Cells:
    """Cells of NAS-Bench-101 from numbers; shape (B,) each.

    Cells of fewer than seven vertices are embedded: the last vertex becomes the output, and unused
    vertices stay unconnected.

    Parameters
    ----------
    num_vertices : ndarray
        2 to 7.
    edge_bits : ndarray
        The edge x -> y at bit x + y (y - 1) / 2.
    op_code : ndarray
        Operations of the interior vertices in base 3, the first vertex least significant.
    """
    nodes = np.ones((len(num_vertices), 7), dtype=np.int8)
    nodes[:, 0], nodes[:, 6] = 0, 4
    for vertex in range(1, 6):
        inside = vertex < num_vertices - 1
        nodes[:, vertex] += np.where(inside, op_code // 3 ** (vertex - 1) % 3, 0).astype(np.int8)
    edges = np.zeros((len(num_vertices), 7, 7), dtype=np.int8)
    rows = np.arange(len(num_vertices))
    for y in range(1, 7):
        head = np.where(y == num_vertices - 1, 6, y)
        for x in range(y):
            edges[rows, x, head] |= (edge_bits >> (x + y * (y - 1) // 2) & 1).astype(np.int8)
    return Cells(nodes, edges)
