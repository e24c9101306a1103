"""Pickles from outside, read without running anything of theirs.

A pickle is a small program, and a global in it can name any function. Here a global is looked up
in `ALLOWED`, whose values are functions of this module that only build plain data; any other name
is refused. `load` reads a pickle as a whole. `stream` reads the one pickle that is too large for
this, item by item.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError


class _Dtype:
    """Stands for `numpy.dtype`: only simple numbers are known."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in ("f8", "f4", "i8", "i4", "u1", "b1"):
            raise ValueError(f"numbers of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


def _scalar(dtype: _Dtype, data: bytes) -> float:
    (value,) = np.frombuffer(data, dtype.dtype)
    return value.item()


def _encode(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


class _State(dict):
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


def _allowed(module: str, name: str) -> Callable[..., Any]:
    full = f"{module}.{name}"
    if full not in ALLOWED:
        raise DagnasError(
            f"its pickle asks for {full}, which no benchmark file needs; nothing of it was run"
        )
    return ALLOWED[full]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _allowed(module, name)

    def persistent_load(self, pid: Any) -> Any:
        raise DagnasError("its pickle holds tensors, which no benchmark table needs")


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


# A pickle writes an object once and remembers it under a number; a later use of the same object is
# this number. The reader of a large pickle cannot remember everything, so `stream` goes through the
# file twice: first for the numbers that are used long after they were given, then for the objects,
# of which it remembers those and, of the others, the last block of _WINDOW and the one before.
# A cell of the official file takes about 10,000 numbers.
_WINDOW = 2**16
_BLOCK = 2**20
#: No instruction is longer than this (names and strings of a benchmark file are short).
_LONGEST = 2**12
#: Items int -> float of a dict, a learning curve; and items string -> float, the string in use
#: again. (Possessive, here and below: matching then needs no memory.)
_CURVE = re.compile(rb"(?:K.G.{8})++", re.DOTALL)
_REUSED = re.compile(rb"(?:j.{4}G.{8})++", re.DOTALL)
_REUSED_ITEM = np.dtype([("j", "u1"), ("number", "<u4"), ("G", "u1"), ("value", ">f8")])


@cache
def _new(length: int) -> tuple[re.Pattern[bytes], struct.Struct]:
    """Items string -> float, the strings new and of one length; and how to unpack them."""
    head = re.escape(bytes([length])) + rb"\0\0\0"
    item = rb"(?:X" + head + rb".{%d}r.{4}G.{8})++" % length
    return re.compile(item, re.DOTALL), struct.Struct(f">5x{length}sx4sxd")


def _run(block: int) -> re.Pattern[bytes]:
    """Any run of instructions that neither remember nor use objects far from number ``block``.

    Only numbers of this block of `_WINDOW` and the one before it are near. A regular expression
    knows lengths only one by one: strings that are not short end the run as well.
    """
    here, before = (re.escape((n % 2**16).to_bytes(2, "little")) for n in (block, block - 1))
    short = b"|".join(re.escape(bytes([n])) + rb"\0\0\0.{%d}" % n for n in range(40))
    return re.compile(
        rb"(?:G.{8}|K.|j..(?:%b|%b)|r..%b|X(?:%b)|" % (here, before, here, short)
        + rb"M.{2}|J.{4}|[()}\]useatRbN\x81\x85-\x89])++",
        re.DOTALL,
    )


class _Buffer:
    """The bytes ahead in a file, at least `_LONGEST` of them unless it ends before."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], object]) -> None:
        self.file, self.progress = file, progress
        self.data = b""

    def after(self, position: int) -> bytes:
        """Bytes from ``position`` of the present ones on, with more of the file behind them."""
        block = self.file.read(_BLOCK)
        self.progress(len(block))
        self.data = self.data[position:] + block
        return self.data


def _late(file: BinaryIO, progress: Callable[[int], object]) -> set[int]:
    """Numbers of remembered objects that are used when `_WINDOW` others came after them."""
    buffer = _Buffer(file, progress)
    data, position, block = buffer.after(0), 0, 0
    run = _run(block)
    late: set[int] = set()
    while True:
        if len(data) - position < _LONGEST:
            data, position = buffer.after(position), 0
        if near := run.match(data, position):
            position = near.end()
            continue
        match data[position : position + 1]:
            case b"j" | b"h" as use:
                size = 5 if use == b"j" else 2
                number = int.from_bytes(data[position + 1 : position + size], "little")
                if number // _WINDOW < block - 1:
                    late.add(number)
                position += size
            case b"r":
                (number,) = struct.unpack_from("<I", data, position + 1)
                if number // _WINDOW != block:
                    block = number // _WINDOW
                    run = _run(block)
                position += 5
            case b"X":
                position += 5 + struct.unpack_from("<I", data, position + 1)[0]
            case b"c":
                position = data.index(b"\n", data.index(b"\n", position) + 1) + 1
            case b"q" | b"\x80":
                position += 2
            case b"\x8a":
                position += 2 + data[position + 1]
            case b".":
                return late
            case other:
                raise ValueError(f"instruction {other!r}")


def stream(
    start: Callable[[], BinaryIO], section: str, progress: Callable[[int], object]
) -> Iterator[tuple[Any, Any]]:
    """Read a pickled dict whose item ``section`` is a dict too large for memory.

    Memory holds one of its items and a fixed number of remembered objects, however large the file.

    Parameters
    ----------
    start : callable
        Opens the file at the first byte of the pickle (protocol 2, as `torch.save` writes it).
    section : str
        Key of the large dict.
    progress : callable
        Told how many bytes were read, of twice the file's length.

    Yields
    ------
    (key, value)
        Of the large dict, each value a dict of at most 1,000 items; at last (None, the outer dict,
        without the values of the large one).

    Raises
    ------
    DagnasError
        As `load`.
    """
    try:
        with start() as file:
            late = _late(file, progress)
        with start() as file:
            yield from _items(_Buffer(file, progress), section, late)
    except DAMAGE as error:
        raise DagnasError(f"its pickle is damaged: {error!r}") from error


#: Stands for a value that was yielded.
_GIVEN = object()


def _items(buffer: _Buffer, section: str, late: set[int]) -> Iterator[tuple[Any, Any]]:
    """The machine: ``stack`` holds what is being built, ``frames`` what waits below a mark."""
    stack: list[Any] = []
    frames: list[list[Any]] = []
    large: list[Any] | None = None  # The frame that holds the section's items.
    recent: list[Any] = [None] * (2 * _WINDOW)
    kept: dict[int, Any] = {}
    count = 0

    def remember(number: int, thing: Any) -> None:
        nonlocal count
        if number != count:
            raise ValueError(f"object {number} is remembered after {count - 1}")
        recent[number % (2 * _WINDOW)] = thing
        if number in late:
            kept[number] = thing
        count += 1

    def recall(number: int) -> Any:
        if number // _WINDOW >= (count - 1) // _WINDOW - 1 and number < count:
            return recent[number % (2 * _WINDOW)]
        return kept[number]

    def recall_all(numbers: NDArray[np.uint32]) -> list[Any]:
        if numbers.min() // _WINDOW >= (count - 1) // _WINDOW - 1 and numbers.max() < count:
            return [recent[place] for place in (numbers % (2 * _WINDOW)).tolist()]
        return [recall(number) for number in numbers.tolist()]

    double, long = struct.Struct(">d").unpack_from, struct.Struct("<I").unpack_from
    data, position = buffer.after(0), 0
    while True:
        if len(data) - position < _LONGEST:
            data, position = buffer.after(position), 0
        # The commonest instructions come first.
        match data[position : position + 1]:
            case b"G":
                stack.append(double(data, position + 1)[0])
                position += 9
            case b"j":
                if (run := _REUSED.match(data, position)) is None:
                    stack.append(recall(long(data, position + 1)[0]))
                    position += 5
                else:
                    table = np.frombuffer(run[0], _REUSED_ITEM)
                    pairs = recall_all(table["number"]), table["value"].tolist()
                    stack.extend(chain.from_iterable(zip(*pairs, strict=True)))
                    position = run.end()
            case b"X":
                (length,) = long(data, position + 1)
                pattern, item = _new(min(length, 255))
                if (run := pattern.match(data, position)) is None:
                    end = position + 5 + length
                    if end > len(data):
                        raise ValueError("a string is too long, or the file ends within it")
                    stack.append(str(data[position + 5 : end], "utf-8", "surrogatepass"))
                    position = end
                else:
                    for key, number, value in item.iter_unpack(run[0]):
                        text = str(key, "utf-8", "surrogatepass")
                        remember(int.from_bytes(number, "little"), text)
                        stack += text, value
                    position = run.end()
            case b"r":
                remember(long(data, position + 1)[0], stack[-1])
                position += 5
            case b"K":
                if (run := _CURVE.match(data, position)) is None:
                    stack.append(data[position + 1])
                    position += 2
                else:
                    stack.extend(chain.from_iterable(struct.iter_unpack(">xBxd", run[0])))
                    position = run.end()
            case b"h":
                stack.append(recall(data[position + 1]))
                position += 2
            case b"(":
                frames.append(stack)
                inside = len(frames) == 2 and stack[-2:-1] == [section]
                stack = []
                if inside:
                    large = stack
                position += 1
            case b"u":
                items, stack = stack, frames.pop()
                if items is large:
                    for place in range(1, len(items), 2):
                        if items[place] is not _GIVEN:
                            yield items[place - 1], items[place]
                            items[place] = _GIVEN
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
                if stack is large:
                    # The dict of one cell is complete: it is written in one batch.
                    yield stack[-2], stack[-1]
                    stack[-1] = _GIVEN
                position += 1
            case b"}":
                stack.append({})
                position += 1
            case b"R" | b"\x81":
                arguments = stack.pop()
                stack.append(stack.pop()(*arguments))
                position += 1
            case b"\x86":
                stack[-2:] = [tuple(stack[-2:])]
                position += 1
            case b"]":
                stack.append([])
                position += 1
            case b"M":
                stack.append(int.from_bytes(data[position + 1 : position + 3], "little"))
                position += 3
            case b"a":
                item = stack.pop()
                stack[-1].append(item)
                position += 1
            case b"e":
                items, stack = stack, frames.pop()
                stack[-1].extend(items)
                position += 1
            case b"N":
                stack.append(None)
                position += 1
            case b")":
                stack.append(())
                position += 1
            case b"q":
                remember(data[position + 1], stack[-1])
                position += 2
            case b"\x88" | b"\x89" as truth:
                stack.append(truth == b"\x88")
                position += 1
            case b"J":
                stack.append(
                    int.from_bytes(data[position + 1 : position + 5], "little", signed=True)
                )
                position += 5
            case b"s":
                value, key = stack.pop(), stack.pop()
                if len(frames) == 1 and stack[-2:-1] == [section]:
                    yield key, value
                    value = _GIVEN
                stack[-1][key] = value
                position += 1
            case b"t":
                items, stack = stack, frames.pop()
                stack.append(tuple(items))
                position += 1
            case b"\x85":
                stack[-1] = (stack[-1],)
                position += 1
            case b"\x87":
                stack[-3:] = [tuple(stack[-3:])]
                position += 1
            case b"b":
                state = stack.pop()
                stack[-1].__setstate__(state)
                position += 1
            case b"c":
                end = data.index(b"\n", data.index(b"\n", position) + 1)
                module, name = data[position + 1 : end].decode().split("\n")
                stack.append(_allowed(module, name))
                position = end + 1
            case b"\x8a":
                end = position + 2 + data[position + 1]
                stack.append(int.from_bytes(data[position + 2 : end], "little", signed=True))
                position = end
            case b"\x80":
                position += 2
            case b".":
                yield None, stack.pop()
                return
            case b"Q":
                raise DagnasError("its pickle holds tensors, which no benchmark table needs")
            case b"":
                raise EOFError("the file ends early")
            case other:
                raise ValueError(f"instruction {other!r} at byte {position}")
