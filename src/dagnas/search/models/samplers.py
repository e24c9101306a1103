"""Samplers of BONAS's candidates: random, evolutionary, or by a learned controller."""

from __future__ import annotations

from collections import deque
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dagnas.predictors.predictor import drawing_from
from dagnas.search.pool import Seen, sample_new
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: How candidates are mutated: as section 3.3 says, or as the authors' code does.
Mutation = Literal["paper", "code"]


class RandomSampler:
    """Sampler of pools of candidates, drawn independently from the space.

    Parameters
    ----------
    space : CellSpace
    rng : numpy Generator
    seen : Seen
        Cells that are no candidates any more.
    """

    def __init__(self, space: CellSpace, rng: np.random.Generator, seen: Seen) -> None:
        self.space, self.rng, self.seen = space, rng, seen

    def draw(self, n: int) -> Cells:
        """Draw ``n`` cells, which may be invalid, known, or equal."""
        return self.space.sample(n, self.rng)

    def pool(self, n: int) -> Cells:
        """Draw ``n`` cells and keep the valid, new ones, each once; if none is, draw new ones."""
        cells = self.draw(n)
        cells = cells[self.space.is_valid(cells)]
        cells = cells[self.seen.new(cells)]
        return cells if len(cells) else sample_new(self.space, n, self.rng, self.seen.copy())

    def learn(self, candidates: Cells, scores: NDArray[np.float64]) -> None:
        """Learn from the acquisition of a pool's candidates, shape (n,)."""

    def add(self, cells: Cells, signals: NDArray[np.float64]) -> None:
        """Learn from evaluations."""


