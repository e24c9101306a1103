"""Figure 6: searches for image classifiers, as a graph and as a chain (section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagnas.analysis.incumbents import incumbent
from dagnas.papers.graph_search_space.fig2 import best_rewards, look_of, rewards_panel
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 6",
    title="Layers searched on CIFAR-10",
    reads={
        "studies": ("graph_search_space_layers_cifar10", "graph_search_space_layers_cifar10_linear")
    },
)
#: Benchmark of the paper's images, and what is trained there and on others.
FULL = "layers_cifar10"
TRAININGS = {
    FULL: "Networks are trained for 20 epochs on 25,000 images, and a walk's reward is the "
    "validation accuracy on 10,000 others.",
    "layers_cifar10_small": "**In small, not the paper's protocol**: networks are trained for 5 "
    "epochs on 2,000 images of 16 x 16 pixels, and a walk's reward is the validation accuracy on "
    "2,000 others.",
}
#: Weight of the past in the moving average; the paper does not give its own.
_MEMORY = 0.95


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Best and moving average of rewards.

    Returns
    -------
    DataFrame
        Columns of figure 2; moving (mean over replicas of the moving average of rewards) and test
        (mean over replicas of the test accuracy of the best so far, a share).
    """
    import pandas as pd

    columns = []
    for study, formulation in zip(inputs.result.names("studies"), ("graph", "linear"), strict=True):
        for method, traces in inputs.traces(study).groupby("method", sort=False):
            replicas = [trace for _, trace in traces.groupby("trial")]
            rewards = np.array([replica["signal"] for replica in replicas])
            tests = np.array([replica["test"] for replica in replicas])
            best = np.array([incumbent(reward) for reward in rewards])
            columns.append(
                pd.DataFrame(
                    {
                        "formulation": formulation,
                        "method": method,
                        "trial": np.arange(1, rewards.shape[1] + 1),
                        "moving": moving(rewards).mean(axis=0),
                        "test": np.take_along_axis(tests, best, axis=1).mean(axis=0),
                    }
                )
            )
    table = best_rewards(inputs, inputs.result.names("studies"))
    return table.merge(pd.concat(columns), on=["formulation", "method", "trial"])


def moving(rewards: np.ndarray) -> np.ndarray:
    """Moving average of rewards, shape (replicas, trials), begun with the first."""
    found = rewards.copy()
    for trial in range(1, found.shape[1]):
        found[:, trial] = _MEMORY * found[:, trial - 1] + (1 - _MEMORY) * rewards[:, trial]
    return found


def draw(table: pd.DataFrame) -> Figure:
    """Left the moving average, right the best so far."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    figure = Figure(figsize=(14, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    ends = []
    for (method, formulation), curve in table.groupby(["method", "formulation"], sort=False):
        look = look_of(str(method), str(formulation))
        left.plot(curve["trial"], curve["moving"], color=look.colour, lw=look.width, ls=look.dashes)
        ends.append((curve["moving"].iloc[-1], look))
    left.set(
        title="(a) Moving average", xlabel="trials", ylabel="reward", xlim=(1, table["trial"].max())
    )
    style.label_ends(left, ends)
    rewards_panel(right, table)
    # The first trials are far below the rest.
    low = table["min"][table["trial"] > 0.05 * table["trial"].max()].min()
    high = 1.0 if table["max"].max() > 0.7 else table["max"].max() + 0.02
    right.set(title="(b) Best so far", ylabel="best reward so far", ylim=(low - 0.02, high))
    return figure


def caption(table: pd.DataFrame) -> str:
    """What was trained, how often, and what came out."""
    return f"{TRAININGS[table['task'].iloc[0]]} {ends_caption(table)}"


def ends_caption(table: pd.DataFrame) -> str:
    """Sentences on curves and their ends."""
    from dagnas.papers.panels import counted, number

    ends = table[table["trial"] == table["trial"].max()]
    chance = "; dashed: walks by chance" if "random_search" in set(ends["method"]) else ""
    tests = "; ".join(
        f"{row['formulation']}, {row['method']}: {row['mean']:.2%} ({row['test']:.2%})"
        for _, row in ends.iterrows()
    )
    return (
        f"The dynamic controller, trained on its queue of best walks (PQT){chance}. "
        f"Up to trial {number(int(table['trial'].max()))} (the paper: 1,500), mean over "
        f"{counted(table['n'], 'replica')}; moving average with weight {_MEMORY} on the past; "
        "bands from the worst replica to the best. At the end, best reward, and in brackets the "
        f"accuracy on the test images: {tests}."
    )
