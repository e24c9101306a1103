"""Benchmarks from the scores that a supernet gave all cells: look-ups, without torch."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path

from dagnas.benchmarks.benchmark import BenchmarkEntry, TabularBenchmark
from dagnas.benchmarks.norms import Statistics
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.tables.table import Table

#: Evaluations of a search (GOAL, table 1).
EVALUATIONS = 100

_NOTES = {
    "batch": "with batch statistics of the validation images",
    "recalibrated": "with batch statistics of training images",
    "running": "with running statistics of the supernet, which fit no cell",
}


def quantity(images: str, signal: str, statistics: Statistics, epochs: int) -> str:
    """Name of a signal of shared weights: "accuracy" (%) or "likelihood" (%), see `policies`."""
    return f"{images}/shared_{signal}_{statistics}/{epochs}"


def seconds(images: str, epochs: int) -> str:
    """Name of the cost of an evaluation: one, so that seconds count evaluations."""
    return f"{images}/evaluations/{epochs}"


def policies(
    images: str, epochs: int, statistics: Sequence[Statistics], valid: str, test: str
) -> dict[str, Policy]:
    """Policies of cells that are scored with the weights of a supernet.

    The signal of "goal" is the accuracy (GOAL, section 5.3). That of "goal_loss" orders cells as
    their negative loss does, and ties less: 100 exp(-loss), the geometric mean of the
    probabilities of the right classes in %, for methods that take accuracies. Both normalise by
    statistics of the validation images. Other statistics are in the names of further policies.

    Parameters
    ----------
    images : str
        Image set of the supernet.
    epochs : int
        Epochs of its training.
    statistics : sequence of str
        Statistics with which cells were scored.
    valid, test : str
        Quantities that are reported of a cell.

    Returns
    -------
    dict of str to Policy
    """
    found = {}
    for chosen in statistics:
        suffix = "" if chosen == "batch" else f"_{chosen}"
        for name, signal, words in (
            ("goal", "accuracy", "the accuracy"),
            ("goal_loss", "likelihood", "100 exp(-loss)"),
        ):
            found[f"{name}{suffix}"] = Policy(
                signal=quantity(images, signal, chosen, epochs),
                repeat="mean",
                seconds=seconds(images, epochs),
                valid=valid,
                test=test,
                budget_evaluations=EVALUATIONS,
                source="GOAL, section 5.3 and table 1",
                note=f"the signal is {words} with shared weights, {_NOTES[chosen]}",
            )
    return found


def open_scores(name: str, path: Path) -> TabularBenchmark:
    """Open a table that `dagnas score` made.

    Parameters
    ----------
    name : str
        Name of the benchmark.
    path : Path

    Raises
    ------
    DagnasError
        The table is missing, damaged, or not made by `dagnas score`.
    """
    table = Table(path)
    if "scores" not in table.provenance:
        raise DagnasError(f"{path} was not made by `dagnas score`")
    try:
        about = json.loads(table.provenance["scores"])
        found = policies(
            about["images"], about["epochs"], about["statistics"], about["valid"], about["test"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DagnasError(f"{path} is damaged: it does not tell how cells were scored") from error
    space = SPACES.get(table.provenance.get("space", ""))
    return TabularBenchmark(name, space, table, found)


@functools.cache
def scored_entry(name: str) -> BenchmarkEntry:
    """Benchmark of the scores ``NAME.parquet`` in the folder of tables."""
    return BenchmarkEntry(
        name, __name__, lambda data: open_scores(name, data / f"{name}.parquet"), (name,)
    )
