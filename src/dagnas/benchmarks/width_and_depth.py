"""Artificial task of vectors with a cost, which needs no training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dagnas.benchmarks.benchmark import Evaluations, benchmark
from dagnas.benchmarks.policy import Policy
from dagnas.spaces.vectors import Dimension, Vectors, VectorSpace


@dataclass
class WidthAndDepth:
    """Invented task of vectors: wide and deep networks are better, and take more memory.

    The signal is 100 (1 - exp(-s)) (1 - d^2), %, where s grows with width and depth and d is how
    far the rest is from its best; the cost is width times depth. So the front is known: all d = 0.
    It stands in where a method of vectors is tried without training.
    """

    name: str = "width_and_depth"
    space: VectorSpace = field(
        default_factory=lambda: VectorSpace(
            "width_and_depth",
            [
                Dimension("width", 1, 16, whole=True),
                Dimension("depth", 1, 8, whole=True),
                Dimension("rate", 0, 1),
                Dimension("decay", 0, 1),
            ],
        )
    )
    policies: Mapping[str, Policy] = field(init=False)

    def __post_init__(self) -> None:
        rules = Policy(
            signal="accuracy",
            repeat="s0",
            seconds="evaluations",
            valid="accuracy",
            test="accuracy",
            budget_evaluations=60,
            source="invented",
            costs=("memory",),
        )
        self.policies = {"reward": rules}

    def emulated(self, policy: Policy) -> tuple[str, ...]:
        """Emulated quantities: none."""
        return ()

    def evaluate(self, batch: Vectors, policy: Policy, rng: np.random.Generator) -> Evaluations:
        """Evaluate vectors; shape (B,) each."""
        width, depth, rate, decay = batch.T
        away = ((rate - 0.3) ** 2 + (decay - 0.7) ** 2) / 2
        found = 100 * (1 - np.exp(-np.sqrt(width * depth) / 3)) * (1 - away)
        return Evaluations(found, np.ones(len(batch)), found, found, {"memory": width * depth})

    def digest(self) -> str:
        """Its name: there is no data."""
        return self.name


@benchmark()
def width_and_depth(data: Path) -> WidthAndDepth:
    """Open the benchmark; ``data`` is not used."""
    return WidthAndDepth()
