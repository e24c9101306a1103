"""The ledger of claims: what papers state, checked against the results of one scale.

A paper's folder holds claims.yaml (docs/claims.md describes it). Every check is data: what to
select from a result's table and what to compare it with. Nothing in it is executed, and a status
follows from tables alone.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagnas.errors import DagnasError

if TYPE_CHECKING:
    import pandas as pd

REPRODUCED, FAILED, NOT_RUN = "reproduced", "not reproduced", "not run"
PAPERS = Path(__file__).parent

Scalar = float | str | bool


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """Values from ``min`` to ``max``, both included."""

    min: float = -math.inf
    max: float = math.inf


Condition = Scalar | list[Scalar] | Range


class Selection(_Part):
    """A number from a result's table: rows, a column, and how to make one number of them.

    ``plus`` and ``minus`` add and subtract further selections.
    """

    result: str
    column: str
    where: dict[str, Condition] = {}
    aggregate: Literal["only", "mean", "min", "max", "first", "last", "sum", "count"] = "only"
    plus: Selection | None = None
    minus: Selection | None = None


Operand = float | Selection
Tolerance = Annotated[float, Field(ge=0)]


class _Comparison(_Part):
    value: Operand
    other: Operand
    tolerance: Tolerance = 0.0


class Less(_Comparison):
    """``value`` < ``other`` + tolerance."""

    kind: Literal["less"]

    def holds(self, value: float, other: float) -> bool:
        """Whether it is so."""
        return value < other + self.tolerance


class Greater(_Comparison):
    """``value`` > ``other`` - tolerance."""

    kind: Literal["greater"]

    def holds(self, value: float, other: float) -> bool:
        """Whether it is so."""
        return value > other - self.tolerance


class Equal(_Comparison):
    """``value`` and ``other`` differ by the tolerance at most."""

    kind: Literal["equal"]

    def holds(self, value: float, other: float) -> bool:
        """Whether it is so."""
        return abs(value - other) <= self.tolerance


class Ratio(_Comparison):
    """``value`` / ``other`` lies between ``low`` and ``high``, each moved out by the tolerance."""

    kind: Literal["ratio"]
    low: float = -math.inf
    high: float = math.inf

    def holds(self, value: float, other: float) -> bool:
        """Whether it is so; a ratio to zero is not between anything."""
        return other != 0 and (
            self.low - self.tolerance <= value / other <= self.high + self.tolerance
        )


class Between(_Part):
    """``low`` <= ``value`` <= ``high``, each moved out by the tolerance."""

    kind: Literal["between"]
    value: Operand
    low: Operand = -math.inf
    high: Operand = math.inf
    tolerance: Tolerance = 0.0

    def holds(self, value: float, low: float, high: float) -> bool:
        """Whether it is so."""
        return low - self.tolerance <= value <= high + self.tolerance


class Order(_Part):
    """``values`` rise: each is less than the next one plus the tolerance."""

    kind: Literal["order"]
    values: list[Operand] = Field(min_length=2)
    tolerance: Tolerance = 0.0

    def holds(self, *values: float) -> bool:
        """Whether it is so."""
        return all(a < b + self.tolerance for a, b in itertools.pairwise(values))


Check = Annotated[Less | Greater | Equal | Ratio | Between | Order, Field(discriminator="kind")]


class Claim(_Part):
    """A statement of a paper that a machine can check.

    Attributes
    ----------
    id : str
    place : str
        Where the paper makes it.
    statement : str
        What it says, in our words.
    check : Check, optional
        How it is checked; a claim without one is not run.
    reason : str
        Why this comparison and this tolerance.
    trials : int
        Least number of trials (column ``n`` of the rows selected, else their number) that the
        check may rest on.
    needs : list of str
        What has to be there for the check.
    deviation : str
        Heading in deviations.md that bears on it, as an anchor.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    place: str
    statement: str
    check: Check | None = None
    reason: str = ""
    trials: int = 1
    needs: list[str] = []
    deviation: str = ""


@dataclass(frozen=True)
class Entry:
    """A claim in the ledger, with what was found."""

    paper: str
    id: str
    place: str
    statement: str
    status: str
    measured: str
    tolerance: float | None
    reason: str
    missing: str
    emulated: bool
    deviation: str


class _Missing(Exception):
    """A check cannot be made; the message says what it lacks."""


# Reading claims.yaml.


