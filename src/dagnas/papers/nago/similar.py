"""Section 2's hypothesis: networks of one generator perform alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.papers.inputs import Inputs
from dagnas.papers.nago.networks import (
    IMAGES,
    RANDOM,
    benchmark_of,
    networks,
    protocol_sentence,
    studies,
)
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Section 2",
    title="Networks of one generator perform alike",
    reads={"studies": (f"{RANDOM}*",)},
)
METRICS = {"signal": "validation", "test": "test"}
COLOUR = "#0072B2"


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Accuracies of networks by generator, and variance between and within generators.

    Returns
    -------
    DataFrame
        Columns part, benchmark, metric ("validation" or "test"), generator, network, value
        (accuracy, %), between, within (standard deviations, %), correlation, low, high, ratio, p
        (as of `dagnas.analysis.groups.OneWay`), n (generators) and members. Rows whose part is

        - network: a network; generators are numbered by their mean, the worst first;
        - test: all generators of which every network could be drawn.
    """
    import pandas as pd

    from dagnas.analysis.groups import one_way

    frames = []
    for study in studies(inputs, RANDOM):
        benchmark = benchmark_of(inputs, study)
        for column, metric in METRICS.items():
            values = accuracies(networks(inputs, study), column)
            values = values[np.argsort(values.mean(axis=1), kind="stable")]
            about = {"benchmark": benchmark, "metric": metric}
            generator, network = (each.ravel() for each in np.indices(values.shape))
            frames.append(
                pd.DataFrame(
                    {"part": "network", **about, "generator": generator, "network": network}
                    | {"value": values.ravel()}
                )
            )
            if min(values.shape) > 1:
                found = one_way(values)._asdict()
                found["n"] = found.pop("groups")
                frames.append(pd.DataFrame([{"part": "test", **about, **found}]))
    return pd.concat(frames, ignore_index=True).assign(emulated="")


def accuracies(found: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Accuracies of networks, shape (generators, networks), where all of them could be drawn."""
    whole = found[found.groupby("generator")["drawn"].transform("all")]
    grid = whole.pivot(index="generator", columns="network", values=column).dropna()
    return grid.to_numpy(np.float64)


def draw(table: pd.DataFrame) -> Figure:
    """A row for each image set: networks by generator, and one network against another."""
    from matplotlib.figure import Figure

    shown = table[table["metric"] == "validation"]
    names = list(shown["benchmark"].unique())
    figure = Figure(figsize=(12.5, 4.3 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), 2, squeeze=False, width_ratios=[2, 1])
    for (left, right), name in zip(panels, names, strict=True):
        rows = shown[shown["benchmark"] == name]
        own = rows[rows["part"] == "network"]
        grid = own.pivot(index="generator", columns="network", values="value").to_numpy()
        _by_generator(left, grid)
        left.set(title=f"{IMAGES[name]}: networks by generator")
        _pairs(right, grid)
        for row in rows[rows["part"] == "test"].to_dict("records"):
            right.set(title=f"Correlation {row['correlation']:.2f} "
                      f"[{row['low']:.2f}, {row['high']:.2f}]")  # fmt: skip
    return figure


def _by_generator(ax: Axes, grid: NDArray[np.float64]) -> None:
    places = np.arange(1, len(grid) + 1)
    ax.vlines(places, grid.min(axis=1), grid.max(axis=1), color="#bbbbbb", lw=1.4, zorder=1)
    for column in grid.T:
        ax.plot(places, column, "o", ms=3.6, color=COLOUR, alpha=0.75, mew=0)
    ax.plot(places, grid.mean(axis=1), color="#222222", lw=1.2, label="mean of a generator")
    ax.set(xlabel="generators, by their mean", ylabel="validation accuracy (%)")
    ax.set(xlim=(0, len(grid) + 1))
    ax.legend(loc="upper left")


def _pairs(ax: Axes, grid: NDArray[np.float64]) -> None:
    """Second network against the first."""
    if grid.shape[1] > 1:
        ax.plot(grid[:, 0], grid[:, 1], "o", ms=5, color=COLOUR, alpha=0.6, mew=0)
    ends: Any = (grid.min() - 2, grid.max() + 2)
    ax.plot(ends, ends, color="#999999", lw=1, ls="--")
    ax.set(xlim=ends, ylim=ends, aspect="equal")
    ax.set(xlabel="a network (%)", ylabel="another of its generator (%)")


def caption(table: pd.DataFrame) -> str:
    """Variances, correlation, and what they rest on."""
    from dagnas.papers.panels import join_sentences

    words = []
    tests = table[(table["part"] == "test") & (table["metric"] == "validation")]
    for row in tests.to_dict("records"):
        p = "below 0.001" if row["p"] < 1e-3 else f"{row['p']:.2g}"
        words.append(
            f"{IMAGES[row['benchmark']]}: {row['n']:.0f} generators of {row['members']:.0f} "
            f"networks, standard deviation {row['between']:.2f} % between and {row['within']:.2f} "
            f"% within generators, intraclass correlation {row['correlation']:.2f} "
            f"[{row['low']:.2f}, {row['high']:.2f}], p {p}"
        )
    return join_sentences(
        "Random generators, and networks that each draws. One-way analysis of variance with random "
        "effects; the interval of 95 % is exact for normal values of one variance within "
        "generators, which figure 2 doubts.",
        "; ".join(words) + "." if words else "One network of each, so that nothing is tested.",
        protocol_sentence(list(table["benchmark"].unique())),
    )
