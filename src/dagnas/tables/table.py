"""Columns of a benchmark table, read on first use."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.files import SCHEMA, read_parquet


class Table:
    """Table of this project: a row per cell, and columns ``dataset/quantity/epochs/repeat``.

    Parameters
    ----------
    path : path
        Parquet file that ``dagnas fetch`` wrote (docs/data.md lists its columns).

    Attributes
    ----------
    columns : tuple of str
    provenance : dict of str
        Source file, its SHA-256 and so on, as the importer recorded them.
    emulated : frozenset of str
        Columns that come from a model, not from training runs.

    Raises
    ------
    DagnasError
        The file is missing, damaged, or not a table of this project.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise DagnasError(
                f"no table {self.path}; `dagnas fetch {self.path.stem}` makes it if it is a "
                "published one, `dagnas build-table` if it is of your own images (or point --data "
                "to the folder that holds it)"
            )
        # The footer is enough to recognize a table. A damaged footer is reported like any damage.
        try:
            schema = pq.read_schema(self.path)
        # Damaged bytes end in errors of many kinds, in code that is not ours.
        except Exception as error:
            raise DagnasError(f"{self.path} is not a readable Parquet file: {error}") from error
        metadata = (schema.metadata or {}).items()
        stored = {k.decode(errors="replace"): v.decode(errors="replace") for k, v in metadata}
        self.provenance: dict[str, str] = {
            k.removeprefix("dagnas."): v for k, v in stored.items() if k.startswith("dagnas.")
        }
        if self.provenance.get("schema") != SCHEMA:
            raise DagnasError(
                f"{self.path} is part of a table: `dagnas build-table --merge` makes the table of "
                "all its parts"
                if "digest" in self.provenance and "schema" not in self.provenance
                else f"{self.path} is no table of this version (schema "
                f"{self.provenance.get('schema')}, expected {SCHEMA}); make it again, by "
                "`dagnas fetch` or `dagnas build-table`"
            )
        self.columns = tuple(schema.names)
        self.emulated = frozenset(self._emulated())
        self._read: dict[str, NDArray[Any]] = {}
        self._kept: NDArray[np.intp] | slice = slice(None)

    def _emulated(self) -> list[str]:
        try:
            names = json.loads(self.provenance.get("emulated", "[]"))
        except (ValueError, RecursionError):
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DagnasError(f"{self.path} is damaged: it tells no list of emulated columns")
        return names

    def only(self, rows: NDArray[np.bool_]) -> Table:
        """Part of this table: the rows where ``rows``, one value a row, is true."""
        part, kept = copy.copy(self), np.flatnonzero(rows)
        part._read = {}
        part._kept = kept if isinstance(self._kept, slice) else self._kept[kept]
        return part

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Values of one column; NaN where the cell has no such repeat."""
        if column not in self._read:
            if column not in self.columns:
                raise DagnasError(
                    f"{self.path} has no column {column!r}; it has {', '.join(self.columns)}"
                )
            values = read_parquet(self.path, [column])[column].to_numpy()
            if values.dtype.kind not in "biuf":
                raise DagnasError(f"{self.path}: the column {column!r} holds no numbers")
            self._read[column] = values[self._kept]
        return self._read[column]

    def repeats(self, quantity: str) -> list[str]:
        """Columns of the single repeats s0, s1, ... of ``dataset/quantity/epochs``."""
        prefix = f"{quantity}/s"
        return sorted(c for c in self.columns if c.startswith(prefix))

    def quantity(self, quantity: str, repeat: str) -> NDArray[np.float64]:
        """Values of one repeat or of the ``mean``, or of all repeats for ``random``.

        A mean that the table does not hold is computed from its single repeats.

        Returns
        -------
        ndarray, shape (rows,), or (rows, repeats) for ``random``

        Raises
        ------
        DagnasError
            The table lacks the quantity, or a value that is needed is not a number.
        """
        columns, single = self.repeats(quantity), f"{quantity}/{repeat}"
        if repeat == "random" and not columns:
            raise DagnasError(f"{self.path} has no single repeats of {quantity!r}, only means")
        if repeat != "random" and (repeat != "mean" or not columns or single in self.columns):
            columns = [single]
        values = np.stack([self[column] for column in columns], axis=1)
        # Some cells have fewer repeats than others, but each has at least one.
        bad = np.isnan(values).all(axis=1) | np.isinf(values).any(axis=1)
        if bad.any():
            raise DagnasError(
                f"{self.path}: {columns[0]!r} is not a number in row {int(bad.argmax())}"
            )
        if repeat == "random":
            return values
        means: NDArray[np.float64] = np.nanmean(values, axis=1)
        return means
