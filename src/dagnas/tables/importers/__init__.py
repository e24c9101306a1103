"""Importers of published benchmark files into tables of this project.

`import_table` chooses the reader; `assemble` checks the values that every reader returns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dagnas.errors import DagnasError

#: Rows of each table.
ROWS = {
    "nasbench201": 5**6,
    "nasbench101": 423_624,
    "enas": 19_020,
    "darts214": 214,
    "cifar10": 60_000,
    "flowers17": 1_360,
    "hw_nasbench201": 5**6,
    "ptb": 1_085_779,
}
REPEATS = ("s0", "s1", "s2")
#: Largest difference between a mean stored as float32 and the mean of its float32 repeats.
_TOLERANCE = 1e-4


class Imported(NamedTuple):
    """Checked table, and its columns that come from a model instead of training runs."""

    table: pa.Table
    emulated: tuple[str, ...] = ()


def import_table(name: str, paths: Sequence[Path]) -> Imported:
    """Read a benchmark table from its source.

    Parameters
    ----------
    name : str
        A key of `ROWS`.
    paths : sequence of Path
        The source: one official file or folder, or the compact Parquet file (of NAS-Bench-101
        followed by the Parquet file of the curves from which the rest is emulated); of darts214
        the file of genotypes, and that of their curves.

    Returns
    -------
    Imported
        All rows present (docs/data.md lists the columns).

    Raises
    ------
    DagnasError
        The source has no known format, is damaged or incomplete, or holds an impossible value.
    """
    first = paths[0]
    kind = "folder" if first.is_dir() else first.suffix
    try:
        # Each reader is imported when used, since some need large libraries.
        match name, kind:
            case "nasbench201", ".parquet":
                from dagnas.tables.importers.compact import read_nasbench201

                return read_nasbench201(first)
            case "nasbench201", ".pth":
                from dagnas.tables.importers import nasbench201_pth

                return Imported(nasbench201_pth.read(first))
            case "nasbench201", "folder":
                from dagnas.tables.importers import nats

                return Imported(nats.read(first))
            case "nasbench101", ".parquet":
                from dagnas.tables.importers.compact import read_nasbench101

                if len(paths) != 2:
                    raise DagnasError(f"{first} needs the file of curves beside it")
                return read_nasbench101(first, paths[1])
            case "nasbench101", ".tfrecord":
                from dagnas.tables.importers import tfrecord

                return Imported(tfrecord.read(first))
            case "enas", ".txt":
                from dagnas.tables.importers import enas

                return enas.read(first)
            case "darts214", ".csv":
                from dagnas.tables.importers import darts214

                return darts214.read(first, curves=paths[1] if len(paths) > 1 else None)
            case "cifar10", ".gz" | ".npz":
                from dagnas.tables.importers import cifar10

                return Imported(cifar10.read(first))
            case "flowers17", ".npz":
                from dagnas.tables.importers import flowers17

                return Imported(flowers17.read(first))
            case "hw_nasbench201", ".parquet":
                from dagnas.tables.importers import hardware

                return hardware.read(first)
            case "ptb", ".zip":
                from dagnas.tables.importers import ptb

                return Imported(ptb.read(first))
    except OSError as error:
        raise DagnasError(f"cannot read {first}: {error.strerror or error}") from error
    valid = {
        "nasbench201": "a .pth file, a NATS-Bench folder of .pickle.pbz2 files or a .parquet file",
        "nasbench101": "a .tfrecord or a .parquet file",
        "enas": "a .txt file",
        "darts214": "a .csv file",
        "cifar10": "a .tar.gz or an .npz file",
        "flowers17": "an .npz file",
        "hw_nasbench201": "a .parquet file",
        "ptb": "a .zip file",
    }
    raise DagnasError(f"{first} is no source of {name}, which is read from {valid[name]}")


def with_means(columns: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Columns with ``quantity/mean`` added for every ``quantity/s0``; absent repeats are NaN."""
    means = {}
    for column in columns:
        quantity, _, repeat = column.rpartition("/")
        if repeat == "s0" and f"{quantity}/mean" not in columns:
            values = [columns[f"{quantity}/{r}"] for r in REPEATS if f"{quantity}/{r}" in columns]
            # A cell without any repeat stays NaN; `assemble` reports it.
            count = np.maximum(np.sum(~np.isnan(values), axis=0), 1)
            mean = np.nansum(values, axis=0) / count
            means[f"{quantity}/mean"] = np.where(np.isnan(values).all(axis=0), np.nan, mean)
    return {**columns, **means}


def assemble(
    source: Path,
    codes: NDArray[np.int64],
    columns: Mapping[str, NDArray[np.float64]],
    rows: int,
    distinct: bool = True,
) -> pa.Table:
    """Table of ``code`` and ``columns``, in sorted order of names, after checking every value.

    Parameters
    ----------
    source : Path
        Source to name in messages.
    codes : ndarray of int64, shape (B,)
        Number of each row's cell.
    columns : mapping of str to ndarray, shape (B,) each
    rows : int
        Expected number of rows.
    distinct : bool
        True: no two rows may hold the same cell.

    Raises
    ------
    DagnasError
        Rows are missing or repeated; an accuracy is not in 0..100 %; seconds or a count are not
        positive; a mean is not the mean of its repeats; a value is missing (only the second and
        third repeat of a cell may be).
    """
    if len(codes) != rows:
        raise DagnasError(f"{source} holds {len(codes)} cells; expected {rows}")
    unique, first, count = np.unique(codes, return_index=True, return_counts=True)
    if distinct and len(unique) != rows:
        row = int(first[count.argmax()])
        raise DagnasError(f"{source}: the cell of row {row} occurs more than once")
    for name, values in columns.items():
        optional = name.endswith(("/s1", "/s2"))
        accuracy = bool(re.search(r"/(train|valid|test|both)(-\d+)?/", name))
        good = (values >= 0) & (values <= 100) if accuracy else (values > 0) & np.isfinite(values)
        bad = ~(good | (np.isnan(values) & optional))
        if bad.any():
            row = int(bad.argmax())
            range_ = "an accuracy in 0..100 %" if accuracy else "a positive number"
            raise DagnasError(f"{source}: {name} is {values[row]} in row {row}, not {range_}")
    for name, mean in with_means(
        {name: values for name, values in columns.items() if not name.endswith("/mean")}
    ).items():
        wrong = np.abs(columns.get(name, mean) - mean) > _TOLERANCE
        if wrong.any():
            row = int(wrong.argmax())
            raise DagnasError(
                f"{source}: {name} is {columns[name][row]} in row {row}, but its repeats have the "
                f"mean {mean[row]}"
            )
    table = {"code": pa.array(codes, pa.int64())}
    table |= {name: pa.array(columns[name], pa.float64()) for name in sorted(columns)}
    return pa.table(table)
