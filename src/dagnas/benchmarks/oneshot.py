"""Benchmarks whose evaluations score a cell with the weights of a trained supernet."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.benchmark import BenchmarkEntry, Evaluations, TabularBenchmark
from dagnas.benchmarks.norms import STATISTICS, Statistics
from dagnas.benchmarks.policy import Policy
from dagnas.benchmarks.scored import policies, quantity, seconds
from dagnas.errors import DagnasError
from dagnas.seeds import stream
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells

if TYPE_CHECKING:
    import pyarrow as pa

    from dagnas.training.scoring import Examples
    from dagnas.training.supernet import TrainedSupernet

Progress = Callable[[int], object]

#: Validation images that score a cell, and training images whose statistics recalibrate.
VALID, CALIBRATION = 1000, 256


@dataclass
class OneShotBenchmark:
    """Benchmark whose signal is that of a cell with the weights of a supernet.

    Cells that compute the same, such as those equal after pruning, are scored once. An evaluation
    costs one simulated second, so that seconds count evaluations. What is reported is the
    accuracy with shared weights on the validation images, not that of a training.

    Parameters
    ----------
    name : str
    supernet : TrainedSupernet
    valid : int
        Validation images that score a cell, drawn at random; fewer if there are fewer.
    calibration : int
        Training images whose statistics recalibrate batch norms.
    """

    name: str
    supernet: TrainedSupernet
    valid: int = VALID
    calibration: int = CALIBRATION
    policies: Mapping[str, Policy] = field(init=False)
    _statistics: dict[str, Statistics] = field(init=False)
    _known: dict[tuple[Statistics, Hashable], tuple[float, float]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        from dagnas.networks.sharing import find_sharing

        images, epochs = self.supernet.images.name, self.supernet.recipe.epochs
        reported = quantity(images, "accuracy", "batch", epochs)
        self.policies = policies(images, epochs, STATISTICS, reported, reported)
        self._statistics = {
            quantity(images, signal, chosen, epochs): chosen
            for chosen in STATISTICS
            for signal in ("accuracy", "likelihood")
        }
        self._sharing = find_sharing(self.supernet.about.space)

    @property
    def space(self) -> CellSpace:
        """Space whose cells share weights."""
        return self._sharing.space

    def emulated(self, policy: Policy) -> tuple[str, ...]:
        """Emulated quantities: none."""
        return ()

    def digest(self) -> str:
        """Digest of the supernet, and the numbers of images."""
        return f"{self.supernet.digest} {self.valid} {self.calibration}"

    def evaluate(self, cells: Cells, policy: Policy, rng: np.random.Generator) -> Evaluations:
        """Score a batch of cells; shape (B,) each."""
        if policy.signal not in self._statistics:
            raise DagnasError(f"{self.name} gives no signal {policy.signal!r}")
        chosen = self._statistics[policy.signal]
        likelihood = "/shared_likelihood_" in policy.signal
        signals = self.scores(cells, chosen)[int(likelihood)]
        reported = self.scores(cells, "batch")[0]
        return Evaluations(
            100 * np.exp(-signals) if likelihood else signals,
            np.ones(len(cells)),
            reported,
            reported,
        )

    def scores(
        self, cells: Cells, statistics: Statistics, progress: Progress = lambda cells: None
    ) -> Any:
        """Accuracies (%) and losses, shape (2, B); ``progress`` is told the cells scored."""
        from dagnas.training.scoring import score_one

        keys = self._sharing.keys(cells)
        for key, architecture in zip(keys, self._sharing.architectures(cells), strict=True):
            if (statistics, key) not in self._known:
                self._known[statistics, key] = score_one(
                    self.supernet.network, architecture, self.examples(statistics)
                )
                progress(1)
        found = [self._known[statistics, key] for key in keys]
        return np.array(found, dtype=np.float64).reshape(-1, 2).T

    def scores_201(self, cells: Cells, statistics: Statistics, progress: Progress) -> Any:
        """Accuracies (%) and losses of cells of NAS-Bench-201, shape (2, B), in chunks."""
        from dagnas.networks.supernet201 import pruned
        from dagnas.training.scoring import score_201

        operations, same = np.unique(pruned(cells), axis=0, return_inverse=True)
        network: Any = self.supernet.network
        found = score_201(network, operations, self.examples(statistics), progress)
        return np.stack([found.accuracy, found.loss])[:, same.reshape(-1)]

    def examples(self, statistics: Statistics) -> Examples:
        """Images that score cells, with the statistics that normalise them."""
        if not hasattr(self, "_examples"):
            self._examples: dict[Statistics, Examples] = {}
        if statistics not in self._examples:
            self._examples[statistics] = self._chosen(statistics)
        return self._examples[statistics]

    def _chosen(self, statistics: Statistics) -> Examples:
        from dagnas.training.scoring import Examples

        images = self.supernet.images
        valid = _some(images.name, images.split.valid, self.valid)
        calibration_images = self.calibration if statistics == "recalibrated" else 0
        train = _some(images.name, images.split.train, calibration_images)
        batch, labels = images.batch(np.concatenate([train, valid]))
        calibration = None if statistics == "running" else len(train)
        return Examples(batch, labels[len(train) :], calibration)


def _some(name: str, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """So many rows drawn at random; those of a set may be sorted by class."""
    return stream(name, "scored").permutation(rows)[:count]


def score_table(
    benchmark: OneShotBenchmark,
    statistics: tuple[Statistics, ...],
    truth: TabularBenchmark | None,
    progress: Progress = lambda cells: None,
) -> tuple[pa.Table, dict[str, str]]:
    """Scores of cells by a supernet, and the metadata of the table.

    They are all cells of NAS-Bench-201; in another space those of ``truth``.

    Parameters
    ----------
    benchmark : OneShotBenchmark
    statistics : tuple of str
        Statistics with which cells are scored.
    truth : TabularBenchmark, optional
        Table of real trainings of the cells, whose final accuracies are reported; without one the
        accuracy with shared weights is.
    progress : callable
        Called with a number of cells that are scored.

    Returns
    -------
    Table, dict of str to str
        ``code``; columns of `dagnas.benchmarks.scored.quantity`; from ``truth`` its sizes and
        final accuracies. `open_scores` opens it.

    Raises
    ------
    DagnasError
        The supernet, or the table, is of another space.
    """
    import pyarrow as pa

    from dagnas.files import SCHEMA
    from dagnas.networks.supernet201 import Supernet201

    supernet, space = benchmark.supernet, benchmark.space
    if truth is not None and truth.space.name != space.name:
        raise DagnasError(f"{truth.name} holds cells of {truth.space.name}, not of {space.name}")
    images, epochs = supernet.images.name, supernet.recipe.epochs
    if isinstance(supernet.network, Supernet201):
        cells, score = space.enumerate(), benchmark.scores_201
    elif truth is not None:
        cells, score = truth.cells, benchmark.scores
    else:
        raise DagnasError(
            f"cells of {space.name} are too many to score: name a table of it whose cells are "
            "scored, or search on the supernet, which scores the cells of the search"
        )
    columns: dict[str, Any] = {"code": space.pack(cells)}
    for chosen in statistics:
        accuracy, loss = score(cells, chosen, progress)
        for signal, values in (("accuracy", accuracy), ("likelihood", 100 * np.exp(-loss))):
            columns[f"{quantity(images, signal, chosen, epochs)}/mean"] = values
    columns[f"{seconds(images, epochs)}/mean"] = np.ones(len(cells))
    emulated: list[str] = []
    valid = test = quantity(images, "accuracy", statistics[0], epochs)
    if truth is not None:
        rows = truth.rows(cells)
        policy = truth.policies.get("goal") or next(iter(truth.policies.values()))
        valid, test = policy.valid, policy.test
        for name in ("params", "madds"):
            if name in truth.table.columns:
                columns[name] = truth.table[name][rows]
        for name, column in (("valid", valid), ("test", test)):
            columns[f"{column}/mean"] = truth.values(column)[rows]
            if name in truth.emulated(policy):
                emulated.append(f"{column}/mean")
    about = {
        "images": images,
        "epochs": epochs,
        "statistics": statistics,
        "valid": valid,
        "test": test,
        "supernet": supernet.name,
        "truth": truth.name if truth is not None else None,
        "valid_images": len(benchmark.examples(statistics[0]).labels),
        "calibration_images": benchmark.calibration,
    }
    terms = [benchmark.digest(), *statistics, truth.digest() if truth is not None else ""]
    metadata = {
        "schema": SCHEMA,
        "space": space.name,
        "source": f"scored by the supernet {supernet.name}",
        "sha256": " ".join(filter(None, terms)),
        "emulated": json.dumps(emulated),
        "scores": json.dumps(about),
    }
    return pa.table(columns), {f"dagnas.{key}": value for key, value in metadata.items()}


def open_supernet(name: str, path: Path, data: Path) -> OneShotBenchmark:
    """Open a supernet of `dagnas supernet` as a benchmark.

    Parameters
    ----------
    name : str
        Name of the benchmark.
    path : Path
    data : Path
        Folder of tables, for the images ``cifar10``.

    Raises
    ------
    DagnasError
        See `dagnas.training.supernet.TrainedSupernet.read`.
    """
    from dagnas.training.device import choose_device
    from dagnas.training.supernet import TrainedSupernet

    return OneShotBenchmark(name, TrainedSupernet.read(path, data, choose_device("auto")))


@functools.cache
def oneshot_entry(name: str) -> BenchmarkEntry:
    """Benchmark of the supernet ``NAME.pt`` in the folder of tables."""
    return BenchmarkEntry(
        name, __name__, lambda data: open_supernet(name, data / f"{name}.pt", data), (f"{name}.pt",)
    )
