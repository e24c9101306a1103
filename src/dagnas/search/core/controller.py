"""The dynamic controller: a recurrent policy that walks any space of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dagnas.seeds import torch_generator
from dagnas.spaces.core.decisions import DecisionSpace, Walk


class Controller(nn.Module):
    """Controllers of R replicas that share nothing, side by side (section 3, figure 1).

    At each step the state's and the previous action's embeddings go through a fully connected
    layer into an LSTM cell, and from its output the head of this state gives the chances of the
    state's actions. All weights have a leading axis of replicas, so that one step of all takes as
    many operations as one step of one.

    The paper gives no sizes and no initial weights: the embeddings are normal with deviation 0.1,
    and other weights uniform in +-1 / sqrt(inputs), with biases of 0.

    Parameters
    ----------
    space : DecisionSpace
    rngs : sequence of numpy Generator
        Of each replica; what a replica does depends on its own alone.
    hidden : int
        H, length of embeddings and of the LSTM cell's state.
    device : str
    """

    def __init__(
        self,
        space: DecisionSpace,
        rngs: Sequence[np.random.Generator],
        hidden: int = 32,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self.space, self.rngs, self.device = space, rngs, device
        states, width = space.targets.shape
        self._width = width
        generators = [torch_generator(rng) for rng in rngs]

        def weight(*shape: int, scale: float, uniform: bool = True) -> nn.Parameter:
            drawn = torch.stack(
                [
                    2 * torch.rand(shape, generator=generator) - 1
                    if uniform
                    else torch.randn(shape, generator=generator)
                    for generator in generators
                ]
            )
            return nn.Parameter((scale * drawn).to(device))

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(len(rngs), *shape, device=device))

        bound = hidden**-0.5
        self.state_embedding = weight(states, hidden, scale=0.1, uniform=False)
        # Actions of different states are different; the last one stands before the first.
        self.action_embedding = weight(states * width + 1, hidden, scale=0.1, uniform=False)
        self.joint = weight(2 * hidden, hidden, scale=bound / 2**0.5)
        self.joint_bias = zeros(1, hidden)
        self.gates = weight(2 * hidden, 4 * hidden, scale=bound)
        self.gates_bias = zeros(1, 4 * hidden)
        self.heads = weight(states, hidden, width, scale=bound)
        self.heads_bias = zeros(states, width)
        # Row r of an array of N walks of each of R replicas, for indexing.
        self._replica = torch.arange(len(rngs), device=device)[:, None]

    def _step(
        self,
        states: torch.Tensor,
        previous: torch.Tensor,
        memory: tuple[torch.Tensor, torch.Tensor],
        is_open: torch.Tensor,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Log-chances of all actions, shape (R, N, A), and the LSTM cell's new state.

        Parameters
        ----------
        states, previous : tensor of int, shape (R, N)
            Where the walks are, and the number of the action that led there.
        memory : pair of tensor, shape (R, N, H)
            Output and state of the LSTM cell.
        is_open : tensor of bool, shape (R, N, A)
        """
        embedded = torch.cat(
            [
                self.state_embedding[self._replica, states],
                self.action_embedding[self._replica, previous],
            ],
            dim=2,
        )
        joint = torch.relu(torch.baddbmm(self.joint_bias, embedded, self.joint))
        output, cell = memory
        gates = torch.baddbmm(self.gates_bias, torch.cat([joint, output], dim=2), self.gates)
        enter, forget, leave, candidate = gates.chunk(4, dim=2)
        cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
        output = leave.sigmoid() * cell.tanh()
        heads = self.heads[self._replica, states]
        logits = (output[:, :, None] @ heads)[:, :, 0] + self.heads_bias[self._replica, states]
        return logits.masked_fill(~is_open, -torch.inf).log_softmax(dim=2), (output, cell)

    def _begin(self, walks: int) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (len(self.rngs), walks, self.joint.shape[2])
        return torch.zeros(shape, device=self.device), torch.zeros(shape, device=self.device)

    def sample(self) -> list[Walk]:
        """Draw one walk of every replica."""
        space, rngs = self.space, self.rngs
        end = len(space.states)
        walks: list[list[int]] = [[] for _ in rngs]
        states = np.zeros(len(rngs), dtype=np.int64)
        previous = np.full(len(rngs), end * self._width)
        memory = self._begin(1)
        with torch.no_grad():
            for left in range(space.cap, 0, -1):
                going = np.flatnonzero(states < end)
                if not len(going):
                    break
                here = np.where(states < end, states, 0)
                is_open = space.open_actions(left)[here]
                # What an ended walk would do is not asked.
                is_open[states == end] = True
                log_chances, memory = self._step(
                    self._tensor(here[:, None]),
                    self._tensor(previous[:, None]),
                    memory,
                    self._tensor(is_open[:, None]),
                )
                sums = log_chances[:, 0].double().exp().cumsum(dim=1).cpu().numpy()
                for replica in going.tolist():
                    # The draw is below the whole sum even where rounding keeps that from one.
                    drawn = rngs[replica].random() * sums[replica, -1]
                    action = int(np.searchsorted(sums[replica], drawn, side="right"))
                    walks[replica].append(action)
                    previous[replica] = states[replica] * self._width + action
                    states[replica] = space.targets[states[replica], action]
        return [tuple(walk) for walk in walks]

    def score(self, walks: Sequence[Sequence[Walk]]) -> tuple[torch.Tensor, torch.Tensor]:
        """How likely the policy takes walks, and how open it is along them.

        Parameters
        ----------
        walks : sequence of R sequences of N walks

        Returns
        -------
        log_probability, entropy : tensor, shape (R, N)
            Both summed over the decisions of a walk.
        """
        paths = _Paths.of(self.space, walks)
        memory = self._begin(len(walks[0]))
        log_probability = torch.zeros(memory[0].shape[:2], device=self.device)
        entropy = torch.zeros_like(log_probability)
        for step in range(paths.actions.shape[2]):
            going = self._tensor(paths.going[:, :, step])
            log_chances, memory = self._step(
                self._tensor(paths.states[:, :, step]),
                self._tensor(paths.previous[:, :, step]),
                memory,
                self._tensor(paths.is_open(step)),
            )
            chosen = self._tensor(paths.actions[:, :, step, None])
            log_probability = log_probability + going * log_chances.gather(2, chosen)[:, :, 0]
            # 0 log 0 = 0, for closed actions.
            terms = log_chances.exp() * log_chances.clamp(min=-1e4)
            entropy = entropy - going * terms.sum(dim=2)
        return log_probability, entropy

    def _tensor(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


@dataclass(frozen=True)
class _Paths:
    """Walks of equal length as arrays of shape (R, N, T), ended ones padded with zeros."""

    space: DecisionSpace
    actions: NDArray[np.int64]
    states: NDArray[np.int64]
    going: NDArray[np.bool_]

    @staticmethod
    def of(space: DecisionSpace, walks: Sequence[Sequence[Walk]]) -> _Paths:
        longest = max(len(walk) for of_replica in walks for walk in of_replica)
        shape = (len(walks), len(walks[0]), longest)
        actions, states = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        going = np.zeros(shape, dtype=bool)
        for replica, of_replica in enumerate(walks):
            for number, walk in enumerate(of_replica):
                place = (replica, number, slice(len(walk)))
                actions[place], states[place], going[place] = walk, space.visited(walk), True
        return _Paths(space, actions, states, going)

    @cached_property
    def previous(self) -> NDArray[np.int64]:
        """Number of the action before each, among those of all states."""
        states, width = self.space.targets.shape
        before = np.full_like(self.actions, states * width)
        before[:, :, 1:] = (self.states * width + self.actions)[:, :, :-1]
        return before

    def is_open(self, step: int) -> NDArray[np.bool_]:
        """Actions open in a step, shape (R, N, A)."""
        is_open = self.space.open_actions(self.space.cap - step)[self.states[:, :, step]]
        is_open[~self.going[:, :, step]] = True
        return is_open
