"""Arrays from an .npz file, read after its headers were checked."""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError

#: Bytes that the arrays of any file may take, and what they may take for each of its bytes.
#: Compression can make a file of kilobytes hold gigabytes; that of real images saves less.
_ANYWAY, _RATIO = 2**28, 20
#: Names that a file may hold.
_NAMES = 1000
#: Bytes of an array's header.
_HEADER = 2**12
#: Bytes that are read at a time.
_PART = 2**20
_MAGIC = b"\x93NUMPY"


class _Header(NamedTuple):
    """Header of an array: its type, shape and order, and where its values begin."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    start: int

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_arrays(path: Path, dimensions: Mapping[str, Collection[int]]) -> dict[str, NDArray[Any]]:
    """Arrays of numbers from an .npz file.

    Parameters
    ----------
    path : Path
    dimensions : mapping of str to collection of int
        Names of the arrays, and the numbers of dimensions that each may have.

    Returns
    -------
    dict of str to ndarray
        In the order of ``dimensions``.

    Raises
    ------
    DagnasError
        The file is missing or damaged, lacks an array, holds anything but plain numbers there, or
        would take far more memory than the file has bytes.
    """
    if not path.is_file():
        raise DagnasError(f"no such file: {path}")
    try:
        # NumPy alone would also read a file of one single array, and make room for arrays before
        # it knows how much there is to read.
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path, dimensions)
    except DagnasError:
        raise
    # Damaged bytes end in errors of many kinds, in code that is not ours.
    except Exception as error:
        raise DagnasError(f"{path} is not a readable .npz file of arrays: {error}") from error


def _read(
    archive: zipfile.ZipFile, path: Path, dimensions: Mapping[str, Collection[int]]
) -> dict[str, NDArray[Any]]:
    infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if len(archive.infolist()) > _NAMES or len(infos) < len(archive.infolist()):
        raise ValueError(f"it holds more than {_NAMES} arrays, or two of one name")
    if missing := dimensions.keys() - infos.keys():
        held = ", ".join(infos) or "nothing"
        raise DagnasError(f"{path} lacks {' and '.join(sorted(missing))}; it holds {held:.200}")
    headers = {}
    for name, expected in dimensions.items():
        with archive.open(infos[name]) as file:
            headers[name] = header = _header(file)
        if len(header.shape) not in expected:
            wanted = " or ".join(map(str, expected))
            raise ValueError(f"{name} has {len(header.shape)} dimensions, not {wanted}")
        if header.start + header.size != infos[name].file_size:
            raise ValueError(f"{name} has not the size that it tells")
    most = max(_ANYWAY, _RATIO * path.stat().st_size)
    if (size := sum(header.size for header in headers.values())) > most:
        raise ValueError(f"its arrays would take {size:,} bytes of memory, more than {most:,}")
    return {name: _values(archive, infos[name], header) for name, header in headers.items()}


def _values(archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: _Header) -> NDArray[Any]:
    """Array with this header."""
    values = np.empty(header.shape, header.dtype, order="F" if header.fortran else "C")
    room = values.reshape(-1, order="A").view(np.uint8).data
    with archive.open(info) as file:
        file.read(header.start)
        place = 0
        # The last read, of nothing, compares the checksum.
        while part := file.read(_PART):
            room[place : place + len(part)] = part
            place += len(part)
    if place != header.size:
        raise ValueError("a member ends early")
    return values


def _header(file: IO[bytes]) -> _Header:
    """Header of the array that a file begins with."""
    head = file.read(len(_MAGIC) + 2)
    if head[:-2] != _MAGIC or head[-2] not in (1, 2, 3):
        raise ValueError("a member is no array")
    size = struct.Struct("<H" if head[-2] == 1 else "<I")
    (length,) = size.unpack(file.read(size.size))
    if length > _HEADER:
        raise ValueError("the header of an array is too long")
    text = file.read(length).decode("latin1")
    # Nothing but a flat dict is parsed, as deep nesting would be costly.
    if not re.fullmatch(r"\{[\w\s':,<>|=.()-]*\}\s*", text) or text.count("(") > 1:
        raise ValueError("an array with a header that NumPy would not write")
    known = ast.literal_eval(text)
    dtype, shape, fortran = (known[key] for key in ("descr", "shape", "fortran_order"))
    if not isinstance(dtype, str) or not isinstance(shape, tuple) or not isinstance(fortran, bool):
        raise ValueError("an array with a header that NumPy would not write")
    if (kind := np.dtype(dtype)).kind not in "biuf":
        raise ValueError("numbers are expected, and no pickled objects, texts or times")
    if not all(type(side) is int and side >= 0 for side in shape) or len(shape) > 8:
        raise ValueError("an array of an impossible shape")
    return _Header(kind, shape, fortran, len(head) + size.size + length)
