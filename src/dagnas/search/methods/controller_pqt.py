"""The dynamic controller trained by priority queue training (section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from dagnas.search.method import Replicas, method
from dagnas.search.models.controller import Controller
from dagnas.spaces.decisions import DecisionSpace, Walk


@method(space=DecisionSpace, batched=True)
def controller_pqt(
    space: DecisionSpace,
    rngs: Sequence[np.random.Generator],
    *,
    device: str = "cpu",
    lr: PositiveFloat = 1e-3,
    entropy: NonNegativeFloat = 0.8,
    queue: PositiveInt = 10,
    hidden: PositiveInt = 32,
) -> Replicas:
    """Make the best walks so far likelier, whatever the last reward (Abolafia et al. 2018).

    The step size and the weight of the entropy are the paper's for CIFAR-10 (section 4.3), and the
    length of the queue is that of Abolafia et al.

    Parameters
    ----------
    lr : float
        Step size of Adam.
    entropy : float
        Weight of the mean entropy of the last walk's decisions.
    queue : int
        Best distinct walks that are kept.
    hidden : int
        Length of embeddings and of the LSTM cell's state.
    """
    controller = Controller(space, rngs, hidden, device)
    optimizer = torch.optim.Adam(controller.parameters(), lr=lr, fused=True)
    queues: list[dict[Walk, float]] = [{} for _ in rngs]
    while True:
        walks = controller.sample()
        rewards = yield walks
        for best, walk, reward in zip(queues, walks, rewards.tolist(), strict=True):
            best[walk] = max(reward, best.get(walk, reward))
            if len(best) > queue:
                del best[min(best, key=best.__getitem__)]
        longest = max(map(len, queues))
        # A queue is shorter if it got a walk twice; it is padded with walks of weight 0.
        filled = [
            [*best, *[walk] * (longest - len(best))]
            for best, walk in zip(queues, walks, strict=True)
        ]
        weights = torch.tensor(
            [[1 / len(best)] * len(best) + [0] * (longest - len(best)) for best in queues],
            device=device,
        )
        log_probability, entropies = controller.score(
            [[walk, *best] for walk, best in zip(walks, filled, strict=True)]
        )
        likely = (weights * log_probability[:, 1:]).sum(dim=1)
        optimizer.zero_grad()
        torch.autograd.backward((-likely - entropy * entropies[:, 0]).sum())
        optimizer.step()
