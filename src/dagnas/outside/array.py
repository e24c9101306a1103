"""An array from an .npy file, read after its header was checked."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.outside.arrays import _header


def read_array(path: Path, dimensions: Collection[int]) -> NDArray[Any]:
    """Array of numbers from an .npy file.

    Parameters
    ----------
    path : Path
    dimensions : collection of int
        Numbers of dimensions that it may have.

    Raises
    ------
    DagnasError
        The file is missing or damaged, or holds anything but such an array of plain numbers.
    """
    if not path.is_file():
        raise DagnasError(f"no such file: {path}")
    try:
        with path.open("rb") as file:
            header = _header(file)
            if len(header.shape) not in dimensions:
                wanted = " or ".join(map(str, dimensions))
                raise ValueError(f"the array has {len(header.shape)} dimensions, not {wanted}")
            if header.start + header.size != path.stat().st_size:
                raise ValueError("the array has not the size that it tells")
            values = np.frombuffer(file.read(header.size), header.dtype)
        return values.reshape(header.shape, order="F" if header.fortran else "C")
    # Damaged bytes end in errors of many kinds, in code that is not ours.
    except Exception as error:
        raise DagnasError(f"{path} is not a readable .npy file of an array: {error}") from error
