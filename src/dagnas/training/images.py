"""Sets of labelled images: reading, checks, splits, random shifts."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.files import read_parquet
from dagnas.outside.arrays import read_arrays
from dagnas.seeds import stream

_SPLITS = 3
#: Numbers of channels that images have: grey, colour, and colour with transparency.
_CHANNELS = (1, 3, 4)
#: Pixels along one side for each along the other, at most.
_RATIO = 16
_LABELS = ("uint8", "int8", "int16", "int32", "int64")
#: Tables of images that are known by name.
TABLES = ("cifar10", "flowers17")


@dataclass(frozen=True)
class ImageSet:
    """Labelled images.

    Parameters
    ----------
    name : str
        Name of the set, which also names the random streams of trainings on it.
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, C)
    labels : ndarray of integers, shape (N,)
        Classes, 0 to K - 1; every class occurs.

    Raises
    ------
    DagnasError
        A shape, type or value differs from these; a class has fewer images than there are splits.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        images, labels = np.asarray(self.images), np.asarray(self.labels)
        if images.dtype != np.uint8:
            nan = images.dtype.kind == "f" and bool(np.isnan(images).any())
            raise self._refuse(
                f"images are {images.dtype}{' with NaN' if nan else ''}, expected uint8 (0 to 255)"
            )
        if images.ndim not in (3, 4) or 0 in images.shape:
            raise self._refuse(f"images have shape {images.shape}, expected (N, H, W[, C])")
        height, width, channels = (*images.shape[1:], 1)[:3]
        if channels not in _CHANNELS or max(height, width) > _RATIO * min(height, width):
            raise self._refuse(
                f"images have shape {images.shape}, which is {height} x {width} pixels and "
                f"{channels} channels; expected (N, H, W) or (N, H, W, C) with C = 1, 3 or 4 as "
                "the last axis"
            )
        if labels.shape != images.shape[:1]:
            raise self._refuse(
                f"labels have shape {labels.shape}, expected one for each of {len(images)} images"
            )
        if labels.dtype.kind == "f" and np.isnan(labels).any():
            raise self._refuse(f"the label of image {int(np.isnan(labels).argmax())} is NaN")
        if labels.dtype.kind not in "iu":
            raise self._refuse(f"labels are {labels.dtype}, expected integers from 0 on")
        if labels.min() < 0:
            raise self._refuse(f"label {labels.min()} is out of range, expected 0 to classes - 1")
        classes = np.unique(labels)
        if len(classes) < 2:
            raise self._refuse(f"all labels are {classes[0]}; at least two classes are needed")
        if classes[-1] != len(classes) - 1:
            absent = int((classes != np.arange(len(classes))).argmax())
            raise self._refuse(
                f"label {classes[-1]} is out of range: with {len(classes)} classes, labels are "
                f"0 to {len(classes) - 1} (no image has label {absent})"
            )
        labels = labels.astype(np.int64)
        count = np.bincount(labels)
        if count.min() < _SPLITS:
            raise self._refuse(
                f"too few images: class {count.argmin()} has {count.min()}, and training, "
                f"validation and test need one each"
            )
        object.__setattr__(self, "images", images.reshape(*images.shape[:3], -1))
        object.__setattr__(self, "labels", labels)

    def _refuse(self, why: str) -> DagnasError:
        return DagnasError(f"image set {self.name}: {why}")

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return int(self.labels.max()) + 1

    @property
    def shape(self) -> dict[str, Any]:
        """Size and channels of the images, and classes, as of `dagnas.networks.NetworkShape`."""
        _, height, width, channels = self.images.shape
        sizes = {"image_channels": channels, "height": height, "width": width}
        return {**sizes, "classes": self.classes}

    def digest(self) -> str:
        """SHA-256 of images and labels."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(self.images.tobytes())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


def read_npz(path: Path) -> ImageSet:
    """Image set from the arrays ``images`` and ``labels`` of an .npz file.

    Raises
    ------
    DagnasError
        The file is missing or damaged, lacks an array or holds pickled objects, or its arrays are
        not an image set.
    """
    # `ImageSet` tells more of wrong dimensions.
    arrays = read_arrays(path, {"images": range(9), "labels": range(9)})
    return ImageSet(path.stem, arrays["images"], arrays["labels"])


def read_table(path: Path) -> ImageSet:
    """Image set from the columns ``pixels`` and ``label`` of a table of square colour images.

    Raises
    ------
    DagnasError
        The file is missing or damaged, or its columns are not an image set.
    """
    table = read_parquet(path, ["pixels", "label"]).combine_chunks()
    pixels, label = table["pixels"].combine_chunks(), table["label"]
    width = pixels.type.byte_width if pa.types.is_fixed_size_binary(pixels.type) else 0
    side = math.isqrt(width // 3)
    if 3 * side**2 != width or not width or str(label.type) not in _LABELS:
        raise DagnasError(
            f"{path} is no table of square colour images: pixels are {pixels.type}, labels "
            f"{label.type}"
        )
    if pixels.null_count or label.null_count:
        raise DagnasError(f"{path} is no table of images: a value is missing")
    images = np.frombuffer(pixels.buffers()[1], np.uint8)[width * pixels.offset :]
    images = images[: width * len(pixels)].reshape(-1, side, side, 3)
    return ImageSet(path.stem, images, table["label"].to_numpy().astype(np.int64))


def digits() -> ImageSet:
    """Scikit-learn's 1,797 handwritten digits of 8x8 pixels, grey levels 0 to 16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return ImageSet("digits", bunch.images.astype(np.uint8), bunch.target)


