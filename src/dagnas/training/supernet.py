"""Training of supernets: single paths drawn uniformly, and DARTS of first and second order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dagnas.errors import DagnasError
from dagnas.files import sha256
from dagnas.networks.sharing import Sharing, find_sharing
from dagnas.networks.supernet201 import Supernet201
from dagnas.networks.supernet_darts import SupernetDarts
from dagnas.seeds import stream
from dagnas.spaces.cells import Cells
from dagnas.spaces.sizes.nasbench201 import Skeleton201
from dagnas.training import checkpoint as stored
from dagnas.training.device_images import Augmentation, DeviceImages
from dagnas.training.images import (
    ImageSet,
    Split,
    open_images,
    split,
    split_before_test,
)
from dagnas.training.supernet_recipe import SupernetImages, SupernetRecipe
from dagnas.training.trainer import Batch, Curve, Trainee, drawn, train

#: Standard deviation of the architecture's weights at the beginning, as in the official code.
_BEGIN = 1e-3
#: Cells drawn at once.
_AT_ONCE = 64
#: What a file says that it holds.
_KIND = "dagnas supernet 1"
#: Column of the curve.
_SKIPS = "skip_connections"
#: Length of the step of the finite difference (Liu et al. 2019, below equation 8).
_DIFFERENCE = 0.01


class SinglePath(Trainee):
    """A cell drawn uniformly at every step, whose weights alone are trained.

    This is the training of SPOS (Guo et al. 2019, section 3.2, uniform sampling) and of random
    search with weight sharing (Li and Talwalkar 2019, section 3.2).

    Parameters
    ----------
    network : nn.Module
        Supernet.
    sharing : Sharing
    names : sequence of str or int
        Names of the random streams.
    """

    def __init__(self, network: nn.Module, sharing: Sharing, names: Sequence[str | int]) -> None:
        super().__init__(network)
        self._sharing, self._names = sharing, names
        self._drawn: Iterator[Any] = iter(())

    def before_epoch(self, epoch: int, fraction: float) -> None:
        """Begin the epoch's stream of cells."""
        self._drawn = self.draw(stream(*self._names, "cells", epoch))

    def draw(self, rng: np.random.Generator) -> Iterator[Any]:
        """Arguments of the supernet's forward for cells drawn uniformly by their values."""
        space = self._sharing.space
        while True:
            # Many at once, since that costs little more than one.
            values = rng.integers(space.sizes, size=(_AT_ONCE, len(space.sizes)))
            yield from self._sharing.architectures(space.from_values(values))

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the next cell."""
        logits = self.network(batch.images, next(self._drawn))
        batch.note(logits)
        return F.cross_entropy(logits, batch.labels)


class Darts(Trainee):
    """Mixture of all operations, whose architecture follows its gradient on validation images.

    Before each step of the weights Adam, with betas of 0.5 and 0.999, takes one of the
    architecture's weights alpha, on a batch of validation images (Liu et al. 2019, algorithm 1
    and section 3.1).

    Parameters
    ----------
    network : nn.Module
        Supernet.
    sharing : Sharing
    images : DeviceImages
    recipe : SupernetRecipe
    rng : numpy Generator
        Generator of the alphas at the beginning.

    Attributes
    ----------
    alphas : list of tensor
        Weights before the softmax, of the sharing's shapes.
    """

    def __init__(
        self,
        network: nn.Module,
        sharing: Sharing,
        images: DeviceImages,
        recipe: SupernetRecipe,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(network)
        self._sharing, self._images, self._recipe = sharing, images, recipe
        self._augmentation = Augmentation(recipe.pad, recipe.flip, recipe.cutout)
        self.alphas = [
            torch.tensor(
                _BEGIN * rng.standard_normal(shape),
                dtype=torch.float32,
                device=images.device,
                requires_grad=True,
            )
            for shape in sharing.shapes
        ]
        self._adam = torch.optim.Adam(
            self.alphas,
            lr=recipe.architecture_rate,
            betas=(0.5, 0.999),
            weight_decay=recipe.architecture_decay,
        )

    def derive(self) -> Cells:
        """Cell of the alphas, a batch of one."""
        weights = [alpha.detach().softmax(dim=-1).cpu().numpy() for alpha in self.alphas]
        return self._sharing.derive(weights)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the mixture."""
        logits = self._logits(batch.images)
        batch.note(logits)
        return F.cross_entropy(logits, batch.labels)

    def before_step(self, batch: Batch) -> None:
        """Take a step of the alphas."""
        size = len(batch.labels)
        rows = batch.rng.choice(self._images.split.valid, size, replace=False)
        valid = self._images.batch(rows, self._augmentation, batch.rng)
        own = (batch.images, batch.labels)
        second = self._recipe.strategy == "darts_second"
        gradients = self.second_order(own, valid) if second else self.first_order(valid)
        for alpha, gradient in zip(self.alphas, gradients, strict=True):
            alpha.grad = gradient
        self._adam.step()
        self._adam.zero_grad()

    def first_order(self, valid: tuple[Tensor, Tensor]) -> list[Tensor]:
        """Gradient of the validation loss with weights as they are (equation 6, xi = 0)."""
        return self._gradients(valid, self.alphas)

    def second_order(
        self, own: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor]
    ) -> list[Tensor]:
        """Gradient of the validation loss after the step that the optimizer would take.

        The step of the weights depends on the alphas; the product of that derivative with the
        gradient of the weights is a finite difference (Liu et al. 2019, equations 7 and 8).

        Parameters
        ----------
        own, valid : tuple of tensors
            Images and labels to train and to validate on.
        """
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        before = [weight.detach().clone() for weight in weights]
        steps, factor = self._steps(weights, self._gradients(own, weights))
        with torch.no_grad():
            for weight, step in zip(weights, steps, strict=True):
                weight.sub_(step)
        both = self._gradients(valid, [*self.alphas, *weights])
        gradients, direction = both[: len(self.alphas)], both[len(self.alphas) :]
        length = torch.stack([along.norm() for along in direction]).norm()
        distance = float(_DIFFERENCE / length.clamp_min(torch.finfo(length.dtype).tiny))
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                for weight, old, along in zip(weights, before, direction, strict=True):
                    weight.copy_(old).add_(along, alpha=sign * distance)
            sides.append(self._gradients(own, self.alphas))
        with torch.no_grad():
            for weight, old in zip(weights, before, strict=True):
                weight.copy_(old)
        return [
            gradient - factor * (plus - minus) / (2 * distance)
            for gradient, plus, minus in zip(gradients, *sides, strict=True)
        ]

    def _steps(
        self, weights: Sequence[Tensor], gradients: Sequence[Tensor]
    ) -> tuple[list[Tensor], float]:
        """What the optimizer would take from the weights, and its derivative by the gradient.

        As in the official code gradients are not clipped.
        """
        assert self.optimizer is not None
        group = self.optimizer.param_groups[0]
        rate, momentum = group["lr"], group["momentum"]
        steps = []
        for weight, gradient in zip(weights, gradients, strict=True):
            step = gradient.add(weight.detach(), alpha=group["weight_decay"])
            velocity = self.optimizer.state[weight].get("momentum_buffer")
            if momentum:
                moving = step if velocity is None else step.add(velocity, alpha=momentum)
                step = step.add(moving, alpha=momentum) if group["nesterov"] else moving
            steps.append(rate * step)
        return steps, rate * (1 + momentum if group["nesterov"] else 1)

    def _gradients(
        self, images: tuple[Tensor, Tensor], variables: Sequence[Tensor]
    ) -> list[Tensor]:
        loss = F.cross_entropy(self._logits(images[0]), images[1])
        found = torch.autograd.grad(loss, variables, allow_unused=True)
        return [
            torch.zeros_like(variable) if gradient is None else gradient
            for variable, gradient in zip(variables, found, strict=True)
        ]

    def _logits(self, images: Tensor) -> Tensor:
        weights = [alpha.softmax(dim=-1) for alpha in self.alphas]
        logits: Tensor = self.network(images, self._sharing.mixture(weights))
        return logits

    def state_dict(self) -> dict[str, Any]:
        """Alphas, and the state of their optimizer."""
        alphas = [alpha.detach() for alpha in self.alphas]
        return {"alphas": alphas, "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up alphas, and the state of their optimizer."""
        with torch.no_grad():
            for alpha, known in zip(self.alphas, state["alphas"], strict=True):
                alpha.copy_(known)
        self._adam.load_state_dict(state["adam"])


def read_images(text: str, data: Path, recipe: SupernetRecipe) -> tuple[ImageSet, Split]:
    """Images of a supernet and their split.

    Parameters
    ----------
    text : str
        ``digits``, ``cifar10``, which is the table in the folder ``data``, a table of images
        (.parquet), or an .npz file.
    data : Path
        Folder of tables.
    recipe : SupernetRecipe

    Raises
    ------
    DagnasError
        They are missing or damaged, or too few.
    """
    images = open_images(text, data, recipe.pixels)
    sizes = recipe.sizes(len(images.labels))
    if recipe.own_test:
        return images, _before_test(images, sizes)
    # Digits are split as for the table digits201.
    return images, split(images, sizes, stream(images.name, "split"))


def _before_test(images: ImageSet, sizes: tuple[int, int, int]) -> Split:
    """Split that keeps the set's own test images, its last ones, for testing."""
    train, valid, test = sizes
    known = len(images.labels) - test
    if train + valid != known:
        return split_before_test(images, train, valid, test)
    # All others, in two parts; a split has three.
    others = ImageSet(images.name, images.images[:known], images.labels[:known])
    drawn = split(
        others, (train, valid // 2, valid - valid // 2), stream(images.name, "before test")
    )
    rest = np.sort(np.concatenate([drawn.valid, drawn.test]))
    return Split(drawn.train, rest, np.arange(known, known + test))


def build(space: str, recipe: SupernetRecipe, images: DeviceImages) -> nn.Module:
    """Supernet with weights drawn from torch's generator."""
    if space == "nasbench201":
        return Supernet201(skeleton(recipe, images))
    return SupernetDarts(images.channels, images.classes, recipe.channels, recipe.layers)


def skeleton(recipe: SupernetRecipe, images: DeviceImages) -> Skeleton201:
    """Network around the cells of NAS-Bench-201."""
    return Skeleton201(
        height=images.height,
        width=images.width,
        image_channels=images.channels,
        classes=images.classes,
        channels=recipe.channels,
        stacks=recipe.stacks,
        cells=recipe.cells,
        stem_stride=recipe.stem_stride,
        residual=recipe.residual,
    )


@dataclass(frozen=True)
class TrainedSupernet:
    """Supernet with its weights and images.

    Attributes
    ----------
    name : str
    about : SupernetImages
        Space, images, and settings as they were given.
    images : DeviceImages
    network : nn.Module
        On the device of the images.
    cell : str
        Text of the cell that DARTS derives; empty for single paths.
    alphas : list of ndarray
        Weights of the architecture before the softmax, of DARTS.
    digest : str
        Text that differs between supernets.
    """

    name: str
    about: SupernetImages
    images: DeviceImages
    network: nn.Module
    cell: str
    alphas: list[NDArray[np.float32]]
    digest: str

    @property
    def recipe(self) -> SupernetRecipe:
        """All settings."""
        return self.about.recipe()

    def write(self, path: Path) -> None:
        """Write atomically; equal supernets give equal bytes."""
        weights = {name: value.cpu() for name, value in self.network.state_dict().items()}
        contents = {
            "kind": _KIND,
            "name": self.name,
            "about": self.about.model_dump_json(),
            "images": self.images.digest(),
            "cell": self.cell,
            "alphas": [torch.from_numpy(alpha) for alpha in self.alphas],
            "network": weights,
        }
        stored.write(path, contents)

    @classmethod
    def read(cls, path: Path, data: Path, device: str = "cpu") -> TrainedSupernet:
        """Read a file that `write` wrote, and its images.

        Parameters
        ----------
        path : Path
        data : Path
            Folder of tables, for the images ``cifar10``.
        device : str

        Raises
        ------
        DagnasError
            The file is missing, damaged or no supernet; its images are missing, or others.
        """
        found = stored.read(path, "supernet")
        if found.get("kind") != _KIND:
            raise DagnasError(f"{path} is no supernet; `dagnas supernet` makes one")
        try:
            name, about = found["name"], SupernetImages(**json.loads(found["about"]))
            cell, alphas = found["cell"], [alpha.numpy() for alpha in found["alphas"]]
            weights, digest = found["network"], found["images"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise stored.damaged(path, "supernet") from error
        images = resident_images(about, data, device)
        if images.digest() != digest:
            raise DagnasError(f"{path} was trained on other images than {about.images} now holds")
        network: Any = build(about.space, about.recipe(), images)
        network = network.to(device, memory_format=torch.channels_last)
        if not stored.fits(network.state_dict(), weights):
            raise stored.damaged(path, "supernet")
        network.load_state_dict(weights)
        return cls(name, about, images, network, cell, alphas, sha256(path))


def resident_images(about: SupernetImages, data: Path, device: str) -> DeviceImages:
    """Images of a supernet on a device; see `read_images`."""
    return DeviceImages(*read_images(about.images, data, about.recipe()), device)


def train_supernet(
    name: str,
    about: SupernetImages,
    data: Path,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[Mapping[str, float | None]], object] | None = None,
    code: str = "",
) -> tuple[TrainedSupernet, Curve]:
    """Train a supernet, from the last finished epoch on if there is a checkpoint.

    Parameters
    ----------
    name : str
        Name of the random streams: another name is another seed.
    about : SupernetImages
    data : Path
        Folder of tables, for the images ``cifar10``.
    device, checkpoint, progress, code
        As of `dagnas.training.trainer.train`.

    Returns
    -------
    TrainedSupernet, Curve
        The curve of DARTS has the number of skip connections of the cell that it would derive.

    Raises
    ------
    DagnasError
        Images are missing or too few; see `train` as well.
    """
    recipe, sharing = about.recipe(), find_sharing(about.space)
    images = resident_images(about, data, device)
    names = ("supernet", name)
    network = drawn(lambda: build(about.space, recipe, images), *names)
    if recipe.strategy == "single_path":
        trainee: SinglePath | Darts = SinglePath(network, sharing, names)
    else:
        network = network.to(device)
        trainee = Darts(network, sharing, images, recipe, stream(*names, "alphas"))

    def skips(epoch: int) -> dict[str, float]:
        if isinstance(trainee, SinglePath):
            return {}
        return {_SKIPS: float(sharing.skips(trainee.derive())[0])}

    curve = train(
        trainee,
        images,
        recipe,
        names,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
        measure=skips,
        code=code,
    )
    cell, alphas = "", []
    if isinstance(trainee, Darts):
        (cell,) = sharing.space.to_str(trainee.derive())
        alphas = [alpha.detach().cpu().numpy() for alpha in trainee.alphas]
    return TrainedSupernet(name, about, images, network, cell, alphas, ""), curve
