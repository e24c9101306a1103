"""Importer of the Penn Treebank as Mikolov prepared it: words of three parts."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from dagnas.errors import DagnasError

#: MD5 of each unpacked file, in the order of the parts: to train, to validate and to test on.
FILES = {
    "ptb.train.txt": "f26c4b92c5fdc7b3f8c7cdcb991d8420",
    "ptb.valid.txt": "aa0affc06ff7c36e977d7cd49e3839bf",
    "ptb.test.txt": "8b80168b89c18661a38ef683c0dc3721",
}
#: Bytes that a file may take unpacked; the largest of the three has 5,101,618.
_LARGEST = 2**24
#: Word at the end of each line.
END = "<eos>"


def read(source: Path, files: Mapping[str, str] = FILES) -> pa.Table:
    """Table of words, part after part, each line ended by ``<eos>``.

    Parameters
    ----------
    source : Path
        A .zip file that holds the files.
    files : mapping of str to str
        MD5 digests of the files by their names.

    Returns
    -------
    pyarrow.Table
        Columns ``word`` and ``part`` (0 to train, 1 to validate and 2 to test on).

    Raises
    ------
    DagnasError
        The source is damaged, lacks a file, or holds another one than the published.
    """
    words: list[str] = []
    sizes: list[int] = []
    for name, digest in files.items():
        content = _member(source, name)
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != digest:
            raise DagnasError(
                f"{source}: {name} is damaged or another file: its MD5 is {found}, expected "
                f"{digest}"
            )
        before = len(words)
        for line in content.decode().splitlines():
            words += [*line.split(), END]
        sizes.append(len(words) - before)
    parts = np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)
    return pa.table({"word": pa.array(words, pa.string()), "part": pa.array(parts)})


def _member(source: Path, name: str) -> bytes:
    """Bytes of one file of an archive, read only as far as they may go."""
    try:
        with zipfile.ZipFile(source) as archive, archive.open(name) as file:
            content = file.read(_LARGEST + 1)
    except KeyError:
        raise DagnasError(f"{source} lacks {name}") from None
    # Damaged bytes end in errors of many kinds, in code that is not ours.
    except Exception as error:
        raise DagnasError(f"{source} is no readable archive: {error}") from error
    if len(content) > _LARGEST:
        raise DagnasError(f"{source}: {name} has more than {_LARGEST:,} bytes")
    return content
