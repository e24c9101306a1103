"""Pickles from outside, read by a stack machine that runs nothing of them, within limits.

A pickle is a small program: a global in it can name any function, and a few bytes can ask for
gigabytes or for ever. Here globals are looked up in `ALLOWED`, whose values only build plain data,
and the machine counts what it does: instructions, bytes and containers, the values within tuples
of tuples, and what serves as a key. `load` reads a pickle as a whole; `dagnas.tables.importers.
large_pickle` reads one that is too large for this.
"""

from __future__ import annotations

import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np

from dagnas.errors import DagnasError


class Limits(NamedTuple):
    """What a machine may do until an item of the large dict, or the whole pickle, is complete.

    The defaults are ten times what a cell of NATS-Bench needs, and more than its list of cells.

    Attributes
    ----------
    size : int
        Bytes of the pickle.
    steps : int
        Instructions (runs of items of a dict are one).
    containers : int
        Dicts, lists, tuples, sets and results of calls: of these, a byte may cost hundreds.
    """

    size: int = 2**23
    steps: int = 2**20
    containers: int = 2**16


USUAL = Limits()
#: Items of a dict or set. Real ones have up to 15,625.
_ITEMS = 2**17
#: Values within the tuples of a tuple, shared ones counted each time they occur: whoever hashes,
#: compares or prints the tuple visits each of them.
_NESTED = 2**10
#: Values of a tuple that is a key.
_KEY = 8
#: Whole numbers that are keys are smaller. As the hash of a whole number is that number, larger
#: ones could be chosen to collide.
_LARGEST_KEY = 2**20
#: Longest instruction of a stream (names and strings of a benchmark file are short).
LONGEST = 2**12


