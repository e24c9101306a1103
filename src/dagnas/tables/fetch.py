"""Fetching of tables: find a published file, verify it, import it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from tqdm import tqdm

from dagnas.errors import DagnasError, unknown
from dagnas.files import SCHEMA, write_parquet
from dagnas.locks import writing
from dagnas.tables.importers import import_table
from dagnas.tables.sources import IMAGES, SOURCES, SPACES, TEXTS, Source, SourceFile

_ATTEMPTS = 5
_PAUSE = 1.0
#: Bytes written at a time, so at most these are lost when a transfer breaks.
_CHUNK = 2**16


def split_mirrors(text: str) -> list[str]:
    """Folders and addresses of a list like DAGNAS_MIRROR, separated by ``os.pathsep``.

    Colons within ``http://user:password@host:port/`` or ``http://[::1]/`` do not separate.
    """
    sep = re.escape(os.pathsep)
    host = rf"(?:[^/@]*@)?(?:\[[^]/]*\]|[^{sep}/]*)(?::\d+)?"
    return re.findall(rf"https?://{host}[^{sep}]*|[^{sep}]+", text)


def without_password(text: str) -> str:
    """Text without the users and passwords of its addresses, for messages and logs."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def fetch(
    name: str,
    data: Path,
    mirrors: Sequence[str] = (),
    source: str | None = None,
    force: bool = False,
) -> str:
    """Make the table ``data/NAME.parquet`` from the first source found.

    Mirrors are searched in order for every source of the table; local files are read in place. If
    no mirror has one, the smallest file with an official address is downloaded to
    ``data/sources``. Of two that fetch side by side the second is refused.

    Parameters
    ----------
    name : str
        Name of the table, a key of `SOURCES`.
    data : Path
        Folder of tables.
    mirrors : sequence of str
        Folders or http(s) addresses of folders.
    source : str, optional
        ``official`` or ``compact``, the name of a source file, or a path to one.
    force : bool
        Import again even if the table is up to date.

    Returns
    -------
    str
        Message on what was done.

    Raises
    ------
    DagnasError
        Unknown name; nothing found (the message lists the places searched); a wrong checksum; a
        damaged or incomplete source; the table cannot be written, or another command writes it.
    """
    if name not in SOURCES:
        raise unknown("table", name, SOURCES)
    files, paths = _find(name, data, list(mirrors), source)
    digests = [file.verify(path) for file, path in zip(files, paths, strict=True)]
    target = data / f"{name}.parquet"
    metadata = {
        "dagnas.schema": SCHEMA,
        "dagnas.space": SPACES.get(name, name),
        "dagnas.source": " ".join(path.name for path in paths),
        "dagnas.sha256": " ".join(digests),
    }
    if files[0].emulation:
        metadata["dagnas.emulation"] = files[0].emulation
    if not force and _stored(target).items() >= metadata.items():
        return f"{target} is up to date (from {paths[0]})"
    with writing(target, by="fetch"):
        table, emulated = import_table(name, paths)
        write_parquet(table, target, {**metadata, "dagnas.emulated": json.dumps(sorted(emulated))})
    note = f", {len(emulated)} columns emulated" if emulated else ""
    kind = "images" if name in IMAGES else "words" if name in TEXTS else "cells"
    return f"{target}: {table.num_rows:,} {kind} from {paths[0]}{note}"


def _stored(target: Path) -> dict[str, str]:
    """Metadata of the present table; empty if there is none or it is damaged."""
    try:
        with pq.ParquetFile(target, page_checksum_verification=True) as file:
            file.read()
            metadata = file.schema_arrow.metadata or {}
    except (OSError, pa.ArrowException):
        return {}
    return {key.decode(): value.decode() for key, value in metadata.items()}


def _find(
    name: str, data: Path, mirrors: list[str], source: str | None
) -> tuple[tuple[SourceFile, ...], list[Path]]:
    """Files of the first source that is found, and their paths."""
    sources = SOURCES[name]
    if source is not None:
        chosen = [s for s in sources if source in (s.kind, s.files[0].name)]
        path = Path(source)
        if path.exists():
            known = [s for s in sources if s.files[0].name == path.name]
            files = known[0].files if known else (SourceFile(path.name),)
            return files, [path.with_name(file.name) for file in files]
        if not chosen:
            valid = ["official", "compact", *(s.files[0].name for s in sources), "a path"]
            raise DagnasError(f"no source {source!r} of {name}; valid: {', '.join(valid)}")
        sources = tuple(chosen)

    cache = data / "sources"
    tried: list[str] = []
    for candidate in sources:
        paths = [_from_mirrors(file, mirrors, cache, tried) for file in candidate.files]
        if all(paths):
            return candidate.files, [path for path in paths if path]
    for candidate in reversed(sources):
        if all(file.url for file in candidate.files):
            try:
                found = [_download(file.url, file, cache) for file in candidate.files]
            except _NotThere as error:
                tried.append(str(error))
            else:
                return candidate.files, found
    raise DagnasError(_not_found(name, sources, tried))


