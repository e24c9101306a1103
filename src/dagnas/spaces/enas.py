"""ENAS macro cells: a chain of six operations with skip connections (Pham et al. 2018)."""

from __future__ import annotations

import json
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.base import TooMany
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.draws import Draw
from dagnas.spaces.sizes.enas import enas_size

#: Operations in the order of their numbers in the file of D-VAE.
OPERATIONS = ("conv3x3", "sepconv3x3", "conv5x5", "sepconv5x5", "avgpool3x3", "maxpool3x3")
_LAYERS = 6
_V = _LAYERS + 2


class ENASSpace(CellSpace):
    """2^15 x 6^6 = 1,528,823,808 cells, each a class of its own (D-VAE, section 4).

    Vertex 0 is the input, vertices 1 to 6 are operations and vertex 7 is the output. Every vertex
    leads to the next one; each of the other edges among vertices 0 to 6 is a choice (a skip
    connection). The path through all vertices fixes their order, so that no two cells are
    isomorphic.

    Texts are the lists of D-VAE's file, one row for each operation: its number, and for each
    vertex but the one before whether it leads here. Row i, counted from 0, is vertex i + 1 and has
    flags for vertices 0 to i - 1: ``[[1], [4, 0], [5, 0, 1], ...]``.
    """

    #: Each cell is a class, so that these are uniform over classes.
    draws: ClassVar[tuple[Draw, ...]] = ("variables",)

    def __init__(self) -> None:
        nodes = np.zeros((_V, len(OPERATIONS) + 2), dtype=bool)
        nodes[0, 0] = nodes[-1, -1] = True
        nodes[1:-1, 1:-1] = True
        chain = np.eye(_V, k=1, dtype=bool)
        skips = np.triu(np.ones((_V, _V), dtype=bool), k=2)
        edges = np.stack([skips, chain | skips], axis=2)
        edges[:-2, -1, 1] = False
        types = ("input", *OPERATIONS, "output")
        super().__init__("enas", types, ("none", "connected"), nodes, edges)

    def canonical(self, cells: Cells) -> NDArray[np.int64]:
        """Packed number of each cell, which is alone in its class."""
        return self.pack(cells)

    def key(self, cells: Cells) -> list[str]:
        """Text of each cell, which is alone in its class."""
        return self.to_str(cells)

    def enumerate(self) -> Cells:
        """Refuse: there are more cells than fit in memory.

        Raises
        ------
        TooMany
            Always.
        """
        raise TooMany(self.name, int(np.prod(self.sizes, dtype=np.int64)), self.kind)

    def madds(self, cells: Cells) -> NDArray[np.int64]:
        """Multiply-adds of each cell's network, shape (B,); see `enas_size`."""
        return enas_size(cells).total_madds()

    def to_str(self, cells: Cells) -> list[str]:
        """Lists as D-VAE's file writes them, such as ``[[1], [4, 0], [5, 0, 1], ...]``."""
        return [
            json.dumps([[int(nodes[v]) - 1, *edges[: v - 1, v].tolist()] for v in range(1, _V - 1)])
            for nodes, edges in zip(cells.nodes, cells.edges, strict=True)
        ]

    def from_str(self, texts: list[str]) -> Cells:
        """Cells from lists as D-VAE's file writes them."""
        nodes = np.repeat(self._fixed.nodes, len(texts), axis=0)
        edges = np.repeat(self._fixed.edges, len(texts), axis=0)
        for cell, text in enumerate(texts):
            for v, (operation, *flags) in enumerate(self._parse(text), start=1):
                nodes[cell, v] = 1 + operation
                edges[cell, : v - 1, v] = flags
        return Cells(nodes, edges)

    def _parse(self, text: str) -> list[list[int]]:
        """Rows of a text, checked; the text is never run as code."""

        def refuse(why: str) -> NoReturn:
            raise self._refuse(text if len(text) <= 200 else f"{text[:200]}...", why)

        try:
            rows = json.loads(text)
        except (ValueError, RecursionError):
            refuse("expected lists of whole numbers, such as [[1], [4, 0], ...]")
        if not isinstance(rows, list) or len(rows) != _LAYERS:
            count = f"{len(rows)} rows" if isinstance(rows, list) else "no list"
            refuse(f"{count}; a cell has {_LAYERS}, one for each operation")
        for i, row in enumerate(rows):
            if not isinstance(row, list) or not row:
                refuse(f"row {i} is {row!r}; expected an operation and {i} flags")
            operation, *flags = row
            if not _is_number(operation, len(OPERATIONS)):
                valid = ", ".join(f"{n} ({name})" for n, name in enumerate(OPERATIONS))
                refuse(f"row {i} has the operation {operation!r}; valid: {valid}")
            for j, flag in enumerate(flags):
                if not _is_number(flag, 2):
                    refuse(f"flag {j} of row {i} is {flag!r}; valid: 0, 1")
            # A flag too many stands for an edge that every cell has, or that none can have.
            if back := [j for j, flag in enumerate(flags) if flag and j > i]:
                refuse(
                    f"flag {back[0]} of row {i} is an edge back from vertex {back[0]} to vertex "
                    f"{i + 1}; valid: edges from vertices below {i + 1}"
                )
            if len(flags) != i:
                refuse(f"row {i} has {len(flags)} flags; valid: {i}, for the vertices below {i}")
        return rows


def _is_number(value: Any, below: int) -> bool:
    # JSON's true and 1.0 equal 1, but are no numbers of a type.
    return type(value) is int and 0 <= value < below


enas = ENASSpace()
