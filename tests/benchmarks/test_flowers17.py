"""Flowers17: its source, faults, its own split, and the name by which images are opened."""

import numpy as np
import pytest

from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.tables.fetch import fetch
from dagnas.tables.importers import flowers17, import_table
from dagnas.training.images import ImageSet, open_images, split_in_order

SIZES = (51, 34, 34)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (sum(SIZES), 16, 16, 3), dtype=np.uint8)
LABELS = np.arange(len(PIXELS)) % 17
PARTS = np.repeat(np.arange(3), SIZES)


def source(path, **changes):
    # In another order than that of the splits.
    order = np.random.default_rng(1).permutation(len(PIXELS))
    arrays = {"images": PIXELS, "labels": LABELS, "split": PARTS.astype(np.int8)}
    arrays = {name: changes.get(name, array)[order] for name, array in arrays.items()}
    np.savez(path, **{name: a for name, a in arrays.items() if name not in changes.get("drop", ())})
    return order


def test_the_table_holds_the_splits_one_after_another(tmp_path):
    order = source(tmp_path / "x.npz")
    write_parquet(flowers17.read(tmp_path / "x.npz", SIZES), tmp_path / "flowers17.parquet")
    found = open_images("flowers17", tmp_path)
    assert (found.name, found.classes) == ("flowers17", 17)
    start = 0
    for number, size in enumerate(SIZES):
        own = order[PARTS[order] == number]
        rows = slice(start, start + size)
        assert (found.images[rows] == PIXELS[own]).all()
        assert (found.labels[rows] == LABELS[own]).all()
        start += size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": ("split",)}, "lacks split"),
        ({"images": PIXELS[:, :8]}, r"images are uint8 of shape \(119, 8, 16, 3\)"),
        ({"images": PIXELS.astype(float)}, "images are float64"),
        ({"labels": LABELS + 1}, "has the label 17; valid: 0 to 16"),
        ({"labels": LABELS.astype(float)}, "labels are float64"),
        ({"split": PARTS - 1}, "has the split -1; valid: 0 to 2"),
        ({"split": np.zeros(119, int)}, r"its splits have \(119, 0, 0\) images"),
    ],
)
def test_faults(tmp_path, changes, message):
    source(tmp_path / "x.npz", **changes)
    with pytest.raises(DagnasError, match=message):
        flowers17.read(tmp_path / "x.npz", SIZES)


def test_another_file_is_refused(tmp_path):
    source(tmp_path / "flowers17_16px.npz")
    with pytest.raises(DagnasError, match="SHA-256"):
        fetch("flowers17", tmp_path, [str(tmp_path)])
    with pytest.raises(DagnasError, match=r"x\.csv is no source of flowers17.*an \.npz file"):
        import_table("flowers17", [tmp_path / "x.csv"])


def test_images_that_recur_are_kept_in_the_last_part_alone():
    pixels = PIXELS[:12].copy()
    # 0 and 1 recur in training alone, 2 in validation, 3 in test, 6 of validation in test.
    pixels[1], pixels[7], pixels[9], pixels[10] = pixels[0], pixels[2], pixels[3], pixels[6]
    images = ImageSet("x", pixels, np.arange(12) % 3)
    parts = split_in_order(images, 6, 3, 3)
    assert [part.tolist() for part in parts] == [[0, 1, 4, 5], [7, 8], [9, 10, 11]]
    with pytest.raises(DagnasError, match=r"has 12 images; expected 6 \+ 3 \+ 4"):
        split_in_order(images, 6, 3, 4)


def test_real_file(mirror, tmp_path):
    assert "1,360 images" in fetch("flowers17", tmp_path, [str(mirror)])
    assert "up to date" in fetch("flowers17", tmp_path, [str(mirror)])
    images = open_images("flowers17", tmp_path)
    assert (np.bincount(images.labels[:680]) == 40).all()
    assert (np.bincount(images.labels[680:1020]) == 20).all()
    # Nine images of these are in a later part too, and three of the validation images.
    assert tuple(map(len, split_in_order(images, *flowers17.SIZES))) == (671, 337, 340)
