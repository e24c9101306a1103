"""Benchmarks whose evaluations train networks of decided layers on images."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.closure import digest
from dagnas.spaces.decisions import DecisionSpace, Walk
from dagnas.spaces.layers import Layer, read_layers
from dagnas.training.images import (
    ImageSet,
    Split,
    read_table,
    split_before_test,
    split_thirds,
)
from dagnas.training.layered import Accuracies, LayeredRecipe, train_layers


@dataclass
class TrainedBenchmark:
    """Benchmark that trains a network from new weights on its first evaluation.

    The signal is the validation accuracy as a fraction, so that rewards lie in [0, 1]; the test
    accuracy is reported. Weights and batches depend on the layers alone, so equal networks have
    equal accuracies, whatever the walk. An evaluation costs one simulated second, so that seconds
    count evaluations; the real time of a training differs from run to run.

    A file in the folder of tables caches every training, so that an interrupted search does not
    repeat them when it resumes.

    Parameters
    ----------
    name : str
    space : DecisionSpace
        `dagnas.spaces.layers`, as a graph or as a chain.
    images : callable
        Returns the image set; called before the first training.
    folder : Path
        Folder of the cache of trainings.
    recipe : LayeredRecipe
    parts : callable
        Returns the images to train, validate and test on.
    on_gpu : bool
        True: train on a GPU if torch sees one.
    """

    name: str
    space: DecisionSpace
    images: Callable[[], ImageSet]
    folder: Path
    recipe: LayeredRecipe = field(default_factory=LayeredRecipe)
    parts: Callable[[ImageSet], Split] = split_thirds
    on_gpu: bool = False
    policies: dict[str, Policy] = field(init=False)
    _set: ImageSet | None = field(init=False, default=None)
    _parts: Split | None = field(init=False, default=None)
    _known: dict[str, Accuracies] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.policies = {
            "reward": Policy(
                signal="valid",
                repeat="s0",
                seconds="evaluations",
                valid="valid",
                test="test",
                source="NAS over a graph search space, section 4.3",
            )
        }

    def emulated(self, policy: Policy) -> tuple[str, ...]:
        """Emulated quantities: none."""
        return ()

    def evaluate(self, walks: list[Walk], policy: Policy, rng: np.random.Generator) -> Evaluations:
        """Train the networks of walks, or read their cached accuracies; shape (B,) each."""
        found = [self._accuracies(read_layers(self.space.decisions(walk))) for walk in walks]
        valid, test = np.array(found).T
        return Evaluations(valid, np.ones(len(walks)), valid, test)

    def _accuracies(self, layers: list[Layer]) -> Accuracies:
        text = json.dumps(layers)
        if self._set is None or self._parts is None or self._known is None:
            self._set = self.images()
            self._parts = self.parts(self._set)
            self._known = self._cached(self._file())
        if text not in self._known:
            self._known[text] = train_layers(
                layers, self._set, self._parts, self.recipe, (text,), self._device()
            )
            self._cache(text, self._known[text])
        return self._known[text]

    def _device(self) -> str:
        return "cuda" if self.on_gpu and torch.cuda.is_available() else "cpu"

    def _file(self) -> Path:
        """File of all trainings with this recipe, these images, this code and kind of device."""
        assert self._set is not None
        assert self._parts is not None
        code = digest([LayeredRecipe.__module__])
        terms = [self._set.digest(), asdict(self.recipe), code, torch.__version__, self._device()]
        hashed = hashlib.sha256(json.dumps(terms).encode())
        hashed.update(b"".join(rows.tobytes() for rows in self._parts))
        key = hashed.hexdigest()[:16]
        return self.folder / f"layers-{self._set.name}-{key}.jsonl"

    @staticmethod
    def _cached(path: Path) -> dict[str, Accuracies]:
        if not path.exists():
            return {}
        known = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                text, valid, test = json.loads(line)
            except (ValueError, TypeError):
                continue  # A run was stopped while it wrote this line.
            known[text] = Accuracies(valid, test)
        return known

    def _cache(self, text: str, found: Accuracies) -> None:
        path = self._file()
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write at the end of the file, so that parallel jobs do not mix their lines.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(handle, (json.dumps([text, *found]) + "\n").encode())
        finally:
            os.close(handle)

    def digest(self) -> str:
        """Name and recipe; images are not read before the first training."""
        return json.dumps([self.name, asdict(self.recipe)])


def on_cifar10(name: str, space: DecisionSpace, data: Path) -> TrainedBenchmark:
    """Benchmark on CIFAR-10, with 25,000 images to train on and 10,000 to validate on.

    The paper only says "a significantly smaller training set" (section 4.3). Batches are larger
    than those of digits, and images are shifted by up to four pixels, as is usual.

    Parameters
    ----------
    name : str
    space : DecisionSpace
    data : Path
        Folder of tables.
    """
    return TrainedBenchmark(
        name,
        space,
        lambda: read_table(data / "cifar10.parquet"),
        data,
        LayeredRecipe(batch_size=128, learning_rate=0.1, shift=4),
        lambda images: split_before_test(images, 25_000, 10_000, 10_000),
        on_gpu=True,
    )
