"""Benchmarks whose evaluations train networks on images: of decided layers, and of cells."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.closure import digest
from dagnas.networks import NETWORKS
from dagnas.spaces.base import Space
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.decisions import DecisionSpace
from dagnas.spaces.layers import read_layers
from dagnas.training.alone import Accuracies, train_alone
from dagnas.training.device_images import DeviceImages
from dagnas.training.images import (
    ImageSet,
    Split,
    read_table,
    split_before_test,
    split_thirds,
)
from dagnas.training.layered import LayeredRecipe, train_layers
from dagnas.training.train_recipe import TrainRecipe

#: Numbers of a cache are smaller.
_MOST = 1e18


class Network(NamedTuple):
    """Network of an architecture.

    Attributes
    ----------
    text : str
        Text that equal networks share; it names their training.
    parts : Any
        What it is built of.
    """

    text: str
    parts: Any


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
    space : Space
        `dagnas.spaces.layers`, as a graph or as a chain.
    images : callable
        Returns the image set; called before the first training.
    folder : Path
        Folder of the cache of trainings.
    recipe : TrainRecipe
    parts : callable
        Returns the images to train, validate and test on.
    on_gpu : bool
        True: train on a GPU if torch sees one.
    """

    name: str
    space: Space[Any]
    images: Callable[[], ImageSet]
    folder: Path
    recipe: TrainRecipe = field(default_factory=LayeredRecipe)
    parts: Callable[[ImageSet], Split] = split_thirds
    on_gpu: bool = False
    policies: dict[str, Policy] = field(init=False)
    _set: ImageSet | None = field(init=False, default=None)
    _parts: Split | None = field(init=False, default=None)
    _known: dict[str, Accuracies] | None = field(init=False, default=None)

    #: Beginning of the names of files of trainings.
    PREFIX: ClassVar[str] = "layers"
    #: Value of an accuracy of 1.
    WHOLE: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        self.policies = {"reward": self._policy()}

    def _policy(self) -> Policy:
        return Policy(
            signal="valid",
            repeat="s0",
            seconds="evaluations",
            valid="valid",
            test="test",
            source="NAS over a graph search space, section 4.3",
        )

    def emulated(self, policy: Policy) -> tuple[str, ...]:
        """Emulated quantities: none."""
        return ()

    def evaluate(self, batch: Any, policy: Policy, rng: np.random.Generator) -> Evaluations:
        """Train the networks of a batch, or read their cached accuracies; shape (B,) each."""
        found = [self._accuracies(network) for network in self._networks(batch)]
        valid, test = self.WHOLE * np.array(found).T
        return Evaluations(valid, np.ones(len(valid)), valid, test)

    def _networks(self, batch: Any) -> list[Network]:
        """Networks of a batch of the space."""
        assert isinstance(self.space, DecisionSpace)
        layers = [read_layers(self.space.decisions(walk)) for walk in batch]
        return [Network(json.dumps(each), each) for each in layers]

    def _accuracies(self, network: Network) -> Accuracies:
        text = network.text
        if self._set is None or self._parts is None or self._known is None:
            self._set = self.images()
            self._parts = self.parts(self._set)
            self._known = read_accuracies(self._file())
        if text not in self._known:
            self._known[text] = self._train(network, self._set, self._parts)
            self._cache(text, self._known[text])
        return self._known[text]

    def _train(self, network: Network, images: ImageSet, parts: Split) -> Accuracies:
        """Accuracies of a network that was not trained before."""
        names = (network.text,)
        return train_layers(network.parts, images, parts, self.recipe, names, self._device())

    def _device(self) -> str:
        return "cuda" if self.on_gpu and torch.cuda.is_available() else "cpu"

    def _code(self) -> list[str]:
        """Code that trains."""
        return [LayeredRecipe.__module__]

    def _identity(self) -> list[Any]:
        """Plain data that decide about accuracies, beside images and code."""
        return [self.recipe.model_dump()]

    def _file(self) -> Path:
        """File of all trainings with this recipe, these images, this code and kind of device."""
        assert self._set is not None
        assert self._parts is not None
        code = digest(self._code())
        terms = [self._set.digest(), *self._identity(), code, torch.__version__, self._device()]
        hashed = hashlib.sha256(json.dumps(terms).encode())
        hashed.update(b"".join(rows.tobytes() for rows in self._parts))
        key = hashed.hexdigest()[:16]
        return self.folder / f"{self.PREFIX}-{self._set.name}-{key}.jsonl"

    def _cache(self, text: str, found: tuple[float, ...]) -> None:
        path = self._file()
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write at the end of the file, so that parallel jobs do not mix their lines.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(handle, (json.dumps([text, *found]) + "\n").encode())
        finally:
            os.close(handle)

    def digest(self) -> str:
        """Name, network and recipe; images are not read before the first training."""
        return json.dumps([self.name, *self._identity()])


