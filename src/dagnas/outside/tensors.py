"""Tensors from files of `torch.save`, read without torch: plain data with arrays in their place.

`torch.load` runs nothing of a file either if it is told so, but asks for as much memory as a file
says, and its reader of pickles follows nesting without end.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.outside.pickles import Limits, Parameters, load

#: Files that an archive may hold, and what its pickle may do. A state of a model takes some
#: hundred tensors, each a dozen containers; files hold many states.
_FILES = 2**17
_LIMITS = Limits(size=2**26, steps=2**23, containers=2**20)


@dataclass(frozen=True)
class _Kind:
    """Type of the numbers of a storage."""

    dtype: np.dtype[Any]


_KINDS = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}


class _Archive:
    """Storages of a file, each read once, and the tensors that are parts of them."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._infos = {info.filename: info for info in archive.infolist()}
        names = [name for name in self._infos if name.endswith("/data.pkl")]
        if len(names) != 1 or len(self._infos) > _FILES:
            raise ValueError("it was not written by torch.save")
        self._pickle, self._root = names[0], names[0].removesuffix("data.pkl")
        order = f"{self._root}byteorder"
        if order in self._infos and self._bytes(order, 10) != b"little":
            raise ValueError("it was written on a machine of another byte order")
        self._storages: dict[str, NDArray[Any]] = {}
        # Tensors that share a storage are copies of it in the end; real ones share none or few.
        self._left = 2 * sum(info.file_size for info in self._infos.values())

    def _bytes(self, name: str, most: int) -> bytes:
        info = self._infos[name]
        # `torch.save` compresses nothing, so what is compressed may be far larger than the file.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > most:
            raise ValueError(f"its member {name:.50} is compressed or too large")
        return self._archive.read(info)

    def read(self) -> Any:
        """Object of the file, with arrays in place of tensors."""
        known = {name: _Kind(np.dtype(code)) for name, code in _KINDS.items()}
        return load(
            self._bytes(self._pickle, _LIMITS.size),
            {
                "collections.OrderedDict": Parameters,
                "torch._utils._rebuild_tensor_v2": self._tensor,
                **known,
            },
            self._storage,
            _LIMITS,
        )

    def _storage(self, reference: Any) -> NDArray[Any]:
        """Numbers of a storage, from its reference in the pickle."""
        word, kind, key, _, count = reference
        if word != "storage" or type(kind) is not _Kind or type(key) is not str:
            raise TypeError("a reference to what is no storage")
        if key not in self._storages:
            raw = self._bytes(f"{self._root}data/{key}", 2**40)
            if type(count) is not int or len(raw) != count * kind.dtype.itemsize:
                raise ValueError("a storage has not the size that its reference tells")
            self._storages[key] = np.frombuffer(raw, kind.dtype)
        if self._storages[key].dtype != kind.dtype:
            raise TypeError("a storage of two types")
        return self._storages[key]

    def _tensor(
        self, storage: Any, offset: Any, shape: Any, strides: Any, *_: object
    ) -> NDArray[Any]:
        """Part of a storage as an array."""
        whole = type(shape) is type(strides) is tuple and len(shape) == len(strides) <= 8
        numbers = (offset, *shape, *strides) if whole else (None,)
        if not isinstance(storage, np.ndarray) or not all(
            type(number) is int and 0 <= number < 2**40 for number in numbers
        ):
            raise TypeError("a tensor of an impossible shape")
        count = math.prod(shape)
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        self._left -= count * storage.itemsize
        if count > len(storage) or (count and last >= len(storage)) or self._left < 0:
            raise ValueError("a tensor reaches beyond its storage")
        if not count:
            return np.zeros(shape, storage.dtype)
        steps = [step * storage.itemsize for step in strides]
        return as_strided(storage[offset:], shape, steps).copy()


def read_tensors(path: Path) -> Any:
    """Object that `torch.save` wrote: plain data, with arrays in place of tensors.

    Raises
    ------
    DagnasError
        The file is missing, damaged, holds anything else, or would take far more memory than it
        has bytes. The message does not name it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Archive(archive).read()
    except DagnasError:
        raise
    except FileNotFoundError as error:
        raise DagnasError(f"no such file: {path}") from error
    # Damaged bytes end in errors of many kinds, in code that is not ours.
    except Exception as error:
        raise DagnasError(f"{type(error).__name__}: {error!s:.200}") from error