def _not_found(name: str, sources: Sequence[Source], tried: list[str]) -> str:
    lines = [f"no source of {name} found. Tried:", *(f"  {place}" for place in tried)]
    lines.append("How to get one of its sources:")
    for source in sources:
        for file in source.files:
            way = file.manual or file.url or "from someone who has it"
            lines.append(f"  {file.name} ({source.kind}): {way}")
    lines.append("Put it into a folder named by --mirror or DAGNAS_MIRROR.")
    return "\n".join(lines)


def _from_mirrors(
    file: SourceFile, mirrors: list[str], cache: Path, tried: list[str]
) -> Path | None:
    for mirror in [*mirrors, str(cache)]:
        if mirror.startswith(("http://", "https://")):
            if (cache / file.name).exists():
                return cache / file.name
            try:
                return _download(f"{mirror.rstrip('/')}/{file.name}", file, cache)
            except _NotThere as error:
                tried.append(str(error))
        elif (path := _folder(mirror) / file.name).exists():
            return path
        else:
            tried.append(f"{path}: no such file")
    return None


def _folder(mirror: str) -> Path:
    try:
        return Path(mirror).expanduser()
    except RuntimeError:
        # The shell too takes the home folder of a user who does not exist for a plain name.
        return Path(mirror)


class _NotThere(Exception):
    """An address does not have the file; another one may."""


class _Interrupted(Exception):
    """A transfer ended early; trying again may help."""


def _download(url: str, file: SourceFile, folder: Path) -> Path:
    """Download ``url`` into ``folder``, resuming an earlier attempt.

    NAME.part holds the bytes received so far, and NAME.part.json identifies their version. The
    file gets its name only once it is complete and verified.
    """
    target = folder / file.name
    part, record = folder / f"{file.name}.part", folder / f"{file.name}.part.json"
    # Two tables may have one source.
    with writing(target, by="fetch"), _reported(part):
        for attempt in range(_ATTEMPTS):
            try:
                _transfer(url, part, record)
                break
            except (_Interrupted, requests.RequestException) as error:
                if attempt == _ATTEMPTS - 1:
                    said = f"{url}: {error} ({_ATTEMPTS} attempts)"
                    raise _NotThere(without_password(said)) from error
                time.sleep(_PAUSE * 2**attempt)
        try:
            file.verify(part)
        except DagnasError as error:
            part.unlink()
            record.unlink()
            place = without_password(url)
            raise DagnasError(f"{error} (downloaded from {place}; removed)") from error
        part.replace(target)
        record.unlink()
    return target


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except requests.RequestException:
        raise
    except OSError as error:
        raise DagnasError(f"cannot write {path}: {error.strerror or error}") from error


def _transfer(url: str, part: Path, record: Path) -> None:
    """Request the bytes that ``part`` still lacks."""
    have, known = _progress(part, record)
    if have and have == known["size"]:
        return
    # Lengths and ranges refer to the file only if the transfer is not compressed.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": known["validator"]}
    with requests.get(url, headers=headers, stream=True, timeout=(10, 60)) as reply:
        if reply.status_code in (408, 416, 429) or reply.status_code >= 500:
            if reply.status_code == 416:
                part.unlink()
            raise _Interrupted(f"{reply.status_code} {reply.reason}")
        if not reply.ok:
            raise _NotThere(f"{without_password(url)}: {reply.status_code} {reply.reason}")
        size = int(reply.headers.get("Content-Length", 0))
        if reply.status_code == 206:
            given = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
            if given is None or int(given[1]) != have:
                part.unlink()
                raise _Interrupted("the server sent a range other than the one requested")
            size += have
        else:
            # The server has another version now, or does not support ranges: start again.
            have = 0
            part.write_bytes(b"")
            record.write_text(json.dumps({"size": size, "validator": _validator(reply)}))
        with (
            part.open("ab") as out,
            tqdm(
                desc=part.stem, total=size or None, initial=have, unit="B", unit_scale=True,
                disable=None,
            ) as bar,
        ):  # fmt: skip
            for chunk in reply.iter_content(_CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
    if size and part.stat().st_size != size:
        raise _Interrupted(f"{part.stat().st_size} of {size} bytes received")


def _validator(reply: requests.Response) -> str:
    """Name of this version of the file for If-Range: a strong ETag, else the date."""
    etag = reply.headers.get("ETag", "")
    return etag if etag.startswith('"') else reply.headers.get("Last-Modified", "")


def _progress(part: Path, record: Path) -> tuple[int, dict[str, Any]]:
    """Number of bytes received so far and the record of their version; 0 if it is unknown."""
    try:
        known = json.loads(record.read_text())
        have = part.stat().st_size if known["validator"] else 0
        # More than all of it is not that version.
        return (have if have <= (known["size"] or have) else 0), known
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0, {}
