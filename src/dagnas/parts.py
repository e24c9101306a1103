"""Finished parts of long work, kept until all of it is done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dagnas.files import atomic_path, read_parquet, write_parquet


class Parts:
    """Parts of a file, in a hidden folder beside it, so that interrupted work goes on.

    Parameters
    ----------
    out : Path
        The file that they are parts of.
    identity : mapping of str to str
        What parts have to say of themselves to be of the same work: settings, data, code. Others
        count as not done.

    Raises
    ------
    DagnasError
        The folder cannot be written; so this is told of before the work, not after it.
    """

    def __init__(self, out: Path, identity: Mapping[str, str]) -> None:
        self._folder, self._identity = out.parent / f".{out.name}.partial", identity
        with atomic_path(self._folder / "started") as probe:
            probe.write_text("")

    def has(self, label: str) -> bool:
        """Whether a part is done."""
        try:
            stored = pq.read_schema(self._path(label)).metadata or {}
        except (OSError, ValueError):
            return False
        return all(stored.get(k.encode(), b"").decode() == v for k, v in self._identity.items())

    def read(self, label: str) -> pa.Table:
        """A part that is done, with what it says of itself as metadata."""
        return read_parquet(self._path(label))

    def write(self, label: str, table: pa.Table, about: Mapping[str, str] | None = None) -> None:
        """Keep a part, and what else it says of itself."""
        write_parquet(table, self._path(label), {**self._identity, **(about or {})})

    def remove(self) -> None:
        """Remove all of them, once the file is written."""
        for part in self._folder.iterdir():
            part.unlink()
        self._folder.rmdir()

    def _path(self, label: str) -> Path:
        return self._folder / f"{label}.parquet"
