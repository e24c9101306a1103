"""ResNet-style strings: where to go down in resolution and where to double channels."""

from __future__ import annotations

import re
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.base import TooMany
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs
from dagnas.spaces.draws import Draw
from dagnas.spaces.sizes.base import Complexity
from dagnas.spaces.sizes.resnet_strings import resnet_strings_size

#: Stages that are searched: the second to the fifth.
STAGES = 4
#: Blocks of a stage at most, and doublings of all stages at most.
MAX_BLOCKS, MAX_DOUBLINGS = 6, 3

_TYPES = ("input", "none", "1", "2", "-", "output")
_NONE, _REGULAR, _DOUBLING, _SEPARATOR = range(1, 5)
#: First vertex of every stage. After its blocks comes the separator, or the output.
_STARTS = 1 + (MAX_BLOCKS + 1) * np.arange(STAGES)
_ENDS = _STARTS + MAX_BLOCKS
_V = int(_ENDS[-1]) + 1
_BLOCKS = _STARTS[:, None] + np.arange(MAX_BLOCKS)


class ResNetStringsSpace(CellSpace):
    """336,960 strings such as ``1211-211-1111-12111`` (BONAS, appendix D; Li et al. 2019).

    A network has five stages, each of half the resolution of the one before. The first is one 3 x 3
    convolution of stride 2, and the second begins with another; what is searched are the bottleneck
    blocks of the stages two to five, which "-" separates: "1" is a regular block, "2" one that
    doubles the base channels, 64 at first.

    The paper gives no limits. Here a stage has 1 to 6 blocks and doubles once at most, and there
    are 3 doublings in all at most, from 64 to 512 base channels: its example and the ResNets of up
    to 50 layers keep to that (``111-2111-211111-211`` is ResNet-50).

    As a graph a string is a chain with a type, "1", "2" or "-", at each vertex. Every stage has
    places for six blocks; those after its last one have type "none" and no edges. Variables are,
    for each stage, the number of its blocks less one, and which of its blocks doubles, 0 for none.
    No two strings are isomorphic.
    """

    #: Each string is a class, so that these are uniform over classes.
    draws: ClassVar[tuple[Draw, ...]] = ("variables",)
    variables_are_places = False

    def __init__(self) -> None:
        nodes = np.zeros((_V, len(_TYPES)), dtype=bool)
        nodes[0, 0] = nodes[-1, -1] = True
        nodes[_ENDS[:-1], _SEPARATOR] = True
        nodes[_BLOCKS, _REGULAR] = nodes[_BLOCKS, _DOUBLING] = True
        nodes[_BLOCKS[:, 1:], _NONE] = True
        edges = np.zeros((_V, _V, 2), dtype=bool)
        edges[_STARTS - 1, _STARTS, 1] = True
        edges[_BLOCKS[:, :-1], _BLOCKS[:, 1:]] = True
        edges[_BLOCKS, _ENDS[:, None]] = True
        super().__init__("resnet_strings", _TYPES, ("none", "connected"), nodes, edges)
        self.sizes = np.tile([MAX_BLOCKS, MAX_BLOCKS + 1], STAGES)

    def to_values(self, cells: Cells) -> NDArray[np.int64]:
        """Blocks less one and place of the doubling (0 for none) of each stage, shape (B, 8)."""
        # The last block is the one that leads to the stage's end.
        last = cells.edges[:, _BLOCKS, _ENDS[:, None]].argmax(axis=2)
        doubling = cells.nodes[:, _BLOCKS] == _DOUBLING
        place = np.where(doubling.any(axis=2), 1 + doubling.argmax(axis=2), 0)
        return np.stack([last, place], axis=2).reshape(len(cells), 2 * STAGES)

    def from_values(self, values: NDArray[np.integer]) -> Cells:
        """Cells from the values of all variables, shape (B, 8)."""
        values = np.asarray(values)
        last, place = values[:, 0::2, None], values[:, 1::2, None]
        number = np.arange(MAX_BLOCKS)
        nodes = np.repeat(self._fixed.nodes, len(values), axis=0)
        edges = np.repeat(self._fixed.edges, len(values), axis=0)
        types = np.where(number <= last, _REGULAR, _NONE)
        nodes[:, _BLOCKS] = np.where(number + 1 == place, _DOUBLING, types)
        edges[:, _BLOCKS[:, :-1], _BLOCKS[:, 1:]] = number[1:] <= last
        edges[:, _BLOCKS, _ENDS[:, None]] = number == last
        return Cells(nodes, edges)

    def is_valid(self, cells: Cells) -> NDArray[np.bool_]:
        """Check that it is a chain within the limits; shape (B,)."""
        values = self.to_values(cells)
        last, place = values[:, 0::2], values[:, 1::2]
        inside = (place <= last + 1).all(axis=1) & ((place > 0).sum(axis=1) <= MAX_DOUBLINGS)
        return np.asarray(inside & self.from_values(values).same(cells))

    def canonical(self, cells: Cells) -> NDArray[np.int64]:
        """Packed number of each cell, which is alone in its class."""
        return self.pack(cells)

    def key(self, cells: Cells) -> list[str]:
        """String of each cell, which is alone in its class."""
        return self.to_str(cells)

    def enumerate(self) -> Cells:
        """Refuse: as graphs of 29 vertices the cells take gigabytes.

        Raises
        ------
        TooMany
            Always.
        """
        raise TooMany(self.name, 336_960, self.kind)

    def size(self, cells: Cells) -> Complexity:
        """Size of the networks on CIFAR-10; see `resnet_strings_size`."""
        values = self.to_values(cells)
        return resnet_strings_size(values[:, 0::2] + 1, values[:, 1::2])

    def madds(self, cells: Cells) -> NDArray[np.int64]:
        """Multiply-adds of each network, shape (B,); see `resnet_strings_size`."""
        return self.size(cells).total_madds()

    # Projection.

    @cached_property
    def _stages(self) -> tuple[NDArray[np.int64], Graphs]:
        """Values of every stage alone, shape (27, 2), and cells whose stages are all the same."""
        pairs = [(last, place) for last in range(MAX_BLOCKS) for place in range(last + 2)]
        values = np.array(pairs)
        return values, self.to_graph(self.from_values(np.tile(values, STAGES)))

    def project(self, graphs: Graphs) -> Cells:
        """Nearest cells, exactly.

        Each stage takes the string of the largest total component; where that makes too many
        doublings, those stages go without that lose least by it.
        """
        values, options = self._stages
        doubles = values[:, 1] > 0
        chosen, single, loss = [], [], []
        for start, end in zip(_STARTS, _ENDS, strict=True):
            # The edges of a stage leave its blocks.
            total = np.einsum(
                "bvt,ovt->bo", graphs.nodes[:, start:end], options.nodes[:, start:end]
            )
            total = total + np.einsum(
                "bvwr,ovwr->bo", graphs.edges[:, start:end], options.edges[:, start:end]
            )
            best, without = total.argmax(axis=1), np.where(doubles, -np.inf, total).argmax(axis=1)
            rows = np.arange(len(total))
            chosen.append(best)
            single.append(without)
            loss.append(np.where(doubles[best], total[rows, best] - total[rows, without], np.inf))
        order = np.argsort(loss, axis=0, kind="stable")
        surplus = doubles[np.array(chosen)].sum(axis=0) - MAX_DOUBLINGS
        given_up = np.argsort(order, axis=0) < surplus
        stages = np.where(given_up, single, chosen)
        return self.from_values(values[stages.T].reshape(-1, 2 * STAGES))

    # Text.

    def to_str(self, cells: Cells) -> list[str]:
        """Strings such as ``1211-211-1111-12111``."""
        return [
            "".join(_TYPES[node] for node in nodes[1:-1] if node != _NONE) for nodes in cells.nodes
        ]

    def from_str(self, texts: list[str]) -> Cells:
        """Cells from strings such as ``1211-211-1111-12111``."""
        return self.from_values(np.array(list(map(self._parse, texts)), dtype=np.int64))

    def _parse(self, text: str) -> list[int]:
        shown = text if len(text) <= 100 else f"{text[:100]}..."
        stages = text.split("-")
        if len(stages) != STAGES or not re.fullmatch(r"[12]+(-[12]+)*", text, re.ASCII):
            raise self._refuse(
                shown, f"expected {STAGES} stages of 1 and 2, such as 1211-211-1111-12111"
            )
        for number, stage in enumerate(stages, start=2):
            if len(stage) > MAX_BLOCKS:
                raise self._refuse(
                    shown, f"stage {number} has {len(stage)} blocks; valid: 1 to {MAX_BLOCKS}"
                )
            if stage.count("2") > 1:
                raise self._refuse(
                    shown, f"stage {number} doubles {stage.count('2')} times; valid: 0, 1"
                )
        if text.count("2") > MAX_DOUBLINGS:
            raise self._refuse(
                shown, f"it doubles {text.count('2')} times; valid: 0 to {MAX_DOUBLINGS}"
            )
        return [value for stage in stages for value in (len(stage) - 1, stage.find("2") + 1)]


resnet_strings = ResNetStringsSpace()
