"""Files: atomic writes, Parquet with checksums, digests."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.errors import DagnasError

if TYPE_CHECKING:
    import pyarrow as pa

#: Version of the layout of tables; one of another version is refused.
SCHEMA = "1"
#: Bytes that the name of a file may have: most file systems take 255, and temporary files, locks
#: and checkpoints have longer names than what they belong to.
LONGEST = 200


def check_target(path: Path) -> None:
    """Refuse a file that can never be written, before the work and not after it.

    Raises
    ------
    DagnasError
        It is a folder, or its name is too long.
    """
    size = len(os.fsencode(path.name))
    if size > LONGEST:
        raise DagnasError(f"cannot write {path}: its name has {size} bytes, of {LONGEST} allowed")
    if path.is_dir():
        raise DagnasError(f"cannot write {path}: it is a folder")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Temporary path beside ``path``, moved there when the block ends without error.

    A reader therefore sees the old file, the new file or none, never half of one.

    Raises
    ------
    DagnasError
        The folder cannot be made or written to, or the disk is full.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
        temporary = Path(name)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except OSError as error:
        raise DagnasError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write ``text`` atomically, UTF-8 with newlines as they are."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())


def write_parquet(
    table: pa.Table, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a table atomically, with page checksums; equal tables give equal bytes.

    ``metadata`` becomes the file's key-value metadata and replaces that of the table.
    """
    import pyarrow.parquet as pq

    table = table.replace_schema_metadata(dict(metadata or {}))
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_parquet(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    also: Callable[[str], bool] | None = None,
) -> pa.Table:
    """Read a Parquet file (or some columns of it), its checksums verified.

    With ``also``, columns whose names it accepts are read besides.

    Raises
    ------
    DagnasError
        The file is missing, is no Parquet file, is damaged, lacks a column, or would take far more
        memory than it has bytes.
    """
    from dagnas.outside.parquet import read_table

    if not Path(path).is_file():
        raise DagnasError(f"no such file: {path}")
    return read_table(Path(path), columns, also)


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 digest of a file, as hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
