"""Section 2.2: accuracy against memory, by multi-objective search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.papers.inputs import Inputs
from dagnas.papers.nago.networks import (
    COST,
    FRONTS,
    IMAGES,
    RANDOM,
    curves_panel,
    looks,
    protocol_sentence,
    searched,
)
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Section 2.2, multi-objective",
    title="Accuracy against memory",
    reads={"studies": (f"{RANDOM}*", f"{FRONTS}*")},
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Networks evaluated, fronts, and hypervolumes.

    Returns
    -------
    DataFrame
        Columns part, benchmark, method, memory (peak of activations of one image, MB), accuracy
        (validation, %), evaluations, mean, se, n (trials) and last (whether these are the last
        evaluations). Rows whose part is

        - network: one that was evaluated;
        - front: one that no other of all trials of its method dominates, by memory;
        - curve: hypervolume of a trial's first evaluations, mean over trials; units are the
          smallest frame around all networks of the benchmark.
    """
    import pandas as pd

    from dagnas.search.models.pareto import Frame, front, hypervolume_curve, present

    frames: list[pd.DataFrame] = []
    for benchmark, traces in searched(inputs, FRONTS).items():
        objectives = traces[["signal", COST]].to_numpy()
        frame = Frame.of(objectives)
        shortest = int(traces.groupby(["method", "trial"]).size().min())
        for method, own in traces.groupby("method", sort=False):
            about = {"benchmark": benchmark, "method": method}
            rows = own[["signal", COST]].to_numpy()
            for part, which in (("network", present(rows)), ("front", front(rows))):
                shown = pd.DataFrame(rows[which], columns=["accuracy", "memory"])
                shown = shown.sort_values(["memory", "accuracy"], kind="stable")
                frames.append(shown.assign(part=part, **about))
            curves = np.array(
                [
                    hypervolume_curve(trial[["signal", COST]].to_numpy()[:shortest], frame)
                    for _, trial in own.groupby("trial")
                ]
            )
            count = len(curves)
            sd: Any = curves.std(axis=0, ddof=1) if count > 1 else np.nan
            curve = {"evaluations": np.arange(1, shortest + 1), "mean": curves.mean(axis=0)}
            told = pd.DataFrame({**curve, "se": sd / np.sqrt(count), "n": count})
            told["last"] = told["evaluations"] == shortest
            frames.append(told.assign(part="curve", **about))
    names = [
        *("part", "benchmark", "method", "memory", "accuracy"),
        *("evaluations", "mean", "se", "n", "last"),
    ]
    table = pd.concat(frames, ignore_index=True)[names]
    return table.assign(last=table["last"].eq(True), emulated="")


def draw(table: pd.DataFrame) -> Figure:
    """A row for each image set: fronts left, hypervolumes right."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = list(table["benchmark"].unique())
    figure = Figure(figsize=(13, 4.6 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), 2, squeeze=False)
    for (left, right), name in zip(panels, names, strict=True):
        own = table[table["benchmark"] == name]
        _fronts(left, own)
        left.set(title=f"{IMAGES[name]}: networks and fronts")
        curves_panel(right, own[own["part"] == "curve"], "evaluations")
        right.set(title=f"{IMAGES[name]}: hypervolume", ylabel="hypervolume")
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _fronts(ax: Axes, table: pd.DataFrame) -> None:
    """Networks as faint dots, fronts as steps: of so much memory, this accuracy can be had."""
    for method in table["method"].unique():
        own, look = table[table["method"] == method], looks()[method]
        dots = own[own["part"] == "network"]
        ax.plot(dots["memory"], dots["accuracy"], ".", ms=5, color=look.colour, alpha=0.35, mew=0)
        best = own[own["part"] == "front"]
        line: dict[str, Any] = {"color": look.colour, "lw": look.width, "label": look.label}
        ax.step(best["memory"], best["accuracy"], "-o", where="post", ms=4.5, **line)
    ax.set(xlabel="peak memory of activations (MB)", ylabel="validation accuracy (%)")
    ax.legend(loc="lower right")


def caption(table: pd.DataFrame) -> str:
    """Where the hypervolumes end."""
    from dagnas.papers.panels import counted, join_sentences

    curve = table[table["part"] == "curve"]
    words = [
        f"{IMAGES[row['benchmark']]}, {looks()[row['method']].label}: {row['mean']:.3f}"
        for row in curve[curve["last"]].to_dict("records")
    ]
    evaluations = counted(curve.loc[curve["last"], "evaluations"], "evaluation")
    return join_sentences(
        f"Left: networks of {counted(curve['n'], 'trial')}, and the front of all trials of a "
        "method. Right: hypervolume of a trial's first evaluations, mean over trials, bands of one "
        "standard error; its unit is the frame around all networks, and its reference point the "
        "worst corner. RS are the first networks of random generators.",
        f"After {evaluations}: " + "; ".join(words) + ".",
        protocol_sentence(list(table["benchmark"].unique())),
    )
