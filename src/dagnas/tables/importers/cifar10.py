"""Importer of CIFAR-10: 60,000 images of 32x32 pixels, the last 10,000 of them for tests."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from dagnas.errors import DagnasError
from dagnas.outside.arrays import read_arrays

_SIDE, _CLASSES = 32, 10
#: In the official archive, in this order; each holds records of a label and 3 x 32 x 32 pixels.
_BATCHES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
_RECORD = 1 + 3 * _SIDE**2
#: Bytes of the unpacked archive, at most (the official one has 184 million), and its members.
_LARGEST, _MEMBERS = 2**28, 100


def read(source: Path, expected: int = 60_000) -> pa.Table:
    """Table of images.

    Parameters
    ----------
    source : Path
        The official binary archive (.tar.gz), or lossless pictures of 500 images each (.npz).
    expected : int
        Expected number of images.

    Returns
    -------
    pyarrow.Table
        Columns ``pixels`` (32 x 32 x 3 bytes, row by row) and ``label``.

    Raises
    ------
    DagnasError
        The source is damaged or incomplete.
    """
    try:
        parts = _archived(source) if source.suffix == ".gz" else _stripped(source, expected)
    # Damaged bytes end in errors of many kinds, in code that is not ours.
    except Exception as error:
        raise DagnasError(f"{source} is no readable source of cifar10: {error}") from error
    pixels, labels = (np.concatenate(values) for values in zip(*parts, strict=True))
    if len(pixels) != expected or len(labels) != expected:
        raise DagnasError(
            f"{source} holds {len(pixels)} images and {len(labels)} labels; expected {expected}"
        )
    if labels.min() < 0 or labels.max() >= _CLASSES:
        wrong = int(np.argmax((labels < 0) | (labels >= _CLASSES)))
        raise DagnasError(f"{source}: image {wrong} has the label {labels[wrong]}; valid: 0 to 9")
    size = pixels[0].size
    flat = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(size), len(pixels), [None, pa.py_buffer(np.ascontiguousarray(pixels).tobytes())]
    )
    return pa.table({"pixels": flat, "label": pa.array(labels, pa.uint8())})


Part = tuple[NDArray[np.uint8], NDArray[np.integer]]


def _archived(source: Path) -> list[Part]:
    """Images of the archive's members, read one by one and not written to disk."""
    found: dict[str, Part] = {}
    with gzip.open(source) as unpacked, tarfile.open(fileobj=_Bounded(unpacked)) as archive:
        for number, member in enumerate(archive):
            if number >= _MEMBERS:
                raise ValueError(f"it holds more than {_MEMBERS} files")
            name = Path(member.name).name
            if name not in _BATCHES or not member.isfile():
                continue
            if member.size % _RECORD or member.size > 10_000 * _RECORD:
                raise ValueError(f"{name} has {member.size} bytes, no whole images")
            file = archive.extractfile(member)
            records = np.frombuffer(file.read() if file else b"", np.uint8).reshape(-1, _RECORD)
            planes = records[:, 1:].reshape(-1, 3, _SIDE, _SIDE)
            found[name] = planes.transpose(0, 2, 3, 1), records[:, 0]
    if absent := [name for name in _BATCHES if name not in found]:
        raise ValueError(f"it lacks {', '.join(absent)}")
    return [found[name] for name in _BATCHES]


class _Bounded(io.RawIOBase):
    """File that ends with an error where more than `_LARGEST` bytes of it are read or skipped."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Bytes from here on."""
        self._check(self._file.tell() + (_LARGEST + 1 if size < 0 else size))
        return self._file.read(size)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._check(place)
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Place in the file."""
        return self._file.tell()

    def _check(self, end: int) -> None:
        if end > _LARGEST:
            raise ValueError(f"it unpacks to more than {_LARGEST:,} bytes")


def _stripped(source: Path, expected: int) -> list[Part]:
    """Images of WebP pictures, in each of which they are stacked one below the other."""
    names = [f"{kind}_{part}" for part in ("train", "test") for kind in ("webp", "len", "y")]
    arrays = read_arrays(source, dict.fromkeys(names, (1,)))
    parts, count = [], 0
    for part in ("train", "test"):
        bytes_, lengths, labels = (arrays[f"{kind}_{part}"] for kind in ("webp", "len", "y"))
        if bytes_.dtype != np.uint8 or not {lengths.dtype.kind, labels.dtype.kind} <= {"i", "u"}:
            raise ValueError(f"{part}: pictures, lengths or labels are no whole numbers")
        if not len(lengths) or lengths.min() < 1 or lengths.max() >= 2**31:
            raise ValueError(f"len_{part} has lengths that no picture can have")
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        if len(bytes_) != ends[-1]:
            raise ValueError(f"webp_{part} has {len(bytes_)} bytes, its pictures {ends[-1]}")
        pictures = []
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            pictures.append(_picture(bytes_[start:end].tobytes()))
            count += len(pictures[-1])
            if count > expected:
                raise ValueError(f"it holds more than {expected:,} images")
        parts.append((np.concatenate(pictures), labels))
    return parts


def _picture(packed: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(packed), formats=["WEBP"]) as picture:
        if picture.width != _SIDE or picture.height % _SIDE:
            raise ValueError(f"a picture has {picture.width} x {picture.height} pixels")
        return np.asarray(picture.convert("RGB")).reshape(-1, _SIDE, _SIDE, 3)
