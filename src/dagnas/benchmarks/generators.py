"""Benchmarks of generators: an evaluation draws a network of a vector, and trains it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.absent import ABSENT
from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.benchmarks.trained import TrainedBenchmark, cached
from dagnas.networks.generators import build_generated, measure
from dagnas.networks.shape import NetworkShape
from dagnas.networks.wiring import Infeasible
from dagnas.spaces.generators import GeneratorSpace
from dagnas.spaces.vectors import Vectors
from dagnas.training.alone import Accuracies, train_alone
from dagnas.training.device_images import DeviceImages

#: Costs of an evaluation: peak memory of activations of one image, in MB (1e6 bytes), and
#: multiply-adds of one image, in millions.
COSTS = ("memory", "multiply_adds")
#: Multiply-adds a second of the simulated clock. A core was seen to do 0.4 to 4 billion on networks
#: as small as these, the more the larger their images.
SPEED = 1e9
#: Multiply-adds of a training step over those of its forward pass: gradients of activations and of
#: weights take as many each.
_PASSES = 3
#: Numbers that samples are drawn from.
_SAMPLES = 2**31


class Result(NamedTuple):
    """Result of the training of one network; all zeros if there is no such network.

    Attributes
    ----------
    valid, test : float
        Fractions of images that are classified correctly.
    memory, multiply_adds : int
        Peak bytes of activations, and multiply-adds, for one image.
    """

    valid: float
    test: float
    memory: int
    multiply_adds: int


NONE = Result(0.0, 0.0, 0, 0)


@dataclass
class GeneratorBenchmark(TrainedBenchmark):
    """Benchmark of a space of generators: what a network that one draws is worth after training.

    The signal is the validation accuracy in %, of a network whose sample number is drawn at each
    evaluation (policy ``trained``), or is always 0 (``trained_s0``). Costs are `COSTS`. Seconds are
    simulated: multiply-adds of the training over `SPEED`, since real ones differ from run to run.

    A generator whose network cannot be drawn, or not within the budget of parameters, has an
    accuracy of 0, costs that are absent (`dagnas.benchmarks.absent`), and takes one simulated
    second.

    Trainings of several lengths share nothing: the learning rate of each follows a cosine to its
    own end, so that the shorter is no beginning of the longer. Generators of the same distribution,
    such as those of K = 2 and 3, share their trainings.

    Parameters
    ----------
    space : GeneratorSpace
    budget : int
        Parameters of every network, within 5 %.
    lengths : tuple of int
        Epochs of shorter trainings, ascending; the recipe has those of the longest.
    resumable : bool
        True: an interrupted training resumes after its last epoch, from a file beside the cache.
    evaluations : int
        Default budget of a trial.
    name, images, folder, recipe, parts, on_gpu
        As of `TrainedBenchmark`.
    """

    budget: int = 50_000
    lengths: tuple[int, ...] = ()
    resumable: bool = False
    evaluations: int = 60
    _images: DeviceImages | None = field(init=False, default=None)
    _results: dict[str, Result] | None = field(init=False, default=None)

    PREFIX: ClassVar[str] = "generated"
    WHOLE: ClassVar[float] = 100.0

    def __post_init__(self) -> None:
        drawn = self._policy()
        self.policies = {"trained": drawn, "trained_s0": replace(drawn, repeat="s0")}

    def _policy(self) -> Policy:
        names = (f"{name}/{self.recipe.epochs}" for name in ("valid", "seconds", "valid", "test"))
        signal, seconds, valid, test = names
        return Policy(
            signal,
            "random",
            seconds,
            valid,
            test,
            budget_evaluations=self.evaluations,
            source="NAGO, section 2.2: accuracy beside memory, trainings of several lengths",
            costs=COSTS,
        )

    def fidelities(self, policy: Policy) -> tuple[int, ...]:
        """Epochs that an evaluation can train, ascending up to those of the policy."""
        return (*(epochs for epochs in self.lengths if epochs < policy.epochs), policy.epochs)

    def evaluate(self, batch: Vectors, policy: Policy, rng: np.random.Generator) -> Evaluations:
        """Train a network of each generator, or read its cached result; shape (B,) each.

        Every vector takes one number of ``rng`` under any policy.
        """
        samples = rng.integers(_SAMPLES, size=len(batch)).tolist()
        if policy.repeat != "random":
            samples = [int(policy.repeat.removeprefix("s"))] * len(batch)
        found = [
            self._result(vector, sample, policy.epochs)
            for vector, sample in zip(batch, samples, strict=True)
        ]
        valid, test, memory, multiply_adds = np.array(found, dtype=np.float64).T
        drawn = multiply_adds > 0
        costs: Mapping[str, NDArray[np.float64]] = {
            "memory": np.where(drawn, memory / 1e6, ABSENT),
            "multiply_adds": np.where(drawn, multiply_adds / 1e6, ABSENT),
        }
        seconds = np.where(drawn, self._seconds(multiply_adds, policy.epochs), 1.0)
        return Evaluations(
            self.WHOLE * valid, seconds, self.WHOLE * valid, self.WHOLE * test, costs
        )

    def _seconds(self, multiply_adds: NDArray[np.float64], epochs: int) -> NDArray[np.float64]:
        """Simulated seconds of a training."""
        assert self._parts is not None
        size = self.recipe.batch_size
        images = size * (self.recipe.steps or len(self._parts.train) // size)
        return _PASSES * multiply_adds * images * epochs / SPEED

    def _result(self, vector: Vectors, sample: int, epochs: int) -> Result:
        if self._set is None or self._parts is None or self._results is None:
            self._set = self.images()
            self._parts = self.parts(self._set)
            self._results = read_results(self._file())
        assert isinstance(self.space, GeneratorSpace)
        text = f"{self.space.hyperparameters(vector).text} sample={sample} epochs={epochs}"
        if text not in self._results:
            found: Any = self._trained(vector, sample, epochs, text)
            self._results[text] = found
            self._cache(text, found)
        return self._results[text]

    def _trained(self, vector: Vectors, sample: int, epochs: int, text: str) -> Result:
        """Result of a network that was not trained before."""
        assert isinstance(self.space, GeneratorSpace)
        assert self._set is not None
        assert self._parts is not None
        space, shape = self.space, NetworkShape(**self._set.shape)
        if self._images is None:
            self._images = DeviceImages(self._set, self._parts, self._device())
        file, checkpoint = self._file(), None
        if self.resumable:
            own = hashlib.sha256(text.encode()).hexdigest()[:16]
            checkpoint = file.with_name(f"{file.stem}-{own}.part")
        try:
            found = train_alone(
                lambda: build_generated(space, vector, sample, shape, self.budget),
                self._images,
                self.recipe.model_copy(update={"epochs": epochs}),
                (self._set.name, space.hyperparameters(vector).text, sample),
                device=self._device(),
                checkpoint=checkpoint,
                every_epoch=False,
            )
        except Infeasible:
            return NONE
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        _, multiply_adds, memory = measure(found.network, shape.image)
        return Result(*found.accuracies, memory, multiply_adds)

    def _code(self) -> list[str]:
        return [Accuracies.__module__, build_generated.__module__]

    def _identity(self) -> list[Any]:
        return [*super()._identity(), self.budget]

    def digest(self) -> str:
        """Name, space, recipe and budget; images are not read before the first training."""
        return json.dumps([self.name, self.space.name, *self._identity()])


def read_results(path: Path) -> dict[str, Result]:
    """Results of a cache by the texts of their trainings; none if there is no file."""
    return {
        text: Result(valid, test, int(memory), int(multiply_adds))
        for text, (valid, test, memory, multiply_adds) in cached(path, 4)
    }
