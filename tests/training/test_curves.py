"""Training: equal to the same steps of an ordinary network, repeatable, of each cell alone."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.training.curves import Curves
from dagnas.training.images import ImageSet, Split, digits, shift, split
from dagnas.training.recipe import Recipe
from dagnas.training.stacked import StackedNetworks
from tests.training.reference import reference_of

SPACE = SPACES.get("nasbench201")
#: Two 3x3 convolutions one after the other; all four operations; nothing from input to output.
CONVOLUTIONS, MIXED, NO_PATH = (
    3 + 3 * 5**4 + 5**3,
    3 + 2 * 5 + 4 * 25 + 5**3 + 3 * 5**4 + 2 * 5**5,
    3,
)


def curves_of(images, parts, recipe, device="cpu"):
    return Curves(images, parts, recipe.skeleton(images), recipe, device)


def of_digits(sizes=(140, 110, 70), device="cpu", **settings):
    images = digits()
    return curves_of(images, split(images, sizes, stream("parts")), Recipe(**settings), device)


def train(curves, codes, seed=0):
    return curves.train(SPACE.unpack(np.array(codes)), codes, seed)


def test_trainings_repeat_and_seeds_differ():
    curves = of_digits(epochs=2)
    codes = [CONVOLUTIONS, MIXED, 1 + 5**3]
    results = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        results.append(train(curves, codes))
        assert torch.equal(torch.get_rng_state(), state)
    assert (results[0] == results[1]).all()
    assert (results[0] == train(of_digits(epochs=2), codes)).all()
    assert (results[0] != train(curves, codes, seed=1)).any(axis=(1, 2)).all()


def test_counts_do_not_depend_on_the_other_cells():
    curves = of_digits(epochs=3)
    codes = [NO_PATH, CONVOLUTIONS, *range(MIXED, MIXED + 6)]
    together = train(curves, codes)
    for some in ([0], [1], [2], [7], [3, 4, 5], [6, 1]):
        assert (train(curves, [codes[g] for g in some]) == together[some]).all()


def test_counts_are_out_of_those_that_are_told():
    curves = of_digits(epochs=3)
    # 140 images fill four batches of 32.
    assert curves.counted() == (128, 110, 70)
    called = []
    codes = [CONVOLUTIONS, MIXED]
    counts = curves.train(SPACE.unpack(np.array(codes)), codes, 0, lambda: called.append(1))
    assert counts.shape == (2, 3, 3)
    assert counts.dtype == np.int64
    assert len(called) == 3
    assert (counts >= 0).all()
    assert (counts <= curves.counted()).all()


def test_convolutions_learn_and_a_cell_without_path_does_not():
    curves = of_digits((600, 150, 150), epochs=4)
    accuracy = train(curves, [CONVOLUTIONS, NO_PATH]) / curves.counted()
    learned, nothing = accuracy
    assert (learned[-1] > 0.5).all()
    assert learned[-1, 0] > learned[0, 0] + 0.2
    # Ten classes: always the same one is right for a tenth.
    assert (nothing < 0.2).all()


def bright_and_dark(channels, contrast):
    """Images of two classes that a mean tells apart; labels of the last 30 are exchanged."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 2
    size = (160, 4, 4, channels)
    images = 120 + contrast * (2 * labels[:, None, None, None] - 1) + rng.integers(-1, 2, size)
    labels[130:] = 1 - labels[130:]
    # Channels after the first are the same everywhere.
    images[..., 1:] = 7
    return ImageSet("bright", images.astype(np.uint8), labels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("contrast", [3, 100])
def test_every_image_counts_once_in_its_own_split(channels, contrast):
    images = bright_and_dark(channels, contrast)
    parts = Split(np.arange(70), np.arange(70, 130), np.arange(130, 160))
    recipe = Recipe(epochs=5, batch_size=16, stem_stride=1, channels=4, shift=0)
    curves = curves_of(images, parts, recipe)
    assert curves.counted() == (64, 60, 30)
    # All of training and validation is learned; in the test, all labels are the wrong ones.
    assert train(curves, [CONVOLUTIONS, MIXED])[:, -1].tolist() == [[64, 60, 0]] * 2


def by_hand(curves, code, seed):
    """Counts of one cell, trained as an ordinary network with torch's own schedule."""
    images, recipe, name = curves.images, curves.recipe, curves.images.name
    cell = SPACE.unpack(np.array([code]))
    rngs = [stream(name, "weights", seed, code)]
    network = reference_of(StackedNetworks(cell, curves.skeleton, rngs), 0, cell.edges[0])
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    steps = len(curves.split.train) // recipe.batch_size
    cosine = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 + 0.5 * math.cos(math.pi * step / steps / recipe.epochs)
    )
    shown = images.images[curves.split.train] / 1.0

    def normal(pixels):
        scaled = (pixels - shown.mean(axis=(0, 1, 2))) / shown.std(axis=(0, 1, 2))
        return torch.from_numpy(scaled.transpose(0, 3, 1, 2)).float()

    def hits(logits, rows):
        return int((logits.argmax(dim=1).numpy() == images.labels[rows]).sum())

    rng = stream(name, "batches", seed)
    counts = []
    for _ in range(recipe.epochs):
        order = rng.permutation(curves.split.train)[: steps * recipe.batch_size]
        pixels = normal(shift(images.images[order], recipe.shift, rng))
        network.train()
        right = 0
        for at in range(0, len(order), recipe.batch_size):
            rows = order[at : at + recipe.batch_size]
            logits = network(pixels[at : at + recipe.batch_size])
            right += hits(logits, rows)
            optimizer.zero_grad()
            F.cross_entropy(logits, torch.from_numpy(images.labels[rows])).backward()
            optimizer.step()
            cosine.step()
        network.eval()
        with torch.no_grad():
            held_out = [
                hits(network(normal(images.images[rows])), rows) for rows in curves.split[1:]
            ]
        counts.append([right, *held_out])
    return np.array(counts)


