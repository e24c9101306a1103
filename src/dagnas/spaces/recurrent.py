"""Recurrent cells of language models: trees of activations (ENAS; DARTS; BONAS, appendix A.1)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.spaces.base import TooMany
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs
from dagnas.spaces.draws import Draw

#: Activations in the order of their numbers (BONAS, appendix A.1).
ACTIVATIONS = ("tanh", "relu", "identity", "sigmoid")
#: Nodes of a cell at most (BONAS, appendix A.1), and of the cell that DARTS searches.
NODES = 8
#: Units of the published networks, for `RecurrentSpace.madds`.
UNITS = 850
#: Nodes whose states the output is the mean of: those that no other reads, or all.
Output = Literal["loose", "all"]
#: Nodes and letters of a text at most, far beyond any published cell's.
_MOST, _LONGEST = 99, 4000


class RecurrentGenotype(NamedTuple):
    """Recurrent cell as the official code of DARTS writes it.

    Attributes
    ----------
    recurrent : tuple of (activation, source)
        Nodes 1, 2, ... in order; source 0 is the first state, which reads word and last output.
    concat : tuple of int
        Nodes whose mean is the output, ascending.
    """

    recurrent: tuple[tuple[str, int], ...]
    concat: tuple[int, ...]


def write(genotype: RecurrentGenotype) -> str:
    """Official text: ``Genotype(recurrent=[('relu', 0), ...], concat=range(1, 9))``.

    Where the output is the mean of some nodes alone, they are listed: ``concat=[2, 5]``.
    """
    count = len(genotype.recurrent)
    everything = genotype.concat == tuple(range(1, count + 1))
    concat = f"range(1, {count + 1})" if everything else str(list(genotype.concat))
    return f"Genotype(recurrent={list(genotype.recurrent)}, concat={concat})"


_NODE = r"\(\s*(?:'\w{1,20}'|\"\w{1,20}\")\s*,\s*\d{1,3}\s*,?\s*\)"
_TEXT = re.compile(
    rf"\s*Genotype\(\s*recurrent\s*=\s*\[\s*(?P<nodes>{_NODE}(?:\s*,\s*{_NODE})*)\s*,?\s*\]\s*,"
    r"\s*concat\s*=\s*(?:range\(\s*(?P<first>\d{1,3})\s*,\s*(?P<end>\d{1,3})\s*\)"
    r"|\[\s*(?P<listed>\d{1,3}(?:\s*,\s*\d{1,3})*)\s*,?\s*\])\s*,?\s*\)\s*",
    re.ASCII,
)


def read(text: str) -> RecurrentGenotype:
    """Genotype from its official text, which is never run as code.

    Raises
    ------
    DagnasError
        It is no such text; an activation is unknown, a source does not come before its node, or
        the output lists a node that there is not, or one twice.
    """

    def refuse(why: str) -> NoReturn:
        shown = text if len(text) <= 200 else f"{text[:200]}..."
        raise DagnasError(f"{shown!r} is no recurrent genotype: {why}")

    if len(text) > _LONGEST:
        refuse(f"it has {len(text):,} letters, of {_LONGEST:,} allowed")
    found = _TEXT.fullmatch(text)
    if found is None:
        refuse("expected a text such as Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=[2])")
    pairs = re.findall(r"['\"](\w+)['\"]\s*,\s*(\d+)", found["nodes"])
    nodes = tuple((name, int(source)) for name, source in pairs)
    if len(nodes) > _MOST:
        refuse(f"it has {len(nodes)} nodes, of {_MOST} allowed")
    for number, (name, source) in enumerate(nodes, start=1):
        if name not in ACTIVATIONS:
            refuse(f"node {number} has the activation {name!r}; valid: {', '.join(ACTIVATIONS)}")
        if source >= number:
            refuse(f"node {number} reads node {source}; valid: 0 to {number - 1}")
    if found["listed"] is None:
        concat = tuple(range(int(found["first"]), int(found["end"])))
    else:
        concat = tuple(map(int, found["listed"].split(",")))
    if not concat or sorted({*concat} & {*range(1, len(nodes) + 1)}) != list(concat):
        refuse(f"concat is {list(concat)}; valid: some of the nodes 1 to {len(nodes)}, ascending")
    return RecurrentGenotype(nodes, concat)


class Trees(NamedTuple):
    """Nodes of B cells.

    Attributes
    ----------
    counts : ndarray of int, shape (B,)
        Number of nodes of each cell, 1 or more.
    sources : ndarray of int, shape (B, N)
        Source of nodes 1 to N, 0 for the first state; 0 for nodes that a cell has not.
    activations : ndarray of int, shape (B, N)
        Number of `ACTIVATIONS`; 0 for nodes that a cell has not.
    """

    counts: NDArray[np.int64]
    sources: NDArray[np.int64]
    activations: NDArray[np.int64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Nodes that each cell has; shape (B, N)."""
        there: NDArray[np.bool_] = np.arange(self.sources.shape[1]) < self.counts[:, None]
        return there

    def cleared(self) -> Trees:
        """Same cells, with zeros for nodes that a cell has not."""
        return Trees(self.counts, self.sources * self.present, self.activations * self.present)

    def loose(self) -> NDArray[np.bool_]:
        """Nodes that no other node reads; shape (B, N)."""
        nodes = np.arange(1, 1 + self.sources.shape[1])
        read_by_some = (self.sources[:, :, None] == nodes) & self.present[:, :, None]
        return np.asarray(self.present & ~read_by_some.any(axis=1))


