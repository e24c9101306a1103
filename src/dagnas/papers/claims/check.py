"""Check of claims against tables of results: status, and numbers measured."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagnas.errors import DagnasError
from dagnas.papers.claims import estimate
from dagnas.papers.claims.estimate import Estimate, least, negative
from dagnas.papers.claims.model import (
    LEVEL,
    Check,
    Claim,
    Condition,
    Count,
    Entry,
    Error,
    Operand,
    Range,
    Scalar,
    Selection,
)
from dagnas.papers.claims.reader import FOLDER, read
from dagnas.papers.claims.rule import NOT_RUN, Contrast, Status, decide

if TYPE_CHECKING:
    import pandas as pd

#: Columns that the interval of a mean waiting time follows from, of `survival.Summary`.
WAIT = ("restricted_mean", "se", "n", "finished", "restricted_to")


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

    def rows(self, selection: Selection, *more: str) -> pd.DataFrame:
        """Rows that meet a selection's conditions; there may be none.

        Parameters
        ----------
        selection : Selection
        more : str
            More columns that are needed.

        Raises
        ------
        MissingError
            There is no such result, or it has no such column.
        """
        rows = self.table(selection.result)
        for column in (selection.column, *selection.where, *_error_columns(selection), *more):
            if column not in rows:
                raise MissingError(f"the column {column} in {selection.result}")
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

    def number(self, operand: Operand, level: float, also: Mapping[str, Condition]) -> Estimate:
        """Number that an operand stands for.

        Parameters
        ----------
        operand : Operand
        level : float
            Coverage of its interval.
        also : mapping
            More conditions on the rows.
        """
        if isinstance(operand, float):
            return estimate.exact(operand)
        operand = operand.model_copy(update={"where": {**operand.where, **also}})
        rows = self._tables.rows(operand)
        if rows.empty and operand.aggregate != "count":
            raise MissingError(f"{self._tables.absent(operand)} in {operand.result}")
        number = _aggregate(operand, rows, level)
        self._rows.append(rows)
        terms = [(1.0, number)]
        for factor, part in ((1.0, operand.plus), (-1.0, operand.minus)):
            if part:
                terms.append((factor, self.number(part, level, also)))
        return number if len(terms) == 1 else estimate.combine(*terms)

    def values(self, operand: Operand, column: str) -> set[Scalar] | None:
        """Values of a column in the rows of an operand; None if it selects none."""
        if isinstance(operand, float):
            return None
        return set(self._tables.rows(operand, column)[column].dropna().tolist())

    def require_trials(self, least: int) -> None:
        """Refuse numbers that rest on fewer trials."""
        counts = [trials for rows in self._rows if (trials := _trials(rows)) is not None]
        if counts and min(counts) < least:
            raise MissingError(f"{least} trials (there are {min(counts)})")

    @property
    def emulated(self) -> bool:
        """Whether any row is made with emulated data."""
        return any(rows["emulated"].notna().any() for rows in self._rows if "emulated" in rows)

    @property
    def note(self) -> str:
        """What must be said of the signals behind the rows."""
        notes = [rows["note"].dropna() for rows in self._rows if "note" in rows]
        return "; ".join(dict.fromkeys(str(note) for column in notes for note in column))


def ledger(papers: Sequence[str], tables: Tables, folder: Path = FOLDER) -> list[Entry]:
    """All claims of some papers, checked."""
    return [check(paper, claim, tables) for paper in papers for claim in read(paper, folder)]


def check(paper: str, claim: Claim, tables: Tables) -> Entry:
    """Check one claim, by the rule of `rule.decide`.

    A claim is not run if its result, a column of it, its rows, their numbers or enough trials are
    missing.

    Raises
    ------
    DagnasError
        The claim selects several rows without saying how to aggregate them, or calls a number what
        it cannot be, such as 3 a correlation.
    """
    status, measured, missing = NOT_RUN, "", "; ".join(claim.needs)
    evidence = _Evidence(tables)
    if claim.check is not None:
        try:
            status, measured = _judge(claim.check, evidence)
            evidence.require_trials(claim.trials)
            missing = ""
        except MissingError as lack:
            status, measured = NOT_RUN, ""
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
        note=evidence.note,
        deviation=claim.deviation,
    )


def _judge(test: Check, evidence: _Evidence) -> tuple[Status, str]:
    """Status, and what was measured in words."""
    if not test.each:
        numbers = _numbers(test, evidence, LEVEL, {})
        status, words = decide(test.contrasts(*numbers)), test.words(*numbers)
    else:
        status, words = _judge_each(test, evidence)
    if any(_once(operand) for operand in test.operands):
        words += "; one training, so no interval"
    return status, words


def _judge_each(test: Check, evidence: _Evidence) -> tuple[Status, str]:
    """Status of a statement made for each value of a column, and the worst of them in words."""
    found = [
        values
        for operand in test.operands
        if (values := evidence.values(operand, test.each)) is not None
    ]
    common = sorted(set.intersection(*found)) if found else []
    if not common:
        raise MissingError(f"a common {test.each} of all numbers")
    at, contrasts = [{test.each: value} for value in common], []
    for also in at:
        pairs = zip(
            test.contrasts(*_numbers(test, evidence, LEVEL, also)),
            test.contrasts(*_numbers(test, evidence, _corrected(len(at)), also)),
            strict=True,
        )
        # As for the least of several numbers.
        contrasts += [
            (Contrast(least([one.difference], [wide.difference]), one.strict), also)
            for one, wide in pairs
        ]
    # A sign of trouble is an interval that reaches far below zero, not a small value.
    _, worst = min(contrasts, key=lambda pair: pair[0].difference.low)
    words = test.words(*_numbers(test, evidence, LEVEL, worst))
    place = f" at {test.each} {_text(worst[test.each])}, the worst of {len(at)}"
    return decide(contrast for contrast, _ in contrasts), words + place


def _numbers(
    test: Check,
    evidence: _Evidence,
    level: float,
    also: Mapping[str, Condition],
) -> list[Estimate]:
    return [evidence.number(operand, level, also) for operand in test.operands]


def _once(operand: Operand | None) -> bool:
    """Whether a number, or one added to it, was measured in one training."""
    return isinstance(operand, Selection) and (
        operand.error == "once" or _once(operand.plus) or _once(operand.minus)
    )


def _corrected(number: int) -> float:
    """Coverage of one of several intervals that all hold with `LEVEL` (Bonferroni)."""
    return 1 - (1 - LEVEL) / number


def _error_columns(selection: Selection) -> list[str]:
    """Columns that a selection's interval follows from."""
    if selection.error == "wait":
        return list(WAIT)
    return selection.error.columns if isinstance(selection.error, Error) else []


