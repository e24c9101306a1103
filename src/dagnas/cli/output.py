"""Standard output: whatever its encoding, and whether or not anyone still reads it."""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata

#: Stand-ins for characters that an encoding lacks and that are not made of plainer ones.
_PLAIN = {"±": "+/-", "×": "x", "–": "-", "—": "-", "−": "-"}  # noqa: RUF001 - signs as printed


def use_plain_characters() -> None:
    """Print plain characters for those that the encoding of the output lacks."""
    codecs.register_error("dagnas.plain", _plain)
    # Notebooks and tests put other streams in its place.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="dagnas.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plainer = unicodedata.normalize("NFKD", "".join(_PLAIN.get(sign, sign) for sign in lacking))
    kept = (sign for sign in plainer if not unicodedata.combining(sign))
    return "".join(sign if sign.isascii() else "?" for sign in kept), error.end


def discard() -> None:
    """Drop what is not written yet, so that the end of the program does not try again."""
    if sys.stdout:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
