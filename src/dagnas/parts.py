"""Checkpoints: finished parts of a long job, kept until all of it is done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
        self._folder, self._identity = out.parent / f".{out.name}.partial", identity
        with atomic_path(self._folder / "started") as probe:
            probe.write_text("")

    def has(self, label: str) -> bool:
        """Tell whether a part is done."""
        try:
            stored = pq.read_schema(self._path(label)).metadata or {}
        except (OSError, ValueError):
            return False
        return all(stored.get(k.encode(), b"").decode() == v for k, v in self._identity.items())

    def read(self, label: str) -> pa.Table:
        """Part that is done, with its metadata."""
        return read_parquet(self._path(label))

    def write(self, label: str, table: pa.Table, metadata: Mapping[str, str] | None = None) -> None:
        """Write a part, with further metadata."""
        write_parquet(table, self._path(label), {**self._identity, **(metadata or {})})

    def remove(self) -> None:
        """Remove all parts, once the file is written."""
        for part in self._folder.iterdir():
            part.unlink()
        self._folder.rmdir()

    def _path(self, label: str) -> Path:
        return self._folder / f"{label}.parquet"
