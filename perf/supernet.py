"""Processor time of training and scoring supernets: ``python -m perf.supernet``.

One thread. The first table is of steps of single-path training: as a plain loop over the same
supernet in PyTorch, with batches cut beforehand, and by the project's trainer, with its random
streams, changes of images, curve and checkpoint. Both train the same cells, in turns, since cells
differ in their time. The second is of scores of distinct cells of NAS-Bench-201: one at a time, of
a sample, and all of a set together. Weights are random; digits ship with scikit-learn, and images
of CIFAR-10's shape are random.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from dagnas.networks.sharing import find_sharing
from dagnas.networks.supernet201 import Supernet201, pruned
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.training.device_images import DeviceImages
from dagnas.training.images import ImageSet, digits, split
from dagnas.training.scoring import Examples, score_201, score_one
from dagnas.training.supernet import SinglePath, build
from dagnas.training.supernet_recipe import SupernetRecipe, parse_recipe
from dagnas.training.trainer import train
from perf.common import Work, command_line, least_seconds, run

ROUNDS = 3
#: Images to validate on, of digits a third.
VALID = 599


def random_images() -> ImageSet:
    """Images of the shape of CIFAR-10's, at 16 x 16 pixels."""
    rng = stream("bench", "images")
    return ImageSet(
        "random", rng.integers(0, 256, (3_000, 16, 16, 3), dtype=np.uint8), np.arange(3_000) % 10
    )


class Trained:
    """Single-path training of a supernet, by a plain loop and by the trainer."""

    def __init__(self, space: str, preset: str, images: ImageSet, steps: int, folder: Path) -> None:
        given: dict[str, Any] = {"epochs": 1, "steps": steps, "pixels": None, "own_test": False}
        given |= {"train": 1_000, "valid": VALID, "test": 100} if preset == "desk" else {}
        self.space, self.steps, self._folder = space, steps, folder
        self.recipe: SupernetRecipe = parse_recipe(space, preset, given)
        rows = split(images, self.recipe.sizes(len(images.labels)), stream("bench", "split"))
        self.images = DeviceImages(images, rows)
        self._sharing = find_sharing(space)

    def network(self) -> nn.Module:
        """Supernet with weights of no interest."""
        network: Any = build(self.space, self.recipe, self.images)
        found: nn.Module = network.to(memory_format=torch.channels_last)
        return found

    def plain(self) -> None:
        """Train by a plain loop."""
        network, recipe = self.network(), self.recipe
        weights = list(network.parameters())
        optimizer = torch.optim.SGD(
            weights,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
        )
        x, y = self.images.batch(self.images.split.train[: recipe.batch_size])
        # Those that the trainer draws in its first epoch.
        cells = SinglePath(network, self._sharing, ()).draw(stream("bench", "cells", 0))
        for _ in range(self.steps):
            loss = F.cross_entropy(network(x, next(cells)), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, recipe.clip)
            optimizer.step()

    def ours(self) -> None:
        """Train by the project's trainer, with a checkpoint at the end."""
        trainee = SinglePath(self.network(), self._sharing, ("bench",))
        path = self._folder / "checkpoint.pt"
        path.unlink(missing_ok=True)
        train(trainee, self.images, self.recipe, ("bench",), checkpoint=path)


def bench_steps(cases: dict[str, Trained], rounds: int) -> None:
    """Milliseconds of a step."""
    print("\nsteps                                   ms plain  ms ours  ratio")
    for name, case in cases.items():
        works: dict[str, Work] = {"plain": case.plain, "ours": case.ours}
        seconds = least_seconds(works, rounds)
        plain, ours = (1e3 * seconds[key] / case.steps for key in works)
        print(f"{name:38}{plain:10.2f}{ours:9.2f}{ours / plain:7.2f}", flush=True)


def bench_scores(cases: dict[str, Trained], cells: int | None, alone: int, rounds: int) -> None:
    """Seconds of scoring the representatives of all classes, or some of them."""
    space = SPACES.get("nasbench201")
    operations = np.unique(pruned(space.unpack(space.representatives())), axis=0)
    operations = operations[:: max(1, len(operations) // cells) if cells else 1]
    print(f"\nscores of {len(operations):,} distinct cells   s one at a time   s together  ratio")
    for name, case in cases.items():
        network = case.network()
        assert isinstance(network, Supernet201)
        examples = Examples(*case.images.batch(case.images.split.valid[:VALID]), 0)
        some = operations[np.linspace(0, len(operations) - 1, alone).astype(int)]

        def one_by_one(network: nn.Module, some: Any, examples: Examples) -> None:
            for row in some:
                score_one(network, row, examples)

        works: dict[str, Work] = {
            "alone": partial(one_by_one, network, some, examples),
            "together": partial(score_201, network, operations, examples),
        }
        seconds = least_seconds(works, rounds)
        single = seconds["alone"] * len(operations) / len(some)
        both = seconds["together"]
        print(f"{name:38}{single:12.1f}{both:13.1f}{single / both:7.1f}", flush=True)


def main() -> None:
    """Print both tables."""
    parser = command_line("perf.supernet", __doc__)
    options = parser.parse_args()
    torch.set_num_threads(1)
    small = options.smallest
    rounds = 1 if small else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shown, few = digits(), 2 if small else 20
        on_digits = Trained("nasbench201", "smoke", shown, 5 if small else 600, folder)
        on_colours = Trained("nasbench201", "desk", random_images(), few, folder)
        in_darts = Trained("darts", "desk", random_images(), few // 2, folder)
        steps = {
            "NAS-Bench-201, digits": on_digits,
            "NAS-Bench-201, CIFAR-10 at 16 px, C=8": on_colours,
            "DARTS, CIFAR-10 at 16 px, C=8, 5 cells": in_darts,
        }
        bench_steps(steps, rounds)
        bench_scores({"digits": on_digits}, 20 if small else None, 2 if small else 100, rounds)
        cells = 10 if small else 200
        bench_scores({"CIFAR-10 at 16 px, C=8": on_colours}, cells, 2 if small else 20, rounds)


if __name__ == "__main__":
    run(main)