class RecurrentSpace(CellSpace):
    """Cells of at most ``nodes`` nodes: 2,728,065,444 of at most eight.

    Vertex 0 is the first state of a time step, computed from the word and the last output. Nodes 1,
    2, ... follow, each with one source before it and one of four activations; the output, which is
    the last vertex, is the mean of the nodes that no other reads (Pham et al. 2018, section 2.1).
    So a cell is a tree, and cells are isomorphic if their nodes can be numbered so that they are
    equal. A cell of fewer nodes than the space allows has its last vertices unconnected, with the
    first activation.

    Variables are the number of nodes, the sources of nodes 2, 3, ... and the activations of all.
    Every vector of values is a cell; those of nodes that it has not are ignored, and read back as
    zeros.

    Parameters
    ----------
    nodes : int
        Nodes of a cell at most, up to 12.
    output : {"loose", "all"}
        Nodes whose mean is the output: those that no other reads, as in ENAS, or all, as in DARTS.
    """

    #: Classes are too many to be listed.
    draws: ClassVar[tuple[Draw, ...]] = ("variables",)
    variables_are_places = False

    def __init__(self, nodes: int = NODES, output: Output = "loose") -> None:
        self.nodes, self.output = nodes, output
        size = nodes + 2
        types = np.zeros((size, len(ACTIVATIONS) + 2), dtype=bool)
        types[0, 0] = types[-1, -1] = True
        types[1:-1, 1:-1] = True
        edges = np.repeat(np.triu(np.ones((size, size), dtype=bool), k=1)[:, :, None], 2, axis=2)
        # Every cell has a first node; the first state is always read, so that it is no output.
        edges[0, 1, 0] = False
        edges[0, -1] = False
        names = ("input", *ACTIVATIONS, "output")
        super().__init__("recurrent", names, ("none", "connected"), types, edges)
        self.sizes = np.array([nodes, *range(2, nodes + 1), *[len(ACTIVATIONS)] * nodes])

    @property
    def count(self) -> int:
        """Number of cells: the sum of 4^n n! over numbers n of nodes."""
        return sum(len(ACTIVATIONS) ** n * math.factorial(n) for n in range(1, self.nodes + 1))

    # Cells as trees, as values, as genotypes and as text.

    def to_trees(self, cells: Cells) -> Trees:
        """Nodes of every cell; any, but in range, for what is no cell of the space."""
        into = cells.edges[:, :, 1:-1] > 0
        counts = into.any(axis=1).sum(axis=1).clip(min=1)
        ends = np.arange(self.nodes)
        sources = into.argmax(axis=1).clip(max=ends)
        activations = cells.nodes[:, 1:-1].astype(np.int64).clip(1, len(ACTIVATIONS)) - 1
        return Trees(counts, sources, activations).cleared()

    def from_trees(self, trees: Trees) -> Cells:
        """Cells of trees; what these hold of nodes that a cell has not is ignored."""
        trees, present = trees.cleared(), trees.present
        nodes = np.repeat(self._fixed.nodes, len(present), axis=0)
        nodes[:, 1:-1] = 1 + trees.activations
        edges = np.zeros((len(present), self.num_nodes, self.num_nodes), dtype=np.int8)
        vertices = np.arange(self.num_nodes)[:, None]
        edges[:, :, 1:-1] = (vertices == trees.sources[:, None]) & present[:, None]
        edges[:, 1:-1, -1] = present if self.output == "all" else trees.loose()
        return Cells(nodes, edges)

    def to_values(self, cells: Cells) -> NDArray[np.int64]:
        """Values of all variables, shape (B, 2 N)."""
        return self._values_of(self.to_trees(cells))

    def from_values(self, values: NDArray[np.integer]) -> Cells:
        """Cells from the values of all variables, shape (B, 2 N)."""
        return self.from_trees(self._trees_of(np.asarray(values, dtype=np.int64)))

    def _values_of(self, trees: Trees) -> NDArray[np.int64]:
        counts, sources, activations = trees
        return np.concatenate([counts[:, None] - 1, sources[:, 1:], activations], axis=1)

    def _trees_of(self, values: NDArray[np.int64]) -> Trees:
        first = np.zeros((len(values), 1), dtype=np.int64)
        sources = np.concatenate([first, values[:, 1 : self.nodes]], axis=1)
        return Trees(1 + values[:, 0], sources, values[:, self.nodes :]).cleared()

    def genotypes(self, cells: Cells) -> list[RecurrentGenotype]:
        """Genotype of every cell."""
        trees, outputs = self.to_trees(cells), cells.edges[:, 1:-1, -1] > 0
        return [
            RecurrentGenotype(
                tuple(
                    (ACTIVATIONS[activation], source)
                    for activation, source in zip(
                        activations[:count].tolist(), sources[:count].tolist(), strict=True
                    )
                ),
                tuple((1 + np.flatnonzero(ends)).tolist()),
            )
            for count, sources, activations, ends in zip(*trees, outputs, strict=True)
        ]

    def from_genotypes(self, genotypes: Sequence[RecurrentGenotype]) -> Cells:
        """Cells from genotypes.

        Raises
        ------
        DagnasError
            A genotype has more nodes than cells of the space, or another output.
        """
        sources = np.zeros((len(genotypes), self.nodes), dtype=np.int64)
        activations = np.zeros_like(sources)
        for row, genotype in enumerate(genotypes):
            count = len(genotype.recurrent)
            if count > self.nodes:
                error = f"it has {count} nodes; a cell has {self.nodes} at most"
                raise self._refuse(write(genotype), error)
            sources[row, :count] = [source for _, source in genotype.recurrent]
            activations[row, :count] = [ACTIVATIONS.index(name) for name, _ in genotype.recurrent]
        counts = np.array([len(genotype.recurrent) for genotype in genotypes], dtype=np.int64)
        cells = self.from_trees(Trees(counts, sources, activations))
        for wanted, found in zip(genotypes, self.genotypes(cells), strict=True):
            if wanted.concat != found.concat:
                which = "the nodes that no other reads" if self.output == "loose" else "all nodes"
                error = f"concat is {list(wanted.concat)}; valid: {list(found.concat)}, {which}"
                raise self._refuse(write(wanted), error)
        return cells

    def to_str(self, cells: Cells) -> list[str]:
        """Official texts, ``Genotype(recurrent=[('tanh', 0), ...], concat=[2, 5])``."""
        return list(map(write, self.genotypes(cells)))

    def from_str(self, texts: list[str]) -> Cells:
        """Cells from official texts; see `read`."""
        return self.from_genotypes(list(map(read, texts)))

    # Identity.

    def is_valid(self, cells: Cells) -> NDArray[np.bool_]:
        """Check that every node has one source before it, and that all else is in place."""
        return self.from_trees(self.to_trees(cells)).same(cells)

    def key(self, cells: Cells) -> list[str]:
        """Text of each cell's tree, branches in order: ``tanh(relu identity(relu))``."""
        trees = self.to_trees(cells)
        return [_in_order(*row)[0] for row in zip(*(part.tolist() for part in trees), strict=True)]

    def canonical(self, cells: Cells) -> NDArray[np.int64]:
        """Packed number of each cell with its nodes in the order in which `key` names them."""
        trees = self.to_trees(cells)
        sources, activations = np.zeros_like(trees.sources), np.zeros_like(trees.activations)
        rows = zip(*(part.tolist() for part in trees), strict=True)
        for row, (count, froms, whats) in enumerate(rows):
            order = _in_order(count, froms, whats)[1]
            place = {0: 0} | {node: number for number, node in enumerate(order, start=1)}
            sources[row, :count] = [place[froms[node - 1]] for node in order]
            activations[row, :count] = [whats[node - 1] for node in order]
        return np.asarray(self._values_of(Trees(trees.counts, sources, activations)) @ self._radix)

    # What needs a list of all cells.

    def enumerate(self) -> Cells:
        """Refuse: there are more cells than fit in memory.

        Raises
        ------
        TooMany
            Always.
        """
        raise TooMany(self.name, self.count, self.kind)

    def drawing(self, draw: str) -> Self:
        """Same space; it draws by "variables" alone.

        Raises
        ------
        DagnasError
            Another way is asked for.
        """
        if draw == "classes":
            raise DagnasError(
                f"{self.name} has {self.count:,} cells, too many to list their classes and draw "
                "from these; valid: variables"
            )
        return super().drawing(draw)

    # Moves.

    def sample(self, n: int, rng: np.random.Generator) -> Cells:
        """Draw ``n`` cells, uniformly over the values of all variables.

        So each number of nodes is as likely as another, and so is then each cell of that number.
        """
        # Whole blocks, as in other spaces.
        values = rng.integers(self.sizes, size=(-(-n // 64) * 64, len(self.sizes)))
        return self.from_values(values[:n])

    def mutate(self, cells: Cells, rng: np.random.Generator) -> Cells:
        """Give one node another activation or source, or add or take the last node."""
        return self.from_values(self.change(self.to_values(cells), rng))

    def change(self, values: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Change one thing of every cell.

        With equal probability among those that are possible: another activation of a node; another
        source of a node; a node more, with any source and activation, or one less. A node is taken
        or added at the end.
        """
        counts, sources, activations = self._trees_of(values)
        sources, activations = sources.copy(), activations.copy()
        batch, rows = len(values), np.arange(len(values))
        # Of one node the source is fixed.
        possible = np.stack([np.ones(batch, bool), counts > 1, np.full(batch, self.nodes > 1)])
        kind = (rng.random(possible.shape) * possible).argmax(axis=0)

        node = rng.integers(counts)
        step = 1 + rng.integers(len(ACTIVATIONS) - 1, size=batch)
        renamed = kind == 0
        activations[rows[renamed], node[renamed]] += step[renamed]
        activations %= len(ACTIVATIONS)

        node = 1 + rng.integers(np.maximum(counts - 1, 1))
        other = rng.integers(node)
        moved = kind == 1
        now = sources[rows, node.clip(max=self.nodes - 1)]
        # The draw counts the sources that remain, from the smallest.
        sources[rows[moved], node[moved]] = (other + (other >= now))[moved]

        more = np.where(counts == 1, True, (rng.random(batch) < 0.5) & (counts < self.nodes))
        source, activation = rng.integers(counts + 1), rng.integers(len(ACTIVATIONS), size=batch)
        grown, shrunk = (kind == 2) & more, (kind == 2) & ~more
        sources[rows[grown], counts[grown]] = source[grown]
        activations[rows[grown], counts[grown]] = activation[grown]
        counts = counts + grown.astype(np.int64) - shrunk
        return self._values_of(Trees(counts, sources, activations).cleared())

    def neighbours(self, cell: Cells) -> Cells:
        """All cells that one change of `change` makes of one cell (a batch of one)."""
        (value,) = self.to_values(cell)
        count, every = int(value[0]) + 1, range(len(ACTIVATIONS))
        source, activation = 0, self.nodes
        moves: list[dict[int, int]] = []
        for node in range(count):
            now = value[activation + node]
            moves += [{activation + node: other} for other in every if other != now]
        for node in range(1, count):
            now = value[source + node]
            moves += [{source + node: other} for other in range(node + 1) if other != now]
        if count < self.nodes:
            moves += [
                {0: count, source + count: before, activation + count: other}
                for before in range(count + 1)
                for other in every
            ]
        if count > 1:
            moves.append({0: count - 2})
        near = np.repeat(value[None], len(moves), axis=0)
        for row, move in enumerate(moves):
            near[row, list(move)] = list(move.values())
        return self.from_values(near)

    def differences(self, cells: Cells, others: Cells) -> NDArray[np.int64]:
        """Number of changes that make one cell of the other; see `change`."""
        mine, theirs = self.to_trees(cells), self.to_trees(others)
        common = mine.present & theirs.present
        differs = (mine.sources != theirs.sources).astype(np.int64)
        differs += mine.activations != theirs.activations
        sizes: NDArray[np.int64] = np.abs(mine.counts - theirs.counts)
        return np.asarray(sizes + (differs * common).sum(axis=1))

    # Relaxation.

    def project(self, graphs: Graphs) -> Cells:
        """Nearest cells (Euclidean distance of one-hot forms), exactly.

        With the gain of an edge its "connected" less its "none" component, the nearest cell has the
        greatest sum of gains and of the components of its vertices' types. Node after node chooses
        a source; the best sum is kept for each set of vertices that some node reads, since that set
        decides which nodes lead to the output. With N nodes these are 2^N sets.
        """
        types = np.where(self.node_mask, graphs.nodes, -np.inf)[:, 1:-1]
        weights = np.asarray(graphs.edges, dtype=np.float64)
        gains = weights[..., 1] - weights[..., 0]
        batch, sets = len(gains), np.arange(2**self.nodes)
        vertex = np.arange(self.nodes)
        member = (sets[:, None] >> vertex & 1).astype(bool)
        # Of a set that holds the source, the sum was that of the set with or without it.
        sums = np.full((batch, len(sets)), -np.inf)
        sums[:, 0] = 0
        chosen, finals = [], []
        to_output = gains[:, 1:-1, -1]
        for node in range(1, self.nodes + 1):
            ways = np.full((2 * node, batch, len(sets)), -np.inf)
            for source in range(node):
                inside = member[:, source]
                gain = gains[:, source, node, None]
                ways[2 * source][:, inside] = sums[:, inside] + gain
                ways[2 * source + 1][:, inside] = sums[:, sets[inside] ^ (1 << source)] + gain
            chosen.append(ways.argmax(axis=0))
            sums = ways.max(axis=0)
            # Bit v of a set is vertex v; node n, which none has read yet, is always loose.
            unread = np.ones((len(sets), self.nodes), dtype=bool)
            if self.output == "loose":
                unread[:, :-1] = ~member[:, 1:]
            unread[:, node:] = False
            present = types[:, :node].max(axis=2).sum(axis=1) + types[:, node:, 1].sum(axis=1)
            finals.append(sums + to_output @ unread.T + present[:, None])
        best = np.stack([final.max(axis=1) for final in finals]).argmax(axis=0)
        rows = np.arange(batch)
        at = np.stack([final.argmax(axis=1) for final in finals])[best, rows]
        sources = np.zeros((batch, self.nodes), dtype=np.int64)
        for node in range(self.nodes, 0, -1):
            here = best >= node - 1
            way = chosen[node - 1][rows, at]
            sources[here, node - 1] = way[here] // 2
            left = here & (way % 2 == 1)
            at[left] ^= 1 << way[left] // 2
        return self.from_trees(Trees(best + 1, sources, types.argmax(axis=2) - 1))

    # Size.

    def madds(self, cells: Cells) -> NDArray[np.int64]:
        """Multiply-adds of each cell for one word, with 850 units; shape (B,).

        The decoder, which is the same for all cells, is left out.
        """
        return cell_parameters(self.to_trees(cells).counts, UNITS)


def cell_parameters(nodes: NDArray[np.int64], units: int) -> NDArray[np.int64]:
    """Weights of cells, each of which is one multiply-add a word; no biases (Liu et al. 2019).

    The first state has two products of word and last output, and each node two of its source.

    Parameters
    ----------
    nodes : ndarray of int
        Numbers of nodes.
    units : int
        Units of word and state.
    """
    return np.asarray((4 + 2 * nodes) * units**2, dtype=np.int64)


def _in_order(count: int, sources: list[int], activations: list[int]) -> tuple[str, list[int]]:
    """Text of a tree with its branches sorted, and its nodes in the order of that text."""
    branches: list[list[tuple[str, list[int]]]] = [[] for _ in range(count + 1)]
    # What reads a node comes after it.
    for node in range(count, 0, -1):
        text, order = _joined(branches[node])
        name = ACTIVATIONS[activations[node - 1]]
        branches[sources[node - 1]].append((f"{name}({text})" if text else name, [node, *order]))
    return _joined(branches[0])


def _joined(branches: list[tuple[str, list[int]]]) -> tuple[str, list[int]]:
    branches = sorted(branches)
    return " ".join(text for text, _ in branches), [n for _, order in branches for n in order]


#: The space of BONAS's LSTM-12K.
recurrent = RecurrentSpace()
