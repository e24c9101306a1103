"""What the results share: searches of one signal and one cost, and the table's own front."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.costed import CostedBenchmark
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.papers.inputs import Inputs

if TYPE_CHECKING:
    import pandas as pd

#: Beginnings of the names of studies: of several objectives, of the signal alone, under limits.
FRONTS, PLAIN, LIMITS = "hardware_front_", "hardware_plain_", "hardware_limit_"
#: In place of a method: the whole table.
TABLE = "table"
#: Costs in words, with their units.
COSTS = {
    "raspi4_latency": "latency on a Raspberry Pi 4 (ms)",
    "edgegpu_latency": "latency on an edge GPU (ms)",
    "edgetpu_latency": "latency on an Edge TPU (ms)",
    "pixel3_latency": "latency on a Pixel 3 (ms)",
    "eyeriss_latency": "latency on Eyeriss (ms)",
    "fpga_latency": "latency on an FPGA (ms)",
    "edgegpu_energy": "energy on an edge GPU (mJ)",
    "eyeriss_energy": "energy on Eyeriss (mJ)",
    "fpga_energy": "energy on an FPGA (mJ)",
    "parameters": "parameters",
    "multiply_adds": "multiply-adds",
}
BENCHMARKS = {"hw_nasbench201": "HW-NAS-Bench", "digits201_costs": "digits201"}


class Task(NamedTuple):
    """Searches for a high signal and a low cost on one benchmark.

    Attributes
    ----------
    benchmark : CostedBenchmark
    policy : Policy
    cost : str
    whole : ndarray, shape (cells, 2)
        Signal, a mean where the search draws one of several trainings, and cost of all cells.
    traces : DataFrame
        Of all methods; the columns ``signal`` and ``cost``, and those of traces.
    """

    benchmark: CostedBenchmark
    policy: Policy
    cost: str
    whole: NDArray[np.float64]
    traces: pd.DataFrame

    def trials(self) -> Iterator[tuple[str, int, NDArray[np.float64], pd.DataFrame]]:
        """Method, number, objectives (shape (steps, 2)) and trace of every trial."""
        for name, of_method in self.traces.groupby("method", sort=False):
            for trial, own in of_method.groupby("trial"):
                yield str(name), cast("int", trial), self.seen(own), own

    def seen(self, trace: pd.DataFrame) -> NDArray[np.float64]:
        """Objectives of a trace's cells as the table has them, without the noise of a draw."""
        rows = self.benchmark.rows(self.benchmark.space.unpack(trace["code"].to_numpy()))
        found: NDArray[np.float64] = self.whole[rows]
        return found


def tasks(inputs: Inputs) -> Iterator[Task]:
    """All pairs of a benchmark and a cost of studies of several objectives."""
    import pandas as pd

    names = inputs.result.names("studies")
    for study in (name for name in names if name.startswith(FRONTS)):
        settings = inputs.config.section("studies")[study]
        (cost,) = settings.objectives
        plain = f"{PLAIN}{settings.benchmark}"
        studies = [study, *([plain] if plain in names else [])]
        benchmark, policy = opened(inputs, settings.benchmark), inputs.policy(study)
        signal = benchmark.values(policy.signal, policy.repeat).reshape(len(benchmark), -1)
        whole = np.stack([np.nanmean(signal, axis=1), benchmark.costs[cost]], axis=1)
        traces = pd.concat([inputs.traces(name) for name in studies], ignore_index=True)
        yield Task(benchmark, policy, cost, whole, traces)


def panels_of(table: pd.DataFrame, by: str = "cost") -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Rows of every panel, by its benchmark and its cost or limit, in the order of the table."""
    groups = table.groupby(["benchmark", by], sort=False)
    return [((str(own["benchmark"].iloc[0]), str(own[by].iloc[0])), own) for _, own in groups]


def opened(inputs: Inputs, name: str) -> CostedBenchmark:
    """Benchmark of that name, which has costs.

    Raises
    ------
    DagnasError
        It has none.
    """
    found = inputs.benchmark(name)
    if not isinstance(found, CostedBenchmark):
        raise DagnasError(f"{inputs.result.name}: benchmark {name!r} has no costs")
    return found
