"""Tables with costs beside the signal, and tables of a part of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.benchmark import Evaluations, TabularBenchmark
from dagnas.benchmarks.policy import Policy
from dagnas.spaces.part import part_of


@dataclass
class CostedBenchmark(TabularBenchmark):
    """Table whose evaluations carry costs.

    Parameters
    ----------
    costs : mapping of str to ndarray, shape (rows,)
        Costs by name, in the table's order; policies list those that evaluations give.
    sources : str
        Digest of what the costs come from, if not from the table.
    """

    costs: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    sources: str = ""

    def look_up(
        self, rows: NDArray[np.int64], policy: Policy, rng: np.random.Generator
    ) -> Evaluations:
        """Look up a batch of rows, costs included."""
        found = super().look_up(rows, policy, rng)
        return found._replace(costs={name: self.costs[name][rows] for name in policy.costs})

    def describe(
        self, rows: NDArray[np.int64], policy: Policy | None = None
    ) -> dict[str, Sequence[str] | NDArray[Any]]:
        """Look up all that is known about the cells of some rows, costs included."""
        return super().describe(rows, policy) | {n: c[rows] for n, c in self.costs.items()}

    def digest(self) -> str:
        """Digest of the table's source, and that of the costs."""
        return " ".join(filter(None, [super().digest(), self.sources]))


def only_cells_of(benchmark: TabularBenchmark) -> TabularBenchmark:
    """Benchmark whose space is the cells of its table alone; policies say how many these are."""
    kind = "classes" if benchmark.by_class else "cells"
    said = f"the search is among {len(benchmark):,} {kind} of {benchmark.space.name}, not all"
    space = part_of(benchmark.space, benchmark.table["code"], benchmark.by_class)
    policies = {
        name: replace(policy, note="; ".join(filter(None, [policy.note, said])))
        for name, policy in benchmark.policies.items()
    }
    return replace(benchmark, space=space, policies=policies)
