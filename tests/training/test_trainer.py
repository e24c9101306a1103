"""The trainer: recipe, resuming to the same bits, faults, precision, shared devices."""

import errno
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from dagnas import files
from dagnas.errors import DagnasError
from dagnas.training import checkpoint as stored
from dagnas.training.device_images import DeviceImages
from dagnas.training.images import ImageSet, split_thirds
from dagnas.training.train_recipe import TrainRecipe
from dagnas.training.trainer import StandAlone, Trainee, drawn, evaluate, train

FAST = TrainRecipe(
    epochs=3, batch_size=16, learning_rate=0.1, pad=1, flip=True, cutout=2, drop_path=0.4
)


def stripes(count=150, seed=0):
    """Horizontal and vertical stripes in noise."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (count, 8, 8))
    labels = np.arange(count) % 2
    images[labels == 0, ::2] += 120
    images[labels == 1, :, ::2] += 120
    return ImageSet("stripes", images.astype(np.uint8), labels)


def resident(images=None):
    images = images or stripes()
    return DeviceImages(images, split_thirds(images))


class Net(nn.Module):
    """Small network with dropped paths, batch norm and an auxiliary head."""

    def __init__(self, auxiliary=False):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.path = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 2)
        self.other = nn.Linear(8, 2) if auxiliary else None
        self.drop_path = 0.0
        self.seen = []

    def forward(self, images):
        maps = self.body(images)
        if self.training and self.drop_path:
            keep = torch.rand(len(maps), 1, 1, 1) >= self.drop_path
            maps = maps + self.path(maps) * keep / (1 - self.drop_path)
        features = maps.mean((2, 3))
        logits = self.head(features)
        return (logits, self.other(features)) if self.other and self.training else logits


def network(seed=0):
    return drawn(Net, "net", seed)


def fit(recipe=FAST, path=None, images=None, trainee=None, **more):
    trainee = trainee or StandAlone(network(), recipe)
    curve = train(trainee, images or resident(), recipe, ("test",), checkpoint=path, **more)
    return trainee.network, curve


def same(one, two):
    """Whether two networks have the same bits."""
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Stopped(Exception):
    """Stands for a kill."""


class Killed(StandAlone):
    """Dies in a step of an epoch."""

    def __init__(self, network, recipe, epoch):
        super().__init__(network, recipe)
        self.at = epoch

    def loss(self, batch):
        if batch.names[-3:] == (self.at, "step", 1):
            raise Stopped
        return super().loss(batch)

    def identity(self):
        return StandAlone.__qualname__


class Diverging(StandAlone):
    """Its loss is NaN in the third step of the second epoch."""

    def loss(self, batch):
        loss = super().loss(batch)
        return loss * math.nan if batch.names[-3:] == (1, "step", 2) else loss


def test_it_learns_and_repeats():
    images = resident(stripes(300))
    recipe = TrainRecipe(epochs=8, batch_size=16, learning_rate=0.1, pad=1)
    first, curve = fit(recipe, images=images)
    assert evaluate(first, images, images.split.test)[0] > 90
    assert [record["epoch"] for record in curve.records] == list(range(1, 9))
    assert curve.records[-1]["loss"] < curve.records[0]["loss"]
    assert curve.records[-1]["train_accuracy"] > 90
    state = torch.get_rng_state()
    again, other = fit(recipe, images=images)
    assert same(first, again)
    assert other.records == curve.records
    assert torch.equal(torch.get_rng_state(), state)


def test_one_step_is_that_of_plain_torch():
    recipe = TrainRecipe(
        epochs=1, batch_size=16, steps=2, learning_rate=0.3, final_learning_rate=0.1, clip=0.5,
        smoothing=0.1, weight_decay=0.01,
    )  # fmt: skip
    images, plain = resident(), network()
    batches = []

    class Watched(StandAlone):
        def before_step(self, batch):
            batches.append((batch.images.clone(), batch.labels.clone()))

    trained, curve = fit(recipe, images=images, trainee=Watched(network(), recipe))
    optimizer = torch.optim.SGD(
        plain.parameters(), 0.3, momentum=0.9, weight_decay=0.01, nesterov=True
    )
    losses = []
    for step, (x, y) in enumerate(batches):
        # Half of the cosine at the second of two steps.
        optimizer.param_groups[0]["lr"] = (0.3, 0.2)[step]
        loss = nn.functional.cross_entropy(plain(x), y, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
    for mine, theirs in zip(trained.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
    assert curve.records[0]["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_rates_decay_by_step_or_by_epoch():
    by_step = TrainRecipe(epochs=2, learning_rate=1.0, final_learning_rate=0.2)
    assert by_step.rate(0, 0, 10) == 1.0
    assert by_step.rate(1, 0, 10) == pytest.approx(0.6)
    assert by_step.rate(0, 5, 10) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2)
    by_epoch = by_step.model_copy(update={"decay": "epoch"})
    assert by_epoch.rate(0, 5, 10) == 1.0
    assert by_epoch.rate(1, 5, 10) == pytest.approx(0.6)


def test_dropped_paths_ramp_and_the_auxiliary_loss_counts():
    net, seen = network(), []

    class Watched(StandAlone):
        def before_step(self, batch):
            seen.append(net.drop_path)

    fit(trainee=Watched(net, FAST))
    assert sorted(set(seen)) == pytest.approx([0, 0.4 / 3, 0.8 / 3])
    double = drawn(lambda: Net(True), "net")
    recipe = TrainRecipe(auxiliary=0.4)
    images = resident()
    x, y = images.batch(images.split.train[:8])
    logits, other = double.train()(x)
    entropy = nn.functional.cross_entropy
    expected = entropy(logits, y) + 0.4 * entropy(other, y)

    class Given:
        images, labels = x, y

        @staticmethod
        def note(logits):
            """Nothing."""

    torch.testing.assert_close(StandAlone(double, recipe).loss(Given), expected)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_kill_within_an_epoch_and_the_same_bits(epoch, tmp_path):
    whole, curve = fit()
    path = tmp_path / "c.part"
    with pytest.raises(Stopped):
        fit(path=path, trainee=Killed(network(), FAST, epoch))
    shown = []
    # Other initial weights: those of the checkpoint count.
    resumed, rest = fit(path=path, trainee=StandAlone(network(1), FAST), progress=shown.append)
    assert same(whole, resumed)
    assert rest.records == curve.records == shown
    # It did not begin anew, and a finished one does nothing.
    last = stored.read(path)
    again, _ = fit(path=path, trainee=Killed(network(2), FAST, 2))
    assert same(again, whole)
    assert len(last["records"]) == 3


def test_checkpoints_of_other_settings_begin_anew(tmp_path):
    path = tmp_path / "c.part"
    fit(path=path)
    for recipe, more in (
        (FAST.model_copy(update={"learning_rate": 0.05}), {}),
        (FAST, {"code": "other"}),
        (FAST, {"images": resident(stripes(seed=1))}),
    ):
        with pytest.raises(Stopped):
            fit(recipe, path, trainee=Killed(network(), recipe, 0), **more)
    assert same(fit(path=path, trainee=Killed(network(), FAST, 0))[0], fit()[0])


@pytest.mark.parametrize("fault", ["half", "other", "flip", "names", "shapes"])
def test_damaged_checkpoints_are_named(fault, tmp_path):
    path = tmp_path / "c.part"
    fit(path=path)
    content = path.read_bytes()
    if fault == "half":
        path.write_bytes(content[: len(content) // 2])
    elif fault == "other":
        path.write_text("no checkpoint")
    elif fault == "flip":
        # A byte of the first weights: the archive's checksum tells.
        place = content.index(b"data/0") + 200
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    else:
        found = stored.read(path)
        if fault == "names":
            del found["optimizer"]
        else:
            found["network"]["head.weight"] = torch.zeros(3, 3)
        stored.write(path, found)
    with pytest.raises(DagnasError, match=r"c\.part is damaged.*remove it and begin anew"):
        fit(path=path)


def test_a_loss_that_is_nan_stops_with_its_step(tmp_path):
    path = tmp_path / "c.part"
    with pytest.raises(DagnasError, match="the loss of step 3 of epoch 2 is nan"):
        fit(path=path, trainee=Diverging(network(), FAST))
    assert [record["epoch"] for record in stored.read(path)["records"]] == [1]
    # It is a good one: the training goes on from it.
    weights = stored.read(path)["network"]
    assert all(value.isfinite().all() for value in weights.values())


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "c.part"
    with pytest.raises(Stopped):
        fit(path=path, trainee=Killed(network(), FAST, 1))
    kept = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(DagnasError, match=r"cannot write .*c\.part: No space left on device"):
        fit(path=path)
    assert path.read_bytes() == kept
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.part"]


def test_too_few_images_and_uneven_devices():
    with pytest.raises(DagnasError, match="50 to train on do not fill a batch of 64"):
        fit(TrainRecipe(batch_size=64))
    with pytest.raises(DagnasError, match="a batch of 16 cannot be shared evenly by 3 devices"):
        fit(devices=3)


def test_steps_may_be_more_or_fewer_than_the_images_fill():
    rows = []

    class Watched(StandAlone):
        def before_step(self, batch):
            rows.append(len(batch.labels))

    recipe = FAST.model_copy(update={"epochs": 1, "steps": 7})
    fit(recipe, trainee=Watched(network(), recipe))
    assert rows == [16] * 7


def test_bfloat16_keeps_weights_and_checkpoints_in_float32(tmp_path):
    path = tmp_path / "c.part"
    recipe = TrainRecipe(epochs=3, batch_size=16, learning_rate=0.1, precision="bf16")
    kinds = []

    class Watched(Trainee):
        def loss(self, batch):
            logits = self.network(batch.images)
            return nn.functional.cross_entropy(logits, batch.labels)

    net = network()
    net.path.register_forward_hook(lambda *_: None)
    net.head.register_forward_hook(lambda module, given, found: kinds.append(found.dtype))
    _, curve = fit(recipe, path, trainee=Watched(net))
    assert set(kinds) == {torch.bfloat16}
    assert {weight.dtype for weight in net.parameters()} == {torch.float32}
    assert stored.read(path)["network"]["head.weight"].dtype == torch.float32
    # Nothing told the logits.
    assert curve.records[0]["train_accuracy"] is None
    assert curve.records[-1]["loss"] < curve.records[0]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "job", [{}, {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "3", "SLURM_JOB_NAME": "snakejob"}]
)
def test_two_processes_share_a_training(tmp_path, job):
    from dagnas.training.trainer import is_first

    assert is_first()
    cell = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    words = ["train", "--space=nasbench201", f"--cell={cell}", "--images=digits", "--channels=4"]
    words += ["--layers=1", "--epochs=2", "--learning-rate=0.1", "--devices=2"]
    out = tmp_path / "two.parquet"
    command = [sys.executable, "-m", "dagnas", *words, f"--out={out}"]
    done = subprocess.run(
        command, check=True, timeout=300, text=True, capture_output=True, env=os.environ | job
    )
    assert "Starting with 2 processes" in done.stderr
    curve = files.read_parquet(out)
    assert curve["epoch"].to_pylist() == [1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["two.parquet", "two.pt"]
