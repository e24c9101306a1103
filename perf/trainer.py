"""Processor time of a step of the trainer against a plain loop: ``python -m perf.trainer``.

One thread. A plain loop of PyTorch, written here, trains the same network on batches that are
normalised and lie in memory beforehand, in the same memory format; the trainer crops, mirrors and
normalises its images, counts what is right, and looks for losses that are no numbers. Both take
turns in one run, and the least time of each counts; `steps` are those of an epoch, whose start the
trainer's time includes. Images are random: they do not matter to the time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from dagnas.networks import NETWORKS
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.training.device_images import DeviceImages
from dagnas.training.images import ImageSet, Split
from dagnas.training.train_recipe import TrainRecipe
from dagnas.training.trainer import StandAlone, drawn, train
from perf.common import Work, command_line, least_seconds, run

#: Space, side of the images, channels of the network, its cells, images of a batch, steps.
SIZES = (
    ("nasbench201", 8, 8, 1, 32, 100),
    ("nasbench201", 16, 8, 1, 64, 100),
    ("nasbench201", 32, 16, 1, 64, 25),
    ("darts", 16, 8, 5, 64, 15),
)
ROUNDS = 4


def works(
    space: str, side: int, channels: int, layers: int, batch_size: int, steps: int
) -> dict[str, Work]:
    """An epoch of the trainer, and the same of a plain loop."""
    rng = stream("bench", "trainer")
    count = steps * batch_size
    pixels = rng.integers(0, 256, (count, side, side, 3)).astype(np.uint8)
    images = ImageSet("random", pixels, np.arange(count) % 10)
    rows = np.arange(count)
    resident = DeviceImages(images, Split(rows, rows[:10], rows[:10]))
    recipe = TrainRecipe(epochs=1, batch_size=batch_size, pad=side // 8, flip=True)
    family = NETWORKS.get(space)
    shape = family.shaped(height=side, width=side, channels=channels, layers=layers)
    (text,) = SPACES.get(space).to_str(SPACES.get(space).sample(1, stream("bench", space)))

    def network() -> nn.Module:
        made: nn.Module = drawn(lambda: family.build(family.read(text), shape), "bench")
        return made

    mine = StandAlone(network(), recipe)
    batches = list(resident.batches(rows, batch_size))
    return {
        "trainer": lambda: train(mine, resident, recipe, ("bench",)),
        "plain": plain_loop(network(), batches, recipe),
    }


def plain_loop(
    network: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]], recipe: TrainRecipe
) -> Callable[[], None]:
    """Epoch of ordinary PyTorch."""
    whole: torch.nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        whole.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )

    def epoch() -> None:
        whole.train()
        for images, labels in batches:
            loss = F.cross_entropy(whole(images), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(whole.parameters(), recipe.clip)
            optimizer.step()

    return epoch


def main() -> None:
    """Print the table."""
    options = command_line("perf.trainer", __doc__).parse_args()
    torch.set_num_threads(1)
    print("space        pixels channels cells batch  ms plain  ms trainer  ratio")
    for size in SIZES[:1] if options.smallest else SIZES:
        space, side, channels, layers, batch_size, steps = size
        steps = 4 if options.smallest else steps
        seconds = least_seconds(works(*size[:-1], steps), 1 if options.smallest else ROUNDS)
        mine, plain = (seconds[name] / steps * 1e3 for name in ("trainer", "plain"))
        print(
            f"{space:12} {side:6} {channels:8} {layers:5} {batch_size:5} {plain:9.2f} "
            f"{mine:11.2f} {mine / plain:6.3f}",
            flush=True,
        )


if __name__ == "__main__":
    run(main)
