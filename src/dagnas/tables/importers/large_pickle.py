"""A pickled dict too large for memory, read item by item without running anything of it.

The stack machine of `dagnas.outside.pickles` reads it, for pickles of protocol 2, as `torch.save`
writes them. What a pickle may ask for is decided there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.outside.pickles import DAMAGE, LONGEST, Machine, check_order, damaged

# A pickle writes an object once, under a number, and refers to it by that number from then on. The
# reader of a large pickle cannot remember all objects, so `stream` reads the file twice. The first
# pass finds the numbers that are used long after they were given. The second reads the objects; it
# remembers those used late and, of the others, the last block of _WINDOW and the one before.
# A cell of the official file takes about 10,000 numbers.
_WINDOW = 2**16
_BLOCK = 2**20
#: Objects that are used late; in the official file some hundreds, such as names of data sets.
_LATE = 2**18


def _run(block: int) -> re.Pattern[bytes]:
    """Pattern of instructions that remember and use only objects near number ``block``.

    Near are the numbers of this block of `_WINDOW` and of the one before. A regular expression
    must list lengths one by one, so strings that are not short end the run as well.
    """
    here, before = (re.escape((n % 2**16).to_bytes(2, "little")) for n in (block, block - 1))
    short = b"|".join(re.escape(bytes([n])) + rb"\0\0\0.{%d}" % n for n in range(40))
    return re.compile(
        rb"(?:G.{8}|K.|j..(?:%b|%b)|r..%b|X(?:%b)|" % (here, before, here, short)
        + rb"M.{2}|J.{4}|[()}\]useatRbN\x81\x85-\x89])++",
        re.DOTALL,
    )


class _Buffer:
    """Bytes ahead in a file, at least `LONGEST` of them unless it ends before."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], object]) -> None:
        self.file, self.progress = file, progress
        self.data = b""

    def after(self, position: int) -> bytes:
        """Bytes from ``position`` on, followed by the next block of the file."""
        block = self.file.read(_BLOCK)
        self.progress(len(block))
        self.data = self.data[position:] + block
        return self.data


def _late(file: BinaryIO, progress: Callable[[int], object]) -> set[int]:
    """Numbers of objects that are used after `_WINDOW` others were remembered."""
    buffer = _Buffer(file, progress)
    data, position, block, before = buffer.after(0), 0, 0, 0
    run = _run(block)
    late: set[int] = set()
    while True:
        if len(data) - position < LONGEST:
            before += position
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
                    if len(late) > _LATE:
                        raise DagnasError("its pickle refers back more than any of a benchmark")
                position += size
            case b"r":
                (number,) = struct.unpack_from("<I", data, position + 1)
                # An object and its number take two bytes or more.
                if number > before + position:
                    raise ValueError(f"object {number} is remembered early")
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
    """Read a pickled dict of several items, of which ``section`` is a dict too large for memory.

    Memory holds one of its items and a bounded number of remembered objects, whatever the size of
    the file.

    Parameters
    ----------
    start : callable
        Opens the file at the first byte of the pickle (protocol 2, as `torch.save` writes it).
    section : str
        Key of the large dict. No dict of a single item may have it as its key.
    progress : callable
        Called with numbers of bytes read, which add up to twice the file's length.

    Yields
    ------
    (key, value)
        Items of the large dict, each value a dict of at most 1,000 items; at last None and the
        outer dict, without the values of the large one.

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
        raise damaged(error) from error


def _items(buffer: _Buffer, section: str, late: set[int]) -> Iterator[tuple[Any, Any]]:
    """Items of the large dict, then None and the outer dict."""
    machine = Machine(b"", _Memo(late), section=section)
    position = size = 0
    while not machine.stopped:
        if len(machine.data) - position < LONGEST:
            size += position
            machine.data, position = buffer.after(position), 0
            if size > machine.limits.size:
                raise DagnasError("an item of its pickle is larger than any of a benchmark")
        position = machine.step(position)
        if machine.ready:
            yield from machine.ready
            machine.ready.clear()
            machine.steps = machine.containers = size = 0
    yield None, machine.result


class _Memo:
    """Objects that a later instruction may use again, by number: recent ones and ``late`` ones."""

    def __init__(self, late: set[int]) -> None:
        self._late = late
        self._recent: list[Any] = [None] * (2 * _WINDOW)
        self._kept: dict[int, Any] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """How many were remembered."""
        return self._count

    def remember(self, number: int, thing: Any) -> None:
        """Keep an object; numbers come in order."""
        check_order(number, self._count)
        self._recent[number % (2 * _WINDOW)] = thing
        if number in self._late:
            self._kept[number] = thing
        self._count += 1

    def recall(self, number: int) -> Any:
        """Object of a number."""
        if number >= self._oldest() and number < self.count:
            return self._recent[number % (2 * _WINDOW)]
        return self._kept[number]

    def recall_all(self, numbers: NDArray[np.uint32]) -> list[Any]:
        """Objects of many numbers."""
        if numbers.min() >= self._oldest() and numbers.max() < self.count:
            return [self._recent[place] for place in (numbers % (2 * _WINDOW)).tolist()]
        return [self.recall(number) for number in numbers.tolist()]

    def _oldest(self) -> int:
        """Least number of this block and the one before it."""
        return ((self.count - 1) // _WINDOW - 1) * _WINDOW