@pytest.mark.parametrize("settings", [{}, {"residual": True, "stem_stride": 1, "shift": 0}])
def test_counts_are_those_of_an_ordinary_training(settings):
    curves = of_digits(epochs=2, momentum=0.8, weight_decay=0.2, learning_rate=0.05, **settings)
    codes = [CONVOLUTIONS, MIXED, 4 + 2 * 5**4]
    for counts, code in zip(train(curves, codes, seed=3), codes, strict=True):
        # Rounding can turn an image that is between two classes.
        assert np.abs(counts - by_hand(curves, code, 3)).max() <= 1


def test_momentum_can_be_none():
    curves = of_digits(epochs=1, momentum=0.0)
    assert train(curves, [CONVOLUTIONS]).shape == (1, 1, 3)


def test_seconds_of_a_training():
    cells = SPACE.unpack(np.array([CONVOLUTIONS, MIXED]))
    few, many = (of_digits(epochs=epochs).seconds(cells, steps=2) for epochs in (1, 100))
    assert 0 < few < many


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("settings", [{}, {"residual": True, "stem_stride": 1, "channels": 16}])
def test_trainings_on_a_gpu_repeat_and_are_close_to_those_on_a_cpu(settings):
    codes = [CONVOLUTIONS, MIXED, NO_PATH]
    before = torch.are_deterministic_algorithms_enabled()
    curves = of_digits(device="cuda", epochs=2, **settings)
    counts = train(curves, codes)
    assert (counts == train(curves, codes)).all()
    assert torch.are_deterministic_algorithms_enabled() == before
    # The first epoch is short enough for rounding to stay small.
    near = np.abs(counts - train(of_digits(epochs=2, **settings), codes))[:, 0]
    assert near.max() <= 6
    assert curves.seconds(SPACE.unpack(np.array(codes))) > 0
