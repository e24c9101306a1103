"""Importer of the official NAS-Bench-101 file, without TensorFlow.

A TFRecord file is a list of records: length (8 bytes), its checksum (4), data, its checksum (4).
Here a record's data is JSON: [hash of the cell, epochs, adjacency, operations, metrics], where
metrics are a protocol buffer in base64 (``nasbench/lib/model_metrics.proto`` of the official
repository gives its fields).
"""

from __future__ import annotations

import base64
import json
import struct
from array import array
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import numpy as np
import pyarrow as pa
from tqdm import tqdm

from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.spaces.nasbench101 import OPERATIONS
from dagnas.tables.importers import REPEATS, ROWS, assemble, with_means
from dagnas.tables.importers.bits import cells_from_bits

#: Largest size of a record; those of NAS-Bench-101 take some 400 bytes.
_LONGEST = 2**20
#: One cell out of so many is hashed again, to check that hash and cell belong together.
_HASHED = 1000
#: Epochs of the trainings of NAS-Bench-101.
_EPOCHS = (4, 12, 36, 108)
#: Letters of a hash.
_HASH = 32
#: Bits of the longest whole number of a protocol buffer.
_BITS = 64
_QUANTITIES = ("train", "valid", "test", "seconds")


def read(path: Path, expected: int = ROWS["nasbench101"]) -> pa.Table:
    """Table of NAS-Bench-101 from ``nasbench_only108.tfrecord`` or ``nasbench_full.tfrecord``.

    Rows are in the order of the official hashes; accuracies and seconds are those at the end of
    each training. Nothing is emulated.

    Parameters
    ----------
    path : Path
    expected : int
        Expected number of cells.

    Raises
    ------
    DagnasError
        A checksum is wrong, or the file ends early or is not of NAS-Bench-101; see also
        `assemble`.
    """
    place: dict[str, int] = {}
    # For every cell its vertices, edges, operations and parameters; for every training its cell,
    # epochs and results.
    cells, keys, results = array("q"), array("q"), array("d")
    with tqdm(
        desc=path.name, total=path.stat().st_size, unit="B", unit_scale=True, disable=None
    ) as bar:
        for number, data in enumerate(_records(path, bar.update)):
            try:
                key, epochs, adjacency, operations, raw = json.loads(data)
                if epochs not in _EPOCHS or isinstance(epochs, bool | float):
                    raise ValueError("epochs are none of 4, 12, 36 and 108")
                if not all(isinstance(text, str) for text in (key, adjacency, operations, raw)):
                    raise TypeError("hash, adjacency, operations or metrics are no texts")
                if len(key) != _HASH:
                    raise ValueError(f"the hash has {len(key)} letters, not {_HASH}")
                metrics = _metrics(base64.b64decode(raw, validate=True))
                if key not in place:
                    vertices = 1 + operations.count(",")
                    numbers = (_edge_bits(adjacency, vertices), _operation_code(operations))
                    if len(place) % _HASHED == 0:
                        _check_hash(key, adjacency, operations)
                    place[key] = len(place)
                    cells.extend((vertices, *numbers, metrics.params))
                keys.extend((place[key], epochs))
                results.extend((100 * metrics.train, 100 * metrics.valid, 100 * metrics.test))
                results.append(metrics.seconds)
            except (
                ValueError,
                TypeError,
                LookupError,
                OverflowError,
                RecursionError,
                struct.error,
            ) as error:
                raise DagnasError(
                    f"{path}: record {number} is none of NAS-Bench-101: {error!r:.300}"
                ) from error
            if len(place) > expected:
                raise DagnasError(f"{path} holds more than {expected:,} cells")
    return _table(path, place, cells, keys, results, expected)


def _table(
    path: Path,
    place: dict[str, int],
    cells: array[int],
    keys: array[int],
    results: array[float],
    expected: int,
) -> pa.Table:
    """Table from the arrays of cells and trainings."""
    count = len(place)
    # rank[c] is the row of the c-th cell of the file.
    rank = np.empty(count, dtype=np.int64)
    rank[[place[key] for key in sorted(place)]] = np.arange(count)
    values = np.empty((count, 4), dtype=np.int64)
    values[rank] = np.frombuffer(cells, dtype=np.int64).reshape(count, 4)
    vertices, bits, codes, params = values.T
    space = SPACES.get("nasbench101")
    batch = cells_from_bits(vertices, bits, codes)
    if not (valid := space.is_valid(batch)).all():
        key = sorted(place)[int(valid.argmin())]
        raise DagnasError(f"{path}: {key} is no cell of NAS-Bench-101")

    training = np.frombuffer(keys, dtype=np.int64).reshape(-1, 2)
    outcome = np.frombuffer(results, dtype=np.float64).reshape(-1, 4)
    columns = {"params": params.astype(np.float64)}
    for epochs in np.unique(training[:, 1]).tolist():
        chosen = np.flatnonzero(training[:, 1] == epochs)
        rows = rank[training[chosen, 0]]
        # Repeats of a cell are numbered in the order of the file.
        order = np.argsort(rows, kind="stable")
        rows, chosen = rows[order], chosen[order]
        repeat = np.arange(len(rows)) - np.searchsorted(rows, rows)
        if repeat.max() >= len(REPEATS):
            key = sorted(place)[int(rows[repeat.argmax()])]
            raise DagnasError(f"{path}: {key} has more than {len(REPEATS)} trainings")
        grid = np.full((len(_QUANTITIES), len(REPEATS), count), np.nan)
        grid[:, repeat, rows] = outcome[chosen].T
        for name, repeats in zip(_QUANTITIES, grid, strict=True):
            single = {
                f"cifar10/{name}/{epochs}/{r}": v for r, v in zip(REPEATS, repeats, strict=True)
            }
            columns |= with_means(single)
    # Tables of this project hold mean seconds only.
    columns = {
        name: column
        for name, column in columns.items()
        if "/seconds/" not in name or name.endswith("/mean")
    }
    return assemble(path, space.canonical(batch), columns, expected)


