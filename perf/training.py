"""What stacking networks saves, and what an image costs: ``python -m perf.training``.

Times are processor time on one thread, of digits201's networks: with the recipe's defaults, twelve
epochs of 18 steps on 32 images, each with an evaluation of 1,198. The first table compares stacks
with one ordinary PyTorch network at a time. The second part fits the cost of an image by
multiply-adds, the constants of `dagnas.training.build`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, nnls

from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.spaces.sizes.nasbench201 import nasbench201_size
from dagnas.training.curves import Curves
from dagnas.training.images import digits, split
from dagnas.training.recipe import Recipe
from tests.training.reference import Network201

ROUNDS = 3
STACKS = (1, 8, 32, 64)
EVALUATED_AT_ONCE = 128

RECIPE = Recipe()
SPACE = SPACES.get("nasbench201")


def best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Shortest processor time of some rounds, in seconds."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


class Alone:
    """Training of a cell as one ordinary network; pixels do not matter to the time: random ones."""

    def __init__(self, curves: Curves, code: int) -> None:
        (edges,) = SPACE.unpack(np.array([code])).edges
        self.network = Network201(edges, curves.skeleton)
        recipe = curves.recipe
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
            foreach=True,
        )
        rng = stream("bench", code)
        trained, *held_out = curves.counted()
        skeleton = curves.skeleton
        size = (skeleton.image_channels, skeleton.height, skeleton.width)
        self.shown, self.held_out = (
            torch.from_numpy(rng.normal(size=(count, *size))).float()
            for count in (trained, sum(held_out))
        )
        self.labels = torch.from_numpy(rng.integers(skeleton.classes, size=trained))
        self.batch_size = recipe.batch_size

    def train(self) -> None:
        """Steps of one epoch."""
        self.network.train()
        for x, y in zip(
            self.shown.split(self.batch_size), self.labels.split(self.batch_size), strict=True
        ):
            logits = self.network(x)
            self.optimizer.zero_grad()
            F.cross_entropy(logits, y).backward()
            self.optimizer.step()
            (logits.detach().argmax(dim=1) == y).sum()

    def evaluate(self) -> None:
        """Evaluation after one epoch."""
        self.network.eval()
        with torch.no_grad():
            for x in self.held_out.split(EVALUATED_AT_ONCE):
                self.network(x).argmax(dim=1)

    def epoch(self) -> None:
        """One epoch with its evaluation."""
        self.train()
        self.evaluate()


def bench_stacks(curves: Curves, codes: NDArray[np.int64], how: str) -> None:
    """Seconds of a training, one network at a time and in stacks of several sizes."""
    networks = [Alone(curves, code) for code in codes.tolist()]

    def alone() -> None:
        for network in networks:
            network.epoch()

    def stacked(size: int) -> None:
        for at in range(0, len(codes), size):
            some = codes[at : at + size]
            curves.train(SPACE.unpack(some), some.tolist(), 0)

    a_training = RECIPE.epochs / len(codes)
    plain = best(alone) * a_training
    print(f"\n{len(codes)} cells, {how}\n             s a training  ratio")
    print(f"alone        {plain:12.3f} {1:6.1f}")
    for size in STACKS:
        seconds = best(lambda size=size: stacked(size)) * a_training  # type: ignore[misc]
        print(f"stacks of {size:<3}{seconds:12.3f} {plain / seconds:6.1f}")


def bench_cost(curves: Curves, codes: NDArray[np.int64], count: int) -> None:
    """Seconds of an image by the multiply-adds of the cell's network."""
    madds = nasbench201_size(SPACE.unpack(codes), curves.skeleton).total_madds()
    order = stream("bench", "cost").permutation(len(codes))
    distance = np.abs(madds[order] - np.linspace(madds.min(), madds.max(), count)[:, None])
    # Of all cells of about that many multiply-adds, any one: operations are mixed as in the space.
    _, nearest = linear_sum_assignment(distance)
    chosen = order[nearest]
    networks = [Alone(curves, code) for code in codes[chosen].tolist()]
    design = np.stack([np.ones(count), madds[chosen]], axis=1)
    print(f"\n{count} cells of {madds.min():,} to {madds.max():,} multiply-adds, one at a time")
    print("          us an image fixed  ps a multiply-add    R2")
    trained, *held_out = curves.counted()
    for name, images in (("train", trained), ("evaluate", sum(held_out))):
        # Round by round, so that a busy spell slows all of them and no cell is slow for good.
        rounds = [[best(getattr(n, name), 1) for n in networks] for _ in range(2 * ROUNDS)]
        seconds = np.min(rounds, axis=0) / images
        (fixed, per_madd), residual = nnls(design, seconds)
        explained = 1 - residual**2 / ((seconds - seconds.mean()) ** 2).sum()
        print(f"{name:9} {fixed * 1e6:17.2f} {per_madd * 1e12:18.1f} {explained:5.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=64, help="cells of the first table")
    parser.add_argument("--fitted", type=int, default=24, help="cells that the cost is fitted to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = digits()
    parts = split(images, RECIPE.sizes(len(images.labels)), stream(images.name, "split"))
    curves = Curves(images, parts, RECIPE.skeleton(images), replace(RECIPE, epochs=1))
    codes = np.unique(SPACE.canonical(SPACE.enumerate()))
    spread = np.linspace(0, len(codes) - 1, options.cells).astype(int)
    bench_stacks(curves, codes[spread], "evenly spread")
    start = (len(codes) - options.cells) // 2
    bench_stacks(curves, codes[start : start + options.cells], "next to each other, as in a build")
    bench_cost(curves, codes, options.fitted)
