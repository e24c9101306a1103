"""Hostile and damaged inputs for every reader, for scale files and for command lines.

    python -m tests.fuzz                                   a minute of everything
    python -m tests.fuzz --seconds 3600 --seed 7           an hour, other inputs
    python -m tests.fuzz --kinds pth scale --keep found    two kinds; keep what breaks them

Each input is read in a process of its own, forked from one that has imported what is needed, with
limits of memory and time. It must end with success or with a `DagnasError`, which is what a command
turns into one message and exit status 2.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import gzip
import hashlib
import io
import itertools
import json
import os
import pickle
import random
import resource
import shutil
import signal
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dagnas.errors import DagnasError
from dagnas.search.runner import TRACE
from tests.benchmarks import official

#: What an input may take: bytes of memory beyond those of the imports, and seconds.
MEMORY, SECONDS = 2**30, 20
#: Exit statuses of a child.
_FINE, _REFUSED, _BROKEN = 0, 2, 70


# Hostile pickles. Each is a program of few bytes; a second one holds it where a record is expected.


def _nested(open_: bytes, shut: bytes, depth: int) -> bytes:
    return b"\x80\x02" + open_ * depth + shut * depth + b"."


def _doubled(times: int, after: bytes) -> bytes:
    """Tuple of twice a tuple of twice a tuple and so on."""
    steps = b"".join(b"q%ch%c\x86" % (i, i) for i in range(times))
    return b"\x80\x02)" + steps + after + b"."


def pickles(rng: random.Random) -> Iterator[bytes]:
    """Hostile pickles, without end."""
    many = [1_000, 100_000, 3_000_000]
    names = [b"os\nsystem", b"builtins\neval", b"builtins\nset", b"collections\nOrderedDict",
             b"numpy\ndtype", b"_codecs\nencode", b"torch._utils\n_rebuild_tensor_v2",
             b"numpy.core.multiarray\nscalar", b"nas_201_api.api_utils\nArchResults"]  # fmt: skip
    while True:
        count = rng.choice(many)
        text = b"X" + struct.pack("<I", count) + b"x" * count
        yield b"\x80\x02" + b")" + b"\x85" * count + b"."
        yield b"\x80\x02}" + b")" + b"\x85" * min(count, 100_000) + b"K\x01s."
        yield _nested(b"]", b"a", count)
        yield b"\x80\x02]" + b"(" + rng.choice([b"}", b"]", b"\x8f", b")\x85"]) * count + b"e."
        yield b"\x80\x02" + b"(" * count + b"t" * count + b"."
        yield _doubled(rng.randrange(2, 250), b"")
        yield _doubled(rng.randrange(20, 250), b"}q\xfa" + b"h\xf9K\x01s")
        yield b"\x80\x02Nr" + struct.pack("<I", rng.choice([2**20, 2**28, 2**32 - 1])) + b"."
        yield b"\x80\x04" + b"N\x94" * count + b"."
        yield b"\x80\x04\x8e" + struct.pack("<Q", 2 ** rng.randrange(20, 63)) + b"x."
        yield b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"x."
        yield b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"1."
        name = rng.choice(names)
        yield b"\x80\x02c" + name + b"\n" + rng.choice([b")", b"(t", b"N", b"K\x01\x85"]) + b"R."
        yield b"\x80\x02c" + name + b"\nq\0" + b"h\0)R0" * 10 + b"."
        copies = min(count, 100_000)
        yield (
            b"\x80\x02c_codecs\nencode\nq\0"
            + text
            + b"q\1X\6\0\0\0latin1\x86q\2("
            + b"h\0h\2R" * copies
            + b"t."
        )
        items = b"".join(b"J" + struct.pack("<i", i) for i in range(min(count, 100_000)))
        yield (
            b"\x80\x02c__builtin__\nset\nq\0](" + items + b"e\x85q\1(" + b"h\0h\1R" * copies + b"t."
        )
        keys = b"".join(
            b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") + b"N" for i in range(copies)
        )
        yield b"\x80\x02}(" + keys + b"u."
        yield b"\x80\x02" + bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
        yield b"\x80\x02(" + rng.choice([b"N", b"K\1", b"\x89", b"M\1\1"]) * count + b"l."
        yield pickle.dumps(_odd(rng, 4), protocol=rng.choice([0, 1, 2, 3, 4, 5]))


def _odd(rng: random.Random, depth: int) -> Any:
    """Plain value of any type, such as no benchmark holds."""
    plain = [None, True, 0, -1, 2**70, 0.5, float("nan"), "", "x" * 1000, "/proc/self/fd/0", b"\0"]
    kind = rng.randrange(6) if depth else 5
    parts = [_odd(rng, depth - 1) for _ in range(rng.randrange(4))] if kind < 4 else []
    names = ["12", "200", "less", "full", "meta_archs", "arch2infos", "all_results", "epochs"]
    if kind == 0:
        return {rng.choice(names): part for part in parts}
    return [parts, tuple(parts), parts * 100][kind - 1] if kind < 4 else rng.choice(plain)


def _strange(rng: random.Random, whole: Any) -> Any:
    """Copy of a record with one value at some depth that is of another type."""
    if rng.random() < 0.2 or not isinstance(whole, dict | list) or not whole:
        return _odd(rng, 2)
    if isinstance(whole, list):
        place = rng.randrange(len(whole))
        return [*whole[:place], _strange(rng, whole[place]), *whole[place + 1 :]]
    key = rng.choice(list(whole))
    return {**whole, key: _strange(rng, whole[key])}


def mutated(rng: random.Random, whole: bytes) -> bytes:
    """Copy with some bytes changed, removed, repeated or put in."""
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        place, length = rng.randrange(len(data) + 1), rng.choice([1, 1, 2, 4, 8, 100])
        match rng.randrange(6):
            case 0 if data:
                data[place % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                data[place : place + length] = bytes(rng.randrange(256) for _ in range(length))
            case 2:
                del data[place : place + length]
            case 3:
                data[place:place] = data[place : place + length]
            case 4:
                data[place : place + length] = rng.choice([b"\0", b"\xff"]) * length
            case 5 if rng.random() < 0.2:
                del data[place:]
    return bytes(data)


# Readers.


@dataclass
class Kind:
    """A kind of input: how to read one, and inputs without end."""

    read: Callable[[Path], object]
    name: str
    inputs: Callable[[random.Random], Iterator[bytes]]
    counts: Counter[str] = field(default_factory=Counter)


def _mixed(*sources: Iterator[bytes]) -> Iterator[bytes]:
    """One of each source in turn."""
    return itertools.chain.from_iterable(zip(*sources, strict=False))


def _forever(make: Callable[[], bytes]) -> Iterator[bytes]:
    while True:
        yield make()


def _zip(members: dict[str, bytes], compressed: bool = False) -> bytes:
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _inner(rng: random.Random, whole: bytes) -> bytes:
    """Zip archive with one member changed, so that checksums are right."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    return _zip({**members, name: mutated(rng, members[name])}, rng.random() < 0.3)