def find_images(text: str, name: str | None = None) -> ImageSet:
    """Image set of an .npz file, or ``digits``; ``name`` replaces its own.

    Raises
    ------
    DagnasError
        See `read_npz`.
    """
    found = digits() if text == "digits" else read_npz(Path(text))
    return ImageSet(name, found.images, found.labels) if name else found


def open_images(text: str, data: Path, pixels: int | None = None) -> ImageSet:
    """Image set by its name or file, reduced if asked for.

    Parameters
    ----------
    text : str
        ``digits``; a table of images, its file or, of those in `TABLES`, its name alone; or an .npz
        file.
    data : Path
        Folder of tables.
    pixels : int, optional
        Larger side of the images, to which they are reduced; see `reduced`.

    Raises
    ------
    DagnasError
        See `read_npz`, `read_table` and `reduced`.
    """
    if text in TABLES:
        found = read_table(data / f"{text}.parquet")
    else:
        found = read_table(Path(text)) if text.endswith(".parquet") else find_images(text)
    return reduced(found, pixels) if pixels else found


def reduced(images: ImageSet, pixels: int) -> ImageSet:
    """Image set of fewer pixels, each the mean of a square of them, rounded.

    Parameters
    ----------
    images : ImageSet
    pixels : int
        Larger side of the images that are asked for.

    Raises
    ------
    DagnasError
        Squares of whole pixels do not give that size.
    """
    _, height, width, _ = images.images.shape
    side = max(height, width) // pixels
    if not side or max(height, width) % pixels or height % side or width % side:
        raise DagnasError(
            f"image set {images.name}: {height} x {width} pixels cannot be reduced to {pixels}: "
            "expected a size that divides theirs"
        )
    # Sums of shifted views take neither the time nor the memory of means over two axes.
    total = np.full(images.images[:, ::side, ::side].shape, side * side // 2, np.uint32)
    for down in range(side):
        for across in range(side):
            total += images.images[:, down::side, across::side]
    total //= side * side
    return ImageSet(images.name, total.astype(np.uint8), images.labels)


class Split(NamedTuple):
    """Rows of an image set to train, validate and test on; each in ascending order."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]


def split(images: ImageSet, sizes: tuple[int, int, int], rng: np.random.Generator) -> Split:
    """Draw the images of each split, stratified by class.

    Parameters
    ----------
    images : ImageSet
    sizes : tuple of int
        Number of images to train, validate and test on.
    rng : numpy Generator

    Raises
    ------
    DagnasError
        The set has too few images.
    """
    count = len(images.labels)
    if min(sizes) < images.classes or sum(sizes) > count:
        raise DagnasError(
            f"image set {images.name}: too few images: {count} of {images.classes} classes cannot "
            f"be split into {sizes[0]} + {sizes[1]} + {sizes[2]} (each at least one of a class)"
        )
    order = rng.permutation(count)
    place = np.empty(count)
    for label in range(images.classes):
        own = order[images.labels[order] == label]
        place[own] = (np.arange(len(own)) + rng.random()) / len(own)
    # In this order every stretch holds each class in proportion.
    parts = np.split(np.argsort(place, kind="stable"), np.cumsum(sizes))
    return Split(*(np.sort(part) for part in parts[:3]))


def split_thirds(images: ImageSet) -> Split:
    """Split into thirds for training, validation and test, stratified by class."""
    third = len(images.labels) // 3
    return split(images, (third, third, third), stream(images.name, "thirds"))


def split_before_test(images: ImageSet, train: int, valid: int, test: int) -> Split:
    """Split that keeps the last ``test`` images, the set's own test images, for testing.

    Those to train and to validate on are drawn from the others, stratified by class.
    """
    known = len(images.labels) - test
    others = ImageSet(images.name, images.images[:known], images.labels[:known])
    drawn = split(others, (train, valid, images.classes), stream(images.name, "before test"))
    return drawn._replace(test=np.arange(known, known + test))


def split_in_order(images: ImageSet, train: int, valid: int, test: int) -> Split:
    """Split of a set whose own order it is: those to train on, to validate on, and to test on.

    An image that recurs, pixel for pixel, in a later part is left out of the earlier one, so that
    nothing is tested on what was seen before.

    Raises
    ------
    DagnasError
        The set has another number of images.
    """
    count = len(images.images)
    if count != train + valid + test:
        raise DagnasError(
            f"image set {images.name} has {count} images; expected {train} + {valid} + {test}"
        )
    part = np.repeat(np.arange(_SPLITS), (train, valid, test))
    _, same = np.unique(images.images.reshape(count, -1), axis=0, return_inverse=True)
    last = np.zeros(count, dtype=np.int64)
    np.maximum.at(last, same.ravel(), part)
    kept = part == last[same.ravel()]
    return Split(*(np.flatnonzero(kept & (part == number)) for number in range(_SPLITS)))


def split_small(images: ImageSet) -> Split:
    """Split of CIFAR-10 in small: 2,000 images to train, 2,000 to validate and 2,000 to test on.

    Those to test on are each fifth of its 10,000 test images, which may be sorted by class.
    """
    parts = split_before_test(images, 2_000, 2_000, 10_000)
    return parts._replace(test=parts.test[::5])


def shift(images: NDArray[np.uint8], most: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Shift every image by up to ``most`` pixels vertically and horizontally, padding with zeros.

    Parameters
    ----------
    images : ndarray, shape (B, H, W, C)
    most : int
    rng : numpy Generator
    """
    batch, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    top, left = rng.integers(0, 2 * most + 1, (2, batch, 1, 1))
    rows = top + np.arange(height)[:, None]
    shifted: NDArray[np.uint8] = padded[
        np.arange(batch)[:, None, None], rows, left + np.arange(width)
    ]
    return shifted
