"""Terms of a search: what it may spend, what it is told and when it ends, declared once.

Scale files, the command line, the runner and the metadata of traces take them from here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from dagnas.settings import Described
from dagnas.spaces.base import Draw

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Terms(Described):
    """Policy and budget of the trials of a search.

    A trial is one repetition of a search with random streams of its own. Without a budget here,
    trials have the policy's.
    """

    policy: str = "goal"
    """Evaluation policy of the benchmark: signal, cost, what is reported."""
    budget_seconds: Seconds | None = None
    """Budget of a trial in simulated seconds, if not the policy's."""
    budget_evaluations: PositiveInt | None = None
    """Budget of a trial in evaluations, if not the policy's."""
    until_best: bool = False
    """Whether a trial ends with the benchmark's best cell, its trace holding only improvements."""
    draw: Draw | None = None
    """How random cells are drawn, if not as the policy says."""