def _pth(folder: Path) -> Kind:
    from dagnas.tables.importers import nasbench201_pth

    content = official.content_201(1)
    wholes = [
        official.write_pth(folder / f"{old}.pth", content, old).read_bytes()
        for old in (False, True)
    ]
    legacy = wholes[1]
    head = legacy[: legacy.index(b"\x80\x02", legacy.index(b"\x80\x02", 3) + 3)]

    def inputs(rng: random.Random) -> Iterator[bytes]:
        hostile = pickles(rng)

        def strange() -> bytes:
            record = _strange(rng, content)
            protocol = rng.choice([2, 2, 4])
            return _zip({"archive/data.pkl": pickle.dumps(record, protocol)}, rng.random() < 0.1)

        def placed() -> bytes:
            body = next(hostile)
            inside = (
                b"\x80\x02}(X\x0a\0\0\0arch2infos}(K\0" + body[2:-1] + b"K\1Nu" + b"X\1\0\0\0aNu."
            )
            return _zip({"archive/data.pkl": rng.choice([body, inside])}, rng.random() < 0.2)

        return _mixed(
            _forever(strange),
            _forever(placed),
            _forever(lambda: head + next(hostile)),
            _forever(lambda: mutated(rng, rng.choice(wholes))),
            _forever(lambda: _inner(rng, wholes[0])),
        )

    return Kind(lambda path: nasbench201_pth.read(path, 1), "x.pth", inputs)


def _nats(folder: Path) -> Kind:
    from dagnas.tables.importers import nats

    source = official.write_nats(folder / "nats", 1, 1)
    meta, cell = ((source / f"{name}.pickle.pbz2").read_bytes() for name in ("meta", "000000"))
    record = pickle.loads(bz2.decompress(cell))

    def read(path: Path) -> None:
        for name, content in (("000000", path.read_bytes()), ("meta", meta)):
            (path.parent / f"{name}.pickle.pbz2").write_bytes(content)
        nats.read_cells(path.parent, [0])
        # The list of cells is a pickle too.
        (path.parent / "meta.pickle.pbz2").write_bytes(path.read_bytes())
        nats.read_cells(path.parent, [0])

    def inputs(rng: random.Random) -> Iterator[bytes]:
        hostile = pickles(rng)
        plain = bz2.decompress(cell)
        return _mixed(
            _forever(lambda: bz2.compress(next(hostile))),
            _forever(lambda: bz2.compress(pickle.dumps(_strange(rng, record)))),
            _forever(lambda: bz2.compress(mutated(rng, plain))),
            _forever(lambda: mutated(rng, cell)),
            _forever(lambda: bz2.compress(b"\x80\x04" + b"N0" * rng.choice([10, 10**7]))),
        )

    return Kind(read, "x.pbz2", inputs)


def _vae(folder: Path) -> Kind:
    from dagnas.predictors.graph_vae.model import Sizes
    from dagnas.predictors.graph_vae.stored import Stored
    from dagnas.predictors.graph_vae.training import Record, Training, build
    from dagnas.seeds import stream, torch_generator
    from dagnas.spaces import SPACES

    space = SPACES.get("nasbench201")
    model = build(space, Sizes(6, 4, 5, 7), torch_generator(stream("fuzz")))
    Stored.of(model, Training([Record(1, *[0.1] * 6)], {})).write(folder / "vae.pt")
    whole = (folder / "vae.pt").read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = [name for name in members if name.endswith("data.pkl")]

    def read(path: Path) -> None:
        Stored.read(path).model(space)

    def inputs(rng: random.Random) -> Iterator[bytes]:
        hostile = pickles(rng)

        def changed(content: bytes) -> bytes:
            return _zip({**members, pickled: content}, rng.random() < 0.2)

        return _mixed(
            _forever(lambda: changed(next(hostile))),
            _forever(lambda: changed(mutated(rng, members[pickled]))),
            _forever(lambda: changed(pickle.dumps(_odd(rng, 4), 2))),
            _forever(lambda: mutated(rng, whole)),
            _forever(lambda: next(hostile)),
        )

    return Kind(read, "x.pt", inputs)


