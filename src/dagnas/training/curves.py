"""Learning curves: training of stacked networks, with accuracies after every epoch."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dagnas.seeds import stream
from dagnas.spaces.cells import Cells
from dagnas.spaces.sizes.nasbench201 import Skeleton201
from dagnas.training.images import ImageSet, Split, shift
from dagnas.training.recipe import Recipe
from dagnas.training.stacked import StackedNetworks

_EVALUATED_AT_ONCE = 128


class Curves:
    """Learning curves of cells whose networks are trained together on the same batches.

    All random numbers are drawn on the CPU from streams of the image set, the seed and the cell, so
    that initial weights depend neither on the device nor on the other cells.

    Parameters
    ----------
    images : ImageSet
    split : Split
    skeleton : Skeleton201
    recipe : Recipe
    device : str
    """

    def __init__(
        self,
        images: ImageSet,
        split: Split,
        skeleton: Skeleton201,
        recipe: Recipe,
        device: str = "cpu",
    ) -> None:
        self.images, self.split = images, split
        self.skeleton, self.recipe, self.device = skeleton, recipe, device
        train = images.images[split.train]
        self._mean = train.mean(axis=(0, 1, 2), dtype=np.float64)
        # A constant channel has no deviation to divide by.
        self._deviation = np.maximum(train.std(axis=(0, 1, 2), dtype=np.float64), 1)
        held_out = np.concatenate([split.valid, split.test])
        self._held_out = torch.split(
            self._tensor(images.images[held_out]), _EVALUATED_AT_ONCE, dim=-1
        )
        self._held_out_labels = torch.from_numpy(images.labels[held_out]).to(device)

    def train(
        self,
        cells: Cells,
        codes: Sequence[int],
        seed: int,
        after_epoch: Callable[[], object] = lambda: None,
    ) -> NDArray[np.int64]:
        """Train a network of every cell.

        Parameters
        ----------
        cells : Cells
            G cells.
        codes : sequence of int
            Their packed numbers, which name their random streams.
        seed : int
        after_epoch : callable
            Called after every epoch.

        Returns
        -------
        ndarray, shape (G, epochs, 3)
            Numbers of correctly classified images after each epoch: of training (each image at the
            step that trains on it, as NAS-Bench-201 counts), of validation, of test.
        """
        with _repeatable(self.device):
            return self._train(cells, codes, seed, after_epoch)

    def _train(
        self, cells: Cells, codes: Sequence[int], seed: int, after_epoch: Callable[[], object]
    ) -> NDArray[np.int64]:
        recipe, name = self.recipe, self.images.name
        rngs = [stream(name, "weights", seed, int(code)) for code in codes]
        rng = stream(name, "batches", seed)
        networks, optimizer = self._start(cells, rngs)
        steps = len(self.split.train) // recipe.batch_size
        step, curves = 0, []
        for _ in range(recipe.epochs):
            order = rng.permutation(self.split.train)[: steps * recipe.batch_size]
            pixels = self._tensor(shift(self.images.images[order], recipe.shift, rng))
            labels = torch.from_numpy(self.images.labels[order]).to(self.device)
            correct = torch.zeros(networks.count, dtype=torch.int64, device=self.device)
            for x, y in zip(
                torch.split(pixels, recipe.batch_size, dim=-1),
                torch.split(labels, recipe.batch_size),
                strict=True,
            ):
                cosine = (1 + math.cos(math.pi * step / (steps * recipe.epochs))) / 2
                optimizer.param_groups[0]["lr"] = recipe.learning_rate * cosine
                correct += _is_correct(_step(networks, optimizer, x, y), y).sum(dim=1)
                step += 1
            hits = _is_correct(networks.evaluate(self._held_out), self._held_out_labels)
            valid, test = torch.split(hits, [len(self.split.valid), len(self.split.test)], dim=1)
            curves.append(torch.stack([correct, valid.sum(dim=1), test.sum(dim=1)], dim=1))
            after_epoch()
        return torch.stack(curves, dim=1).cpu().numpy()

    def seconds(self, cells: Cells, steps: int = 4) -> float:
        """Seconds that `train` would take for these cells and one seed, from a few steps."""
        recipe = self.recipe
        rows = self.split.train[: recipe.batch_size]
        x = self._tensor(self.images.images[rows])
        y = torch.from_numpy(self.images.labels[rows]).to(self.device)
        networks, optimizer = self._start(cells, [stream("seconds")] * len(cells.edges))
        _step(networks, optimizer, x, y)
        networks.evaluate(self._held_out[:1])

        def measure(work: Callable[[], object], times: int) -> float:
            begin = time.perf_counter()
            for _ in range(times):
                work()
            self._wait()
            return (time.perf_counter() - begin) / times

        one_step = measure(lambda: _step(networks, optimizer, x, y), steps)
        one_batch = measure(lambda: networks.evaluate(self._held_out[:1]), 1)
        in_epoch = len(self.split.train) // recipe.batch_size
        return recipe.epochs * (in_epoch * one_step + len(self._held_out) * one_batch)

    def counted(self) -> tuple[int, int, int]:
        """Numbers of images that `train` counts over: training, validation, test."""
        size = self.recipe.batch_size
        whole = len(self.split.train) // size * size
        return whole, len(self.split.valid), len(self.split.test)

    def _start(
        self, cells: Cells, rngs: Sequence[np.random.Generator]
    ) -> tuple[StackedNetworks, torch.optim.Optimizer]:
        networks = StackedNetworks(cells, self.skeleton, rngs, self.device)
        optimizer = torch.optim.SGD(
            list(networks.parameters.values()),
            lr=self.recipe.learning_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
            nesterov=self.recipe.momentum > 0,
            foreach=True,
        )
        return networks, optimizer

    def _wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def _tensor(self, images: NDArray[np.uint8]) -> Tensor:
        """Normalised images, shape (channels, H, W, B)."""
        normal = (images - self._mean) / self._deviation
        channels_first = np.ascontiguousarray(normal.transpose(3, 1, 2, 0))
        return torch.from_numpy(channels_first).to(self.device, torch.float32)


@contextmanager
def _repeatable(device: str) -> Iterator[None]:
    """Make torch sum in a fixed order on a GPU, so that two builds are equal."""
    if not device.startswith("cuda"):
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _step(
    networks: StackedNetworks, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor
) -> Tensor:
    """Train all networks one step on one batch; returns their logits before the step."""
    logits = networks.forward(x, training=True)
    # Networks have no weights in common, so the gradient of the sum holds that of each. Torch's own
    # cross-entropy is not deterministic on a GPU.
    chosen = F.one_hot(y, logits.shape[1]).T.to(logits.dtype)
    loss = -(F.log_softmax(logits, dim=1) * chosen).sum() / len(y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return logits


def _is_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Compare the class of largest logit, of (G, classes, B), with the label; shape (G, B)."""
    return logits.detach().argmax(dim=1) == labels
