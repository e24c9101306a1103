"""Check of claims against tables of results: status, and numbers measured."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagnas.errors import DagnasError
from dagnas.papers.claims.model import (
    FAILED,
    NOT_RUN,
    REPRODUCED,
    Claim,
    Condition,
    Entry,
    Operand,
    Range,
    Selection,
)
from dagnas.papers.claims.reader import FOLDER, read

if TYPE_CHECKING:
    import pandas as pd


class MissingError(Exception):
    """A check cannot be made; the message says what it lacks."""


class Tables:
    """Tables of results in a folder, each read when it is first needed.

    Parameters
    ----------
    folder : Path
        Holds PAPER/RESULT.csv.
    names : collection of str
        Results that this scale has; other files in the folder are not read.
    """

    def __init__(self, folder: Path, names: Collection[str]) -> None:
        self._folder, self._names = folder, names
        self._tables: dict[str, pd.DataFrame] = {}

    def table(self, name: str) -> pd.DataFrame:
        """Table of a result.

        Raises
        ------
        MissingError
            There is none.
        """
        import pandas as pd

        if name not in self._tables:
            path = self._folder / f"{name}.csv"
            if name not in self._names or not path.is_file():
                raise MissingError(f"the result {name}")
            self._tables[name] = pd.read_csv(path)
        return self._tables[name]

    def rows(self, selection: Selection) -> pd.DataFrame:
        """Rows that meet a selection's conditions; there may be none.

        Raises
        ------
        MissingError
            There is no such result.
        DagnasError
            The result has no such column.
        """
        rows = self.table(selection.result)
        for column in (selection.column, *selection.where):
            if column not in rows:
                has = ", ".join(map(str, rows))
                raise DagnasError(f"{selection.result} has no column {column!r}; it has {has}")
        for column, want in selection.where.items():
            rows = rows[_matches(rows[column], want)]
        return rows

    def absent(self, selection: Selection) -> str:
        """Say why no row was selected: the first condition that none meets, else all of them."""
        rows = self.table(selection.result)
        for column, want in selection.where.items():
            if not _matches(rows[column], want).any():
                return f"{column} {_text(want)}"
        return _text(selection.where) or "rows"


class _Evidence:
    """Numbers of one claim, and the rows that they rest on."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._rows: list[pd.DataFrame] = []

    def number(self, operand: Operand) -> float:
        """Number that an operand stands for."""
        if isinstance(operand, float):
            return operand
        rows = self._tables.rows(operand)
        if rows.empty and operand.aggregate != "count":
            raise MissingError(f"{self._tables.absent(operand)} in {operand.result}")
        number = _aggregate(operand, rows)
        self._rows.append(rows)
        if operand.plus:
            number += self.number(operand.plus)
        if operand.minus:
            number -= self.number(operand.minus)
        return number

    def require_trials(self, least: int) -> None:
        """Refuse numbers that rest on fewer trials."""
        counts = [trials for rows in self._rows if (trials := _trials(rows)) is not None]
        if counts and min(counts) < least:
            raise MissingError(f"{least} trials (there are {min(counts)})")

    @property
    def emulated(self) -> bool:
        """Whether any row is made with emulated data."""
        return any(rows["emulated"].notna().any() for rows in self._rows if "emulated" in rows)


def ledger(papers: Sequence[str], tables: Tables, folder: Path = FOLDER) -> list[Entry]:
    """All claims of some papers, checked."""
    return [check(paper, claim, tables) for paper in papers for claim in read(paper, folder)]


def check(paper: str, claim: Claim, tables: Tables) -> Entry:
    """Check one claim.

    A claim is not run if its result, its rows, their numbers or enough trials are missing.

    Raises
    ------
    DagnasError
        The claim names a column that its result has not, or selects several rows without saying
        how to aggregate them.
    """
    status, measured, missing = NOT_RUN, "", "; ".join(claim.needs)
    evidence = _Evidence(tables)
    if claim.check is not None:
        try:
            numbers = [evidence.number(operand) for operand in claim.check.operands]
            evidence.require_trials(claim.trials)
            status = REPRODUCED if claim.check.holds(*numbers) else FAILED
            measured, missing = claim.check.words(*numbers), ""
        except MissingError as lack:
            missing = "; ".join([*claim.needs, str(lack)])
    return Entry(
        paper=paper,
        id=claim.id,
        place=claim.place,
        statement=claim.statement,
        status=status,
        measured=measured,
        tolerance=claim.check.tolerance if claim.check else None,
        reason=claim.reason,
        missing=missing,
        emulated=evidence.emulated,
        deviation=claim.deviation,
    )


def _matches(values: pd.Series[Any], want: Condition) -> pd.Series[bool]:
    if isinstance(want, Range):
        return values.between(want.min, want.max)
    return values.isin(want if isinstance(want, list) else [want])


def _aggregate(selection: Selection, rows: pd.DataFrame) -> float:
    """One number of the rows, at least one except for a count."""
    values = rows[selection.column]
    match selection.aggregate:
        case "count":
            return float(len(rows))
        case "only" if len(values) > 1:
            raise DagnasError(
                f"{len(values)} rows of {selection.result} where "
                f"{_text(selection.where)}: say how to aggregate {selection.column!r}"
            )
        case "only" | "first":
            number = values.iloc[0]
        case "last":
            number = values.iloc[-1]
        case name:
            number = getattr(values, name)()
    if math.isnan(number):
        raise MissingError(f"{selection.column} in {selection.result}")
    return float(number)


def _trials(rows: pd.DataFrame) -> int | None:
    """Number of trials that rows rest on; None for the oracle, which rests on trainings."""
    if "method" in rows:
        rows = rows[rows["method"] != "oracle"]
    if rows.empty:
        return None
    return int(rows["n"].min()) if "n" in rows else len(rows)


def _text(want: Condition | dict[str, Condition]) -> str:
    """Say what is asked for, such as "method goal, seconds from 1 to 2"."""
    match want:
        case dict():
            return ", ".join(f"{column} {_text(value)}" for column, value in want.items())
        case list():
            return " or ".join(map(_text, want))
        case Range():
            return f"from {want.min:g} to {want.max:g}"
        case float():
            return f"{want:.12g}"
        case _:
            return str(want)
