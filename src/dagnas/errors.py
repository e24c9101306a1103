"""Errors that a user can mend: one message, no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DagnasError(Exception):
    """Error that a user can mend: the command line prints it and exits with status 2."""


def unknown(kind: str, name: str, valid: Iterable[str]) -> DagnasError:
    """Error for a name that is not one of ``valid``; it lists them and suggests the closest."""
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return DagnasError(f"unknown {kind} {name!r}{hint}; valid: {', '.join(valid) or 'none'}")
