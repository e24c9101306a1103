"""Parquet files read after what they would take in memory was estimated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagnas.errors import DagnasError

#: Bytes that any file may take in memory, and what it may take for each of its bytes: a constant
#: column of a billion rows has kilobytes, a trace takes some 20 times its file.
_ANYWAY, _RATIO = 2**28, 100


def read_table(
    path: Path, columns: Sequence[str] | None = None, also: Callable[[str], bool] | None = None
) -> pa.Table:
    """Some columns of a file, or all, with checksums verified.

    Parameters
    ----------
    path : Path
    columns : sequence of str, optional
        Names of columns; all if not given.
    also : callable, optional
        Whether to read a column of another name besides.

    Raises
    ------
    DagnasError
        The file is damaged, lacks a column, or would take far more memory than it has bytes.
    """
    most = max(_ANYWAY, _RATIO * path.stat().st_size)
    try:
        known = pq.read_schema(path)
        if columns is not None and also is not None:
            columns = [*columns, *(n for n in known.names if also(n) and n not in columns)]
        texts = _texts(known, columns)
        # As a dictionary a text takes memory once, however many rows have it.
        with pq.ParquetFile(
            path, page_checksum_verification=True, read_dictionary=[*texts]
        ) as file:
            schema = file.schema_arrow
            if missing := set(columns or ()) - set(schema.names):
                raise DagnasError(f"{path} lacks the columns {', '.join(sorted(missing))}")
            _check(path, _estimate(file.metadata, len(columns or schema.names)), most)
            table = file.read(columns=list(columns) if columns is not None else None)
        _check(path, sum(_length(table[name]) for name in texts), most)
        for name, kind in texts.items():
            place = table.column_names.index(name)
            text = table[name].cast(table[name].type.value_type).cast(kind)
            table = table.set_column(place, schema.field(name).with_type(kind), text)
        return table
    except DagnasError:
        raise
    # Damaged bytes end in errors of many kinds, in code that is not ours.
    except Exception as error:
        raise DagnasError(f"{path} is not a readable Parquet file: {error}") from error


def _check(path: Path, size: int, most: int) -> None:
    if size > most:
        raise DagnasError(f"{path} would take {size:,} bytes of memory, more than {most:,}")


def _texts(schema: pa.Schema, columns: Sequence[str] | None) -> dict[str, pa.DataType]:
    """Types of the columns of texts or bytes among those asked for."""
    kinds = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    return {
        field.name: field.type
        for field in schema
        if (columns is None or field.name in columns) and field.type in kinds
    }


def _estimate(metadata: Any, columns: int) -> int:
    """Bytes of the values of some columns, 8 for each, or of the unpacked pages.

    What the file tells of single columns is not asked for: pyarrow ends the process where that is
    damaged in some ways.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    size: int = max(8 * rows * columns, sum(group.total_byte_size for group in groups))
    return size


def _length(column: pa.ChunkedArray) -> int:
    """Bytes of all texts of a dictionary column."""
    total: int = 0
    for chunk in column.chunks:
        lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0)
        taken = pc.sum(pc.cast(lengths.take(chunk.indices), pa.int64())).as_py()
        total += int(taken or 0)
    return total
