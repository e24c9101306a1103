"""Folder of tables."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder(given: Path | None = None) -> Path:
    """Folder of tables: the given one, else that of the variable DAGNAS_DATA, else ``data``."""
    return given or Path(os.environ.get("DAGNAS_DATA") or "data")
