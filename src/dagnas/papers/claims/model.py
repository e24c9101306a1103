"""Claims, their checks, and entries of the ledger, as types."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dagnas.papers.claims.estimate import Estimate, combine
from dagnas.papers.claims.rule import Contrast, Status

Scalar = float | str | bool
#: Coverage of the intervals of all claims.
LEVEL = 0.95


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """Values from ``min`` to ``max``, both included."""

    min: float = -math.inf
    max: float = math.inf


Condition = Scalar | list[Scalar] | Range
#: A number, or the column that has it.
Count = float | str


class Error(_Part):
    """What the interval of a number follows from; one of these.

    Attributes
    ----------
    se : str
        Column of standard errors of means over trials.
    sd : str
        Column of standard deviations over trials, of which the number is the mean.
    low, high : str
        Columns of the ends of an interval; both.
    of : Count
        Trials that the number is a fraction of, in parts of ``whole``; ``cluster`` of them, which
        are alike, count as one.
    spread : Count
        Trials whose standard deviation the number is.
    pearson, spearman : Count
        Pairs whose correlation the number is.
    """

    se: str | None = None
    sd: str | None = None
    low: str | None = None
    high: str | None = None
    of: Count | None = None
    spread: Count | None = None
    pearson: Count | None = None
    spearman: Count | None = None
    whole: float = Field(default=1.0, gt=0)
    cluster: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Self:
        kinds = ("se", "sd", "low", "of", "spread", "pearson", "spearman")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1 or (self.low is None) != (self.high is None):
            raise ValueError(f"expected one of {', '.join(kinds)}; low and high stand together")
        return self

    @property
    def columns(self) -> list[str]:
        """Columns that it needs."""
        parts: list[Count | None] = [self.se, self.sd, self.low, self.high, self.of]
        parts += [self.spread, self.pearson, self.spearman, "n" if self.sd else None]
        return [part for part in parts if isinstance(part, str)]


class Selection(_Part):
    """A number from a result's table.

    Attributes
    ----------
    result, column : str
        Table and column.
    error : Error or str
        What its interval follows from: "none" for what is counted, enumerated or computed; "once"
        for what was measured in one training, whose error is not known; "rows" for the mean of rows
        that are a trial each; "wait" for mean samples until success, of trials some of which were
        stopped (a row of `survival.Summary`); or columns.
    where : dict of str to Condition
        Conditions on columns; rows that meet all of them count.
    aggregate : str
        How the rows become one number; "only" asks for a single row.
    plus, minus : Selection, optional
        Numbers to add and to subtract.
    """

    result: str
    column: str
    error: Literal["none", "once", "rows", "wait"] | Error
    where: dict[str, Condition] = {}
    aggregate: Literal["only", "mean", "min", "max", "first", "last", "sum", "count"] = "only"
    plus: Selection | None = None
    minus: Selection | None = None

    @model_validator(mode="after")
    def _mean_of_rows(self) -> Self:
        if self.error == "rows" and self.aggregate != "mean":
            raise ValueError("the error of rows is that of their mean")
        return self


Operand = float | Selection


class _Check(_Part):
    """A statement about numbers.

    A kind of check says which numbers it compares (`operands`), which differences it asks to be
    above zero (`contrasts`) and what was measured in words (`words`); the last two take one
    estimate an operand. `rule.decide` judges the contrasts of every kind.

    Attributes
    ----------
    tolerance : float
        What the statement leaves open, in the units of the numbers. It is no allowance for noise.
    each : str
        Column for each value of which, in the rows of every operand, the statement is made; "" if
        it is made once.
    """

    tolerance: float = Field(default=0.0, ge=0)
    each: str = ""

    @property
    def margin(self) -> str:
        """Tolerance in words, if there is one."""
        return f" (tolerance {self.tolerance:g})" if self.tolerance else ""


class _Comparison(_Check):
    value: Operand
    other: Operand

    @property
    def operands(self) -> list[Operand]:
        """Both numbers."""
        return [self.value, self.other]


class _Relation(_Comparison):
    asked: ClassVar[str]

    def words(self, value: Estimate, other: Estimate) -> str:
        """Say what was measured, such as "8.51, asked below 8.6"."""
        words = f"{value}, asked {self.asked} {other}{self.margin}"
        if value.exact or other.exact:
            return words
        return f"{words}; difference {combine((1, value), (-1, other))}"


class Less(_Relation):
    """``value`` < ``other`` + tolerance."""

    kind: Literal["less"]
    asked = "below"

    def contrasts(self, value: Estimate, other: Estimate) -> list[Contrast]:
        """Give what the other exceeds the value by."""
        difference = combine((1, other), (-1, value), constant=self.tolerance)
        return [Contrast(difference, strict=True)]


class Greater(_Relation):
    """``value`` > ``other`` - tolerance."""

    kind: Literal["greater"]
    asked = "above"

    def contrasts(self, value: Estimate, other: Estimate) -> list[Contrast]:
        """Give what the value exceeds the other by."""
        difference = combine((1, value), (-1, other), constant=self.tolerance)
        return [Contrast(difference, strict=True)]


class Equal(_Relation):
    """``value`` and ``other`` differ by the tolerance at most."""

    kind: Literal["equal"]
    asked = "equal to"

    def contrasts(self, value: Estimate, other: Estimate) -> list[Contrast]:
        """Give what the difference is short of the tolerance by, on both sides."""
        difference = combine((1, value), (-1, other))
        return [Contrast(combine((sign, difference), constant=self.tolerance)) for sign in (1, -1)]


class Ratio(_Comparison):
    """``value`` / ``other`` lies between ``low`` and ``high``, each moved out by the tolerance.

    ``other`` has to be positive.
    """

    kind: Literal["ratio"]
    low: float = -math.inf
    high: float = math.inf

    def contrasts(self, value: Estimate, other: Estimate) -> list[Contrast]:
        """Give distances of the value from the bounds times the other number (Fieller, 1954)."""
        found = [Contrast(other, strict=True)]
        if self.low != -math.inf:
            found.append(Contrast(combine((1, value), (self.tolerance - self.low, other))))
        if self.high != math.inf:
            found.append(Contrast(combine((-1, value), (self.high + self.tolerance, other))))
        return found

    def words(self, value: Estimate, other: Estimate) -> str:
        """Say what was measured, such as "1 / 2 = 0.5, asked 0.4 to inf"."""
        quotient = value.value / other.value if other.value else math.nan
        asked = f"{self.low:.3g} to {self.high:.3g}"
        return f"{value} / {other} = {quotient:.3g}, asked {asked}{self.margin}"


class Between(_Check):
    """``low`` <= ``value`` <= ``high``, each moved out by the tolerance."""

    kind: Literal["between"]
    value: Operand
    low: Operand = -math.inf
    high: Operand = math.inf

    @property
    def operands(self) -> list[Operand]:
        """Number and its bounds."""
        return [self.value, self.low, self.high]

    def contrasts(self, value: Estimate, low: Estimate, high: Estimate) -> list[Contrast]:
        """Give distances of the number from its bounds."""
        found = []
        if low.value != -math.inf:
            found.append(Contrast(combine((1, value), (-1, low), constant=self.tolerance)))
        if high.value != math.inf:
            found.append(Contrast(combine((-1, value), (1, high), constant=self.tolerance)))
        return found

    def words(self, value: Estimate, low: Estimate, high: Estimate) -> str:
        """Say what was measured, such as "7, asked at most 9"."""
        bounds = [f"at least {low}"] if low.value != -math.inf else []
        bounds += [f"at most {high}"] if high.value != math.inf else []
        return f"{value}, asked {' and '.join(bounds)}{self.margin}"


class Order(_Check):
    """``values`` rise: each is less than the next one plus the tolerance."""

    kind: Literal["order"]
    values: list[Operand] = Field(min_length=2)

    @property
    def operands(self) -> list[Operand]:
        """Numbers in the order asked for."""
        return self.values

    def contrasts(self, *values: Estimate) -> list[Contrast]:
        """Give what each number is exceeded by by the next."""
        return [
            Contrast(combine((1, b), (-1, a), constant=self.tolerance), strict=True)
            for a, b in itertools.pairwise(values)
        ]

    def words(self, *values: Estimate) -> str:
        """Say what was measured, such as "rising: 5, 6, 7"."""
        return f"rising: {', '.join(map(str, values))}{self.margin}"


class Tested(_Check):
    """A difference in the direction stated, beyond chance by a test.

    The interval of a difference leaves out zero where its two-sided p-value is below 5 %; so a
    p-value says the same of a statement as an interval does.

    Attributes
    ----------
    p : Operand
        p-value: two-sided with ``effect`` or ``opposite``, else one-sided and near 1 if the
        difference is the opposite of the stated one.
    effect : Operand, optional
        Size of the difference, above ``above`` if it is as stated.
    opposite : Operand, optional
        p-value of the opposite difference, where ``p`` is 1 for all of these.
    """

    kind: Literal["tested"]
    p: Operand
    effect: Operand | None = None
    above: float = 0.0
    opposite: Operand | None = None

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.effect is not None and self.opposite is not None:
            raise ValueError("effect and opposite exclude each other")
        return self

    @property
    def operands(self) -> list[Operand]:
        """P-value, and what tells the direction."""
        return [part for part in (self.p, self.effect, self.opposite) if part is not None]

    def contrasts(self, p: Estimate, other: Estimate | None = None) -> list[Contrast]:
        """Give the sign of the difference, between -1 and 1 where that is not known."""
        alpha = 1 - LEVEL
        if other is None:
            stated, opposed = p.value < alpha / 2, p.value > 1 - alpha / 2
        elif self.effect is not None:
            tested, upwards = p.value < alpha, other.value > self.above
            stated, opposed = tested and upwards, tested and not upwards
        else:
            stated, opposed = p.value < alpha, other.value < alpha
        low, high = (1.0 if stated else -1.0), (-1.0 if opposed else 1.0)
        sign = Estimate((low + high) / 2, low, high)
        return [Contrast(sign, strict=True)]

    def words(self, p: Estimate, other: Estimate | None = None) -> str:
        """Say what was measured, such as "1.07, asked above 1; p = 0.36"."""
        if other is None:
            return f"p = {p.value:.3g} (one-sided)"
        if self.effect is not None:
            return f"{other}, asked above {self.above:g}; p = {p.value:.3g}"
        return f"p = {p.value:.3g}, of the opposite {other.value:.3g}"


Check = Annotated[
    Less | Greater | Equal | Ratio | Between | Order | Tested, Field(discriminator="kind")
]


class Claim(_Part):
    """A statement of a paper that a machine can check.

    Attributes
    ----------
    id : str
        Name, unique in the paper.
    place : str
        Where the paper states it.
    statement : str
        Statement in our words.
    check : Check, optional
        How it is checked; a claim without one is not run.
    reason : str
        Why this comparison and this tolerance.
    trials : int
        Least number of trials (column ``n`` of the rows selected, else their number) that the
        check may rest on. A trial is one repetition of a search with its own random stream.
    needs : list of str
        What the check needs and does not find in any table.
    deviation : str
        Anchor of the heading in deviations.md that bears on it.
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
    """A claim in the ledger, with what was found.

    Attributes
    ----------
    paper, id, place, statement, reason, deviation : str
        As in the claim.
    status : Status
        Outcome of the check.
    measured : str
        Numbers compared with their intervals, in words; empty if the claim was not run.
    tolerance : float, optional
        Tolerance of the check.
    missing : str
        What the claim needs to be run; empty if it was.
    emulated : bool
        Whether a number that it rests on is made with emulated data.
    note : str
        What must be said of the signal of the searches that it rests on, such as that it is a mean
        of trainings.
    """

    paper: str
    id: str
    place: str
    statement: str
    status: Status
    measured: str
    tolerance: float | None
    reason: str
    missing: str
    emulated: bool
    note: str
    deviation: str
