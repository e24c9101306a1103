"""A pickled dict too large for memory, read item by item without running anything of it.

The reader is a stack machine for pickles of protocol 2, as `torch.save` writes them. What a pickle
may ask for is decided in `restricted`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.tables.importers.restricted import DAMAGE, TENSORS, allowed

# A pickle writes an object once, under a number, and refers to it by that number from then on. The
# reader of a large pickle cannot remember all objects, so `stream` reads the file twice. The first
# pass finds the numbers that are used long after they were given. The second reads the objects; it
# remembers those used late and, of the others, the last block of _WINDOW and the one before.
# A cell of the official file takes about 10,000 numbers.
_WINDOW = 2**16
_BLOCK = 2**20
#: Longest instruction (names and strings of a benchmark file are short).
_LONGEST = 2**12
#: Items int -> float of a dict, a learning curve; and items string -> float with a string that was
#: used before. (Quantifiers are possessive, here and below, so that matching needs no memory.)
_CURVE = re.compile(rb"(?:K.G.{8})++", re.DOTALL)
_REUSED = re.compile(rb"(?:j.{4}G.{8})++", re.DOTALL)
_REUSED_ITEM = np.dtype([("j", "u1"), ("number", "<u4"), ("G", "u1"), ("value", ">f8")])


@cache
def _new(length: int) -> tuple[re.Pattern[bytes], struct.Struct]:
    """Pattern of items string -> float with new strings of one length, and its unpacker."""
    head = re.escape(bytes([length])) + rb"\0\0\0"
    item = rb"(?:X" + head + rb".{%d}r.{4}G.{8})++" % length
    return re.compile(item, re.DOTALL), struct.Struct(f">5x{length}sx4sxd")


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
    """Bytes ahead in a file, at least `_LONGEST` of them unless it ends before."""

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
            yield from _Machine(_Buffer(file, progress), section, late).items()
    except DAMAGE as error:
        raise DagnasError(f"its pickle is damaged: {error!r}") from error


#: Placeholder of a value that was yielded.
_GIVEN = object()
_DOUBLE, _LONG = struct.Struct(">d").unpack_from, struct.Struct("<I").unpack_from


class _Memo:
    """Objects that a later instruction may use again, by number: recent ones and ``late`` ones."""

    def __init__(self, late: set[int]) -> None:
        self._late = late
        self._recent: list[Any] = [None] * (2 * _WINDOW)
        self._kept: dict[int, Any] = {}
        self._count = 0

    def remember(self, number: int, thing: Any) -> None:
        """Keep an object; numbers come in order."""
        if number != self._count:
            raise ValueError(f"object {number} is remembered after {self._count - 1}")
        self._recent[number % (2 * _WINDOW)] = thing
        if number in self._late:
            self._kept[number] = thing
        self._count += 1

    def recall(self, number: int) -> Any:
        """Object of a number."""
        if number >= self._oldest() and number < self._count:
            return self._recent[number % (2 * _WINDOW)]
        return self._kept[number]

    def recall_all(self, numbers: NDArray[np.uint32]) -> list[Any]:
        """Objects of many numbers."""
        if numbers.min() >= self._oldest() and numbers.max() < self._count:
            return [self._recent[place] for place in (numbers % (2 * _WINDOW)).tolist()]
        return [self.recall(number) for number in numbers.tolist()]

    def _oldest(self) -> int:
        """Least number of this block and the one before it."""
        return ((self._count - 1) // _WINDOW - 1) * _WINDOW


class _Machine:
    """State of the reader: bytes ahead, objects being built, and items that are complete.

    Parameters
    ----------
    buffer : _Buffer
        At the first byte of the pickle.
    section : str
        Key of the large dict.
    late : set of int
        Numbers of objects that are used late.

    Attributes
    ----------
    data : bytes
        Bytes ahead.
    stack : list
        Objects being built, above the last mark.
    frames : list of list
        Stacks below the marks.
    memo : _Memo
    large : list or None
        Stack that holds items of the large dict.
    ready : list of (key, value)
        Items to yield.
    stopped : bool
        Whether the pickle has ended.
    """

    def __init__(self, buffer: _Buffer, section: str, late: set[int]) -> None:
        self._buffer, self._section = buffer, section
        self.data = b""
        self.stack: list[Any] = []
        self.frames: list[list[Any]] = []
        self.memo = _Memo(late)
        self.large: list[Any] | None = None
        self.ready: list[tuple[Any, Any]] = []
        self.stopped = False

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Run the pickle; see `stream`."""
        position = 0
        while not self.stopped:
            if len(self.data) - position < _LONGEST:
                self.data, position = self._buffer.after(position), 0
            code = self.data[position : position + 1]
            if (instruction := _INSTRUCTIONS.get(code)) is None:
                raise ValueError(f"instruction {code!r} at byte {position}")
            position = instruction(self, position)
            if self.ready:
                yield from self.ready
                self.ready.clear()

    def pop_frame(self) -> list[Any]:
        """Take all objects above the last mark."""
        items, self.stack = self.stack, self.frames.pop()
        return items

    def is_section(self) -> bool:
        """True if the last two objects are the key of the large dict and the dict itself."""
        return self.stack[-2:-1] == [self._section]


