"""Distances between cells: the cost of turning the layers of one into those of another.

They follow OTMANN (Kandasamy et al. 2018, section 3), an optimal transport between the layers of
two networks. Moving a layer onto another costs their label mismatch and, times a weight nu, the
gap between their places; a layer without a counterpart costs its mass. The place of a layer is
six path lengths, from the input to the layer and from the layer to the output: the shortest, the
longest and the mean over random walks. The gap is the mean over the six.

Here the two costs are transported apart, each on a tree, where optimal transport is the L1
distance of two vectors:

- Labels. Every operation is a leaf, leaves of one family (convolutions, poolings) are on one
  branch, and "no layer" is the root. A layer has mass 1: to leave it out costs 1, to exchange it
  within its family costs `MISMATCH`, as in OTMANN.
- Places. Every family has a line for each of the six lengths, with "no layer" at 0; on a line,
  layers are matched in the order of their lengths.

So, unlike OTMANN's, the plan may differ from length to length, and a layer that is left out costs
its place too. In return, ``exp(-distance)`` is positive definite, which OTMANN's is not, and two
batches of cells are compared by two matrix routines instead of a linear program per pair.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.paths import prune

#: Types of edges that are no operation.
PLAIN = ("none", "connected")
#: Families of operations, and the cost of an exchange within (Kandasamy et al. 2018, table 1).
MISMATCH = {"conv": 0.2, "pool": 0.25}
#: Mass of the input, and of the output, per layer that a cell can hold (Kandasamy et al. 2018, per
#: layer that it holds; a constant mass keeps the distance an L1 distance).
ENDS = 0.1


class Features(NamedTuple):
    """Cells as vectors whose L1 distances are the costs; no component is negative.

    Attributes
    ----------
    labels : ndarray, shape (B, F + K)
        Number of layers of each of F families and K operations, times the length of its branch.
    places : ndarray, shape (B, 6 F P + 6)
        For each family and length, the lengths of its layers, largest first, then zeros, for P
        places that a layer can have; at last the lengths from input to output times their mass.
        All over 6.
    """

    labels: NDArray[np.float64]
    places: NDArray[np.float64]


def features(space: CellSpace, cells: Cells) -> Features:
    """Features of cells, equal for isomorphic ones.

    Layers are the vertices that have a choice of types, and the edges of types other than
    `PLAIN`. What lies off every path from the first vertex to the last is left out.
    """
    cells = space.unpack(space.canonical(cells))
    names = (*space.node_types, *space.edge_types)
    first = len(space.node_types)
    on_node = space.node_mask.sum(axis=1) > 1
    on_edge = np.array([name not in PLAIN for name in space.edge_types])
    drawn = np.array([name != "none" for name in space.edge_types])
    used = prune(drawn[cells.edges] & space.edge_mask.any(axis=2))
    held = used & on_edge[cells.edges]

    # Types and places of all vertices and edges that can hold a layer; type -1 for no layer.
    tails, heads = np.nonzero((space.edge_mask & on_edge).any(axis=2))
    alive = used.any(axis=1) | used.any(axis=2)
    vertices = np.where(alive, cells.nodes, -1)[:, on_node]
    edges = np.where(held, first + cells.edges, -1)[:, tails, heads]
    types = np.hstack([vertices, edges])
    ahead = _lengths(used, held, on_node)
    back = _lengths(_reverse(used), _reverse(held), on_node[::-1])[..., ::-1]
    between = np.concatenate([ahead[..., tails], back[..., heads]]) + 1
    places = np.concatenate([np.concatenate([ahead, back])[..., on_node], between], axis=2)

    choices = space.node_mask[on_node].any(axis=0), space.edge_mask.any(axis=(0, 1)) & on_edge
    operations = np.flatnonzero(np.concatenate(choices))
    families, of = np.unique([_family(names[i]) for i in operations], return_inverse=True)
    twig = np.array([MISMATCH.get(name, 0.0) / 2 for name in families.tolist()])
    # The last column answers for type -1.
    member = np.zeros((len(families), len(names) + 1), dtype=bool)
    member[of, operations] = True
    inside = member[:, types]
    by_family = inside.sum(axis=2).T * (1 - twig)
    by_operation = (types[:, :, None] == operations).sum(axis=1) * twig[of]
    lines = -np.sort(-np.where(inside[:, None], places, 0.0), axis=3)
    through = ENDS * types.shape[1] * np.concatenate([ahead[..., -1], back[..., 0]]).T
    columns = [line for one in lines for line in one]
    return Features(np.hstack([by_family, by_operation]), np.hstack([*columns, through]) / 6)


def _family(operation: str) -> str:
    """Family of an operation in `MISMATCH`; the operation's own name if it is in none."""
    return next((family for family in MISMATCH if family in operation), operation)


def _reverse(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Edges turned round and vertices numbered from the last one."""
    return edges[:, ::-1, ::-1].transpose(0, 2, 1)


def _lengths(
    used: NDArray[np.bool_], held: NDArray[np.bool_], on_node: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Layers on the way from the first vertex to each, itself included; shape (3, B, V).

    On the shortest path, on the longest, and the mean over random walks back; 0 where no edge
    enters. Edges that are ``held`` and vertices ``on_node`` are layers.
    """
    found = np.zeros((3, *used.shape[:2]))
    found[..., 0] = on_node[0]
    for v in range(1, len(on_node)):
        into = used[:, :v, v]
        count = into.sum(axis=1)
        before = found[..., :v] + held[:, :v, v]
        shortest = np.where(into, before[0], np.inf).min(axis=1)
        longest = np.where(into, before[1], -np.inf).max(axis=1)
        mean = (into * before[2]).sum(axis=1) / np.maximum(count, 1)
        found[..., v] = np.where(count > 0, np.add([shortest, longest, mean], on_node[v]), 0)
    return found


def distances(a: Features, b: Features) -> NDArray[np.float64]:
    """Distances of all cells of two batches.

    The sum of labels and nu times places stands for OTMANN's distance with the weight nu.

    Returns
    -------
    ndarray, shape (2, 2, A, B)
        First labels and places; then both divided by the sum of their values between either cell
        and one without layers, as OTMANN is normalised, so that they lie in [0, 1].
    """
    pairs = list(zip(a, b, strict=True))
    plain = np.stack([cdist(x, y, "cityblock") for x, y in pairs])
    total = np.stack([np.add.outer(x.sum(axis=1), y.sum(axis=1)) for x, y in pairs])
    return np.stack([plain, np.divide(plain, total, out=np.zeros_like(plain), where=total > 0)])
