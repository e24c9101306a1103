"""Pickles from outside, read without running anything of theirs.

A pickle is a small program, and a global in it can name any function. Here a global is looked up
in `ALLOWED`, whose values are functions of this module that only build plain data; any other name
is refused. `load` reads a pickle as a whole; `large_pickle` reads the one that is too large for
this.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from dagnas.errors import DagnasError


class _Dtype:
    """Stands for `numpy.dtype`: only simple numbers are known."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in ("f8", "f4", "i8", "i4", "u1", "b1"):
            raise ValueError(f"numbers of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    (value,) = np.frombuffer(data, dtype.dtype)
    return value.item()


def _encode(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


class _State(dict[str, Any]):
    """Stands for a result class of nas_201_api: its attributes are what counts."""

    __setstate__ = dict.update


#: What a global of a benchmark file may be, and what is called in its place.
ALLOWED: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": OrderedDict,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.dtype": _Dtype,
    "_codecs.encode": _encode,
    "__builtin__.set": set,
    "builtins.set": set,
    "nas_201_api.api_utils.ArchResults": _State,
    "nas_201_api.api_utils.ResultsCount": _State,
    "nas_201_api.api.ArchResults": _State,
    "nas_201_api.api.ResultsCount": _State,
}


def allowed(module: str, name: str) -> Callable[..., Any]:
    """Function called in place of a global.

    Raises
    ------
    DagnasError
        It is not in `ALLOWED`.
    """
    full = f"{module}.{name}"
    if full not in ALLOWED:
        raise DagnasError(
            f"its pickle asks for {full}, which no benchmark file needs; nothing of it was run"
        )
    return ALLOWED[full]


#: Message about a pickle that refers to torch's storages.
TENSORS = "its pickle holds tensors, which no benchmark table needs"


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return allowed(module, name)

    def persistent_load(self, pid: Any) -> Any:
        raise DagnasError(TENSORS)


#: What damaged bytes make an unpickler raise.
DAMAGE = (
    pickle.UnpicklingError, struct.error, ArithmeticError, AttributeError, EOFError, ImportError,
    IndexError, KeyError, MemoryError, TypeError, ValueError,
)  # fmt: skip


def load(pickled: BinaryIO | bytes | bytearray) -> Any:
    """Read one pickle of plain data; a file is left behind its end.

    Raises
    ------
    DagnasError
        It asks for a global that is not in `ALLOWED`, or is damaged.
    """
    try:
        file = io.BytesIO(pickled) if isinstance(pickled, (bytes, bytearray)) else pickled
        return _Unpickler(file).load()
    except DAMAGE as error:
        raise DagnasError(f"its pickle is damaged: {error!r}") from error
