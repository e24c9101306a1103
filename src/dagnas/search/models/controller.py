"""Dynamic controller: a recurrent policy on any space of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dagnas.seeds import torch_generator
from dagnas.spaces.decisions import DecisionSpace, Walk


class Controller(nn.Module):
    """Controllers of R independent replicas, side by side (section 3, figure 1).

    At each step the state's and the previous action's embeddings go through a fully connected
    layer into an LSTM cell, and from its output the head of this state gives the probabilities of
    the state's actions. All weights have a leading axis of replicas, so that one step of all takes
    as many operations as one step of one.

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

    def _joint(self, states: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """Input of the LSTM cell, shape (R, M, H).

        Parameters
        ----------
        states, previous : tensor of int, shape (R, M)
            States of walks, and the number of the action that led to each.
        """
        embedded = torch.cat(
            [
                self.state_embedding[self._replica, states],
                self.action_embedding[self._replica, previous],
            ],
            dim=2,
        )
        return torch.relu(torch.baddbmm(self.joint_bias, embedded, self.joint))

    def _recur(
        self, joint: torch.Tensor, memory: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Output and state of the LSTM cell after one more step, shape (R, N, H) each."""
        output, cell = memory
        gates = torch.baddbmm(self.gates_bias, torch.cat([joint, output], dim=2), self.gates)
        enter, forget, leave, candidate = gates.chunk(4, dim=2)
        cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
        return leave.sigmoid() * cell.tanh(), cell

    def _log_probabilities(
        self, output: torch.Tensor, states: torch.Tensor, is_open: torch.Tensor
    ) -> torch.Tensor:
        """Log-probabilities of all actions, shape (R, M, A).

        Parameters
        ----------
        output : tensor, shape (R, M, H)
            Of the LSTM cell.
        states : tensor of int, shape (R, M)
        is_open : tensor of bool, shape (R, M, A)
        """
        heads = self.heads[self._replica, states]
        logits = (output[:, :, None] @ heads)[:, :, 0] + self.heads_bias[self._replica, states]
        return logits.masked_fill(~is_open, -torch.inf).log_softmax(dim=2)

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
                # Walks that have ended still need an action, which is not used.
                is_open[states == end] = True
                at = self._tensor(here[:, None])
                memory = self._recur(self._joint(at, self._tensor(previous[:, None])), memory)
                scores = self._log_probabilities(memory[0], at, self._tensor(is_open[:, None]))
                sums = scores[:, 0].double().exp().cumsum(dim=1).cpu().numpy()
                for replica in going.tolist():
                    # The draw is below the whole sum even where rounding keeps that from one.
                    drawn = rngs[replica].random() * sums[replica, -1]
                    action = int(np.searchsorted(sums[replica], drawn, side="right"))
                    walks[replica].append(action)
                    previous[replica] = states[replica] * self._width + action
                    states[replica] = space.targets[states[replica], action]
        return [tuple(walk) for walk in walks]

    def score(self, walks: Sequence[Sequence[Walk]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of walks under the policy, and its entropies along them.

        Parameters
        ----------
        walks : sequence of R sequences of N walks

        Returns
        -------
        log_probability : tensor, shape (R, N)
            Summed over the decisions of a walk.
        entropy : tensor, shape (R, N)
            Mean over the decisions of a walk: a sum would favour long walks over short ones.
        """
        replicas, number = len(walks), len(walks[0])
        longest = max(len(walk) for of_replica in walks for walk in of_replica)
        shape = (replicas, longest, number)
        actions, states = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        going = np.zeros(shape, dtype=bool)
        for replica, of_replica in enumerate(walks):
            for place, walk in enumerate(of_replica):
                index = (replica, slice(len(walk)), place)
                actions[index], states[index], going[index] = walk, self.space.visited(walk), True
        width = self._width
        previous = np.full_like(actions, len(self.space.states) * width)
        previous[:, 1:] = (states * width + actions)[:, :-1]
        # After a walk's end all actions are open: they are not counted, but must be finite.
        is_open = ~going[..., None] | np.stack(
            [
                self.space.open_actions(self.space.cap - step)[states[:, step]]
                for step in range(longest)
            ],
            axis=1,
        )

        def flat(array: NDArray[Any]) -> torch.Tensor:
            return self._tensor(array.reshape(replicas, longest * number, *array.shape[3:]))

        joint = self._joint(flat(states), flat(previous))
        memory, outputs = self._begin(number), []
        for step in torch.split(joint, number, dim=1):
            memory = self._recur(step, memory)
            outputs.append(memory[0])
        scores = self._log_probabilities(torch.cat(outputs, dim=1), flat(states), flat(is_open))
        chosen = scores.gather(2, flat(actions)[:, :, None])[:, :, 0]
        # 0 log 0 = 0, for closed actions.
        entropy = -(scores.exp() * scores.clamp(min=-1e4)).sum(dim=2)
        counted = self._tensor(going)
        lengths = counted.sum(dim=1)
        return (
            (chosen.view(shape) * counted).sum(dim=1),
            (entropy.view(shape) * counted).sum(dim=1) / lengths,
        )

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
