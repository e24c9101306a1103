from types import SimpleNamespace

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from dagnas.errors import DagnasError
from dagnas.networks.sharing import find_sharing
from dagnas.networks.supernet201 import Supernet201, pruned
from dagnas.networks.supernet_darts import EDGES
from dagnas.seeds import stream
from dagnas.spaces.genotypes import OPERATIONS
from dagnas.spaces.nasbench201 import nasbench201
from dagnas.spaces.sizes.nasbench201 import Skeleton201
from dagnas.training import supernet
from dagnas.training.scoring import Examples, score_201, score_one
from dagnas.training.supernet import (
    Darts,
    SinglePath,
    TrainedSupernet,
    read_images,
    resident_images,
    train_supernet,
)
from dagnas.training.supernet_recipe import PRESETS, SupernetImages, parse_recipe

TINY = {"channels": 2, "epochs": 2, "steps": 2, "batch_size": 8}


def about(space="nasbench201", **given):
    return SupernetImages(space=space, images="digits", settings={**TINY, **given})


def trained(tmp_path, name="a", **given):
    return train_supernet(name, about(**given), tmp_path)


# Single paths


def test_a_step_trains_the_weights_of_one_cell(tmp_path):
    images = resident_images(about(), tmp_path, "cpu")
    sharing = find_sharing("nasbench201")
    network = Supernet201(Skeleton201(8, 8, 1, 10, 2, 1, 1))
    trainee = SinglePath(network, sharing, ("x",))
    trainee.before_epoch(3, 0.5)
    (operations,) = pruned(
        nasbench201.from_values(stream("x", "cells", 3).integers(np.full(6, 5), size=(64, 6))[:1])
    )
    x, y = images.batch(images.split.train[:8])
    batch = SimpleNamespace(images=x, labels=y, note=lambda logits: None)
    torch.testing.assert_close(
        trainee.loss(batch), F.cross_entropy(network(x, operations), y), rtol=0, atol=0
    )


def test_cells_are_drawn_uniformly():
    sharing = find_sharing("nasbench201")
    drawn = SinglePath(torch.nn.Identity(), sharing, ()).draw(np.random.default_rng(0))
    cells = np.array([next(drawn) for _ in range(5000)])
    # Without a path from the input: 341 of 15,625 cells do not connect it with the output.
    assert np.mean((cells == 0).all(axis=1)) == pytest.approx(341 / 15_625, abs=0.008)
    whole = np.unique(pruned(nasbench201.enumerate()), axis=0, return_counts=True)
    frequent = dict(zip(map(bytes, whole[0]), whole[1] / 15_625, strict=True))
    some = np.array([0, 0, 0, 3, 0, 0])
    assert np.mean((cells == some).all(axis=1)) == pytest.approx(frequent[bytes(some)], abs=0.004)


