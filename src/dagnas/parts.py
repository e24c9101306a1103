"""Checkpoints: finished parts of a long job, kept until all of it is done."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dagnas.errors import DagnasError
from dagnas.files import atomic_path, read_parquet, write_parquet


class Parts:
    """Parts of a file, in a hidden folder beside it, from which an interrupted job resumes.

    Parameters
    ----------
    out : Path
        File that the job makes.
    identity : mapping of str to str
        Metadata of a part of the same job: settings, data, code. Parts with other metadata count
        as not done.

    Raises
    ------
    DagnasError
        The folder cannot be written, which is told before the work rather than after it.
    """

    def __init__(self, out: Path, identity: Mapping[str, str]) -> None:
        self._out, self._identity = out, identity
        self._folder = out.parent / f".{out.name}.partial"
        with atomic_path(self._folder / "started") as probe:
            probe.write_text("")

    def has(self, label: str) -> bool:
        """Tell whether a part is done."""
        try:
            schema = pq.read_schema(self._path(label))
        except (OSError, ValueError):
            return False
        return self._is_own(schema)

    def read(self, label: str) -> pa.Table:
        """Part that is done, with its metadata.

        Raises
        ------
        DagnasError
            It is gone, or of another job, which writes the same file.
        """
        path = self._path(label)
        table = read_parquet(path) if path.exists() else None
        if table is None or not self._is_own(table.schema):
            raise DagnasError(
                f"another command wrote {self._out} at the same time, and took the checkpoint "
                f"{path.name} of this one; give each a file of its own, and run this one again"
            )
        return table

    def write(self, label: str, table: pa.Table, metadata: Mapping[str, str] | None = None) -> None:
        """Write a part, with further metadata."""
        write_parquet(table, self._path(label), {**self._identity, **(metadata or {})})

    def remove(self) -> None:
        """Remove all parts, once the file is written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_own(self, schema: pa.Schema) -> bool:
        stored = schema.metadata or {}
        return all(
            stored.get(key.encode()) == value.encode() for key, value in self._identity.items()
        )

    def _path(self, label: str) -> Path:
        return self._folder / f"{label}.parquet"
