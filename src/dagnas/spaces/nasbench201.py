"""NAS-Bench-201: four vertices, an operation on each of the six edges (Dong & Yang 2020)."""

from __future__ import annotations

import itertools
import re
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.sizes.nasbench201 import nasbench201_size

#: Operations in the official order.
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_ZERO = "#"


class NASBench201Space(CellSpace):
    """5^6 = 15,625 cells; 6,466 classes under isomorphism (GOAL, appendix A).

    Vertices hold sums of feature maps and edges hold operations. Vertex types are fixed (input,
    sum, output) and serve predictors only. `pack` numbers cells in base 5 by the edges
    0->1, 0->2, 1->2, 0->3, 1->3, 2->3, the first least significant.
    """

    def __init__(self) -> None:
        upper = np.triu(np.ones((4, 4), dtype=bool), k=1)
        super().__init__(
            "nasbench201",
            ("input", "sum", "output"),
            OPERATIONS,
            np.eye(3, dtype=bool)[[0, 1, 1, 2]],
            np.repeat(upper[:, :, None], len(OPERATIONS), axis=2),
        )

    def madds(self, cells: Cells) -> NDArray[np.int64]:
        """Multiply-adds of each cell's network, shape (B,); see `nasbench201_size`."""
        return nasbench201_size(cells).total_madds()

    def to_str(self, cells: Cells) -> list[str]:
        """Official strings, such as ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|``."""
        return [
            "+".join(
                "".join(f"|{OPERATIONS[edges[i, j]]}~{i}" for i in range(j)) + "|"
                for j in range(1, 4)
            )
            for edges in cells.edges
        ]

    def from_str(self, texts: list[str]) -> Cells:
        """Cells from official strings."""
        pattern = "|".join(map(re.escape, OPERATIONS))
        edge = rf"\|({pattern})~"
        whole = re.compile(
            r"\|\+".join("".join(edge + str(i) for i in range(j)) for j in range(1, 4)) + r"\|"
        )
        values = np.empty((len(texts), 6), dtype=np.int64)
        for row, text in zip(values, texts, strict=True):
            match = whole.fullmatch(text)
            if match is None:
                raise self._refuse(
                    text, f"expected |op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op in {OPERATIONS}"
                )
            row[:] = [OPERATIONS.index(operation) for operation in match.groups()]
        return self.from_values(values)

    @cached_property
    def _classes(self) -> tuple[list[str], NDArray[np.int64]]:
        """Text and representative of the class of every cell, by packed number.

        The text of a vertex is a sum of operations on the texts of its predecessors. A skip
        connection copies its source; an absent or empty source adds a zero term.
        """

        def term(operation: int, source: str) -> str:
            if operation == 0 or source == _ZERO:
                return _ZERO
            return source if operation == 1 else f"({source})@{OPERATIONS[operation]}"

        texts = []
        first: dict[str, int] = {}
        representative = np.empty(5**6, dtype=np.int64)
        for code, (e23, e13, e03, e12, e02, e01) in enumerate(
            itertools.product(range(5), repeat=6)
        ):
            one = term(e01, "0")
            two = "+".join(sorted([term(e02, "0"), term(e12, one)]))
            text = "+".join(sorted([term(e03, "0"), term(e13, one), term(e23, two)]))
            texts.append(text)
            representative[code] = first.setdefault(text, code)
        return texts, representative

    def canonical(self, cells: Cells) -> NDArray[np.int64]:
        """Smallest packed number in each cell's class."""
        return self._classes[1][self.pack(cells)]

    def key(self, cells: Cells) -> list[str]:
        """Expression that the output computes, its sums sorted."""
        return [self._classes[0][code] for code in self.pack(cells)]

    def enumerate(self) -> Cells:
        """All 15,625 cells in the order of their packed numbers."""
        return self.unpack(np.arange(5**6))


nasbench201 = NASBench201Space()
