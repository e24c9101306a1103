"""Checkpoints of trainings: written atomically, read without running what a file holds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_map_only

from dagnas.errors import DagnasError
from dagnas.files import atomic_path
from dagnas.outside.tensors import read_tensors


def write(path: Path, contents: dict[str, Any]) -> None:
    """Write plain data and tensors atomically; equal contents give equal bytes.

    Raises
    ------
    DagnasError
        The folder cannot be made or written to, or the disk is full; an older file stays.
    """
    # Given a path, torch would write the path's name into the file.
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read(path: Path, what: str = "checkpoint") -> dict[str, Any]:
    """Contents of a file that `write` wrote, on the CPU.

    Parameters
    ----------
    path : Path
    what : str
        What the file is, for the message.

    Raises
    ------
    DagnasError
        It is missing or damaged; the message names it and says what to do.
    """
    try:
        found = read_tensors(path)
    except DagnasError as error:
        if not path.exists():
            raise
        raise damaged(path, what) from error
    if not isinstance(found, dict):
        raise damaged(path, what)
    contents: dict[str, Any] = tree_map_only(np.ndarray, torch.from_numpy, found)
    return contents


def damaged(path: Path, what: str = "checkpoint") -> DagnasError:
    """Error for a file whose contents cannot be used."""
    return DagnasError(f"{path} is damaged, so no {what} can be read: remove it and begin anew")


def fits(wanted: dict[str, Any], found: Any) -> bool:
    """Whether tensors have the names, types and shapes of others."""
    return isinstance(found, dict) and _shapes(wanted) == _shapes(found)


def _shapes(tensors: dict[str, Any]) -> dict[str, Any]:
    return {
        name: (value.dtype, value.shape) if isinstance(value, torch.Tensor) else type(value)
        for name, value in tensors.items()
    }