class Dtype:
    """Replacement of `numpy.dtype` that knows simple numbers only."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in ("f8", "f4", "i8", "i4", "u1", "b1"):
            raise ValueError("numbers of another type than f8, f4, i8, i4, u1 and b1")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


class State(dict[str, Any]):
    """Replacement of a result class of nas_201_api: a dict of its attributes."""

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        _put(self, *_halves(state))


class Parameters(OrderedDict[str, Any]):
    """Replacement of `collections.OrderedDict` where torch may have set attributes of it."""

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        """Nothing: the attributes tell the versions of layers, which are those of the writer."""


def _scalar(dtype: Dtype, data: bytes) -> Any:
    if type(dtype) is not Dtype or type(data) is not bytes:
        raise TypeError("a number is made of a type and bytes")
    (value,) = np.frombuffer(data, dtype.dtype)
    return value.item()


def _encode(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


def _ordered(items: Iterable[Any] = ()) -> OrderedDict[Any, Any]:
    found: OrderedDict[Any, Any] = OrderedDict()
    pairs = [(key, value) for key, value in items]
    _put(found, [key for key, _ in pairs], [value for _, value in pairs])
    return found


def _set(items: Iterable[Any] = ()) -> set[Any]:
    found: set[Any] = set()
    _add(found, list(items))
    return found


#: Globals that a benchmark file may ask for, and the function called in place of each.
ALLOWED: Mapping[str, Any] = {
    "collections.OrderedDict": _ordered,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.dtype": Dtype,
    "_codecs.encode": _encode,
    "__builtin__.set": _set,
    "builtins.set": _set,
    "nas_201_api.api_utils.ArchResults": State,
    "nas_201_api.api_utils.ResultsCount": State,
    "nas_201_api.api.ArchResults": State,
    "nas_201_api.api.ResultsCount": State,
}

#: Message about a pickle that refers to torch's storages.
TENSORS = "its pickle holds tensors, which no benchmark table needs"


def no_tensors(reference: Any) -> Any:
    """Refusal of a reference to something outside the pickle."""
    raise DagnasError(TENSORS)


#: Errors that damaged bytes may end in.
DAMAGE = (
    struct.error, ArithmeticError, AttributeError, EOFError, IndexError, KeyError, MemoryError,
    RecursionError, TypeError, ValueError,
)  # fmt: skip


def damaged(error: BaseException) -> DagnasError:
    """Error about a damaged pickle, whose words quote little of it."""
    # The arguments may be anything that the pickle holds, so that printing them may take long.
    said = [part for part in error.args if isinstance(part, int | str)][:1]
    words = f"({said[0]!r:.200})" if said else ""
    return DagnasError(f"its pickle is damaged: {type(error).__name__}{words}")


def load(
    pickled: bytes | bytearray,
    known: Mapping[str, Any] = ALLOWED,
    outside: Callable[[Any], Any] = no_tensors,
    limits: Limits = USUAL,
) -> Any:
    """Read one pickle of plain data.

    Parameters
    ----------
    pickled : bytes
        May go on after the pickle's end.
    known : mapping
        Globals that it may ask for, and what stands in place of each: a function to call.
    outside : callable
        Called with a reference to something outside the pickle; gives the object.
    limits : Limits

    Raises
    ------
    DagnasError
        It asks for a global that is not ``known``, is damaged, or exceeds the limits.
    """
    return load_one(pickled, 0, known, outside, limits)[0]


def load_one(
    pickled: bytes | bytearray,
    start: int,
    known: Mapping[str, Any] = ALLOWED,
    outside: Callable[[Any], Any] = no_tensors,
    limits: Limits = USUAL,
) -> tuple[Any, int]:
    """Object of the pickle that begins at a position, and the position behind; see `load`."""
    end = min(len(pickled), start + limits.size)
    data = bytes(memoryview(pickled)[start:end])
    machine = Machine(data, AllOfThem(), known, outside, limits)
    try:
        position = 0
        while not machine.stopped:
            position = machine.step(position)
        return machine.result, start + position
    except EOFError as error:
        if end < len(pickled):
            raise DagnasError(
                f"its pickle has more than {limits.size:,} bytes, larger than any of a benchmark"
            ) from error
        raise damaged(error) from error
    except DAMAGE as error:
        raise damaged(error) from error


class Memo(Protocol):
    """Objects that a later instruction may use again, by number."""

    @property
    def count(self) -> int:
        """How many were remembered."""

    def remember(self, number: int, thing: Any) -> None:
        """Keep an object; numbers come in order."""

    def recall(self, number: int) -> Any:
        """Object of a number."""

    def recall_all(self, numbers: np.ndarray[Any, np.dtype[np.uint32]]) -> list[Any]:
        """Objects of many numbers."""


class AllOfThem:
    """Memo that keeps all objects."""

    def __init__(self) -> None:
        self._things: list[Any] = []

    @property
    def count(self) -> int:
        """How many were remembered."""
        return len(self._things)

    def remember(self, number: int, thing: Any) -> None:
        """Keep an object; numbers come in order."""
        check_order(number, len(self._things))
        self._things.append(thing)

    def recall(self, number: int) -> Any:
        """Object of a number."""
        if number >= len(self._things):
            raise KeyError(number)
        return self._things[number]

    def recall_all(self, numbers: np.ndarray[Any, np.dtype[np.uint32]]) -> list[Any]:
        """Objects of many numbers."""
        return [self.recall(number) for number in numbers.tolist()]


def check_order(number: int, count: int) -> None:
    """Check that an object is remembered under the next number.

    No pickler writes another one, and a large one would ask for as much memory.
    """
    if number != count:
        raise ValueError(f"object {number} is remembered after {count - 1}")


class Machine:
    """State of the reader: bytes, and objects being built.

    Parameters
    ----------
    data : bytes
        Bytes of the pickle, from a position on.
    memo : Memo
    known, outside, limits
        As of `load`.
    section : str, optional
        Key of a dict of the outer dict whose items are given one by one; see `ready`.

    Attributes
    ----------
    stack : list
        Objects being built, above the last mark.
    frames : list of list
        Stacks below the marks.
    large : list or None
        Stack that holds items of the large dict.
    ready : list of (key, value)
        Complete items of the large dict.
    result : object
        Object of the pickle, once it has ended.
    stopped : bool
        Whether the pickle has ended.
    steps, containers : int
        Work since they were last set to 0; see `Limits`.
    """

    def __init__(
        self,
        data: bytes,
        memo: Memo,
        known: Mapping[str, Any] = ALLOWED,
        outside: Callable[[Any], Any] = no_tensors,
        limits: Limits = USUAL,
        section: str | None = None,
    ) -> None:
        self.data, self.memo, self.limits, self.section = data, memo, limits, section
        self.known, self.outside = known, outside
        self.stack: list[Any] = []
        self.frames: list[list[Any]] = []
        self.large: list[Any] | None = None
        self.ready: list[tuple[Any, Any]] = []
        self.result: Any = None
        self.stopped = False
        self.steps = self.containers = 0

    def step(self, at: int) -> int:
        """Do the instruction at a position of the data; the position behind it."""
        code = self.data[at : at + 1]
        if (instruction := _INSTRUCTIONS.get(code)) is None:
            raise ValueError(f"instruction {code!r} at byte {at}")
        self.steps += 1
        self.check()
        return instruction(self, at)

    def check(self) -> None:
        """Check that the work is within the limits.

        Raises
        ------
        DagnasError
            It is not.
        """
        if self.steps > self.limits.steps or self.containers > self.limits.containers:
            raise DagnasError("its pickle is larger than any of a benchmark")

    def take(self, at: int, size: int) -> bytes:
        """Bytes from a position on."""
        if at + size > len(self.data):
            raise EOFError("the file ends early")
        return self.data[at : at + size]

    def pop_frame(self) -> list[Any]:
        """Take all objects above the last mark."""
        items, self.stack = self.stack, self.frames.pop()
        return items

    def is_section(self) -> bool:
        """True if the last two objects are the key of the large dict and the dict itself."""
        return self.section is not None and self.stack[-2:-1] == [self.section]


#: Does one instruction, the one at a position of the machine's data; returns the position behind.
_Instruction = Callable[[Machine, int], int]

_DOUBLE, _LONG = struct.Struct(">d").unpack_from, struct.Struct("<I").unpack_from
#: Items int -> float of a dict, a learning curve; and items string -> float with a string that was
#: used before. (Quantifiers are possessive, so that matching needs no memory.)
_CURVE = re.compile(rb"(?:K.G.{8})++", re.DOTALL)
_REUSED = re.compile(rb"(?:j.{4}G.{8})++", re.DOTALL)
_REUSED_ITEM = np.dtype([("j", "u1"), ("number", "<u4"), ("G", "u1"), ("value", ">f8")])


@cache
def _new(length: int) -> tuple[re.Pattern[bytes], struct.Struct]:
    """Pattern of items string -> float with new strings of one length, and its unpacker."""
    head = re.escape(bytes([length])) + rb"\0\0\0"
    item = rb"(?:X" + head + rb".{%d}r.{4}G.{8})++" % length
    return re.compile(item, re.DOTALL), struct.Struct(f">5x{length}sx4sxd")


@cache
def _new_short(length: int) -> tuple[re.Pattern[bytes], struct.Struct]:
    """Pattern and unpacker like `_new`, as protocols from 4 on write them."""
    item = rb"(?:\x8c" + re.escape(bytes([length])) + rb".{%d}\x94G.{8})++" % length
    return re.compile(item, re.DOTALL), struct.Struct(f">2x{length}s2xd")


# Numbers and strings. Runs of items of a dict are read at once: they are most of the file.


def _double(machine: Machine, at: int) -> int:
    machine.stack.append(_DOUBLE(machine.data, at + 1)[0])
    return at + 9


def _byte(machine: Machine, at: int) -> int:
    if (run := _CURVE.match(machine.data, at)) is None:
        machine.stack.append(machine.data[at + 1])
        return at + 2
    machine.stack.extend(chain.from_iterable(struct.iter_unpack(">xBxd", run[0])))
    return run.end()


def _whole(size: int, signed: bool) -> _Instruction:
    """Whole number of ``size`` bytes."""

    def push(machine: Machine, at: int) -> int:
        digits = machine.take(at + 1, size)
        machine.stack.append(int.from_bytes(digits, "little", signed=signed))
        return at + 1 + size

    return push


def _long(machine: Machine, at: int) -> int:
    size = machine.data[at + 1]
    machine.stack.append(int.from_bytes(machine.take(at + 2, size), "little", signed=True))
    return at + 2 + size


def _text(data: bytes) -> str:
    return str(data, "utf-8", "surrogatepass")


def _string(machine: Machine, at: int) -> int:
    data, stack = machine.data, machine.stack
    (length,) = _LONG(data, at + 1)
    pattern, item = _new(min(length, 255))
    if (run := pattern.match(data, at)) is None:
        stack.append(_text(machine.take(at + 5, length)))
        return int(at + 5 + length)
    for key, number, value in item.iter_unpack(run[0]):
        text = _text(key)
        machine.memo.remember(int.from_bytes(number, "little"), text)
        stack += text, value
    return run.end()


def _short_string(machine: Machine, at: int) -> int:
    length = machine.data[at + 1]
    pattern, item = _new_short(length)
    if (run := pattern.match(machine.data, at)) is None:
        machine.stack.append(_text(machine.take(at + 2, length)))
        return at + 2 + length
    for key, value in item.iter_unpack(run[0]):
        text = _text(key)
        machine.memo.remember(machine.memo.count, text)
        machine.stack += text, value
    return run.end()


def _bytes(head: int) -> _Instruction:
    """Bytes, after their number in ``head`` bytes."""

    def push(machine: Machine, at: int) -> int:
        length = int.from_bytes(machine.take(at + 1, head), "little")
        machine.stack.append(machine.take(at + 1 + head, length))
        return at + 1 + head + length

    return push


def _constant(value: Any) -> _Instruction:
    def push(machine: Machine, at: int) -> int:
        machine.stack.append(value)
        return at + 1

    return push


def _empty(make: Callable[[], Any]) -> _Instruction:
    """Empty container."""

    def push(machine: Machine, at: int) -> int:
        machine.stack.append(make())
        machine.containers += 1
        return at + 1

    return push


# Remembered objects.


def _remember(machine: Machine, at: int) -> int:
    machine.memo.remember(_LONG(machine.data, at + 1)[0], machine.stack[-1])
    return at + 5


def _remember_short(machine: Machine, at: int) -> int:
    machine.memo.remember(machine.data[at + 1], machine.stack[-1])
    return at + 2


def _remember_next(machine: Machine, at: int) -> int:
    machine.memo.remember(machine.memo.count, machine.stack[-1])
    return at + 1


def _recall(machine: Machine, at: int) -> int:
    if (run := _REUSED.match(machine.data, at)) is None:
        machine.stack.append(machine.memo.recall(_LONG(machine.data, at + 1)[0]))
        return at + 5
    table = np.frombuffer(run[0], _REUSED_ITEM)
    pairs = machine.memo.recall_all(table["number"]), table["value"].tolist()
    machine.stack.extend(chain.from_iterable(zip(*pairs, strict=True)))
    return run.end()


def _recall_short(machine: Machine, at: int) -> int:
    machine.stack.append(machine.memo.recall(machine.data[at + 1]))
    return at + 2


# Containers, and the items of the large dict.


#: Keys whose hash takes no time and does not collide.
_PLAIN_KEYS = frozenset({str, bytes, bool, type(None)})


def _check_keys(keys: list[Any]) -> None:
    """Check that keys are text, bytes, small whole numbers, or short tuples of plain values."""
    kinds = set(map(type, keys)) - _PLAIN_KEYS
    for key in keys if kinds else ():
        if type(key) is int:
            good = -1 <= key < _LARGEST_KEY
        elif type(key) is tuple:
            good = len(key) <= _KEY and set(map(type, key)) <= {*_PLAIN_KEYS, int, float}
        else:
            good = type(key) in _PLAIN_KEYS
        if not good:
            raise TypeError("a key of a kind that no benchmark has")


def _put(target: Any, keys: list[Any], values: list[Any]) -> None:
    """Put items into a dict."""
    if not isinstance(target, dict):
        raise TypeError("items are set of what is no dict")
    _check_keys(keys)
    target.update(zip(keys, values, strict=True))
    if len(target) > _ITEMS:
        raise ValueError(f"a dict of more than {_ITEMS:,} items")


def _add(target: set[Any], items: list[Any]) -> None:
    """Add items to a set."""
    if not isinstance(target, set):
        raise TypeError("items are added to what is no set")
    _check_keys(items)
    target.update(items)
    if len(target) > _ITEMS:
        raise ValueError(f"a set of more than {_ITEMS:,} items")


def _halves(state: Any) -> tuple[list[Any], list[Any]]:
    """Keys and values of a dict."""
    if not isinstance(state, dict):
        raise TypeError("the state of an object is no dict")
    return list(state.keys()), list(state.values())


def _mark(machine: Machine, at: int) -> int:
    machine.frames.append(machine.stack)
    inside = len(machine.frames) == 2 and machine.is_section()
    machine.stack = []
    machine.containers += 1
    if inside:
        machine.large = machine.stack
    return at + 1


def _set_items(machine: Machine, at: int) -> int:
    items = machine.pop_frame()
    stack = machine.stack
    if items is machine.large:
        for place in range(1, len(items), 2):
            if items[place] is not GIVEN:
                machine.ready.append((items[place - 1], items[place]))
                items[place] = GIVEN
    _put(stack[-1], items[::2], items[1::2])
    if stack is machine.large:
        # The dict of one cell is complete: it is written in one batch.
        machine.ready.append((stack[-2], stack[-1]))
        stack[-1] = GIVEN
    return at + 1


def _set_item(machine: Machine, at: int) -> int:
    value, key = machine.stack.pop(), machine.stack.pop()
    if len(machine.frames) == 1 and machine.is_section():
        machine.ready.append((key, value))
        value = GIVEN
    _put(machine.stack[-1], [key], [value])
    return at + 1


#: Placeholder of a value that was given.
GIVEN = object()


def _list_of(machine: Machine) -> list[Any]:
    """List on top of the stack."""
    if not isinstance(machine.stack[-1], list):
        raise TypeError("something is appended to what is no list")
    return machine.stack[-1]


def _append(machine: Machine, at: int) -> int:
    item = machine.stack.pop()
    _list_of(machine).append(item)
    return at + 1


def _extend(machine: Machine, at: int) -> int:
    items = machine.pop_frame()
    _list_of(machine).extend(items)
    return at + 1


def _add_items(machine: Machine, at: int) -> int:
    items = machine.pop_frame()
    _add(machine.stack[-1], items)
    return at + 1


def _checked(items: list[Any]) -> tuple[Any, ...]:
    """Tuple of some objects, which holds few values in tuples within it."""
    inner, count = [item for item in items if type(item) is tuple], 0
    while inner:
        within = inner.pop()
        if (count := count + len(within) + 1) > _NESTED:
            raise ValueError("tuples within tuples without end")
        inner += (item for item in within if type(item) is tuple)
    return tuple(items)


def _tuple(machine: Machine, at: int) -> int:
    items = machine.pop_frame()
    machine.stack.append(_checked(items))
    machine.containers += 1
    return at + 1


def _short_tuple(size: int) -> _Instruction:
    """Tuple of the last ``size`` objects."""

    def replace(machine: Machine, at: int) -> int:
        if len(machine.stack) < size:
            raise IndexError(f"a tuple of {size} needs more objects")
        machine.stack[-size:] = [_checked(machine.stack[-size:])]
        machine.containers += 1
        return at + 1

    return replace


# Objects of other types.


def _named(machine: Machine, module: str, name: str) -> None:
    full = f"{module}.{name}"
    if full not in machine.known:
        raise DagnasError(
            f"its pickle asks for {full:.200}, which no benchmark file needs; nothing of it was run"
        )
    machine.stack.append(machine.known[full])


def _global(machine: Machine, at: int) -> int:
    end = machine.data.index(b"\n", machine.data.index(b"\n", at, at + LONGEST) + 1, at + LONGEST)
    module, name = machine.data[at + 1 : end].decode().split("\n")
    _named(machine, module, name)
    return end + 1


def _global_of_stack(machine: Machine, at: int) -> int:
    name, module = machine.stack.pop(), machine.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise TypeError("the name of a global is no text")
    _named(machine, module, name)
    return at + 1


def _copied(thing: Any) -> int:
    """Measure of what a copy takes, in containers: few bytes may ask for many copies."""
    if isinstance(thing, str | bytes):
        return len(thing) // 64
    return len(thing) if isinstance(thing, list | dict | set) else 0


def _call(machine: Machine, at: int) -> int:
    arguments, function = machine.stack.pop(), machine.stack.pop()
    if type(arguments) is not tuple or not any(function is f for f in machine.known.values()):
        raise TypeError("a call of what is no global")
    machine.containers += 1 + sum(map(_copied, arguments))
    machine.check()
    machine.stack.append(function(*arguments))
    return at + 1


def _set_state(machine: Machine, at: int) -> int:
    state = machine.stack.pop()
    if not isinstance(machine.stack[-1], Dtype | State | Parameters):
        raise TypeError("a state is set of what has none")
    machine.containers += _copied(state)
    machine.check()
    machine.stack[-1].__setstate__(state)
    return at + 1


def _outside(machine: Machine, at: int) -> int:
    machine.stack.append(machine.outside(machine.stack.pop()))
    return at + 1


# Beginning and end.


def _protocol(machine: Machine, at: int) -> int:
    return at + 2


def _frame(machine: Machine, at: int) -> int:
    return at + 9


def _stop(machine: Machine, at: int) -> int:
    machine.result = machine.stack.pop()
    machine.stopped = True
    return at + 1


def _end_early(machine: Machine, at: int) -> int:
    raise EOFError("the file ends early")


#: Instructions that a benchmark file needs, by their code in the file (`pickletools` names them).
_INSTRUCTIONS: dict[bytes, _Instruction] = {
    b"G": _double,
    b"K": _byte,
    b"M": _whole(2, signed=False),
    b"J": _whole(4, signed=True),
    b"\x8a": _long,
    b"X": _string,
    b"\x8c": _short_string,
    b"B": _bytes(4),
    b"C": _bytes(1),
    b"N": _constant(None),
    b"\x88": _constant(True),
    b"\x89": _constant(False),
    b")": _constant(()),
    b"]": _empty(list),
    b"}": _empty(dict),
    b"\x8f": _empty(set),
    b"r": _remember,
    b"q": _remember_short,
    b"\x94": _remember_next,
    b"j": _recall,
    b"h": _recall_short,
    b"(": _mark,
    b"u": _set_items,
    b"s": _set_item,
    b"a": _append,
    b"e": _extend,
    b"\x90": _add_items,
    b"t": _tuple,
    b"\x85": _short_tuple(1),
    b"\x86": _short_tuple(2),
    b"\x87": _short_tuple(3),
    b"c": _global,
    b"\x93": _global_of_stack,
    b"R": _call,
    b"\x81": _call,
    b"b": _set_state,
    b"Q": _outside,
    b"\x80": _protocol,
    b"\x95": _frame,
    b".": _stop,
    b"": _end_early,
}