def _arrays(rng: random.Random, good: dict[str, Any]) -> Iterator[bytes]:
    """Archives of arrays: damaged ones, strange ones, and such as expand."""
    buffer = io.BytesIO()
    np.savez(buffer, **good)
    whole = buffer.getvalue()
    texts = ["|u1", "<f8", "|O", "<U9", "<M8[s]", "<i9", "V" * 90, "(" * 200, "3,u1", ">u8", "<c8"]
    sides: list[Any] = [0, 1, 3, -1, 2**31, 2**62, 2**70, True, 1.5, "x", ((),) * 3]

    def strange() -> bytes:
        members = {}
        for name in good:
            shape = tuple(rng.choice(sides) for _ in range(rng.randrange(5)))
            head = {"descr": rng.choice(texts), "fortran_order": rng.choice([True, 0])}
            text = repr({**head, "shape": rng.choice([shape, list(shape), None])}).encode()
            text = rng.choice([text, mutated(rng, text), b"(" * rng.choice([100, 60_000])])
            version = rng.choice([b"\1\0", b"\2\0", b"\3\0", b"\4\0"])
            size = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
            body = b"\0" * rng.choice([0, 10, 10**6, 10**8 if rng.random() < 0.05 else 10])
            members[f"{name}.npy"] = b"\x93NUMPY" + version + size + text + body
        return _zip(members, True)

    def odd() -> bytes:
        out = io.BytesIO()
        name = rng.choice(list(good))
        values = [np.zeros(rng.choice([0, 3, 10**7])), np.array(3), np.array([None, {}]),
                  np.array(["x"]), np.full(5, -1), np.full((2, 2), 2**62),
                  np.array([np.nan])]  # fmt: skip
        np.savez_compressed(out, **{**good, name: rng.choice(values)})
        return out.getvalue()

    hostile = pickles(rng)
    return _mixed(
        _forever(lambda: mutated(rng, whole)),
        _forever(lambda: _inner(rng, whole)),
        _forever(strange),
        _forever(odd),
        _forever(lambda: _zip({f"{name}.npy": next(hostile) for name in good})),
        _forever(lambda: next(hostile)),
    )


def _cifar(folder: Path) -> Kind:
    from dagnas.tables.importers import cifar10

    picture = io.BytesIO()
    Image.new("RGB", (32, 64)).save(picture, "WEBP", lossless=True)
    strip, size = np.frombuffer(picture.getvalue(), np.uint8), len(picture.getvalue())
    good: dict[str, Any] = {}
    for part in ("train", "test"):
        good |= {
            f"webp_{part}": strip,
            f"len_{part}": np.array([size]),
            f"y_{part}": np.zeros(2, int),
        }
    return Kind(lambda path: cifar10.read(path, 4), "x.npz", lambda rng: _arrays(rng, good))


def _cifar_archive(folder: Path) -> Kind:
    from dagnas.tables.importers import cifar10

    def packed(members: dict[str, bytes]) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return out.getvalue()

    names = [*(f"x/data_batch_{i}.bin" for i in range(1, 6)), "x/test_batch.bin"]
    whole = packed(dict.fromkeys(names, bytes(3073)))

    def inputs(rng: random.Random) -> Iterator[bytes]:
        def huge() -> bytes:
            info = tarfile.TarInfo(rng.choice(["a", "x/test_batch.bin"]))
            info.size = rng.choice([3073, 2**30, 2**40])
            info.type = rng.choice([b"0", b"x", b"g", b"L", b"K", b"S"])
            return info.tobuf() + bytes(
                rng.choice([10**4, 4 * 10**8 if rng.random() < 0.03 else 9])
            )

        return _mixed(
            _forever(lambda: mutated(rng, gzip.compress(whole))),
            _forever(lambda: gzip.compress(mutated(rng, whole), 1)),
            _forever(lambda: gzip.compress(huge(), 1)),
            _forever(lambda: gzip.compress(packed({str(i): b"" for i in range(300)}), 1)),
        )

    return Kind(lambda path: cifar10.read(path, 6), "x.tar.gz", inputs)


def _images(folder: Path) -> Kind:
    from dagnas.training.images import read_npz

    rng = np.random.default_rng(0)
    good: dict[str, Any] = {
        "images": rng.integers(0, 256, (12, 4, 4), dtype=np.uint8),
        "labels": np.arange(12) % 3,
    }

    def read(path: Path) -> None:
        read_npz(path).digest()

    return Kind(read, "x.npz", lambda rng: _arrays(rng, good))


def _tfrecord(folder: Path) -> Kind:
    from dagnas.tables.importers import tfrecord

    whole = official.write_tfrecord(folder / "x.tfrecord", official.trainings_101()).read_bytes()
    adjacency, operations = official.cells_101()[1]
    good = [
        official.hash_101(adjacency, operations), 108, adjacency, operations,
        official.metrics_101(1003, 9.5, 0.9, 0.8, 0.7),
    ]  # fmt: skip

    def inputs(rng: random.Random) -> Iterator[bytes]:
        def strange() -> bytes:
            record = list(good)
            values: list[Any] = [
                None,
                [],
                {},
                -1,
                2**70,
                1.5,
                True,
                "",
                "x" * 999,
                "01" * 9,
                [[]] * 9,
                "input",
            ]
            record[rng.randrange(5)] = rng.choice(values)
            return official.frame(json.dumps(record).encode())

        def nested() -> bytes:
            text = rng.choice([b"[", b'{"a":']) * rng.choice([10, 1000, 100_000])
            return official.frame(rng.choice([text, mutated(rng, json.dumps(good).encode())]))

        def message() -> bytes:
            import base64

            raw = rng.choice([b"\xff" * 700_000, mutated(rng, base64.b64decode(str(good[4])))])
            return official.frame(json.dumps([*good[:4], base64.b64encode(raw).decode()]).encode())

        def many() -> bytes:
            records = (
                json.dumps([*good[:1], rng.choice([108, rng.randrange(10**6)]), *good[2:]]).encode()
                for _ in range(rng.choice([4, 300]))
            )
            return b"".join(map(official.frame, records))

        return _mixed(
            _forever(lambda: mutated(rng, whole)),
            *(_forever(make) for make in (strange, nested, message, many)),
        )

    return Kind(lambda path: tfrecord.read(path, 4), "x.tfrecord", inputs)