@pytest.mark.parametrize(
    ("space", "given"),
    [
        ("nasbench201", {}),
        ("nasbench201", {"strategy": "darts_first"}),
        ("darts", {"layers": 3, "channels": 4, "strategy": "darts_first"}),
        ("darts_one_cell", {"layers": 3, "channels": 4}),
    ],
)
def test_a_training_resumes_to_the_same_bits(tmp_path, space, given):
    described = about(space, **given)
    checkpoint = tmp_path / "part"

    class Killed(Exception):
        pass

    def kill(record):
        raise Killed

    with pytest.raises(Killed):
        train_supernet("a", described, tmp_path, checkpoint=checkpoint, progress=kill)
    resumed, _ = train_supernet("a", described, tmp_path, checkpoint=checkpoint)
    whole, _ = train_supernet("a", described, tmp_path)
    resumed.write(tmp_path / "resumed.pt")
    whole.write(tmp_path / "whole.pt")
    assert (tmp_path / "resumed.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_another_name_is_another_seed(tmp_path):
    first, second = (trained(tmp_path, name)[0].network.head.weight for name in "ab")
    assert not torch.equal(first, second)


# DARTS


@pytest.fixture
def darts(tmp_path):
    """DARTS on a small supernet in double precision, in the middle of a training."""
    recipe = parse_recipe("nasbench201", "smoke", {**TINY, "strategy": "darts_second"})
    images = resident_images(about(), tmp_path, "cpu")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Supernet201(Skeleton201(8, 8, 1, 10, 2, 1, 1)).double()
    trainee = Darts(network, find_sharing("nasbench201"), images, recipe, stream("alphas"))
    trainee.alphas = [
        torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        .mul(0.3)
        .requires_grad_()
    ]
    trainee.optimizer = torch.optim.SGD(
        network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01
    )
    batches = []
    for rows in (images.split.train[:16], images.split.valid[:16]):
        x, y = images.batch(rows)
        batches.append((x.double(), y))
    trainee.loss(SimpleNamespace(images=batches[0][0], labels=batches[0][1], note=id)).backward()
    trainee.optimizer.step()
    trainee.optimizer.zero_grad()
    return trainee, *batches


def test_the_gradient_of_second_order_is_the_exact_one(darts, monkeypatch):
    # So short a step crosses no kink of a ReLU.
    monkeypatch.setattr(supernet, "_DIFFERENCE", 1e-5)
    trainee, own, valid = darts
    network, (alpha,) = trainee.network, trainee.alphas
    weights = dict(network.named_parameters())

    def loss(images, weights):
        logits = functional_call(network, weights, (images[0], alpha.softmax(dim=-1)))
        return F.cross_entropy(logits, images[1])

    gradients = torch.autograd.grad(loss(own, weights), list(weights.values()), create_graph=True)
    after = {}
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        step = gradient + 0.01 * weight.detach()
        velocity = 0.9 * trainee.optimizer.state[weight]["momentum_buffer"] + step
        after[name] = weight.detach() - 0.05 * (step + 0.9 * velocity)
    (exact,) = torch.autograd.grad(loss(valid, after), [alpha])
    (first,) = trainee.first_order(valid)
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    (second,) = trainee.second_order(own, valid)
    torch.testing.assert_close(second, exact, rtol=1e-6, atol=1e-10)
    # The first order is another gradient, and the weights are as they were.
    assert (first - exact).norm() > 0.02 * exact.norm()
    for name, weight in weights.items():
        assert torch.equal(weight, before[name])


def test_alphas_take_a_step_of_adam_down_the_validation_loss(darts):
    trainee, own, _ = darts
    trainee._recipe = trainee._recipe.model_copy(update={"strategy": "darts_first"})
    trainee._images.batch = lambda rows, *_: darts[2]
    before = trainee.alphas[0].detach().clone()
    (gradient,) = trainee.first_order(darts[2])
    trainee._adam.param_groups[0]["params"] = trainee.alphas
    trainee.before_step(SimpleNamespace(images=own[0], labels=own[1], rng=np.random.default_rng(0)))
    moved = trainee.alphas[0].detach() - before
    decayed = gradient + 1e-3 * before
    # The first step of Adam has the length of the rate, against the sign of the gradient.
    torch.testing.assert_close(moved, -3e-4 * decayed.sign(), rtol=1e-3, atol=1e-7)


def test_darts_derives_the_strongest_operation_of_each_edge():
    sharing = find_sharing("nasbench201")
    weights = np.full((6, 5), 0.1)
    weights[np.arange(6), [3, 0, 1, 4, 2, 1]] = 0.5
    (text,) = nasbench201.to_str(sharing.derive([weights]))
    assert text == (
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|"
    )


def test_darts_derives_two_inputs_of_each_node_by_their_strongest_operation():
    sharing = find_sharing("darts")
    weights = np.full((2, 14, 8), 0.1)
    # Zero is the strongest everywhere, and does not count.
    weights[:, :, 0] = 0.9
    wanted = {
        (0, 2): 1,
        (1, 2): 2,
        (0, 3): 3,
        (2, 3): 4,
        (1, 4): 5,
        (3, 4): 6,
        (2, 5): 7,
        (4, 5): 1,
    }
    for (source, node), kind in wanted.items():
        weights[:, EDGES.index((source, node)), kind] = 0.5
    (genotype,) = sharing.space.genotypes(sharing.derive(list(weights)))
    expected = tuple((OPERATIONS[kind - 1], source) for (source, _), kind in wanted.items())
    assert genotype == (expected, expected)


def test_the_cell_of_skip_connections_is_the_published_row(mirror):
    # GOAL, table 1, row DARTS: 39.77 / 54.30.
    text = "+".join("".join(f"|skip_connect~{i}" for i in range(j)) + "|" for j in (1, 2, 3))
    columns = ["cifar10_valid_200ep_mean", "cifar10_test_200ep_mean"]
    table = pq.read_table(mirror / "nasbench201.parquet", columns=["arch_str", *columns])
    (row,) = table.filter(pc.equal(table["arch_str"], text)).to_pylist()
    assert [round(row[column], 2) for column in columns] == [39.77, 54.30]


# Scores


@pytest.fixture(scope="module")
def networks():
    found = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for skeleton in (
            Skeleton201(8, 8, 1, 10, 4, 2, 1, 2, False),
            Skeleton201(6, 6, 1, 10, 4, 2, 2, 1, True),
        ):
            network = Supernet201(skeleton)
            with torch.no_grad():
                for name, tensor in network.state_dict().items():
                    if name.endswith(("norm.weight", "norm.bias", "running_mean", "running_var")):
                        tensor.add_(torch.rand_like(tensor))
            found.append(network)
    return found


@pytest.mark.parametrize("calibration", [0, 7, None])
@pytest.mark.parametrize("which", [0, 1])
def test_cells_scored_together_are_as_scored_alone(networks, which, calibration, monkeypatch):
    from dagnas.training import scoring

    network = networks[which]
    # Chunks of a few cells.
    monkeypatch.setattr(scoring, "_VALUES", 3 * 20 * 4 * 36)
    side = network.skeleton.height
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(20, 1, side, side, generator=generator)
    labels = torch.randint(0, 10, (20 - (calibration or 0),), generator=generator)
    examples = Examples(images, labels, calibration)
    operations = np.unique(pruned(nasbench201.sample(150, np.random.default_rng(3))), axis=0)
    # Cells without a path from input to output are among them.
    operations = np.concatenate([np.zeros((1, 6), dtype=np.int64), operations])
    operations = np.unique(operations, axis=0)
    seen = []
    scores = score_201(network, operations, examples, seen.append)
    alone = np.array([score_one(network, row, examples) for row in operations]).T
    np.testing.assert_allclose(scores.loss, alone[1], rtol=1e-4)
    np.testing.assert_allclose(scores.accuracy, alone[0], atol=100 / len(labels) + 1e-9)
    assert np.mean(scores.accuracy == alone[0]) > 0.95
    assert sum(seen) == len(operations)
    assert network.training


# Files


def test_a_supernet_reads_back(tmp_path):
    original, curve = trained(tmp_path, strategy="darts_first")
    original.write(tmp_path / "a.pt")
    again = TrainedSupernet.read(tmp_path / "a.pt", tmp_path)
    assert again.about == original.about
    assert again.cell == original.cell
    np.testing.assert_array_equal(again.alphas[0], original.alphas[0])
    for name, tensor in original.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name])
    assert [record["epoch"] for record in curve.records] == [1, 2]
    skips = sum(map(original.cell.count, ["skip_connect"]))
    assert curve.records[-1]["skip_connections"] == skips


