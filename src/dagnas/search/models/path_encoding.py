"""Path encoding of cells: which paths of operations lead from the input to the output.

White, Neiswanger and Savani (2021, section 4) give a cell a feature for each sequence of operations
that a path can have, and truncate the encoding to the shortest ones, since long paths are unlikely
in random cells. Here a path is the sequence of types of its edges and of the vertices that they
lead to. An edge of type "none" is on no path. Where all paths of all cells of a space meet in one
vertex, paths end and begin anew: so the normal and the reduction cell of the DARTS space, and the
stages of a ResNet-style string, are encoded each by itself.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.paths import prune

#: Section of the graph that a path crosses, and its steps: (type of the edge, type of its head).
Path = tuple[int, tuple[tuple[int, int], ...]]


def paths(space: CellSpace, cells: Cells) -> list[set[Path]]:
    """Paths of every cell from the first vertex to the last, section by section."""
    drawn = np.array([name != "none" for name in space.edge_types])
    allowed = np.asarray((space.edge_mask & drawn).any(axis=2))
    used = prune(drawn[cells.edges] & allowed)
    # Vertices that no edge of any cell passes by.
    ends = [v for v in range(space.num_nodes) if not allowed[:v, v + 1 :].any()]
    return [
        _paths(edges, types.tolist(), nodes.tolist(), ends)
        for edges, types, nodes in zip(used, cells.edges, cells.nodes, strict=True)
    ]


def _paths(
    used: NDArray[np.bool_], types: list[list[int]], nodes: list[int], ends: list[int]
) -> set[Path]:
    found: set[Path] = set()
    for section, (start, end) in enumerate(pairwise(ends)):
        to: dict[int, set[tuple[tuple[int, int], ...]]] = {start: {()}}
        for head in range(start + 1, end + 1):
            to[head] = {
                (*path, (types[tail][head], nodes[head]))
                for tail in (start + np.flatnonzero(used[start:head, head])).tolist()
                for path in to[tail]
            }
        found |= {(section, path) for path in to[end]}
    return found


class PathEncoding:
    """Truncated path encoding: a 0 or 1 for each of the shortest paths of a space.

    Of paths of one length those come first that more random cells have. Paths that all of these
    cells have tell nothing and are left out.

    Parameters
    ----------
    space : CellSpace
    rng : numpy Generator
        Source of the random cells.
    size : int
        Features at most.
    sample : int
        Random cells whose paths are counted.

    Attributes
    ----------
    columns : dict of Path to int
        Feature of each path.
    """

    def __init__(
        self, space: CellSpace, rng: np.random.Generator, size: int, sample: int = 1000
    ) -> None:
        self.space = space
        counts = Counter(
            path for found in paths(space, space.sample(sample, rng)) for path in found
        )
        known = [path for path, count in counts.items() if count < sample]
        known.sort(key=lambda path: (len(path[1]), -counts[path], path))
        self.columns = {path: column for column, path in enumerate(known[:size])}

    def __call__(self, cells: Cells) -> NDArray[np.float32]:
        """Encode cells, shape (B, number of columns)."""
        encoded = np.zeros((len(cells), len(self.columns)), dtype=np.float32)
        for row, found in zip(encoded, paths(self.space, cells), strict=True):
            row[[self.columns[path] for path in found if path in self.columns]] = 1
        return encoded