def _enas(folder: Path) -> Kind:
    from dagnas.tables.importers import enas

    whole = (
        b"[[1], [4, 0], [5, 0, 0], [0, 1, 1, 1], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0, 1]], 0.7\n" * 3
    )

    def inputs(rng: random.Random) -> Iterator[bytes]:
        odd = [
            b"[" * 100_000,
            b"1" * 10_000,
            b",",
            b"NaN,NaN",
            b"[[0]],1e999",
            b"\xff",
            b"{}" * 999,
        ]
        return _mixed(
            _forever(lambda: mutated(rng, whole)),
            _forever(lambda: whole + rng.choice(odd) + rng.choice([b"", b",0.5"])),
        )

    return Kind(lambda path: enas.read(path, 3, 0), "x.txt", inputs)


def _cell_texts(folder: Path) -> Kind:
    """Texts of cells, each read by every space."""
    from dagnas.spaces import SPACES

    spaces = [SPACES.get(name) for name in SPACES.names()]
    cells = [space.sample(1, np.random.default_rng(0)) for space in spaces]
    good = [space.to_str(cell)[0].encode() for space, cell in zip(spaces, cells, strict=True)]

    def read(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "replace")
        refused = []
        for space in spaces:
            try:
                space.from_str([text])
            except DagnasError as error:
                refused.append(error)
        if len(refused) == len(spaces):
            raise refused[0]

    def inputs(rng: random.Random) -> Iterator[bytes]:
        odd = [b"[" * 100_000, b"('none', 0), " * 10_000, b"1-" * 10_000, b"9" * 5000, b"\xff", b""]
        return _mixed(
            _forever(lambda: mutated(rng, rng.choice(good))),
            _forever(lambda: rng.choice(good)[: rng.randrange(300)] + rng.choice(odd)),
        )

    return Kind(read, "cell.txt", inputs)


def _columns(rng: random.Random, good: pa.Table) -> Iterator[bytes]:
    """Parquet files: damaged ones, with columns of other types, and such as expand."""

    def written(table: pa.Table) -> bytes:
        out = io.BytesIO()
        pq.write_table(table, out, compression="zstd", write_page_checksum=rng.random() < 0.5)
        return out.getvalue()

    whole = written(good)

    def strange() -> bytes:
        rows, name = len(good), rng.choice(good.column_names)
        values = [
            pa.nulls(rows), pa.array(["x"] * rows), pa.array([b"\xff"] * rows),
            pa.array([[1]] * rows), pa.array([{"a": 1}] * rows), pa.array([2**62] * rows),
            pa.array([float("inf")] * rows), pa.array([None, *range(rows - 1)], pa.int64()),
            pa.array([0] * rows, pa.timestamp("us")), pa.array(["x"] * rows).dictionary_encode(),
            pa.array([-1] * rows, pa.int8()), pa.array([True] * rows),
        ]  # fmt: skip
        place = good.column_names.index(name)
        return written(good.set_column(place, name, rng.choice(values)))

    def large() -> bytes:
        rows = rng.choice([10**6, 10**7])
        column = rng.choice([pa.nulls(rows, pa.int64()), pa.array(np.zeros(rows))])
        return written(pa.table(dict.fromkeys(good.column_names, column)))

    def texts() -> bytes:
        rows = 20_000
        text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 10**6])
        return written(pa.table(dict.fromkeys(good.column_names, text)))

    def told() -> bytes:
        about = dict(good.schema.metadata or {b"dagnas.method": b"x"})
        odd = [b"\xff", b"[" * 100_000, b"1e999", b"{}", b'"x"', b"NaN", b""]
        about[rng.choice(list(about))] = rng.choice(odd)
        return written(good.replace_schema_metadata(about))

    some = _mixed(_forever(lambda: mutated(rng, whole)), _forever(strange), _forever(told))
    few = _mixed(_forever(large), _forever(texts))
    while True:
        yield from itertools.islice(some, 20)
        yield next(few)


def _compact(folder: Path) -> Kind:
    from dagnas.tables.importers import compact

    good = pa.table(official.compact_201())
    return Kind(compact.read_nasbench201, "x.parquet", lambda rng: _columns(rng, good))


def _trace(folder: Path) -> Kind:
    from dagnas.analysis import traces

    rows = {
        name: {pa.string(): ["x"] * 3}.get(TRACE.field(name).type, [1, 2, 3])
        for name in TRACE.names
    }
    about = {"dagnas.method": "m", "dagnas.benchmark": "b", "dagnas.budget_seconds": "10.0"}
    about |= {"dagnas.settings": "{}", "dagnas.until_best": "false"}
    good = pa.table(rows, schema=TRACE).replace_schema_metadata(about)

    def read(path: Path) -> None:
        traces.last_reports(traces.read(path))

    return Kind(read, "x.parquet", lambda rng: _columns(rng, good))


def _table(folder: Path) -> Kind:
    from dagnas.benchmarks.built import open_built
    from dagnas.benchmarks.digits201 import digits201
    from dagnas.files import read_parquet

    opened: Any = digits201.open(folder)
    shipped = opened.table.path
    good = read_parquet(shipped).slice(0, 200)
    good = good.replace_schema_metadata(read_parquet(shipped).schema.metadata)

    def read(path: Path) -> None:
        benchmark = open_built("mine", path)
        for policy in benchmark.policies.values():
            benchmark.describe(np.arange(3), policy)

    return Kind(read, "x.parquet", lambda rng: _columns(rng, good))


def _darts214(folder: Path) -> Kind:
    from dagnas.spaces.darts import darts
    from dagnas.tables.importers import darts214

    cells = darts.sample(2, np.random.default_rng(0))
    texts, params = darts.to_str(cells), darts.size(cells).params.tolist()
    rows = [
        [str(row), "97.0", "96.5", str(count), f'"{text}"']
        for row, (text, count) in enumerate(zip(texts, params, strict=True))
    ]
    head = ",".join(darts214._COLUMNS)

    def inputs(rng: random.Random) -> Iterator[bytes]:
        odd = ["", "nan", "1e999", "-1", "9" * 30, "9" * 5000, "x", '"', "None", "(" * 10_000]

        def strange() -> bytes:
            found = [list(row) for row in rows]
            found[0][rng.randrange(5)] = rng.choice(odd)
            if rng.random() < 0.2:
                found[1] = found[1][: rng.randrange(5)]
            return "\n".join([head, *map(",".join, found)]).encode()

        whole = "\n".join([head, *map(",".join, rows)]).encode()
        return _mixed(_forever(strange), _forever(lambda: mutated(rng, whole)))

    return Kind(lambda path: darts214.read(path, 2), "x.csv", inputs)