def _matches(values: pd.Series[Any], want: Condition) -> pd.Series[bool]:
    if isinstance(want, Range):
        return values.between(want.min, want.max)
    return values.isin(want if isinstance(want, list) else [want])


def _aggregate(selection: Selection, rows: pd.DataFrame, level: float) -> Estimate:
    """One number of the rows, at least one except for a count; several may lack theirs."""
    if selection.aggregate == "count":
        return estimate.exact(float(len(rows)))
    match selection.aggregate:
        case "only" if len(rows) > 1:
            raise DagnasError(
                f"{len(rows)} rows of {selection.result} where "
                f"{_text(selection.where)}: say how to aggregate {selection.column!r}"
            )
        case "only" | "first":
            rows = rows.iloc[:1]
        case "last":
            rows = rows.iloc[-1:]
        case _:
            rows = rows[rows[selection.column].notna()]
    if rows.empty:
        raise MissingError(f"{selection.column} in {selection.result}")
    if selection.error == "rows":
        return _mean_of_rows(selection, rows, level)
    numbers = _estimates(selection, rows, level)
    match selection.aggregate:
        case "min":
            wide = _estimates(selection, rows, _corrected(len(rows)))
            return estimate.least(numbers, wide)
        case "max":
            wide = _estimates(selection, rows, _corrected(len(rows)))
            return negative(least(map(negative, numbers), map(negative, wide)))
        case "mean":
            return estimate.combine(*((1 / len(numbers), number) for number in numbers))
        case _:
            return estimate.combine(*((1.0, number) for number in numbers))


def _mean_of_rows(selection: Selection, rows: pd.DataFrame, level: float) -> Estimate:
    """Mean of rows that are a trial each."""
    values = rows[selection.column].to_numpy(float)
    trials = len(values)
    se = values.std(ddof=1) / math.sqrt(trials) if trials > 1 else math.nan
    if math.isnan(se):
        raise MissingError(f"two rows or more with {selection.column} in {selection.result}")
    return estimate.mean(float(values.mean()), float(se), trials, level)


def _estimates(selection: Selection, rows: pd.DataFrame, level: float) -> list[Estimate]:
    """Estimate of each row."""
    return [_estimate(selection, row, level) for row in _records(rows)]


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings from columns."""
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.itertuples(index=False)]


def _estimate(selection: Selection, row: Mapping[str, Any], level: float) -> Estimate:
    """Estimate of a row, with the interval that follows from its other columns."""

    def take(count: Count | None, least: float = -math.inf) -> float:
        number = row[count] if isinstance(count, str) else count
        if number is None or math.isnan(number):
            raise MissingError(f"{count} in {selection.result}")
        if number < least:
            raise MissingError(f"{least:g} or more in {selection.result} (there are {number:g})")
        return float(number)

    value, error = take(selection.column), selection.error
    if error in ("none", "once"):
        return estimate.exact(value)
    if error == "wait":
        counted, se, trials, finished = map(take, WAIT[:-1])
        upto = take(WAIT[-1]) if finished < trials else math.inf
        return estimate.wait(counted, se, trials, finished, upto, level)
    assert isinstance(error, Error)
    if error.se is not None:
        trials = take("n", 2) if "n" in row else math.inf
        return estimate.mean(value, take(error.se), trials, level)
    if error.sd is not None:
        trials = take("n", 2)
        return estimate.mean(value, take(error.sd) / math.sqrt(trials), trials, level)
    if error.low is not None:
        return Estimate(value, take(error.low), take(error.high))
    if error.of is not None:
        _require(selection, value, 0, error.whole)
        share = estimate.fraction(value / error.whole, take(error.of) / error.cluster, level)
        return Estimate(value, error.whole * share.low, error.whole * share.high)
    if error.spread is not None:
        return estimate.spread(value, take(error.spread, 2), level)
    ranks = error.pearson is None
    _require(selection, value, -1, 1)
    pairs = take(error.spearman if ranks else error.pearson, 4)
    return estimate.correlation(value, pairs, level, ranks)


def _require(selection: Selection, value: float, low: float, high: float) -> None:
    """Refuse a number that cannot be what its error is said to be of."""
    if not low <= value <= high:
        raise DagnasError(
            f"{selection.column} in {selection.result} is {value:g}: expected {low:g} to {high:g}"
        )


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
