"""Safe reading of pickles from outside, without running any of their code.

A pickle is a small program, and a global in it can name any function. Here globals are looked up
in `ALLOWED`, whose values only build plain data; any other name is refused. `load` reads a pickle
as a whole; `large_pickle` reads the one that is too large for this.
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
    """Replacement of `numpy.dtype` that knows simple numbers only."""

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
    """Replacement of a result class of nas_201_api: a dict of its attributes."""

    __setstate__ = dict.update


#: Globals that a benchmark file may ask for, and the function called in place of each.
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


#: Errors that an unpickler may raise on damaged bytes.
DAMAGE = (
    pickle.UnpicklingError, struct.error, ArithmeticError, AttributeError, EOFError, ImportError,
    IndexError, KeyError, MemoryError, TypeError, ValueError,
)  # fmt: skip


def load(pickled: BinaryIO | bytes | bytearray) -> Any:
    """Read one pickle of plain data; a file is left at the end of the pickle.

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
