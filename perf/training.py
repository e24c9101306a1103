"""Processor time of training digits201's networks: ``python -m perf.training``.

One thread, with the recipe's defaults: twelve epochs of 18 steps on 32 images, each with an
evaluation of 1,198 images. Networks are trained one at a time as ordinary PyTorch modules, and in
stacks of several sizes, which take turns; shown are seconds a training and how many times as fast a
stack is. The last table fits the cost of an image by multiply-adds, the constants of
`dagnas.training.build`. The images ship with scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

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
from perf.common import Work, command_line, least_seconds, run
from tests.training.reference import network_of

ROUNDS = 3
STACKS: tuple[int, ...] = (1, 8, 32, 64)
EVALUATED_AT_ONCE = 128

RECIPE = Recipe()
SPACE = SPACES.get("nasbench201")


class Alone:
    """Training of a cell as one ordinary network; pixels do not matter to the time: random ones."""

    def __init__(self, curves: Curves, code: int) -> None:
        (edges,) = SPACE.unpack(np.array([code])).edges
        self.network = network_of(edges, curves.skeleton)
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


def bench_stacks(
    curves: Curves, codes: NDArray[np.int64], how: str, sizes: Sequence[int], rounds: int
) -> None:
    """Seconds of a training, one network at a time and in stacks of several sizes."""
    networks = [Alone(curves, code) for code in codes.tolist()]

    def alone() -> None:
        for network in networks:
            network.epoch()

    def stacked(size: int) -> None:
        for at in range(0, len(codes), size):
            some = codes[at : at + size]
            curves.train(SPACE.unpack(some), some.tolist(), 0)

    works: dict[str, Work] = {"alone": alone}
    works |= {f"stacks of {size}": partial(stacked, size) for size in sizes}
    seconds = least_seconds(works, rounds)
    print(f"\n{len(codes)} cells, {how}\n             s a training  ratio")
    for name, taken in seconds.items():
        a_training = taken * RECIPE.epochs / len(codes)
        print(f"{name:13}{a_training:12.3f} {seconds['alone'] / taken:6.1f}", flush=True)


def bench_cost(curves: Curves, codes: NDArray[np.int64], count: int, rounds: int) -> None:
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
        works = {number: getattr(network, name) for number, network in enumerate(networks)}
        seconds = np.array(list(least_seconds(works, rounds).values())) / images
        (fixed, per_madd), residual = nnls(design, seconds)
        explained = 1 - residual**2 / ((seconds - seconds.mean()) ** 2).sum()
        print(f"{name:9} {fixed * 1e6:17.2f} {per_madd * 1e12:18.1f} {explained:5.2f}")


def main() -> None:
    """Print all tables."""
    parser = command_line("perf.training", __doc__, "--cells 128 --fitted 48")
    parser.add_argument("--cells", type=int, default=64, help="cells of the stacks (64)")
    parser.add_argument("--fitted", type=int, default=24, help="cells of the fit (24)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    count, fitted, rounds = options.cells, options.fitted, ROUNDS
    sizes: tuple[int, ...] = STACKS
    if options.smallest:
        count, fitted, sizes, rounds = 2, 3, STACKS[:1], 1
    images = digits()
    parts = split(images, RECIPE.sizes(len(images.labels)), stream(images.name, "split"))
    curves = Curves(images, parts, RECIPE.skeleton(images), replace(RECIPE, epochs=1))
    codes = np.unique(SPACE.canonical(SPACE.enumerate()))
    spread = codes[np.linspace(0, len(codes) - 1, count).astype(int)]
    start = (len(codes) - count) // 2
    neighbours = codes[start : start + count]
    bench_stacks(curves, spread, "evenly spread", sizes, rounds)
    bench_stacks(curves, neighbours, "next to each other, as in a build", sizes, rounds)
    bench_cost(curves, codes, fitted, 2 * rounds)


if __name__ == "__main__":
    run(main)
