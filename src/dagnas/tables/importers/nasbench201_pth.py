"""Importer of the official NAS-Bench-201 file, all learning curves in a dict from `torch.save`."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas.errors import DagnasError
from dagnas.outside.pickles import DAMAGE, load_one
from dagnas.tables.importers import ROWS, nats
from dagnas.tables.importers.large_pickle import stream

#: First pickle of a file of the older of torch's two formats, and the most bytes that it and the
#: two after it take.
_MAGIC, _HEAD = 0x1950A86A20F9469CFC6C, 2**12


def read(path: Path, expected: int = ROWS["nasbench201"]) -> pa.Table:
    """Table of NAS-Bench-201 from ``NAS-Bench-201-v1_1-096897.pth``.

    No code of the file is run. Memory holds one cell at a time, since the whole file would take
    some 28 GB.

    Parameters
    ----------
    path : Path
        Written in either format of `torch.save`.
    expected : int
        Expected number of cells.

    Raises
    ------
    DagnasError
        The file is damaged, asks to run code, or is not of NAS-Bench-201; see also `assemble`.
    """
    rows: dict[int, NDArray[np.float64]] = {}
    names: dict[int, str] = {}
    try:
        with tqdm(
            desc=path.name, total=2 * path.stat().st_size, unit="B", unit_scale=True, disable=None
        ) as bar:
            for index, record in stream(_start(path), "arch2infos", bar.update):
                if index is None:
                    official = nats.names_of(record)
                    break
                if type(index) is not int or len(rows) > expected:
                    raise DagnasError("no results of cells, or of more than there are")
                rows[index], names[index] = nats.row(_states(record))
        if names != {index: official[index] for index in names if index < len(official)}:
            raise DagnasError("its cells and its list of cells disagree")
    except (*DAMAGE, OSError, zipfile.BadZipFile, NotImplementedError, DagnasError) as error:
        reason = error if isinstance(error, DagnasError) else f"no results of cells: {error!r:.200}"
        raise DagnasError(f"cannot read {path}: {reason}") from error
    return nats.table(path, names, rows, expected)


def _states(record: Any) -> dict[int, Any]:
    """States of a cell by epochs."""
    return {12: nats.part(record, "less"), 200: nats.part(record, "full")}


def _start(path: Path) -> Callable[[], BinaryIO]:
    """Function that opens the file at the pickle of the dict."""
    if zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(path)
        (member,) = [info for info in archive.infolist() if info.filename.endswith("/data.pkl")]
        # `torch.save` compresses nothing, so what is compressed may be far larger than the file.
        if member.compress_type != zipfile.ZIP_STORED:
            raise DagnasError("it was not written by torch.save: its pickle is compressed")
        return lambda: cast(BinaryIO, archive.open(member))

    with path.open("rb") as file:
        head = file.read(_HEAD)
    magic, position = load_one(head, 0)
    if magic != _MAGIC:
        raise DagnasError("it was not written by torch.save")
    for _ in ("version of the format", "sizes of integers"):
        _, position = load_one(head, position)

    def start() -> BinaryIO:
        file = path.open("rb")
        file.seek(position)
        return file

    return start
