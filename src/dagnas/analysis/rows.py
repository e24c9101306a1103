"""Rows of tables, for code that reads them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """Rows of a table, with its columns as attributes, whose types no checker can know."""
    yield from table.itertuples(index=False)
