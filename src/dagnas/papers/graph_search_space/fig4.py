"""Figure 4: select an optimizer, as a graph and as a chain (section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.graph_search_space.fig2 import best_rewards, rewards_caption, rewards_panel
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Studies by number of optimizers, the graph first.
STUDIES = {
    branches: tuple(
        f"graph_search_space_select_optimizer_{branches}{suffix}" for suffix in ("", "_linear")
    )
    for branches in (2, 4)
}
RESULT = Result(
    place="Figure 4",
    title="Select an optimizer",
    reads={"studies": STUDIES[2] + STUDIES[4]},
    required=(
        "graph_search_space_select_optimizer_2",
        "graph_search_space_select_optimizer_2_linear",
    ),
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Best reward so far.

    Returns
    -------
    DataFrame
        Those of figure 2.
    """
    import pandas as pd

    present = [
        pair for pair in STUDIES.values() if set(pair) <= set(inputs.result.names("studies"))
    ]
    return pd.concat([best_rewards(inputs, pair) for pair in present], ignore_index=True)


def draw(table: pd.DataFrame) -> Figure:
    """Two optimizers left, four right."""
    from matplotlib.figure import Figure

    tasks = list(table["task"].unique())
    figure = Figure(figsize=(7.4 * len(tasks), 4.4), layout="constrained")
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for ax, task in zip(panels, tasks, strict=True):
        rewards_panel(ax, table[table["task"] == task])
        ax.set(title=f"{task.rpartition('_')[2]} optimizers", ylabel="best reward so far")
    return figure


def caption(table: pd.DataFrame) -> str:
    """What the curves show, over how many replicas, and where they end."""
    ours = (
        " The lines of low entropy are not the paper's: step size 0.001 and weight of the entropy "
        "0.05, where the paper has 0.0001 and 0.8."
        if "controller_low_entropy" in set(table["method"])
        else ""
    )
    return f"The dynamic controller, trained by REINFORCE.{ours} {rewards_caption(table)}"