#: Does one instruction, the one at a position of the machine's data; returns the position behind.
_Instruction = Callable[[_Machine, int], int]


# Numbers and strings. Runs of items of a dict are read at once: they are most of the file.


def _double(machine: _Machine, at: int) -> int:
    machine.stack.append(_DOUBLE(machine.data, at + 1)[0])
    return at + 9


def _byte(machine: _Machine, at: int) -> int:
    if (run := _CURVE.match(machine.data, at)) is None:
        machine.stack.append(machine.data[at + 1])
        return at + 2
    machine.stack.extend(chain.from_iterable(struct.iter_unpack(">xBxd", run[0])))
    return run.end()


def _whole(size: int, signed: bool) -> _Instruction:
    """Whole number of ``size`` bytes."""

    def push(machine: _Machine, at: int) -> int:
        end = at + 1 + size
        machine.stack.append(int.from_bytes(machine.data[at + 1 : end], "little", signed=signed))
        return end

    return push


def _long(machine: _Machine, at: int) -> int:
    end = at + 2 + machine.data[at + 1]
    machine.stack.append(int.from_bytes(machine.data[at + 2 : end], "little", signed=True))
    return end


def _string(machine: _Machine, at: int) -> int:
    data, stack = machine.data, machine.stack
    (length,) = _LONG(data, at + 1)
    pattern, item = _new(min(length, 255))
    if (run := pattern.match(data, at)) is None:
        end: int = at + 5 + length
        if end > len(data):
            raise ValueError("a string is too long, or the file ends within it")
        stack.append(str(data[at + 5 : end], "utf-8", "surrogatepass"))
        return end
    for key, number, value in item.iter_unpack(run[0]):
        text = str(key, "utf-8", "surrogatepass")
        machine.memo.remember(int.from_bytes(number, "little"), text)
        stack += text, value
    return run.end()


def _push(make: Callable[[], Any]) -> _Instruction:
    """Constant or empty container."""

    def push(machine: _Machine, at: int) -> int:
        machine.stack.append(make())
        return at + 1

    return push


# Remembered objects.


def _remember(machine: _Machine, at: int) -> int:
    machine.memo.remember(_LONG(machine.data, at + 1)[0], machine.stack[-1])
    return at + 5


def _remember_short(machine: _Machine, at: int) -> int:
    machine.memo.remember(machine.data[at + 1], machine.stack[-1])
    return at + 2


def _recall(machine: _Machine, at: int) -> int:
    if (run := _REUSED.match(machine.data, at)) is None:
        machine.stack.append(machine.memo.recall(_LONG(machine.data, at + 1)[0]))
        return at + 5
    table = np.frombuffer(run[0], _REUSED_ITEM)
    pairs = machine.memo.recall_all(table["number"]), table["value"].tolist()
    machine.stack.extend(chain.from_iterable(zip(*pairs, strict=True)))
    return run.end()


def _recall_short(machine: _Machine, at: int) -> int:
    machine.stack.append(machine.memo.recall(machine.data[at + 1]))
    return at + 2


# Containers, and the items of the large dict.


