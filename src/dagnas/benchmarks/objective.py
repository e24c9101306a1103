"""Benchmarks whose evaluations are a function of the decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.spaces.decisions import DecisionSpace, Walk

#: Decisions taken, as pairs of names of state and action, to a reward; higher is better.
Objective = Callable[[list[tuple[str, str]]], float]


@dataclass
class ObjectiveBenchmark:
    """Benchmark of a space of decisions and their reward.

    An evaluation costs one simulated second, so that seconds count evaluations. The only policy is
    ``reward``: the reward is both the signal and the accuracy reported.

    Parameters
    ----------
    name : str
    space : DecisionSpace
    objective : callable
        ``objective(decisions)`` returns the reward of a list of (state, action).
    budget_evaluations : int, optional
        Default budget of a trial.
    source : str
        Origin of the objective.

    Examples
    --------
    >>> space = DecisionSpace.chain("rates", {"rate": ["0.1", "0.01"], "decay": ["0", "0.5"]})
    >>> bench = ObjectiveBenchmark("rates", space, lambda taken: float(dict(taken)["rate"]))
    """

    name: str
    space: DecisionSpace
    objective: Objective
    budget_evaluations: int | None = None
    source: str = ""
    policies: dict[str, Policy] = field(init=False)

    def __post_init__(self) -> None:
        self.policies = {
            "reward": Policy(
                signal="reward",
                repeat="mean",
                seconds="evaluations",
                valid="reward",
                test="reward",
                budget_evaluations=self.budget_evaluations,
                source=self.source,
            )
        }

    @property
    def module(self) -> str:
        """Module with the code of the objective."""
        defined = self.objective.__module__
        return __name__ if defined == "__main__" else defined

    def emulated(self, policy: Policy) -> tuple[str, ...]:
        """Emulated quantities: none."""
        return ()

    def evaluate(self, walks: list[Walk], policy: Policy, rng: np.random.Generator) -> Evaluations:
        """Evaluate walks by their rewards; shape (B,) each.

        Raises
        ------
        DagnasError
            A reward is no number.
        """
        rewards = np.array([self._reward(walk) for walk in walks])
        return Evaluations(rewards, np.ones(len(walks)), rewards, rewards)

    def _reward(self, walk: Walk) -> float:
        reward = self.objective(self.space.decisions(walk))
        try:
            return float(reward)
        except (OverflowError, TypeError, ValueError):
            (text,) = self.space.to_str([walk])
            raise DagnasError(
                f"{self.name}: the reward of {text} is {reward!r}, which is no number"
            ) from None

    def digest(self) -> str:
        """Name of the objective, wherever its module is."""
        return self.objective.__qualname__