def _curves(folder: Path) -> Kind:
    from dagnas.tables.importers import darts214

    buffer = io.BytesIO()
    np.save(buffer, np.full((3, darts214.EPOCHS), 96.5))
    whole = buffer.getvalue()
    last = np.full(3, 96.5)

    def inputs(rng: random.Random) -> Iterator[bytes]:
        hostile, head = pickles(rng), whole[: whole.index(b"\n") + 1]
        return _mixed(
            _forever(lambda: mutated(rng, whole)),
            _forever(lambda: mutated(rng, head) + whole[len(head) :]),
            _forever(lambda: next(hostile)),
            _forever(lambda: head + next(hostile)),
        )

    return Kind(lambda path: darts214._curves(path, last), "x.npy", inputs)


def _flowers(folder: Path) -> Kind:
    from dagnas.tables.importers import flowers17

    good: dict[str, Any] = {
        "images": np.zeros((6, 16, 16, 3), np.uint8),
        "labels": np.arange(6),
        "split": np.array([0, 0, 0, 0, 1, 2]),
    }
    return Kind(
        lambda path: flowers17.read(path, (4, 1, 1)), "x.npz", lambda rng: _arrays(rng, good)
    )


def _hardware(folder: Path) -> Kind:
    from dagnas.tables.importers import hardware

    cells = [str(cell) for cell in itertools.product(range(5), repeat=6)]
    sets = list(hardware.DATASETS.values())
    good = pa.table(
        {"dataset": np.repeat(sets, len(cells)), "net": cells * len(sets)}
        | dict.fromkeys([*hardware.COSTS, hardware.PARTIAL], np.ones(len(cells) * len(sets)))
    )
    return Kind(hardware.read, "x.parquet", lambda rng: _columns(rng, good))


def _ptb(folder: Path) -> Kind:
    from dagnas.tables.importers import ptb

    members = {name: b"a b\nb a\n" * 9 for name in ptb.FILES}
    known = {
        name: hashlib.md5(text, usedforsecurity=False).hexdigest() for name, text in members.items()
    }
    whole = _zip(members, True)

    def inputs(rng: random.Random) -> Iterator[bytes]:
        def large() -> bytes:
            return _zip({**members, rng.choice(list(members)): b"a " * 10**8}, True)

        few = itertools.islice(_forever(large), 2)
        return itertools.chain(
            few,
            _mixed(_forever(lambda: mutated(rng, whole)), _forever(lambda: _inner(rng, whole))),
        )

    return Kind(lambda path: ptb.read(path, known), "x.zip", inputs)


def _text(folder: Path) -> Kind:
    from dagnas.training.texts import read_text

    whole = b"the cat sat\non the mat\n\n" * 40

    def inputs(rng: random.Random) -> Iterator[bytes]:
        odd = [
            b"", b"\xff", b"\0" * 1000, b"x" * 10**6, b"\n" * 10**6, b"a " * 10**6,
            b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r" * 1000, b"a\n" * 30,
        ]  # fmt: skip
        return _mixed(
            _forever(lambda: mutated(rng, whole)),
            _forever(lambda: rng.choice(odd) + whole[: rng.randrange(len(whole))]),
        )

    return Kind(lambda path: read_text(path).digest(), "x.txt", inputs)


def _words(folder: Path) -> Kind:
    from dagnas.training.texts import read_words

    good = pa.table({"word": ["a", "b"] * 9, "part": pa.array([0, 1, 2] * 6, pa.int8())})
    return Kind(
        lambda path: read_words(path).digest(), "x.parquet", lambda rng: _columns(rng, good)
    )


#: Description of a table of one's own, and after a line the table.
_CUT = b"\n=====\n"
_DESCRIBED = b"""table: x.csv
space: nasbench201
architecture: cell
signal: {column: error, unit: fraction, better: lower}
test: accuracy
seconds: {column: hours, unit: h}
costs: {latency: {column: ms, unit: ms}}
budget_evaluations: 3
"""


def _own_rows() -> bytes:
    from dagnas.spaces import SPACES

    space: Any = SPACES.get("nasbench201")
    texts = dict.fromkeys(space.to_str(space.sample(20, np.random.default_rng(0))))
    return "\n".join(
        ["cell,error,accuracy,hours,ms", *(f"{text},0.5,50,1,2" for text in texts)]
    ).encode()


def _own_table(folder: Path) -> Kind:
    from dagnas.benchmarks.simple import open_simple

    rows = _own_rows()
    lines = rows.decode().splitlines()

    def read(path: Path) -> None:
        described, _, table = path.read_bytes().partition(_CUT)
        (path.parent / "x.csv").write_bytes(table)
        path.write_bytes(described)
        benchmark = open_simple(path)
        for policy in benchmark.policies.values():
            benchmark.describe(np.arange(1), policy)

    def inputs(rng: random.Random) -> Iterator[bytes]:
        odd = ["", "nan", "1e999", "-1", "9" * 5000, "x", '"', '"' + "y" * 10**6, "1_0", "\0"]
        keys = [b"table: ../x.csv", b"table: /dev/zero", b"table: x.exe", b"space: layers",
                b"signal: [1]", b"costs: {a: {b: c}}", b"space: 7", b"by_class: true",
                b"budget_evaluations: 1e99", b"signal: cell", b"a: &a [*a]"]  # fmt: skip

        def strange() -> bytes:
            found = [line.split(",") for line in lines]
            found[rng.randrange(len(found))][rng.randrange(5)] = rng.choice(odd)
            return _DESCRIBED + _CUT + "\n".join(map(",".join, found)).encode()

        def described() -> bytes:
            key = rng.choice(keys)
            name = key.partition(b":")[0] + b":"
            rest = [line for line in _DESCRIBED.splitlines() if not line.startswith(name)]
            return b"\n".join([*rest, key]) + _CUT + rows

        return _mixed(
            _forever(strange),
            _forever(described),
            _forever(lambda: mutated(rng, _DESCRIBED) + _CUT + rows),
            _forever(lambda: _DESCRIBED + _CUT + mutated(rng, rows)),
        )

    return Kind(read, "x.yaml", inputs)


