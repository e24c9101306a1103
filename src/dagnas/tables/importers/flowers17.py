"""Importer of Flowers17: 1,360 flowers of 16 x 16 pixels in 17 classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from dagnas.errors import DagnasError
from dagnas.outside.arrays import read_arrays

_SIDE, _CLASSES = 16, 17
#: Images to train, validate and test on, in the table's order.
SIZES = (680, 340, 340)


def read(source: Path, sizes: tuple[int, int, int] = SIZES) -> pa.Table:
    """Table of images: those to train on, then those to validate and to test on.

    Parameters
    ----------
    source : Path
        An .npz file with ``images`` (bytes, N x 16 x 16 x 3), ``labels`` and ``split`` (0 to train,
        1 to validate, 2 to test).
    sizes : tuple of int
        Expected number of images of each split.

    Returns
    -------
    pyarrow.Table
        Columns ``pixels`` (16 x 16 x 3 bytes, row by row) and ``label``.

    Raises
    ------
    DagnasError
        The source is damaged or incomplete.
    """
    arrays = read_arrays(source, {"images": (4,), "labels": (1,), "split": (1,)})
    images, labels, parts = arrays.values()
    if images.dtype != np.uint8 or images.shape != (sum(sizes), _SIDE, _SIDE, 3):
        raise DagnasError(
            f"{source}: images are {images.dtype} of shape {images.shape}; expected uint8 of shape "
            f"{(sum(sizes), _SIDE, _SIDE, 3)}"
        )
    for name, values, classes in (("label", labels, _CLASSES), ("split", parts, len(sizes))):
        if values.dtype.kind not in "iu" or values.shape != images.shape[:1]:
            raise DagnasError(
                f"{source}: {name}s are {values.dtype} of shape {values.shape}; expected a whole "
                f"number for each of {len(images)} images"
            )
        wrong = (values < 0) | (values >= classes)
        if wrong.any():
            row = int(wrong.argmax())
            raise DagnasError(
                f"{source}: image {row} has the {name} {values[row]}; valid: 0 to {classes - 1}"
            )
    if (found := tuple(np.bincount(parts, minlength=len(sizes)).tolist())) != sizes:
        raise DagnasError(f"{source}: its splits have {found} images; expected {sizes}")
    order = np.argsort(parts, kind="stable")
    pixels = np.ascontiguousarray(images[order])
    flat = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(pixels[0].size), len(pixels), [None, pa.py_buffer(pixels.tobytes())]
    )
    return pa.table({"pixels": flat, "label": pa.array(labels[order], pa.uint8())})
