"""CIFAR-10: both sources, faults, splits, networks of decided layers on it."""

import io
import tarfile

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dagnas.benchmarks import BENCHMARKS, trained
from dagnas.benchmarks.benchmark import find_policy
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.tables.fetch import fetch
from dagnas.tables.importers import cifar10, import_table
from dagnas.training.images import read_table, split_before_test
from dagnas.training.layered import LayeredRecipe

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(60) % 10


def archive(path, change=lambda members: None, folder="cifar-10-batches-bin"):
    records = np.concatenate(
        [LABELS[:, None].astype(np.uint8), PIXELS.transpose(0, 3, 1, 2).reshape(60, -1)], axis=1
    )
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    members = {name: records[10 * i : 10 * i + 10].tobytes() for i, name in enumerate(names)}
    members["readme.html"] = b"<p>"
    change(members)
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def strips(path, **changes):
    arrays = {}
    for part, rows in (("train", slice(50)), ("test", slice(50, 60))):
        packed = []
        for start in range(0, len(PIXELS[rows]), 10):
            buffer = io.BytesIO()
            picture = Image.fromarray(PIXELS[rows][start : start + 10].reshape(-1, 32, 3))
            picture.save(buffer, "WEBP", lossless=True)
            packed.append(buffer.getvalue())
        arrays[f"webp_{part}"] = np.frombuffer(b"".join(packed), np.uint8)
        arrays[f"len_{part}"] = np.array([len(strip) for strip in packed])
        arrays[f"y_{part}"] = LABELS[rows]
    np.savez(path, **{name: a for name, a in (arrays | changes).items() if a is not None})
    return path


def test_both_sources_give_the_same_images(tmp_path):
    one = cifar10.read(archive(tmp_path / "x.tar.gz"), expected=60)
    two = cifar10.read(strips(tmp_path / "x.npz"), expected=60)
    assert one.equals(two)
    write_parquet(one, tmp_path / "cifar10.parquet")
    images = read_table(tmp_path / "cifar10.parquet")
    assert (images.images == PIXELS).all()
    assert (images.labels == LABELS).all()
    assert images.name == "cifar10"


def test_archives_with_faults(tmp_path):
    path = tmp_path / "x.tar.gz"
    faults = {
        "it lacks data_batch_3.bin": lambda m: m.pop("data_batch_3.bin"),
        "test_batch.bin has 30729 bytes, no whole images": lambda m: m.update(
            {"test_batch.bin": m["test_batch.bin"][:-1]}
        ),
        "image 0 has the label 11; valid: 0 to 9": lambda m: m.update(
            {"data_batch_1.bin": bytes([11]) + m["data_batch_1.bin"][1:]}
        ),
        "holds 50 images and 50 labels; expected 60": lambda m: m.update({"test_batch.bin": b""}),
    }
    for message, change in faults.items():
        with pytest.raises(DagnasError, match=message):
            cifar10.read(archive(path, change), expected=60)
    whole = archive(path).read_bytes()
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(DagnasError, match=r"x\.tar\.gz is no readable source of cifar10"):
            cifar10.read(path, expected=60)


def test_members_are_never_written(tmp_path):
    path = archive(tmp_path / "x.tar.gz", folder="../../outside")
    cifar10.read(path, expected=60)
    assert [p.name for p in tmp_path.rglob("*")] == ["x.tar.gz"]
    assert not (tmp_path.parent.parent / "outside").exists()


def test_strips_with_faults(tmp_path):
    path = tmp_path / "x.npz"
    wide = io.BytesIO()
    Image.new("RGB", (64, 32)).save(wide, "WEBP", lossless=True)
    wide = np.frombuffer(wide.getvalue(), np.uint8)
    faults = {
        "webp_test has 3 bytes": {"webp_test": np.zeros(3, np.uint8)},
        "y_train": {"y_train": None},
        "a picture has 64 x 32 pixels": {"webp_test": wide, "len_test": np.array([len(wide)])},
        "holds 60 images and 59 labels": {"y_test": LABELS[51:]},
        "x.npz is no readable source": {"y_test": np.array([print], dtype=object)},
    }
    for message, changes in faults.items():
        with pytest.raises(DagnasError, match=message):
            cifar10.read(strips(path, **changes), expected=60)
    path.write_bytes(b"nonsense")
    with pytest.raises(DagnasError, match=r"x\.npz is no readable source"):
        cifar10.read(path)
    with pytest.raises(DagnasError, match=r"x\.bin is no source of cifar10.*\.tar\.gz or an \.npz"):
        import_table("cifar10", [tmp_path / "x.bin"])


def test_the_last_images_are_the_test(tmp_path):
    write_parquet(cifar10.read(strips(tmp_path / "x.npz"), expected=60), tmp_path / "c.parquet")
    images = read_table(tmp_path / "c.parquet")
    parts = split_before_test(images, 20, 20, 10)
    assert parts.test.tolist() == list(range(50, 60))
    assert (len(parts.train), len(parts.valid)) == (20, 20)
    assert not set(parts.train) & set(parts.valid)
    for rows in parts[:2]:
        assert rows.max() < 50
        assert (np.bincount(images.labels[rows]) == 2).all()
    # A table of other columns is no image set.
    write_parquet(pa.table({"label": [1]}), tmp_path / "d.parquet")
    with pytest.raises(DagnasError, match="lacks the columns pixels"):
        read_table(tmp_path / "d.parquet")


@pytest.mark.parametrize("name", ["layers_cifar10", "layers_cifar10_linear"])
def test_layers_are_trained_on_it(name, tmp_path, monkeypatch):
    write_parquet(
        cifar10.read(strips(tmp_path / "x.npz"), expected=60), tmp_path / "cifar10.parquet"
    )
    bench = BENCHMARKS.get(name).open(tmp_path)
    sizes = []

    def smaller(images, *asked):
        sizes.append(asked)
        return split_before_test(images, 20, 20, 10)

    monkeypatch.setattr(trained, "split_before_test", smaller)
    assert (bench.recipe.batch_size, bench.recipe.epochs, bench.on_gpu) == (128, 20, True)
    bench.recipe = LayeredRecipe(epochs=1, batch_size=10)
    walks = bench.space.sample(1, np.random.default_rng(0))
    found = bench.evaluate(walks, find_policy(bench, "reward"), np.random.default_rng(0))
    assert sizes == [(25_000, 10_000, 10_000)]
    assert (20 * found.valid[0]) % 1 == pytest.approx(0, abs=1e-9)
    assert (10 * found.test[0]) % 1 == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_real_file(mirror, tmp_path):
    assert "60,000 images" in fetch("cifar10", tmp_path, [str(mirror)])
    images = read_table(tmp_path / "cifar10.parquet")
    # The published means and deviations, of the training images.
    scaled = images.images[:50_000].reshape(-1, 3)
    np.testing.assert_allclose(scaled.mean(axis=0) / 255, [0.4914, 0.4822, 0.4465], atol=1e-4)
    assert (np.bincount(images.labels[50_000:]) == 1000).all()
