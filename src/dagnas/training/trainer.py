"""One trainer for stand-alone networks and supernets, on Lightning Fabric.

An epoch draws its random numbers from a stream of its own, as a step does. So a training resumes
from weights, optimizer and the number of the epoch alone, and ends with the same bits on a CPU as
one without interruption. Fabric gives precision, device and data parallelism (docs/training.md).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dagnas.errors import DagnasError
from dagnas.seeds import stream
from dagnas.training import checkpoint as stored
from dagnas.training.device_images import Augmentation, DeviceImages
from dagnas.training.train_recipe import TrainRecipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Steps after which losses are looked at: a GPU waits for every look.
_LOOK = 50
_PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed"}

Name = str | int
N = TypeVar("N", bound=nn.Module)


@dataclass
class Batch:
    """Images of a step.

    Attributes
    ----------
    images : tensor, shape (B, C, H, W)
        Augmented and normalised, on the device, in the memory format channels_last.
    labels : tensor of int64, shape (B,)
    fraction : float
        Fraction of the training that is done, by epochs: 0 in the first.
    names : tuple of str or int
        Names of the step's random stream.
    correct : tensor, optional
        Number of correctly classified images, a scalar, once `note` was told.
    """

    images: Tensor
    labels: Tensor
    fraction: float
    names: tuple[Name, ...]
    correct: Tensor | None = None

    @cached_property
    def rng(self) -> np.random.Generator:
        """Generator of the step."""
        return stream(*self.names)

    def note(self, logits: Tensor) -> None:
        """Count correctly classified images, for the curve; logits have shape (B, classes)."""
        self.correct = (logits.detach().argmax(dim=1) == self.labels).sum()


class Trainee:
    """Network with its loss: what `train` trains.

    Attributes
    ----------
    network : nn.Module
        While it is trained, Fabric's wrapper of it; its ``forward`` must be what computes the loss.
    optimizer : Optimizer or None
        While it is trained, the optimizer of its weights.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer | None = None

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def parameters(self) -> Iterable[nn.Parameter]:
        """Weights that the trainer's optimizer updates."""
        return self.network.parameters()

    def before_epoch(self, epoch: int, fraction: float) -> None:
        """Prepare an epoch; epochs count from 0."""

    def before_step(self, batch: Batch) -> None:
        """Do what comes before a step, such as an update of architecture weights."""

    def loss(self, batch: Batch) -> Tensor:
        """Loss of a batch, a scalar; `Batch.note` may be told the logits."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """All that a checkpoint must hold beside weights, optimizer and curve: plain data."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the state that `state_dict` gave."""

    def identity(self) -> str:
        """Text that differs between trainees whose results may differ, beside their weights."""
        return type(self).__qualname__


class StandAlone(Trainee):
    """One network, trained for itself.

    Parameters
    ----------
    network : nn.Module
        Gives logits, or in training mode the pair of them and those of an auxiliary head. If it
        has an attribute ``drop_path``, that is the probability of dropping a path.
    recipe : TrainRecipe
        Label smoothing, weight of the auxiliary loss, last probability of dropping a path.
    """

    def __init__(self, network: nn.Module, recipe: TrainRecipe) -> None:
        super().__init__(network)
        self.recipe = recipe
        self._bare: Any = network

    def before_epoch(self, epoch: int, fraction: float) -> None:
        """Set the probability of dropping a path, which grows linearly with the epochs."""
        if hasattr(self._bare, "drop_path"):
            self._bare.drop_path = self.recipe.drop_path * fraction

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy, and that of the auxiliary head."""
        found = self.network(batch.images)
        logits, *auxiliary = found if isinstance(found, tuple) else (found,)
        batch.note(logits)
        loss = self._cross_entropy(logits, batch.labels)
        for other in auxiliary:
            loss = loss + self.recipe.auxiliary * self._cross_entropy(other, batch.labels)
        return loss

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.smoothing)


@dataclass
class Curve:
    """Course of a training.

    Attributes
    ----------
    records : list of dict
        One for each epoch: ``epoch`` (from 1 on), ``loss`` (mean over steps), ``train_accuracy``
        (%, of each image at the step that trains on it; None where it was not counted),
        ``learning_rate`` (of its first step), and what was measured after it.
    seconds : list of float
        Time of each epoch. It differs from run to run, so the table leaves it out.
    """

    records: list[dict[str, float | None]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def table(self) -> pa.Table:
        """Records as a table, a row an epoch."""
        return pa.Table.from_pylist(self.records)


def drawn(build: Callable[[], N], *names: Name) -> N:
    """Network whose weights are drawn from the stream of these names, on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(*names, "weights").integers(2**63)))
        return build()


