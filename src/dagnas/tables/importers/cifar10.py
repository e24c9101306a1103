"""Importer of CIFAR-10: 60,000 images of 32x32 pixels, the last 10,000 of them for tests."""

from __future__ import annotations

import io
import tarfile
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dagnas.errors import DagnasError

_SIDE, _CLASSES = 32, 10
#: In the official archive, in this order; each holds records of a label and 3 x 32 x 32 pixels.
_BATCHES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
_RECORD = 1 + 3 * _SIDE**2
_UNREADABLE = (
    OSError,
    KeyError,
    ValueError,
    EOFError,
    IndexError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    UnidentifiedImageError,
)


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
        parts = _archived(source) if source.suffix == ".gz" else _stripped(source)
    except _UNREADABLE as error:
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
    with tarfile.open(source, "r:gz") as archive:
        for member in archive:
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


def _stripped(source: Path) -> list[Part]:
    """Images of WebP pictures, in each of which they are stacked one below the other."""
    parts = []
    with zipfile.ZipFile(source), np.load(source, allow_pickle=False) as arrays:
        for part in ("train", "test"):
            packed = arrays[f"webp_{part}"].tobytes()
            ends = np.cumsum(arrays[f"len_{part}"], dtype=np.int64).tolist()
            if len(packed) != ends[-1]:
                raise ValueError(f"webp_{part} has {len(packed)} bytes, its pictures {ends[-1]}")
            pictures = [_picture(packed[a:b]) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
            parts.append((np.concatenate(pictures), arrays[f"y_{part}"]))
    return parts


def _picture(packed: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(packed), formats=["WEBP"]) as picture:
        if picture.width != _SIDE or picture.height % _SIDE:
            raise ValueError(f"a picture has {picture.width} x {picture.height} pixels")
        return np.asarray(picture.convert("RGB")).reshape(-1, _SIDE, _SIDE, 3)
