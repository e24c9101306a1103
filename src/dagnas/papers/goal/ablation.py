"""Ablation of GOAL where the paper is silent: variants of the method, compared as in figure 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.goal.fig4 import efficiency_caption, efficiency_figure, efficiency_table
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Ablation",
    title="Choices that the paper leaves open",
    studies=("goal_ablation_nasbench101", "goal_ablation_nasbench201", "goal_ablation_digits201"),
    optional=("goal_ablation_nasbench101", "goal_ablation_nasbench201", "goal_ablation_digits201"),
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Mean report of GOAL and of its variants at few times."""
    return efficiency_table(inputs, intervals=15)


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """Figure 4's panels with a bar of one standard deviation at every time."""
    return efficiency_figure(table, bars=True)


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """Figure 4's caption, and what the variants are."""
    variants = "; ".join(
        f"{name}: {', '.join(f'{key} = {value}' for key, value in variant.settings.items())}"
        for name, variant in inputs.config.variants.items()
        if name in set(table["method"])
    )
    sentences = [
        efficiency_caption(table, "Mean and standard deviation (bars)"),
        f"Variants: {variants}." if variants else "",
    ]
    return " ".join(filter(None, sentences))