class EvolutionSampler(RandomSampler):
    """Sampler of mutations of tournament winners among the last cells (BONAS, section 3.3).

    Where operations are on edges (NAS-Bench-201), connections are fixed and an edge takes any
    operation. Where places of a cell depend on each other (the DARTS space), mutations are the
    space's own. Elsewhere edges only connect, and there are two ways.

    The paper's: an edge is chosen and its source becomes one of the vertices before its head (in
    the paper's words before its source, from where no edge would ever come back) that have no edge
    to it, since edges that merge would never part again; or a vertex is chosen and takes any
    operation, with equal probability.

    The code's: edges change, or an operation, or both, with equal probability. A vertex takes any
    operation. Edges change by two independent draws: an edge between two vertices is added, if it
    is not there, and an edge is removed, so that their number may fall; the first end of each is
    drawn before the second, from all vertices but the last two. The code has each pool from one
    parent and drops cells with vertices off every path; here each candidate has a parent of its
    own, and such cells are smaller ones.

    Parameters
    ----------
    population, tournament : int
        Cells alive (the last ones evaluated), and cells among which each parent is the best.
    mutation : {"paper", "code"}
        Way of mutating.
    """

    def __init__(
        self,
        space: CellSpace,
        rng: np.random.Generator,
        seen: Seen,
        population: int = 30,
        tournament: int = 10,
        mutation: Mutation = "paper",
    ) -> None:
        super().__init__(space, rng, seen)
        self.tournament, self.mutation = tournament, mutation
        self.alive: deque[tuple[Cells, float]] = deque(maxlen=population)

    def add(self, cells: Cells, signals: NDArray[np.float64]) -> None:
        """Let evaluated cells live, and the oldest die."""
        self.alive.extend(zip(cells, signals.tolist(), strict=True))

    def draw(self, n: int) -> Cells:
        """Mutate the best of ``tournament`` cells that are drawn from the population."""
        signals = np.array([signal for _, signal in self.alive])
        drawn = self.rng.random((n, len(signals))).argsort(axis=1)[:, : self.tournament]
        winners = drawn[np.arange(n), signals[drawn].argmax(axis=1)]
        return self.mutate(concatenate(cell for cell, _ in self.alive)[winners])

    def mutate(self, cells: Cells) -> Cells:
        """Mutate every cell once; some mutants may be invalid, or their parents again."""
        if not self.space.variables_are_places:
            return self.space.mutate(cells, self.rng)
        if self.space.edge_mask.shape[-1] > 2:
            return self._change_value(cells)
        return self._as_code(cells) if self.mutation == "code" else self._as_paper(cells)

    def _change_value(self, cells: Cells) -> Cells:
        """Cells of which one variable takes any of its values."""
        space, rng = self.space, self.rng
        values = space.to_values(cells)
        variable = rng.integers(len(space.sizes), size=len(cells))
        values[np.arange(len(cells)), variable] = rng.integers(space.sizes[variable])
        return space.from_values(values)

    def _as_paper(self, cells: Cells) -> Cells:
        """Cells of which one edge's source or one operation is another."""
        rng, rows = self.rng, np.arange(len(cells))
        nodes, edges = cells.nodes.copy(), cells.edges.copy()
        # The first in a random order of the edges that there are and that are a choice.
        choice = np.array(self.space.edge_mask.all(axis=2))
        rank = rng.random(edges.shape) * (choice & (edges > 0))
        first = rank.reshape(len(cells), -1).argmax(axis=1)
        tail, head = first // edges.shape[2], first % edges.shape[2]
        free = choice.T[head] & (edges[rows, :, head] == 0)
        free[rows, tail] = ~free.any(axis=1)  # the source stays where there is no other
        source = (rng.random(free.shape) * free).argmax(axis=1)
        moved = (rng.random(len(cells)) < 0.5) & rank.any(axis=(1, 2))
        edges[rows[moved], tail[moved], head[moved]] = 0
        edges[rows[moved], source[moved], head[moved]] = 1
        vertex, operation = self._operations(len(cells))
        nodes[rows[~moved], vertex[~moved]] = operation[~moved]
        return Cells(nodes, edges)

    def _as_code(self, cells: Cells) -> Cells:
        """Cells with an edge more and one less, another operation, or both."""
        rng, rows = self.rng, np.arange(len(cells))
        nodes, edges = cells.nodes.copy(), cells.edges.copy()
        free = np.array(self.space.edge_mask.all(axis=2))
        free[-2] = False
        added = self._edges(np.broadcast_to(free, edges.shape))
        removed = self._edges(free & (edges > 0))
        kind = rng.integers(3, size=len(cells))  # edges, an operation, both
        rewired, renamed = (kind != 1)[:, None, None], kind > 0
        edges[added & rewired] = 1
        edges[removed & rewired] = 0
        vertex, operation = self._operations(len(cells))
        nodes[rows[renamed], vertex[renamed]] = operation[renamed]
        return Cells(nodes, edges)

    def _edges(self, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """One of each cell's edges of ``among``, its tail drawn before its head; the same shape."""
        tail = self.rng.random(among.shape[:2]) * among.any(axis=2)
        from_tail = among & (tail == tail.max(axis=1, keepdims=True))[:, :, None]
        weight = self.rng.random(among.shape) * from_tail
        chosen: NDArray[np.bool_] = weight == weight.max(axis=(1, 2), keepdims=True)
        return np.asarray(from_tail & chosen)

    def _operations(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A vertex and any type that it may have, drawn ``n`` times."""
        mask = self.space.node_mask
        vertices = np.flatnonzero(mask.sum(axis=1) > 1)
        vertex = vertices[self.rng.integers(len(vertices), size=n)]
        choice = self.rng.random((n, mask.shape[1])) * mask[vertex]
        return vertex, choice.argmax(axis=1)


class ControllerSampler(RandomSampler):
    """Sampler by a recurrent controller that chooses value after value, trained by REINFORCE.

    The reward is the acquisition of the cells that it drew, standardised over the pool, which
    serves as baseline (BONAS, section 3.3; the controller is that of Zoph et al. 2018, an LSTM).
    """

    HIDDEN = 32
    LEARNING_RATE = 3.5e-3

    def __init__(self, space: CellSpace, rng: np.random.Generator, seen: Seen) -> None:
        super().__init__(space, rng, seen)
        self._generator = torch_generator(rng)
        self._sizes = torch.from_numpy(space.sizes)
        width = int(space.sizes.max())
        with drawing_from(self._generator):
            self._token = nn.Embedding(1 + len(space.sizes) * width, self.HIDDEN)
            self._cell = nn.LSTM(self.HIDDEN, self.HIDDEN, batch_first=True)
            self._head = nn.Linear(self.HIDDEN, width)
        modules = nn.ModuleList([self._token, self._cell, self._head])
        self._optimizer = torch.optim.Adam(modules.parameters(), lr=self.LEARNING_RATE, fused=True)
        self._offset = 1 + width * torch.arange(len(space.sizes))
        self._closed = torch.arange(width) >= self._sizes[:, None]

    def draw(self, n: int) -> Cells:
        """Sample from the policy."""
        values = torch.zeros(n, len(self._sizes), dtype=torch.int64)
        token, state = torch.zeros(n, 1, dtype=torch.int64), None
        with torch.no_grad():
            for place in range(len(self._sizes)):
                output, state = self._cell(self._token(token), state)
                logits = self._head(output[:, 0]).masked_fill(self._closed[place], -torch.inf)
                drawn = torch.multinomial(logits.softmax(dim=1), 1, generator=self._generator)
                values[:, place] = drawn[:, 0]
                token = drawn + self._offset[place]
        return self.space.from_values(values.numpy())

    def log_probability(self, cells: Cells) -> torch.Tensor:
        """Logarithm of the probability that the policy draws each cell, shape (B,)."""
        values = torch.from_numpy(self.space.to_values(cells))
        start = torch.zeros(len(values), 1, dtype=torch.int64)
        tokens = torch.cat([start, (values + self._offset)[:, :-1]], dim=1)
        logits = self._head(self._cell(self._token(tokens))[0]).masked_fill(
            self._closed, -torch.inf
        )
        chosen = logits.log_softmax(dim=2).gather(2, values[:, :, None])
        return torch.sum(chosen, dim=(1, 2))

    def learn(self, candidates: Cells, scores: NDArray[np.float64]) -> None:
        """Make candidates of more than average acquisition likelier."""
        advantage = torch.from_numpy((scores - scores.mean()) / (scores.std() + 1e-12)).float()
        self._optimizer.zero_grad()
        torch.autograd.backward(-(advantage * self.log_probability(candidates)).mean())
        self._optimizer.step()