def _mark(machine: _Machine, at: int) -> int:
    machine.frames.append(machine.stack)
    inside = len(machine.frames) == 2 and machine.is_section()
    machine.stack = []
    if inside:
        machine.large = machine.stack
    return at + 1


def _set_items(machine: _Machine, at: int) -> int:
    items = machine.pop_frame()
    stack = machine.stack
    if items is machine.large:
        for place in range(1, len(items), 2):
            if items[place] is not _GIVEN:
                machine.ready.append((items[place - 1], items[place]))
                items[place] = _GIVEN
    stack[-1].update(zip(items[::2], items[1::2], strict=True))
    if stack is machine.large:
        # The dict of one cell is complete: it is written in one batch.
        machine.ready.append((stack[-2], stack[-1]))
        stack[-1] = _GIVEN
    return at + 1


def _set_item(machine: _Machine, at: int) -> int:
    value, key = machine.stack.pop(), machine.stack.pop()
    if len(machine.frames) == 1 and machine.is_section():
        machine.ready.append((key, value))
        value = _GIVEN
    machine.stack[-1][key] = value
    return at + 1


def _append(machine: _Machine, at: int) -> int:
    item = machine.stack.pop()
    machine.stack[-1].append(item)
    return at + 1


def _extend(machine: _Machine, at: int) -> int:
    items = machine.pop_frame()
    machine.stack[-1].extend(items)
    return at + 1


def _tuple(machine: _Machine, at: int) -> int:
    items = machine.pop_frame()
    machine.stack.append(tuple(items))
    return at + 1


def _short_tuple(size: int) -> _Instruction:
    """Tuple of the last ``size`` objects."""

    def replace(machine: _Machine, at: int) -> int:
        if len(machine.stack) < size:
            raise IndexError(f"a tuple of {size} needs more objects")
        machine.stack[-size:] = [tuple(machine.stack[-size:])]
        return at + 1

    return replace


# Objects of other types.


def _global(machine: _Machine, at: int) -> int:
    end = machine.data.index(b"\n", machine.data.index(b"\n", at) + 1)
    module, name = machine.data[at + 1 : end].decode().split("\n")
    machine.stack.append(allowed(module, name))
    return end + 1


def _call(machine: _Machine, at: int) -> int:
    arguments = machine.stack.pop()
    machine.stack.append(machine.stack.pop()(*arguments))
    return at + 1


def _set_state(machine: _Machine, at: int) -> int:
    state = machine.stack.pop()
    machine.stack[-1].__setstate__(state)
    return at + 1


def _refuse_tensor(machine: _Machine, at: int) -> int:
    raise DagnasError(TENSORS)


# Beginning and end.


def _protocol(machine: _Machine, at: int) -> int:
    return at + 2


def _stop(machine: _Machine, at: int) -> int:
    machine.ready.append((None, machine.stack.pop()))
    machine.stopped = True
    return at + 1


def _end_early(machine: _Machine, at: int) -> int:
    raise EOFError("the file ends early")


#: Instructions that a benchmark file needs, by their code in the file (`pickletools` names them).
_INSTRUCTIONS: dict[bytes, _Instruction] = {
    b"G": _double,
    b"K": _byte,
    b"M": _whole(2, signed=False),
    b"J": _whole(4, signed=True),
    b"\x8a": _long,
    b"X": _string,
    b"N": _push(lambda: None),
    b"\x88": _push(lambda: True),
    b"\x89": _push(lambda: False),
    b")": _push(tuple),
    b"]": _push(list),
    b"}": _push(dict),
    b"r": _remember,
    b"q": _remember_short,
    b"j": _recall,
    b"h": _recall_short,
    b"(": _mark,
    b"u": _set_items,
    b"s": _set_item,
    b"a": _append,
    b"e": _extend,
    b"t": _tuple,
    b"\x85": _short_tuple(1),
    b"\x86": _short_tuple(2),
    b"\x87": _short_tuple(3),
    b"c": _global,
    b"R": _call,
    b"\x81": _call,
    b"b": _set_state,
    b"Q": _refuse_tensor,
    b"\x80": _protocol,
    b".": _stop,
    b"": _end_early,
}
