"""Importer of the official NAS-Bench-201 file, all learning curves in a dict from `torch.save`."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
from tqdm import tqdm

from dagnas.errors import DagnasError
from dagnas.tables.importers import ROWS, nats
from dagnas.tables.importers.large_pickle import stream
from dagnas.tables.importers.restricted import DAMAGE, load

#: First pickle of a file of the older of torch's two formats.
_MAGIC = 0x1950A86A20F9469CFC6C


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
    rows, names = {}, {}
    try:
        with tqdm(
            desc=path.name, total=2 * path.stat().st_size, unit="B", unit_scale=True, disable=None
        ) as bar:
            for index, record in stream(_start(path), "arch2infos", bar.update):
                if index is None:
                    official = list(record["meta_archs"])
                    break
                rows[index] = nats.row({12: record["less"], 200: record["full"]})
                names[index] = record["full"]["arch_str"]
                if record["less"]["arch_str"] != names[index]:
                    raise DagnasError(f"cell {index} has two strings")
        if names != {index: official[index] for index in names}:
            raise DagnasError("its cells and its list of cells disagree")
    except (*DAMAGE, zipfile.BadZipFile, DagnasError) as error:
        reason = error if isinstance(error, DagnasError) else f"no results of cells: {error!r}"
        raise DagnasError(f"cannot read {path}: {reason}") from error
    return nats.table(path, names, rows, expected)


def _start(path: Path) -> Callable[[], BinaryIO]:
    """Function that opens the file at the pickle of the dict."""
    if zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(path)
        (member,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        return lambda: cast(BinaryIO, archive.open(member))

    def start() -> BinaryIO:
        file = path.open("rb")
        if load(file) != _MAGIC:
            raise DagnasError("it was not written by torch.save")
        load(file)  # Version of the format.
        load(file)  # Sizes of integers.
        return file

    return start