def _supernet(folder: Path) -> Kind:
    from dagnas.training.device_images import DeviceImages
    from dagnas.training.supernet import TrainedSupernet, build, read_images
    from dagnas.training.supernet_recipe import SupernetImages

    about = SupernetImages(space="nasbench201", images="digits", settings={})
    images = DeviceImages(*read_images("digits", folder, about.recipe()), "cpu")
    network = build(about.space, about.recipe(), images)
    TrainedSupernet("x", about, images, network, "", [], "").write(folder / "x.pt")
    whole = (folder / "x.pt").read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = [name for name in members if name.endswith("data.pkl")]
    told = about.model_dump_json().encode()

    def read(path: Path) -> None:
        TrainedSupernet.read(path, folder)

    def inputs(rng: random.Random) -> Iterator[bytes]:
        hostile = pickles(rng)

        def changed(content: bytes) -> bytes:
            return _zip({**members, pickled: content}, rng.random() < 0.2)

        def described() -> bytes:
            odd = mutated(rng, told)[: len(told)]
            return changed(members[pickled].replace(told, odd.ljust(len(told))))

        return _mixed(
            _forever(described),
            _forever(lambda: changed(next(hostile))),
            _forever(lambda: changed(mutated(rng, members[pickled]))),
            _forever(lambda: changed(pickle.dumps(_odd(rng, 4), 2))),
            _forever(lambda: mutated(rng, whole)),
        )

    return Kind(read, "x.pt", inputs)


def _trainings(folder: Path) -> Kind:
    """Caches of trainings, in both forms."""
    from dagnas.benchmarks.generators import read_results
    from dagnas.benchmarks.trained import read_accuracies

    good = [["a", 0.5, 0.4], ["b", 0.5, 0.4, 1000, 2000]]

    def read(path: Path) -> None:
        for found in (read_accuracies(path), read_results(path)):
            np.array(list(found.values()), dtype=np.float64)

    def inputs(rng: random.Random) -> Iterator[bytes]:
        odd = [b"[" * 100_000, b"{}", b"\xff", b'["a", 1e999, 2]', b'[["a"], 1, 2]', b"null"]

        def strange() -> bytes:
            lines = [json.dumps(_strange(rng, row), default=repr).encode() for row in good]
            return b"\n".join([*lines, rng.choice(odd)])

        whole = b"\n".join(json.dumps(row).encode() for row in good)
        return _mixed(_forever(strange), _forever(lambda: mutated(rng, whole)))

    return Kind(read, "x.jsonl", inputs)


def _pixels(folder: Path) -> Kind:
    from dagnas.training.images import read_table

    size = pa.array([bytes(3072)] * 12, pa.binary(3072))
    good = pa.table({"pixels": size, "label": pa.array(np.arange(12) % 3, pa.uint8())})
    return Kind(read_table, "x.parquet", lambda rng: _columns(rng, good))


# Scale files and command lines.

_SCALE = """
scale: x
trials: 2
trials_per_job: 1
studies:
  s: {benchmark: digits201, methods: [random_search, half], budget_seconds: 20}
variants:
  half: {method: goal, settings: {step_size: 0.5}}
rankings:
  r: {benchmark: digits201, target: digits/valid/12, predictors: [mlp], train_sizes: [20]}
autoencoders:
  a: {benchmark: digits201, target: digits/valid/12, epochs: 2}
latent_searches:
  l: {autoencoder: a, by: ascent, points: 10}
supernets:
  n: {space: nasbench201, images: digits, settings: {epochs: 1}, truth: digits201, valid_images: 9}
trainings:
  t: {space: darts_one_cell, cell: {study: s, method: half}, images: digits, channels: 4, epochs: 1}
papers: []
"""
#: Values that stand in place of others.
_VALUES = [
    "1:30",
    "010",
    "true",
    "yes",
    "~",
    "null",
    ".inf",
    "-.inf",
    ".nan",
    "1e999",
    "-1",
    "0",
    "1.5",
    "1_000",
    "0x1f",
    "0o17",
    "99999999999999999999999",
    "2001-01-01",
    "2001-99-99",
    "!!timestamp",
    "!!int",
    "!!float",
    "!!bool",
    "!!set",
    "!!omap",
    "!!binary",
    "!!python/name:os.system",
    "[]",
    "{}",
    "[[[]]]",
    "{x}",
    "{x:1}",
    "[~]",
    "?",
    "-",
    ":",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "@",
    "`",
    "''",
    '""',
    '"\\ud800"',
    "x/../y",
    "$(id)",
    ";",
    '"\'"',
    "<<:",
    "*a",
    "&a",
    "[1]",
    "2147483648",
    "100000000",
    "1e9",
    "../x",
    "/dev/zero",
    "x.yaml",
    "scale.yaml",
    "digits201",
    "goal",
    "random_search",
    "mlp",
    '"\\0.yaml"',
    '["\\ud800.yaml", "\\0.yaml"]',
]