def train(
    trainee: Trainee,
    images: DeviceImages,
    recipe: TrainRecipe,
    names: Sequence[Name],
    *,
    device: str = "cpu",
    devices: int = 1,
    checkpoint: Path | None = None,
    progress: Callable[[Mapping[str, float | None]], object] | None = None,
    measure: Callable[[int], Mapping[str, float]] | None = None,
    code: str = "",
) -> Curve:
    """Train in place on the training images of a set.

    Parameters
    ----------
    trainee : Trainee
        Its network holds the weights to begin with; it is moved to the device.
    images : DeviceImages
        On the same device.
    recipe : TrainRecipe
    names : sequence of str or int
        Names of the random streams.
    device : str
        ``cpu`` or ``cuda``.
    devices : int
        GPUs that share every batch, or processes on CPUs. Beyond one, Fabric runs the command that
        Python was started with once more for each, so that this is for commands alone; `is_first`
        tells which of them shall write files. Statistics of batch norms are of a device's share.
    checkpoint : Path, optional
        Written atomically after every epoch. A training of the same settings resumes from it; one
        of other settings, as `dagnas.parts` does, begins anew. It stays when the training ends.
    progress : callable, optional
        Called with the record of each epoch, those of the checkpoint included.
    measure : callable, optional
        Called after each epoch with its number, from 1 on; gives numbers that the curve takes up.
        They must have the same names after every epoch.
    code : str
        Digest of the code: a checkpoint of other code is one of other settings.

    Returns
    -------
    Curve

    Raises
    ------
    DagnasError
        A loss is NaN or infinite: the checkpoint is that of the last epoch before. The checkpoint
        is damaged or cannot be written. There are too few images for a batch, or devices do not
        divide it.
    """
    if recipe.batch_size % devices:
        raise DagnasError(
            f"a batch of {recipe.batch_size} cannot be shared evenly by {devices} devices"
        )
    fabric = _fabric(device, devices, recipe.precision)
    return _Training(trainee, images, recipe, tuple(names), fabric, code).run(
        checkpoint, progress, measure
    )


def evaluate(
    network: nn.Module, images: DeviceImages, rows: NDArray[np.int64], batch_size: int = 512
) -> tuple[float, float]:
    """Accuracy (%) and mean cross-entropy of a network on some images, in evaluation mode."""
    was_training = network.training
    network.eval()
    correct = torch.zeros((), dtype=torch.int64, device=images.device)
    loss = torch.zeros((), dtype=torch.float64, device=images.device)
    with torch.no_grad():
        for some, labels in images.batches(rows, batch_size):
            logits = network(some)
            correct += (logits.argmax(dim=1) == labels).sum()
            loss += F.cross_entropy(logits, labels, reduction="sum")
    network.train(was_training)
    return 100 * int(correct) / len(rows), float(loss) / len(rows)


def is_first() -> bool:
    """Whether this process is the first, or the only one, of those that share a training."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def own_device(device: str) -> str:
    """Device of this process, of those that share a training."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device