def _records(path: Path, progress: Callable[[int], object]) -> Iterator[bytes]:
    """Data of all records, after verifying their checksums."""
    with path.open("rb", buffering=2**20) as file:
        position = 0
        while head := file.read(12):
            length, check = struct.unpack("<QI", head) if len(head) == 12 else (0, 0)
            if len(head) < 12 or _masked(head[:8]) != check or length > _LONGEST:
                raise DagnasError(f"{path} is damaged or no TFRecord file at byte {position}")
            data, tail = file.read(length), file.read(4)
            if len(tail) < 4:
                raise DagnasError(f"{path} ends within the record at byte {position}")
            if _masked(data) != int.from_bytes(tail, "little"):
                raise DagnasError(f"{path} is damaged in the record at byte {position}")
            yield data
            position += length + 16
            progress(length + 16)


def _masked(data: bytes) -> int:
    """CRC-32C as TFRecord stores it: rotated, and a constant added."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class _Metrics(NamedTuple):
    """Results of one training; accuracies in 0..1."""

    params: int
    seconds: float
    train: float
    valid: float
    test: float


def _metrics(message: bytes) -> _Metrics:
    """Parameters and final evaluation of a ``ModelMetrics`` message.

    Field 1 holds evaluations at the start (0), half-way (1) and at the end (2) of training, field 2
    the number of parameters.
    """
    evaluations, params = [], 0
    for field, value in _fields(message):
        if field == 1 and isinstance(value, bytes):
            evaluations.append(value)
        elif field == 2 and isinstance(value, int):
            params = value
    final = dict(_fields(evaluations[2]))
    # Fields 2 to 5: seconds, then accuracies of training, validation and test.
    return _Metrics(params, *(float(final[field]) for field in (2, 3, 4, 5)))


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Numbers and values of a protocol buffer's fields."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        match tag & 7:
            case 0:
                value, position = _varint(message, position)
                yield tag >> 3, value
            case 1:
                yield tag >> 3, struct.unpack_from("<d", message, position)[0]
                position += 8
            case 2:
                length, position = _varint(message, position)
                if position + length > len(message):
                    raise ValueError("a field is longer than its message")
                yield tag >> 3, message[position : position + length]
                position += length
            case kind:
                raise ValueError(f"field of kind {kind}")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Number of variable length (7 bits per byte, the lowest first) and the position behind it."""
    value = shift = 0
    while message[position] >= 128:
        if shift >= _BITS:
            raise ValueError("a whole number is too long")
        value |= (message[position] & 127) << shift
        position, shift = position + 1, shift + 7
    return value | message[position] << shift, position + 1


@cache
def _edge_bits(adjacency: str, size: int) -> int:
    """Edges of a matrix that is written row by row: x -> y is bit x + y (y - 1) / 2."""
    if size**2 != len(adjacency) or not 2 <= size <= 7 or set(adjacency) - set("01"):
        raise ValueError(f"adjacency {adjacency} of {size} vertices")
    edges = [divmod(place, size) for place, bit in enumerate(adjacency) if bit == "1"]
    if any(x >= y for x, y in edges):
        raise ValueError(f"adjacency {adjacency} is not upper triangular")
    return sum(1 << (x + y * (y - 1) // 2) for x, y in edges)


@cache
def _operation_code(operations: str) -> int:
    """Operations of interior vertices in base 3, the first least significant."""
    first, *inside, last = operations.split(",")
    if (first, last) != ("input", "output"):
        raise ValueError(f"operations {operations}")
    return sum(OPERATIONS.index(name) * 3**i for i, name in enumerate(inside))


def _check_hash(key: str, adjacency: str, operations: str) -> None:
    """Check that the official hash function gives ``key``."""
    from nasbench_pytorch.model.graph_util import hash_module

    names = operations.split(",")
    size = len(names)
    matrix = np.array([int(bit) for bit in adjacency]).reshape(size, size)
    labels = [-1, *(OPERATIONS.index(name) for name in names[1:-1]), -2]
    if (found := hash_module(matrix, labels)) != key:
        raise ValueError(f"the hash of {adjacency} {operations} is {found}, not {key}")