def _scale_files(rng: random.Random) -> Iterator[bytes]:
    def replaced() -> bytes:
        words = _SCALE.replace("{", "{ ").replace("}", " }").split(" ")
        for _ in range(rng.choice([1, 1, 2, 4])):
            words[rng.randrange(len(words))] = rng.choice(_VALUES)
        return " ".join(words).encode("utf-8", "replace")

    def bomb() -> bytes:
        levels, width = rng.choice([(9, 9), (30, 2), (3, 100)])
        lines = ["- &a0 [lol]"]
        kind = rng.choice(["[{}]", "{{<<: [{}]}}", "{{k: [{}]}}"])
        for level in range(1, levels):
            inner = ", ".join([f"*a{level - 1}"] * width)
            lines.append(f"- &a{level} {kind.format(inner)}")
        key = rng.choice(["trials", "papers", "studies", "plugins", "x"])
        return f"{_SCALE}{key}2:\n{chr(10).join(lines)}\n{key}: *a{levels - 1}\n".encode()

    def nested() -> bytes:
        sign = rng.choice(["[", "{a: ", "- ", "? ", "&a ", "!!x ", "'", '"', "|\n", "# "])
        return f"{_SCALE}x: {sign * rng.choice([50, 1000, 100_000])}".encode()

    def line() -> bytes:
        key = rng.choice(
            [
                "trials",
                "trials_per_job",
                "papers",
                "plugins",
                "extends",
                "benchmarks",
                "device",
                "source",
                "scale",
                "studies",
                "rankings",
                "tables",
                "supernets",
                "trainings",
            ]
        )
        rest = [text for text in _SCALE.splitlines() if not text.startswith(f"{key}:")]
        return "\n".join([*rest, f"{key}: {rng.choice(_VALUES)}"]).encode("utf-8", "replace")

    whole = _SCALE.encode()
    return _mixed(
        *(_forever(make) for make in (replaced, bomb, nested, line)),
        _forever(lambda: mutated(rng, whole)),
        _forever(lambda: bytes(rng.randrange(256) for _ in range(rng.randrange(300)))),
    )


def _main(words: list[str]) -> None:
    """Run a command; an exit status other than 0 and 2 is a fault."""
    from dagnas.cli import main

    try:
        status = main(words)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    if status not in (0, 2):
        raise AssertionError(f"exit status {status}")
    if status:
        raise DagnasError("refused")


def _scale(folder: Path) -> Kind:
    return Kind(lambda path: _main(["config", "check", str(path)]), "scale.yaml", _scale_files)


#: Command lines that take seconds at most.
_COMMANDS = (
    "search --benchmark digits201 --method random_search --trials 0:1 --budget-evaluations 3 "
    "--out o.parquet",
    "search --benchmark digits201 --method regularized_evolution --set population=4 --trials 0:1 "
    "--budget-evaluations 6 --out o.parquet",
    "search --benchmark stack_layers --policy reward --method controller_reinforce --trials 0:1 "
    "--budget-evaluations 3 --out o.parquet",
    "rank --name m --benchmark digits201 --target digits/valid/12 --predictors mlp "
    "--train-sizes 8 --test-size 10 --epochs 1 --trials 1 --out o.parquet",
    "rank-search --name m --benchmark digits201 --method goal --trials 0:1 "
    "--budget-evaluations 3 --out o.parquet",
    "build-table --images digits --cells 0:1 --set epochs=1 --set seeds=1 --set channels=2 "
    "--set train=60 --out o.parquet",
    "autoencode --name a --benchmark digits201 --target digits/valid/12 --shares 0.01 0.01 "
    "--epochs 1 --out v.pt",
    "latent-search --by ascent --name a --autoencoder v.pt --benchmark digits201 "
    "--target digits/valid/12 --shares 0.01 0.01 --points 3 --steps 2 --out o.parquet",
    "config check x.yaml",
    "config schema",
    "list methods",
    "list benchmarks",
    "show o.parquet",
    "compare o.parquet p.parquet --out c.png",
    "tabulate --inputs x.json --out t.csv goal/fig4",
    "draw --out d x/y.csv",
    "fetch nasbench201",
    "claims --config x.yaml --out c",
    "result --config x.yaml goal/fig4",
    "metrics x.csv",
    "adopt --config x.yaml",
    "search --benchmark digits201_costs --policy bonas --method nsga2 --set population=4 "
    "--trials 0:1 --budget-evaluations 4 --objective signal --objective parameters --out o.parquet",
    "search --benchmark own --method random_search --trials 0:1 --budget-evaluations 3 "
    "--constraint latency<3 --plugin own.yaml --out o.parquet",
    "check-table own.yaml",
    "completion bash",
    "describe --space nasbench201 --cell |none~0|+|none~0|none~1|+|none~0|none~1|none~2| "
    "--channels 2 --layers 1 --json --draw d.svg",
    "describe --space resnet_strings --cell 1211-211-1111-12111 --imagenet",
    "plan goal/fig4 --config x.yaml",
    "train --space nasbench201 --images digits --cell "
    "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2| --channels 2 --layers 1 "
    "--train 64 --epochs 1 --batch-size 32 --out c.parquet",
    "train-language --text generated --preset smoke --set epochs=1 --out l.parquet --cell "
    "Genotype(recurrent=[('tanh',0)],concat=[1])",
    "build-table --space recurrent --text own.txt --preset smoke --set cells=2 --set epochs=1 "
    "--out o.parquet",
    "supernet --space nasbench201 --images digits --epochs 1 --set steps=2 --name s --out s.pt",
    "score --supernet s.pt --truth digits201 --out o.parquet",
)
_WORDS = [
    "0:10000000000",
    "3000000000:3000000001",
    "99999999999999999999999:100000000000000000000000",
    "0:0",
    "5:3",
    "-1:3",
    ":",
    "0:1:2",
    "inf",
    "nan",
    "-inf",
    "1e308",
    "1e999",
    "-1",
    "0",
    "0.0",
    "99999999999999999999999",
    "2147483648",
    "9223372036854775808",
    "1_000",
    "0x10",
    "/dev/zero",
    "/dev/null",
    "/proc/self/mem",
    ".",
    "..",
    "/",
    "x.yaml",
    "o.parquet",
    "x.npz",
    ".parquet",
    "missing/x.parquet",
    "cuda",
    "cpu",
    "auto",
    "digits201",
    "nasbench101",
    "stack_layers",
    "goal",
    "smac",
    "bohb",
    "mlp",
    "ecc",
    "goal/fig4",
    "--help",
    "--version",
    "-h",
    "--",
    "=",
    "a=",
    "=b",
    "a=b",
    "pool=99999999999999999999",
    "batch=[1",
    "population=1:30",
    "population=true",
    "population=10000000000",
    "epochs=1e9",
    "a={b:",
    "*c}",
    "batch=&a[*a]",
    "params<1e5",
    "params<",
    "<1",
    "params<=nan",
    "cost<1",
    "signal",
    "own.yaml",
    "own.txt",
    "s.pt",
    "darts",
    "recurrent",
    "nago",
    "0.5 0.5",
    "channels=0",
    "strategy=darts_second",
    "Genotype(recurrent=[('tanh', 0)], concat=[1])",
    "x=[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]",
    "�",
]


