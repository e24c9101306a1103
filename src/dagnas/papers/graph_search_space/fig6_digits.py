"""Figure 6 on scikit-learn's digits: not the paper's images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.graph_search_space import fig6
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 6, on digits",
    title="Layers searched on digits, not CIFAR-10",
    reads={
        "studies": ("graph_search_space_layers_digits", "graph_search_space_layers_digits_linear")
    },
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Best and moving average of rewards: columns of figure 6."""
    return fig6.tabulate(inputs)


def draw(table: pd.DataFrame) -> Figure:
    """Panels of figure 6."""
    return fig6.draw(table)


def caption(table: pd.DataFrame) -> str:
    """What was trained, how often, and what came out."""
    return (
        "**Not the paper's images**: networks are trained for 20 epochs on a third of "
        "scikit-learn's 1,797 digits, and a walk's reward is the validation accuracy on another "
        f"third. {fig6.ends_caption(table)}"
    )