def test_a_file_of_other_images_or_no_supernet_is_refused(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 3
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    described = SupernetImages(space="nasbench201", images=str(tmp_path / "own.npz"), settings=TINY)
    original, _ = train_supernet("a", described, tmp_path)
    original.write(tmp_path / "a.pt")
    np.savez(tmp_path / "own.npz", images=images[::-1], labels=labels)
    with pytest.raises(DagnasError, match=r"a\.pt was trained on other images"):
        TrainedSupernet.read(tmp_path / "a.pt", tmp_path)
    torch.save({"x": torch.zeros(1)}, tmp_path / "b.pt")
    with pytest.raises(DagnasError, match=r"b\.pt is no supernet"):
        TrainedSupernet.read(tmp_path / "b.pt", tmp_path)
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-100])
    with pytest.raises(DagnasError, match=r"a\.pt is damaged, so no supernet"):
        TrainedSupernet.read(tmp_path / "a.pt", tmp_path)


# Recipes and images


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"space": "enas"}, "unknown space of supernets 'enas'"),
        ({"settings": {"chanels": 8}}, "unknown setting of a supernet 'chanels'"),
        ({"settings": {"channels": 0}}, "channels"),
        ({"settings": {"strategy": "snas"}}, "strategy"),
    ],
)
def test_what_is_no_recipe_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        SupernetImages(**{"space": "nasbench201", "images": "digits", **given})


def test_presets_are_recipes():
    for space, presets in PRESETS.items():
        for preset in presets:
            parse_recipe(space, preset, {})
    paper = parse_recipe("nasbench201", "paper", {})
    assert (paper.channels, paper.cells, paper.epochs, paper.pixels) == (16, 5, 250, None)


def test_digits_are_split_as_in_digits201(tmp_path):
    from dagnas.training.images import digits, split

    images = digits()
    _, parts = read_images("digits", tmp_path, parse_recipe("nasbench201", "smoke", {}))
    expected = split(images, (599, 599, 599), stream("digits", "split"))
    for part, own in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(part, own)


def test_own_test_images_are_kept_and_all_others_may_be_used(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (70, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(70) % 2)
    for valid in (30, 20):
        recipe = parse_recipe(
            "nasbench201",
            "smoke",
            {"own_test": True, "train": 30, "valid": valid, "test": 10},
        )
        _, parts = read_images(str(tmp_path / "own.npz"), tmp_path, recipe)
        assert list(parts.test) == list(range(60, 70))
        assert (len(parts.train), len(parts.valid)) == (30, valid)
        assert len({*parts.train, *parts.valid, *parts.test}) == 40 + valid
        assert np.mean(parts.train % 2) == 0.5