def _command_lines(rng: random.Random) -> Iterator[bytes]:
    """Words of commands, one a line."""
    while True:
        words = rng.choice(_COMMANDS).split()
        for _ in range(rng.choice([1, 1, 2, 3])):
            place = rng.randrange(1, len(words) + 1)
            match rng.randrange(4):
                case 0:
                    words[place:place] = [rng.choice(_WORDS)]
                case 1:
                    del words[place : place + 1]
                case 2:
                    words[place : place + 1] = [rng.choice(_WORDS)]
                case 3 if words:
                    words[place:place] = [rng.choice(words), rng.choice(_WORDS)]
        if rng.random() < 0.02:
            words.append("x" * rng.choice([300, 100_000]))
        yield "\n".join(words).encode("utf-8", "surrogatepass")


def _command(folder: Path) -> Kind:
    def read(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
        path.unlink()
        # Nothing is fetched from afar.
        os.environ |= {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        Path("x.yaml").write_text(_SCALE)
        Path("own.yaml").write_bytes(_DESCRIBED)
        Path("x.csv").write_bytes(_own_rows())
        Path("own.txt").write_text("the cat sat\non the mat\n" * 40)
        _main(text.split("\n"))

    return Kind(read, "words", _command_lines)


KINDS: dict[str, Callable[[Path], Kind]] = {
    "pth": _pth,
    "nats": _nats,
    "graph_vae": _vae,
    "cifar10_npz": _cifar,
    "cifar10_archive": _cifar_archive,
    "images": _images,
    "image_table": _pixels,
    "tfrecord": _tfrecord,
    "enas": _enas,
    "cell_texts": _cell_texts,
    "compact": _compact,
    "table": _table,
    "trace": _trace,
    "darts214": _darts214,
    "curves": _curves,
    "flowers": _flowers,
    "hardware": _hardware,
    "ptb": _ptb,
    "text": _text,
    "words": _words,
    "own_table": _own_table,
    "supernet": _supernet,
    "trainings": _trainings,
    "scale": _scale,
    "command": _command,
}


# Running.


def _limit(memory: int, seconds: int) -> None:
    """Limit this process to so much more memory than it has, and to so many seconds."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**28, 2**28))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(3 * seconds)


def _child(kind: Kind, path: Path, log: Path) -> int:
    """Read an input; the exit status of the process that does."""
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    os.chdir(path.parent)
    _limit(MEMORY, SECONDS)
    try:
        kind.read(path)
    except DagnasError as error:
        # Its words must be printable.
        return _REFUSED if str(error) else _BROKEN
    except MemoryError:
        log.write_text("out of memory\n" + traceback.format_exc()[-2000:])
        return _BROKEN
    except BaseException:
        with contextlib.suppress(MemoryError):
            log.write_text(traceback.format_exc()[-3000:])
        return _BROKEN
    return _FINE


def attempt(kind: Kind, content: bytes, folder: Path) -> str | None:
    """Read an input in a process of its own; what went wrong, or None.

    Parameters
    ----------
    kind : Kind
    content : bytes
    folder : Path
        Emptied before.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path, log = folder / kind.name, folder.parent / "log"
    path.write_bytes(content)
    log.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        try:
            status = _child(kind, path, log)
        finally:
            os._exit(status if "status" in locals() else _BROKEN)
    _, status, _ = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    kind.counts["read" if code == _FINE else "refused" if code == _REFUSED else "broken"] += 1
    if code in (_FINE, _REFUSED):
        return None
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return log.read_text() if log.exists() else f"exit status {code}"


def run(names: list[str], seconds: float, seed: int, keep: Path | None = None) -> int:
    """Try kinds in turn until the time is over; the number of inputs that broke a reader."""
    os.environ.setdefault("DAGNAS_MIRROR", "/nowhere")
    found = 0
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        kinds = {}
        for name in names:
            (place / name).mkdir()
            kinds[name] = KINDS[name](place / name)
        inputs = {
            name: kind.inputs(random.Random(f"{seed} {name}")) for name, kind in kinds.items()
        }
        end = time.monotonic() + seconds
        for number in itertools.count():
            for name, kind in kinds.items():
                if time.monotonic() > end:
                    break
                content = next(inputs[name])
                if fault := attempt(kind, content, place / "input"):
                    found += 1
                    print(f"{name} {number}: {fault.strip()}\n  {content[:80]!r}", flush=True)
                    if keep:
                        keep.mkdir(exist_ok=True)
                        (keep / f"{name}_{seed}_{number}_{kind.name}").write_bytes(content)
            else:
                continue
            break
        print("kind,tried,read,refused,broken")
        for name, kind in kinds.items():
            counts = [kind.counts[key] for key in ("read", "refused", "broken")]
            print(name, sum(counts), *counts, sep=",")
    return found


def main() -> None:
    """Run from the command line; exit status 1 if a reader broke."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--keep", type=Path, help="folder for inputs that break a reader")
    options = parser.parse_args()
    sys.exit(bool(run(options.kinds, options.seconds, options.seed, options.keep)))


if __name__ == "__main__":
    main()