def _fabric(device: str, devices: int, precision: str) -> Fabric:
    # Imported where it is needed, since that takes time.
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    fabric = Fabric(
        accelerator="cuda" if device.startswith("cuda") else "cpu",
        devices=devices,
        # A step of a supernet leaves most of its weights out.
        strategy=DDPStrategy(find_unused_parameters=True) if devices > 1 else "auto",
        precision=_PRECISIONS[precision],
    )
    if devices > 1:
        fabric.launch()
    return fabric


class _Training:
    """A training under way."""

    def __init__(
        self,
        trainee: Trainee,
        images: DeviceImages,
        recipe: TrainRecipe,
        names: tuple[Name, ...],
        fabric: Fabric,
        code: str,
    ) -> None:
        self._rows = images.split.train
        self._steps = recipe.steps or len(self._rows) // recipe.batch_size
        if len(self._rows) < recipe.batch_size:
            raise DagnasError(
                f"image set {images.name}: too few images: {len(self._rows)} to train on do not "
                f"fill a batch of {recipe.batch_size}"
            )
        self._trainee, self._images, self._recipe = trainee, images, recipe
        self._names, self._fabric, self._code = names, fabric, code
        self._augmentation = Augmentation(recipe.pad, recipe.flip, recipe.cutout)
        network: Any = trainee.network
        self._network: nn.Module = network.to(memory_format=torch.channels_last)
        self._curve = Curve()
        self._optimizer: Any = None

    def run(
        self,
        path: Path | None,
        progress: Callable[[Mapping[str, float | None]], object] | None,
        measure: Callable[[int], Mapping[str, float]] | None,
    ) -> Curve:
        """Train from the last finished epoch on."""
        trainee = self._trainee
        self._fabric.to_device(self._network)
        self._weights = list(trainee.parameters())
        optimizer = torch.optim.SGD(
            self._weights,
            lr=self._recipe.learning_rate,
            momentum=self._recipe.momentum,
            weight_decay=self._recipe.weight_decay,
            nesterov=self._recipe.momentum > 0,
            fused=True,
        )
        # A fused step takes no mixture of weights that had a gradient before and those that had
        # none, as supernets have them. After a buffer of zeros the first step is the same.
        for weights in self._weights:
            optimizer.state[weights]["momentum_buffer"] = torch.zeros_like(weights)
        with _wrapped(trainee, self._network), self._own_numbers():
            trainee.network, self._optimizer = self._fabric.setup(self._network, optimizer)
            trainee.optimizer = optimizer
            if path is not None and path.exists():
                self._resume(path)
            for record in self._curve.records if progress else ():
                assert progress is not None
                progress(record)
            for epoch in range(len(self._curve.records), self._recipe.epochs):
                start = time.perf_counter()
                record = self._epoch(epoch)
                if measure is not None:
                    record |= {name: float(value) for name, value in measure(epoch + 1).items()}
                self._curve.records.append(record)
                self._curve.seconds.append(time.perf_counter() - start)
                if path is not None and self._fabric.is_global_zero:
                    stored.write(path, self._contents())
                if progress is not None:
                    progress(record)
        return self._curve

    @contextmanager
    def _own_numbers(self) -> Iterator[None]:
        """Keep torch's random numbers, which dropped paths take, apart from those of others."""
        devices = [self._fabric.device] if self._fabric.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            yield

    def _epoch(self, epoch: int) -> dict[str, float | None]:
        recipe, trainee, steps = self._recipe, self._trainee, self._steps
        names = (*self._names, "epoch", epoch)
        rng = stream(*names)
        rank, world = self._fabric.global_rank, self._fabric.world_size
        torch.manual_seed((int(rng.integers(2**63)) + rank) % 2**63)
        order = self._order(rng)
        fraction = epoch / recipe.epochs
        losses = torch.zeros(steps, device=self._fabric.device)
        correct: Tensor | None = None
        trainee.network.train()
        trainee.before_epoch(epoch, fraction)
        batches = self._images.batches(
            order, recipe.batch_size, self._augmentation, rng, (rank, world)
        )
        for step, (images, labels) in enumerate(batches):
            batch = Batch(images, labels, fraction, (*names, "step", step))
            self._optimizer.param_groups[0]["lr"] = recipe.rate(epoch, step, steps)
            trainee.before_step(batch)
            loss = trainee.loss(batch)
            self._optimizer.zero_grad()
            self._fabric.backward(loss)
            if recipe.clip:
                nn.utils.clip_grad_norm_(self._weights, recipe.clip)
            self._optimizer.step()
            losses[step] = loss.detach()
            if batch.correct is not None:
                correct = batch.correct if correct is None else correct + batch.correct
            if (step + 1) % _LOOK == 0 or step + 1 == steps:
                self._check(losses[: step + 1], epoch)
        accuracy = None
        if correct is not None:
            accuracy = 100 * int(self._over_devices(correct, "sum")) / len(order)
        return {
            "epoch": epoch + 1,
            "loss": float(self._over_devices(losses.double()).mean()),
            "train_accuracy": accuracy,
            "learning_rate": recipe.rate(epoch, 0, steps),
        }

    def _over_devices(self, values: Tensor, how: str = "mean") -> Tensor:
        """Mean or sum of a tensor over all devices."""
        found: Any = values
        if self._fabric.world_size > 1:
            found = self._fabric.all_reduce(values.clone(), reduce_op=how)
        reduced: Tensor = found
        return reduced

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of an epoch: all images in a new order, and again where steps need more."""
        wanted = self._steps * self._recipe.batch_size
        rounds = -(-wanted // len(self._rows))
        return np.concatenate([rng.permutation(self._rows) for _ in range(rounds)])[:wanted]

    def _check(self, losses: Tensor, epoch: int) -> None:
        """Stop at a loss that is no number.

        Raises
        ------
        DagnasError
            There is one; the message names its step.
        """
        losses = self._over_devices(losses)
        finite = torch.isfinite(losses)
        if not finite.all():
            step = int((~finite).int().argmax())
            raise DagnasError(
                f"training diverges: the loss of step {step + 1} of epoch {epoch + 1} is "
                f"{float(losses[step])}; a smaller learning_rate or a clip may help"
            )

    def _identity(self) -> str:
        """Text that differs between trainings whose results may differ."""
        shapes = {name: list(w.shape) for name, w in self._network.state_dict().items()}
        recipe = self._recipe.model_dump()
        terms = [self._trainee.identity(), list(self._names), recipe, self._images.digest()]
        terms += [shapes, self._code, torch.__version__, self._fabric.device.type]
        return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()

    def _contents(self) -> dict[str, Any]:
        return {
            "identity": self._identity(),
            "network": dict(self._network.state_dict()),
            "optimizer": self._optimizer.state_dict(),
            "trainee": self._trainee.state_dict(),
            "records": self._curve.records,
            "seconds": self._curve.seconds,
        }

    def _resume(self, path: Path) -> None:
        """Take up a checkpoint of this very training.

        Raises
        ------
        DagnasError
            The file is damaged.
        """
        found = stored.read(path)
        if found.get("identity") != self._identity():
            return
        try:
            self._network.load_state_dict(found["network"])
            self._optimizer.load_state_dict(found["optimizer"])
            self._trainee.load_state_dict(found["trainee"])
            records, seconds = found["records"], found["seconds"]
            self._curve = Curve([dict(record) for record in records], list(seconds))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise stored.damaged(path) from error
        for weights, state in self._optimizer.state.items():
            # A file keeps no memory format, on which the order of operations depends.
            for name, value in state.items():
                if isinstance(value, Tensor) and value.shape == weights.shape:
                    state[name] = torch.empty_like(weights).copy_(value)


@contextmanager
def _wrapped(trainee: Trainee, network: nn.Module) -> Iterator[None]:
    """Give the trainee its own network back at the end."""
    try:
        yield
    finally:
        trainee.network = network
