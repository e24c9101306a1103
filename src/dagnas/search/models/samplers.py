"""Samplers of BONAS's candidates: random, evolutionary, or by a learned controller."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dagnas.predictors.predictor import drawing_from
from dagnas.search.pool import Seen, sample_new
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate


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

    Where edges only connect, an edge is chosen and its source becomes one of the vertices before
    its head (in the paper's words before its source, from where no edge would ever come back) that
    have no edge to it, since edges that merge would never part again; or a vertex is chosen and
    takes any operation, with equal probability. Where operations are on edges (NAS-Bench-201),
    connections are fixed and an edge takes any operation.

    Parameters
    ----------
    population, tournament : int
        Cells alive (the last ones evaluated), and cells among which each parent is the best.
    """

    def __init__(
        self,
        space: CellSpace,
        rng: np.random.Generator,
        seen: Seen,
        population: int = 30,
        tournament: int = 10,
    ) -> None:
        super().__init__(space, rng, seen)
        self.tournament = tournament
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
        """Change one edge's source or one operation of every cell."""
        space, rng, rows = self.space, self.rng, np.arange(len(cells))
        if space.edge_mask.shape[-1] > 2:
            values = space.to_values(cells)
            variable = rng.integers(len(space.sizes), size=len(cells))
            values[rows, variable] = rng.integers(space.sizes[variable])
            return space.from_values(values)
        nodes, edges = cells.nodes.copy(), cells.edges.copy()
        # The first in a random order of the edges that there are.
        rank = rng.random(edges.shape) * (edges > 0)
        first = rank.reshape(len(cells), -1).argmax(axis=1)
        tail, head = first // edges.shape[2], first % edges.shape[2]
        free = (np.arange(edges.shape[1]) < head[:, None]) & (edges[rows, :, head] == 0)
        free[rows, tail] = ~free.any(axis=1)  # the source stays where there is no other
        source = (rng.random(free.shape) * free).argmax(axis=1)
        moved = rng.random(len(cells)) < 0.5
        edges[rows[moved], tail[moved], head[moved]] = 0
        edges[rows[moved], source[moved], head[moved]] = 1
        vertices = np.flatnonzero(space.node_mask.sum(axis=1) > 1)
        vertex = vertices[rng.integers(len(vertices), size=len(cells))]
        choice = rng.random((len(cells), len(space.node_types))) * space.node_mask[vertex]
        nodes[rows[~moved], vertex[~moved]] = choice.argmax(axis=1)[~moved]
        return Cells(nodes, edges)


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
