"""Figure 2: stack layers, as a graph and as a chain (section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STUDIES = ("graph_search_space_stack_layers", "graph_search_space_stack_layers_linear")
RESULT = Result(
    place="Figure 2",
    title="Stack layers",
    reads={"studies": STUDIES},
)
#: Curves have a point for every trial up to this; then as many, evenly apart on a log axis.
_POINTS = 200
#: Look of each formulation: label, colour.
LOOKS = {"graph": ("graph", "#D55E00"), "linear": ("linear", "#0072B2")}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Best reward so far.

    Returns
    -------
    DataFrame
        Those of `best_rewards`, of both formulations.
    """
    return best_rewards(inputs, STUDIES)


def best_rewards(inputs: Inputs, studies: tuple[str, ...]) -> pd.DataFrame:
    """Best reward so far of every method on a task, as a graph and as a chain.

    Parameters
    ----------
    inputs : Inputs
    studies : tuple of str
        The graph's study, and the chain's.

    Returns
    -------
    DataFrame
        Columns task (the benchmark's name without its formulation), formulation ("graph",
        "linear"), method, trial (rewards seen, "trials" in the paper), mean, se (standard error of
        the mean), min and max over replicas, best (share of replicas that have seen the highest
        reward, 1), p (on the graph's rows: chance that replicas of the chain are as much below,
        were both alike; one-sided Mann-Whitney test) and n (replicas).
    """
    import pandas as pd
    from scipy.stats import mannwhitneyu

    graph, chain = (best_so_far(inputs, study) for study in studies)
    frames = []
    for study, runs in zip(studies, (graph, chain), strict=True):
        benchmark = inputs.config.section("studies")[study].benchmark
        for method, whole in runs.items():
            seen = _seen(whole.shape[1])
            best = whole[:, seen - 1]
            rival = chain.get(method) if runs is graph else None
            p = np.nan
            if rival is not None and rival.shape[1] == whole.shape[1]:
                p = mannwhitneyu(best, rival[:, seen - 1], alternative="greater", axis=0).pvalue
            frames.append(
                pd.DataFrame(
                    {
                        "task": benchmark.removesuffix("_linear"),
                        "formulation": "graph" if runs is graph else "linear",
                        "method": method,
                        "trial": seen,
                        "mean": best.mean(axis=0),
                        "se": best.std(axis=0, ddof=1) / len(best) ** 0.5
                        if len(best) > 1
                        else np.nan,
                        "min": best.min(axis=0),
                        "max": best.max(axis=0),
                        "best": (best >= 1).mean(axis=0),
                        "p": p,
                        "n": len(best),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def best_so_far(inputs: Inputs, study: str) -> dict[str, NDArray[np.float64]]:
    """Best reward up to each trial of all replicas, shape (replicas, trials), by method."""
    return {
        str(method): np.maximum.accumulate(
            [replica["signal"].to_numpy() for _, replica in traces.groupby("trial")], axis=1
        )
        for method, traces in inputs.traces(study).groupby("method", sort=False)
    }


def _seen(trials: int) -> NDArray[np.int64]:
    """Trials that curves have points at."""
    seen = np.arange(1, min(trials, _POINTS) + 1)
    if trials <= _POINTS:
        return seen
    return np.union1d(seen, np.geomspace(_POINTS, trials, _POINTS).round().astype(np.int64))


def draw(table: pd.DataFrame) -> Figure:
    """The space above, the curves below."""
    from matplotlib.figure import Figure

    from dagnas.benchmarks.toys import stack_layers_graph
    from dagnas.drawing.decisions import draw_decisions

    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[1, 2.6])
    draw_decisions(stack_layers_graph().space, above)
    above.set(title="(a) The graph: as many layers as are added", aspect="auto")
    rewards_panel(below, table)
    below.set(title="(b) Best reward", ylabel="best reward so far")
    return figure


def rewards_panel(ax: Axes, table: pd.DataFrame) -> None:
    """Curves of one task: the mean over replicas, and all between the worst and the best."""
    from dagnas.drawing import style

    ends = []
    for (method, formulation), curve in table.groupby(["method", "formulation"], sort=False):
        look = look_of(str(method), str(formulation))
        line: dict[str, Any] = {"color": look.colour, "lw": look.width, "ls": look.dashes}
        ax.plot(curve["trial"], curve["mean"], **line)
        if look.width > 2:
            ax.fill_between(
                curve["trial"], curve["min"], curve["max"], color=look.colour, alpha=0.18, lw=0
            )
        ends.append((curve["mean"].iloc[-1], look))
    ax.set(xlim=(1, table["trial"].max()), ylim=(0, 1.03), xlabel="trials")
    if table["trial"].max() > 1000:
        ax.set_xscale("log")
    style.label_ends(ax, ends)


def look_of(method: str, formulation: str) -> Any:
    """Look of a method on a formulation: the controller's are thick, and have bands."""
    from dagnas.drawing.style import Look

    label, colour = LOOKS[formulation]
    if method == "random_search":
        return Look(f"{label}, random", colour, 1.2, (0, (4, 2)))
    if method in ("controller_reinforce", "controller_pqt"):
        return Look(label, colour, 2.6)
    name = method.removeprefix("controller_").replace("_", " ")
    return Look(f"{label}, {name}", colour, 1.8, (0, (1, 1)))


def caption(table: pd.DataFrame) -> str:
    """What the curves show, over how many replicas, and where they end."""
    return " ".join(
        [
            "(a) The space as a graph; the linear one is a chain of twenty such decisions. (b) "
            "The dynamic controller, trained by REINFORCE.",
            rewards_caption(table),
        ]
    )


def rewards_caption(table: pd.DataFrame) -> str:
    """Sentences on curves of one task or several."""
    from dagnas.papers.panels import counted, number

    found = []
    for (task, formulation, method), curve in table.groupby(
        ["task", "formulation", "method"], sort=False
    ):
        if share := curve["best"].iloc[-1]:
            found.append(f"{task}, {formulation}, {method}: {share:.0%}")
    return " ".join(
        [
            f"Best reward so far, mean over {counted(table['n'], 'replica')}, up to trial "
            f"{number(int(table['trial'].max()))}; bands from the worst replica to the best; "
            "dashed: walks by chance.",
            "Share of replicas that saw the highest reward, 1, by the end:",
            "; ".join(found or ["none"]) + ".",
        ]
    )
