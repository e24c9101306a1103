"""The one rule by which all claims are decided (docs/claims.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from dagnas.papers.claims.estimate import Estimate

Status = Literal["reproduced", "undecided", "not reproduced", "not run"]
REPRODUCED: Status = "reproduced"
UNDECIDED: Status = "undecided"
FAILED: Status = "not reproduced"
NOT_RUN: Status = "not run"
#: In the order in which they are counted.
STATUSES = (REPRODUCED, UNDECIDED, FAILED, NOT_RUN)


class Contrast(NamedTuple):
    """A difference that a statement asks to be above zero.

    Attributes
    ----------
    difference : Estimate
    strict : bool
        Whether zero itself is too little.
    """

    difference: Estimate
    strict: bool = False

    @property
    def satisfied(self) -> bool:
        """Whether the whole interval satisfies the statement."""
        low = self.difference.low
        return low > 0 or (low == 0 and not self.strict)

    @property
    def refuted(self) -> bool:
        """Whether no point of the interval satisfies it."""
        high = self.difference.high
        return high < 0 or (high == 0 and self.strict)


def decide(contrasts: Iterable[Contrast]) -> Status:
    """Status of a statement that asks for all contrasts: the rule of the ledger.

    Reproduced if the interval of every contrast satisfies it, not reproduced if no point of the
    interval of one does, undecided otherwise.
    """
    contrasts = list(contrasts)
    if any(contrast.refuted for contrast in contrasts):
        return FAILED
    return REPRODUCED if all(contrast.satisfied for contrast in contrasts) else UNDECIDED
