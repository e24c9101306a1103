"""Tables with costs beside the signal, and tables of a part of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.benchmark import Evaluations, TabularBenchmark
from dagnas.benchmarks.policy import Policy
from dagnas.spaces.listed import nearest_part
from dagnas.spaces.part import part_of

#: Vectors of values for each cell of a table, beyond which methods cannot draw vectors until one is
#: a cell of it: so many take a second.
_VECTORS = 1e5


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


def of_known_cells(benchmark: TabularBenchmark) -> TabularBenchmark:
    """Benchmark as it is if it has all cells, else one whose space is those that it has."""
    whole = float(np.prod(benchmark.space.sizes, dtype=np.float64))
    return benchmark if len(benchmark) == whole else only_cells_of(benchmark)


def only_cells_of(benchmark: TabularBenchmark) -> TabularBenchmark:
    """Benchmark whose space is the cells of its table alone; policies say how many these are.

    Where these are so few of the space that hardly a vector of values is one of them, each vector
    stands for the nearest (`dagnas.spaces.listed.nearest_part`).
    """
    kind = "classes" if benchmark.by_class else "cells"
    said = f"the search is among {len(benchmark):,} {kind} of {benchmark.space.name}, not all"
    vectors = float(np.prod(benchmark.space.sizes, dtype=np.float64))
    part = part_of if vectors < _VECTORS * len(benchmark) else nearest_part
    space = part(benchmark.space, benchmark.table["code"], benchmark.by_class)
    policies = {
        name: replace(policy, note="; ".join(filter(None, [policy.note, said])))
        for name, policy in benchmark.policies.items()
    }
    return replace(benchmark, space=space, policies=policies)
