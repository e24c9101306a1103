"""Figure 5: search efficiency with standard deviations (appendix C)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.goal.fig4 import METHODS, efficiency_caption, efficiency_figure, efficiency_table
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 5",
    title="Search efficiency with standard deviation",
    reads={"studies": ("goal_nasbench101", "goal_nasbench201", "goal_digits201")},
    benchmarks=("nasbench201", "digits201"),
    required=(),
    methods=METHODS,
    own=True,
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Figure 4's curves at few times, so that their bars can be told apart."""
    return efficiency_table(inputs, intervals=15)


def draw(table: pd.DataFrame) -> Figure:
    """Figure 4's panels with a bar of one standard deviation at every time."""
    return efficiency_figure(table, bars=True)


def caption(table: pd.DataFrame) -> str:
    """Figure 4's caption, and what the bars are."""
    return efficiency_caption(table, "Mean and standard deviation (bars)") + (
        " Bars of one time are drawn side by side."
    )
