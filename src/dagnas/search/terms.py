"""Terms of a search: what it may spend, what it is told and when it ends, declared once.

Scale files, the command line, the runner and the metadata of traces take them from here.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import AfterValidator, Field

from dagnas.errors import DagnasError
from dagnas.settings import Described
from dagnas.spaces.draws import Draw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

#: Highest number of a trial or an evaluation, since columns of traces are int32.
LAST = 2**31 - 1
#: Most trials of one search, far beyond use, so that a slip of zeros is told.
MOST_TRIALS = 100_000

Evaluations = Annotated[int, Field(gt=0, le=LAST)]
Trials = Annotated[int, Field(gt=0, le=MOST_TRIALS)]


class Limit(NamedTuple):
    """Constraint on a cost.

    Attributes
    ----------
    cost : str
    strict : bool
        Whether the limit itself is too much.
    most : float
    """

    cost: str
    strict: bool
    most: float

    @staticmethod
    def read(text: str) -> Limit:
        """Limit of a text such as ``memory<20`` or ``memory<=20``.

        Raises
        ------
        ValueError
            It is none, or the number is not positive.
        """
        found = re.fullmatch(r"(\w+)\s*(<=?)\s*(\S+)", text)
        try:
            most = float(found[3]) if found else math.nan
        except ValueError:
            most = math.nan
        if found is None or not 0 < most < math.inf:
            raise ValueError(f"{text!r:.100}: expected COST<NUMBER, the number positive")
        return Limit(found[1], found[2] == "<", most)

    def keeps(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether values of the cost are within the limit; the same shape."""
        return values < self.most if self.strict else values <= self.most


def _constraint(text: str) -> str:
    Limit.read(text)
    return text


Constraint = Annotated[str, AfterValidator(_constraint)]


class Terms(Described):
    """Policy and budget of the trials of a search.

    A trial is one repetition of a search with random streams of its own. Without a budget here,
    trials have the policy's.
    """

    policy: str = "goal"
    """Evaluation policy of the benchmark: signal, cost, what is reported; without one of the
    default's name, a command takes the benchmark's first."""
    budget_seconds: Seconds | None = None
    """Budget of a trial in simulated seconds, if not the policy's."""
    budget_evaluations: Evaluations | None = None
    """Budget of a trial in evaluations, if not the policy's."""
    until_best: bool = False
    """Whether a trial ends with the benchmark's best cell, its trace holding only improvements."""
    draw: Draw | None = None
    """How random cells are drawn, if not as the policy says."""
    objectives: list[str] = Field(default=[])
    """Cost to minimise beside the signal, for methods of several objectives; default: all of the
    policy's."""
    constraints: list[Constraint] = Field(default=[])
    """Limit on a cost of the policy, such as 'memory<20'."""

    def limits(self) -> list[Limit]:
        """Constraints, taken apart."""
        return [Limit.read(text) for text in self.constraints]


def check_trials(trials: range) -> range:
    """Numbers of trials as they are.

    Raises
    ------
    DagnasError
        There are none or more than `MOST_TRIALS`, or one is negative or beyond `LAST`.
    """
    # `len` fails beyond the largest machine integer.
    first, last = (trials[0], trials[-1]) if trials else (0, -1)
    if not 0 <= first <= last <= LAST:
        raise DagnasError(
            f"trials {first} to {last}: expected ascending numbers from 0 to {LAST}"
            if trials
            else "no trials: expected one at least"
        )
    if len(trials) > MOST_TRIALS:
        raise DagnasError(f"{len(trials):,} trials in one search; expected {MOST_TRIALS:,} at most")
    return trials
