"""Names that become parts of paths and words of commands."""

from __future__ import annotations

import re
import sys

from dagnas.errors import DagnasError

#: Letters that a name may have at most, so that files named after it can be made everywhere.
LONGEST = 100
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


def check_name(kind: str, name: str) -> str:
    """Name as it was given, if it can be part of a path and a word of a command.

    Parameters
    ----------
    kind : str
        What has the name, such as "method".
    name : str

    Raises
    ------
    DagnasError
        It is empty or longer than `LONGEST`, has other characters than the letters a to z and A to
        Z, digits, ``_`` and ``-``, or begins with ``-``.
    """
    if not _PLAIN.fullmatch(name) or len(name) > LONGEST:
        shown = name if len(name) <= LONGEST else f"{name[:20]}..."
        raise DagnasError(
            f"{shown!r} cannot be the name of a {kind}: expected 1 to {LONGEST} of the letters a "
            "to z and A to Z, digits, _ and -, the first no -"
        )
    return name


def check_text(word: str) -> str:
    """Word of a command as it was given, if it is text, which files can hold.

    Raises
    ------
    DagnasError
        It has bytes that are no characters in the encoding of the system.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in word):
        raise DagnasError(f"{word!r} is no valid text ({sys.getfilesystemencoding()})")
    return word