def read(paper: str, folder: Path = PAPERS) -> list[Claim]:
    """Claims of a paper, those with ``for_each`` once for each combination.

    Raises
    ------
    DagnasError
        A key is unknown or missing, a value is not valid, or two claims have one id.
    """
    path = folder / paper / "claims.yaml"
    if not path.is_file():
        return []
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise DagnasError(f"{path.name} of {paper}: no valid YAML: {error}") from error
    if not isinstance(raw, dict) or set(raw) - {"sets", "claims"}:
        raise DagnasError(f"{path.name} of {paper}: expected the keys sets and claims")
    claims = []
    for item in raw.get("claims") or []:
        for filled in _expand(paper, item, raw.get("sets") or {}):
            try:
                claims.append(Claim.model_validate(filled))
            except ValidationError as error:
                faults = "; ".join(
                    f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                    for fault in error.errors()
                )
                name = filled.get("id", "without id") if isinstance(filled, dict) else filled
                raise DagnasError(f"claim {name} of {paper}: {faults}") from None
    ids = [claim.id for claim in claims]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise DagnasError(f"{path.name} of {paper}: {', '.join(twice)} given twice")
    return claims


def _expand(paper: str, item: Any, sets: dict[str, list[dict[str, Any]]]) -> Iterator[Any]:
    """The claim for every combination of the members of the sets that it names."""
    if not isinstance(item, dict) or "for_each" not in item:
        yield item
        return
    plain = {key: value for key, value in item.items() if key != "for_each"}
    if unknown := set(item["for_each"]) - set(sets):
        raise DagnasError(f"claims.yaml of {paper}: no sets {', '.join(sorted(unknown))}")
    for members in itertools.product(*(sets[name] for name in item["for_each"])):
        yield _fill(plain, {key: value for member in members for key, value in member.items()})


def _fill(value: Any, names: dict[str, Any]) -> Any:
    """Put values for {names}; a text that is nothing but a name takes the value's type."""
    if isinstance(value, dict):
        return {key: _fill(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, names) for part in value]
    if isinstance(value, str):
        for name, filling in names.items():
            if value == f"{{{name}}}":
                return filling
            value = value.replace(f"{{{name}}}", str(filling))
    return value


# Checking.


class Tables:
    """Tables of results in a folder, and what was looked at in them.

    Parameters
    ----------
    folder : Path
        Holds PAPER/RESULT.csv.
    names : collection of str
        Results that this scale has; other files in the folder are not looked at.
    """

    def __init__(self, folder: Path, names: Collection[str]) -> None:
        self.folder, self.names = folder, names
        self._tables: dict[str, pd.DataFrame] = {}

    def number(self, operand: Operand, seen: list[pd.DataFrame]) -> float:
        """Number that an operand stands for; rows that it rests on are added to ``seen``."""
        if isinstance(operand, float):
            return operand
        rows = self._rows(operand)
        if operand.aggregate == "count":
            number = float(len(rows))
        elif rows.empty:
            raise _Missing(f"{self._absent(operand)} in {operand.result}")
        else:
            number = self._aggregate(operand, rows)
        seen.append(rows)
        if operand.plus:
            number += self.number(operand.plus, seen)
        if operand.minus:
            number -= self.number(operand.minus, seen)
        return number

    def _rows(self, selection: Selection) -> pd.DataFrame:
        import pandas as pd

        name = selection.result
        if name not in self._tables:
            path = self.folder / f"{name}.csv"
            if name not in self.names or not path.is_file():
                raise _Missing(f"the result {name}")
            self._tables[name] = pd.read_csv(path)
        rows = self._tables[name]
        for column in (selection.column, *selection.where):
            if column not in rows:
                raise DagnasError(
                    f"{name} has no column {column!r}; it has {', '.join(map(str, rows))}"
                )
        for column, want in selection.where.items():
            rows = rows[_matches(rows[column], want)]
        return rows

    def _absent(self, selection: Selection) -> str:
        """Why a selection is empty: the first condition that no row meets, else all of them."""
        rows = self._tables[selection.result]
        for column, want in selection.where.items():
            if not _matches(rows[column], want).any():
                return f"{column} {_text(want)}"
        return _text(selection.where) or "rows"

    def _aggregate(self, selection: Selection, rows: pd.DataFrame) -> float:
        values = rows[selection.column]
        if selection.aggregate == "only":
            if len(values) > 1:
                raise DagnasError(
                    f"{len(values)} rows of {selection.result} where "
                    f"{_text(selection.where)}: say how to aggregate {selection.column!r}"
                )
            number = values.iloc[0]
        elif selection.aggregate in ("first", "last"):
            number = values.iloc[0 if selection.aggregate == "first" else -1]
        else:
            number = getattr(values, selection.aggregate)()
        if math.isnan(number):
            raise _Missing(f"{selection.column} in {selection.result}")
        return float(number)


def _matches(values: pd.Series, want: Condition) -> pd.Series:
    if isinstance(want, Range):
        return values.between(want.min, want.max)
    return values.isin(want if isinstance(want, list) else [want])


def _text(want: Any) -> str:
    if isinstance(want, float):
        return f"{want:.12g}"
    if isinstance(want, Range):
        return f"from {want.min:g} to {want.max:g}"
    if isinstance(want, dict):
        return ", ".join(f"{column} {_text(value)}" for column, value in want.items())
    return " or ".join(map(_text, want)) if isinstance(want, list) else f"{want}"


