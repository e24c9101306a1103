"""Claims, their checks, and entries of the ledger, as types."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["reproduced", "not reproduced", "not run"]
REPRODUCED: Status = "reproduced"
FAILED: Status = "not reproduced"
NOT_RUN: Status = "not run"

Scalar = float | str | bool


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """Values from ``min`` to ``max``, both included."""

    min: float = -math.inf
    max: float = math.inf


Condition = Scalar | list[Scalar] | Range


class Selection(_Part):
    """A number from a result's table.

    Attributes
    ----------
    result, column : str
        Table and column.
    where : dict of str to Condition
        Conditions on columns; rows that meet all of them count.
    aggregate : str
        How the rows become one number; "only" asks for a single row.
    plus, minus : Selection, optional
        Numbers to add and to subtract.
    """

    result: str
    column: str
    where: dict[str, Condition] = {}
    aggregate: Literal["only", "mean", "min", "max", "first", "last", "sum", "count"] = "only"
    plus: Selection | None = None
    minus: Selection | None = None


Operand = float | Selection


class _Check(_Part):
    """A comparison of numbers.

    A kind of check says which numbers it compares (`operands`), when it holds for their values
    (`holds`) and what was measured in words (`words`); the last two take one number an operand.
    """

    tolerance: float = Field(default=0.0, ge=0)

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

    def words(self, value: float, other: float) -> str:
        """Say what was measured, such as "8.51, asked below 8.6"."""
        return f"{value:.6g}, asked {self.asked} {other:.6g}{self.margin}"


class Less(_Relation):
    """``value`` < ``other`` + tolerance."""

    kind: Literal["less"]
    asked = "below"

    def holds(self, value: float, other: float) -> bool:
        """Compare both numbers."""
        return value < other + self.tolerance


class Greater(_Relation):
    """``value`` > ``other`` - tolerance."""

    kind: Literal["greater"]
    asked = "above"

    def holds(self, value: float, other: float) -> bool:
        """Compare both numbers."""
        return value > other - self.tolerance


class Equal(_Relation):
    """``value`` and ``other`` differ by the tolerance at most."""

    kind: Literal["equal"]
    asked = "equal to"

    def holds(self, value: float, other: float) -> bool:
        """Compare both numbers."""
        return abs(value - other) <= self.tolerance


class Ratio(_Comparison):
    """``value`` / ``other`` lies between ``low`` and ``high``, each moved out by the tolerance."""

    kind: Literal["ratio"]
    low: float = -math.inf
    high: float = math.inf

    def holds(self, value: float, other: float) -> bool:
        """Compare the ratio with its bounds; a ratio to zero is not between any."""
        return other != 0 and (
            self.low - self.tolerance <= value / other <= self.high + self.tolerance
        )

    def words(self, value: float, other: float) -> str:
        """Say what was measured, such as "1 / 2 = 0.5, asked 0.4 to inf"."""
        quotient = value / other if other else math.nan
        asked = f"{self.low:g} to {self.high:g}"
        return f"{value:.6g} / {other:.6g} = {quotient:.3g}, asked {asked}{self.margin}"


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

    def holds(self, value: float, low: float, high: float) -> bool:
        """Compare a number with its bounds."""
        return low - self.tolerance <= value <= high + self.tolerance

    def words(self, value: float, low: float, high: float) -> str:
        """Say what was measured, such as "7, asked at most 9"."""
        bounds = [f"at least {low:.6g}"] if low != -math.inf else []
        bounds += [f"at most {high:.6g}"] if high != math.inf else []
        return f"{value:.6g}, asked {' and '.join(bounds)}{self.margin}"


class Order(_Check):
    """``values`` rise: each is less than the next one plus the tolerance."""

    kind: Literal["order"]
    values: list[Operand] = Field(min_length=2)

    @property
    def operands(self) -> list[Operand]:
        """Numbers in the order asked for."""
        return self.values

    def holds(self, *values: float) -> bool:
        """Compare each number with the next."""
        return all(a < b + self.tolerance for a, b in itertools.pairwise(values))

    def words(self, *values: float) -> str:
        """Say what was measured, such as "rising: 5, 6, 7"."""
        return f"rising: {', '.join(f'{value:.6g}' for value in values)}{self.margin}"


Check = Annotated[Less | Greater | Equal | Ratio | Between | Order, Field(discriminator="kind")]


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
        Numbers compared, in words; empty if the claim was not run.
    tolerance : float, optional
        Tolerance of the check.
    missing : str
        What the claim needs to be run; empty if it was.
    emulated : bool
        Whether a number that it rests on is made with emulated data.
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
    deviation: str
