"""The dynamic controller trained by REINFORCE (NAS over a graph search space, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from dagnas.search.method import Replicas, method
from dagnas.search.models.controller import Controller
from dagnas.spaces.decisions import DecisionSpace

#: Settings that section 4.2 states for "select an optimizer"; here, and not with the benchmarks, as
#: all methods declare what their papers state for a space.
_SELECT = {"lr": 1e-4, "entropy": 0.8}


@method(
    space=DecisionSpace,
    batched=True,
    per_space={
        f"select_optimizer_{branches}{formulation}": _SELECT
        for branches in (2, 4)
        for formulation in ("", "_linear")
    },
)
def controller_reinforce(
    space: DecisionSpace,
    rngs: Sequence[np.random.Generator],
    *,
    device: str = "cpu",
    lr: PositiveFloat = 1e-3,
    entropy: NonNegativeFloat = 0.1,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
    hidden: PositiveInt = 32,
) -> Replicas:
    """Make walks of more than average reward likelier, one walk at a time (Williams 1992).

    The step size and the weight of the entropy are the paper's for "stack layers" (section 4.1),
    and on "select an optimizer" for that (section 4.2).
    The paper states no optimiser, baseline or sizes: here they are Adam, the moving average of
    rewards, and 32.

    Parameters
    ----------
    lr : float
        Step size of Adam.
    entropy : float
        Weight of the mean entropy of a walk's decisions.
    momentum : float
        Weight of the past in the moving average of rewards; the first reward begins it.
    hidden : int
        Length of embeddings and of the LSTM cell's state.
    """
    controller = Controller(space, rngs, hidden, device)
    optimizer = torch.optim.Adam(controller.parameters(), lr=lr, fused=True)
    baseline = None
    while True:
        walks = controller.sample()
        rewards = yield walks
        baseline = rewards if baseline is None else baseline
        advantage = torch.from_numpy(rewards - baseline).to(device, torch.float32)
        baseline = momentum * baseline + (1 - momentum) * rewards
        log_probability, entropies = controller.score([[walk] for walk in walks])
        optimizer.zero_grad()
        # A sum over replicas: each has its own weights, and so its own gradient.
        loss = (-(advantage * log_probability[:, 0]) - entropy * entropies[:, 0]).sum()
        torch.autograd.backward(loss)
        optimizer.step()