def check(paper: str, claim: Claim, tables: Tables) -> Entry:
    """Check one claim.

    Raises
    ------
    DagnasError
        The claim names a column that its result has not.
    """
    status, measured, missing = NOT_RUN, "", "; ".join(claim.needs)
    seen: list[pd.DataFrame] = []
    if claim.check is not None:
        operands = _operands(claim.check)
        try:
            numbers = [tables.number(operand, seen) for operand in operands]
            trials = min((_trials(rows) for rows in seen), default=claim.trials)
            if trials < claim.trials:
                raise _Missing(f"{claim.trials} trials (there are {trials})")
            status = REPRODUCED if claim.check.holds(*numbers) else FAILED
            measured, missing = _words(claim.check, numbers), ""
        except _Missing as lack:
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
        emulated=any(rows["emulated"].notna().any() for rows in seen if "emulated" in rows),
        deviation=claim.deviation,
    )


def _operands(test: Check) -> list[Operand]:
    match test:
        case Order():
            return test.values
        case Between():
            return [test.value, test.low, test.high]
        case _:
            return [test.value, test.other]


def _trials(rows: pd.DataFrame) -> int:
    # The oracle rests on trainings, not on trials.
    if "method" in rows:
        rows = rows[rows["method"] != "oracle"]
    if rows.empty:
        return 10**9
    return int(rows["n"].min()) if "n" in rows else len(rows)


def _words(test: Check, numbers: Sequence[float]) -> str:
    """What was measured and what is asked of it, such as "8.51 < 8.60"."""
    texts = [f"{number:.6g}" for number in numbers]
    margin = f" (tolerance {test.tolerance:g})" if test.tolerance else ""
    match test:
        case Order():
            return f"rising: {', '.join(texts)}{margin}"
        case Between():
            bounds = []
            if numbers[1] != -math.inf:
                bounds.append(f"at least {texts[1]}")
            if numbers[2] != math.inf:
                bounds.append(f"at most {texts[2]}")
            return f"{texts[0]}, asked {' and '.join(bounds)}{margin}"
        case Ratio():
            quotient = numbers[0] / numbers[1] if numbers[1] else math.nan
            return (
                f"{texts[0]} / {texts[1]} = {quotient:.3g}, "
                f"asked {test.low:g} to {test.high:g}{margin}"
            )
        case _:
            asked = {"less": "below", "greater": "above", "equal": "equal to"}[test.kind]
            return f"{texts[0]}, asked {asked} {texts[1]}{margin}"


# The ledger.


def ledger(papers: Sequence[str], tables: Tables, source: Path = PAPERS) -> list[Entry]:
    """All claims of some papers, checked."""
    return [check(paper, claim, tables) for paper in papers for claim in read(paper, source)]


def to_csv(entries: Sequence[Entry]) -> str:
    """Ledger as CSV, a claim a row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Entry)], lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        writer.writerow(asdict(entry))
    return text.getvalue()


def counts(entries: Sequence[Entry]) -> str:
    """How many claims have each status, in words."""
    return ", ".join(
        f"{sum(entry.status == status for entry in entries)} {status}"
        for status in (REPRODUCED, FAILED, NOT_RUN)
    )


def to_markdown(entries: Sequence[Entry], scale: str) -> str:
    """Ledger as Markdown for the folder results/SCALE: a table for each place in a paper."""
    lines = [
        f"# Claims at the scale {scale}",
        "",
        "What the papers state and what was measured. A claim is checked only if the results hold "
        "all that it needs, its least number of trials included; *emulated* marks what rests on "
        "emulated data.",
    ]
    for paper, of_paper in itertools.groupby(entries, key=lambda entry: entry.paper):
        mine = list(of_paper)
        lines += ["", f"## {paper}", "", f"{counts(mine).capitalize()}."]
        for place, here in itertools.groupby(mine, key=lambda entry: entry.place):
            lines += [
                "",
                f"### {place}",
                "",
                "| claim | status | measured | why so checked |",
                "| --- | --- | --- | --- |",
            ]
            lines += [_line(entry) for entry in here]
    return "\n".join(lines) + "\n"


def _line(entry: Entry) -> str:
    status = f"**{entry.status}**" if entry.status == FAILED else entry.status
    marks = " *emulated*" if entry.emulated and entry.status != NOT_RUN else ""
    found = entry.measured or f"needs {entry.missing}"
    reason = entry.reason
    if entry.deviation:
        link = f"../../src/dagnas/papers/{entry.paper}/deviations.md#{entry.deviation}"
        reason += f" [Deviation]({link})."
    cells = (f"{entry.statement} (`{entry.id}`)", status + marks, found, reason.strip())
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
