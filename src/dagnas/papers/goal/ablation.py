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
    reads={
        "studies": (
            "goal_ablation_nasbench101",
            "goal_ablation_nasbench201",
            "goal_ablation_digits201",
        )
    },
    required=(),
)
#: Settings of what is no variant.
DEFAULT = "default"


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Mean report of GOAL and of its variants at few times.

    Returns
    -------
    DataFrame
        Columns as in figure 4, and settings: what a variant sets, such as "restart = True", or
        "default".
    """
    table = efficiency_table(inputs, intervals=15)
    settings = {
        name: ", ".join(f"{key} = {value}" for key, value in variant.settings.items())
        for name, variant in inputs.config.section("variants").items()
    }
    return table.assign(settings=[settings.get(name) or DEFAULT for name in table["method"]])


def draw(table: pd.DataFrame) -> Figure:
    """Figure 4's panels with a bar of one standard deviation at every time."""
    return efficiency_figure(table, bars=True)


def caption(table: pd.DataFrame) -> str:
    """Figure 4's caption, and what the variants are."""
    from dagnas.papers.panels import join_sentences

    settings = dict(zip(table["method"], table["settings"], strict=True))
    variants = "; ".join(f"{name}: {what}" for name, what in settings.items() if what != DEFAULT)
    return join_sentences(
        efficiency_caption(table, "Mean and standard deviation (bars)"),
        f"Variants: {variants}." if variants else "",
    )
