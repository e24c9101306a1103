"""Names of image sets in scale files."""

from __future__ import annotations

from pathlib import Path

from dagnas.errors import DagnasError, unknown


def check_images(text: str) -> None:
    """Check that images are a set that is known by name, or a file by its ending.

    Raises
    ------
    DagnasError
        They are neither.
    """
    # Most commands that read scale files need no images, and so no NumPy.
    from dagnas.training.images import TABLES

    known = ("digits", *TABLES)
    if text not in known and Path(text).suffix not in (".npz", ".parquet"):
        raise DagnasError(f"{unknown('images', text, known)}, or a file .npz or .parquet")