def read_accuracies(path: Path) -> dict[str, Accuracies]:
    """Accuracies of a cache by the texts of their networks; none if there is no file."""
    return {text: Accuracies(*numbers) for text, numbers in cached(path, 2)}


def cached(path: Path, count: int) -> Iterator[tuple[str, list[float]]]:
    """Lines of a cache of trainings: a text and so many numbers.

    What is none of these is passed over, such as a line that a run was stopped in.
    """
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            text, *numbers = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        known = [n for n in numbers if isinstance(n, int | float) and -_MOST < n < _MOST]
        if isinstance(text, str) and len(numbers) == len(known) == count:
            yield text, known


@dataclass
class TrainedCells(TrainedBenchmark):
    """Benchmark that trains the network of a cell on its first evaluation.

    The signal is the validation accuracy in %. Of isomorphic cells, the representative is trained,
    so they share a training and its accuracies.

    Parameters
    ----------
    space : CellSpace
        One of `dagnas.networks.NETWORKS`.
    channels : int
    layers : int, optional
        Channels of the first cells, and number of cells; as of `NetworkShape`.
    resumable : bool
        True: an interrupted training resumes after its last epoch, from a file beside the cache.
    name, images, folder, recipe, parts, on_gpu
        As of `TrainedBenchmark`.
    """

    channels: int = 8
    layers: int | None = 5
    resumable: bool = False
    _images: DeviceImages | None = field(init=False, default=None)

    PREFIX: ClassVar[str] = "cells"
    WHOLE: ClassVar[float] = 100.0

    def __post_init__(self) -> None:
        self.policies = {"trained": self._policy()}

    def _policy(self) -> Policy:
        return replace(
            super()._policy(),
            budget_evaluations=60,
            source="BONAS, section 4.3: trainings that end early are the evaluations",
        )

    def _networks(self, batch: Any) -> list[Network]:
        """Representatives of the classes of cells."""
        assert isinstance(self.space, CellSpace)
        cells = self.space.unpack(self.space.canonical(batch))
        texts = self.space.to_str(cells)
        return [Network(text, cells[i : i + 1]) for i, text in enumerate(texts)]

    def _train(self, network: Network, images: ImageSet, parts: Split) -> Accuracies:
        if self._images is None:
            self._images = DeviceImages(images, parts, self._device())
        family = NETWORKS.get(self.space.name)
        shape = family.shaped(
            **images.shape,
            channels=self.channels,
            layers=self.layers,
            auxiliary=self.recipe.auxiliary > 0,
        )
        file, checkpoint = self._file(), None
        if self.resumable:
            own = hashlib.sha256(network.text.encode()).hexdigest()[:16]
            checkpoint = file.with_name(f"{file.stem}-{own}.part")
        found = train_alone(
            lambda: family.build(network.parts, shape),
            self._images,
            self.recipe,
            (images.name, network.text),
            device=self._device(),
            checkpoint=checkpoint,
            every_epoch=False,
        )
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        return found.accuracies

    def _code(self) -> list[str]:
        return [Accuracies.__module__, NETWORKS.module(self.space.name)]

    def _identity(self) -> list[Any]:
        return [*super()._identity(), self.space.name, self.channels, self.layers]


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
        LayeredRecipe(batch_size=128, learning_rate=0.1, pad=4),
        lambda images: split_before_test(images, 25_000, 10_000, 10_000),
        on_gpu=True,
    )
