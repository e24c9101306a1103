"""Section 2.2: searches for generators, with trainings of several lengths and without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.incumbents import curves, time_grid
from dagnas.papers.inputs import Inputs
from dagnas.papers.nago.networks import (
    IMAGES,
    RANDOM,
    SEARCHES,
    benchmark_of,
    curves_panel,
    looks,
    protocol_sentence,
    searched,
    studies,
)
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Section 2.2",
    title="Searches for a generator",
    reads={"studies": (f"{RANDOM}*", f"{SEARCHES}*")},
)
GENERATORS = "generators"
PANELS = {
    "validation error": "validation error (%)",
    "test error": "test error (%)",
    GENERATORS: "generators evaluated",
}
_POINTS = 60


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Errors of what is reported, and generators evaluated, over simulated seconds.

    Returns
    -------
    DataFrame
        Columns benchmark, metric ("validation error", "test error", "evaluations", "generators"),
        method, seconds, mean, sd, n, emulated and se, as of `dagnas.analysis.incumbents.curves`,
        and last (whether these are the last seconds).
    """
    import pandas as pd

    budgets = {
        benchmark_of(inputs, name): inputs.budget(name) for name in studies(inputs, SEARCHES)
    }
    frames = []
    for benchmark, traces in searched(inputs, SEARCHES).items():
        grid = time_grid(budgets[benchmark], _POINTS)
        both = pd.concat([curves(traces, grid), evaluated(traces, grid)], ignore_index=True)
        frames.append(both.assign(benchmark=benchmark, last=both["seconds"] == grid[-1]))
    return pd.concat(frames, ignore_index=True)


def evaluated(traces: pd.DataFrame, grid: NDArray[np.float64]) -> pd.DataFrame:
    """Number of different generators whose training ended, by method, mean over trials.

    Returns
    -------
    DataFrame
        Columns of `dagnas.analysis.incumbents.curves`.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for method, of_method in traces.groupby("method", sort=False):
        counts = []
        for _, trial in of_method.groupby("trial"):
            first = trial.drop_duplicates("cell")["seconds"].to_numpy()
            counts.append(np.searchsorted(first, grid, side="right"))
        for seconds, column in zip(grid, np.array(counts, np.float64).T, strict=True):
            sd = column.std(ddof=1) if len(column) > 1 else np.nan
            row = {"metric": GENERATORS, "method": method, "seconds": seconds}
            row |= {"mean": column.mean(), "sd": sd, "n": len(column), "emulated": ""}
            rows.append(row | {"se": sd / np.sqrt(len(column))})
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> Figure:
    """A row for each image set: errors, and how many generators were evaluated."""
    from matplotlib.figure import Figure

    from dagnas.papers.panels import plain_logarithm

    names = list(table["benchmark"].unique())
    figure = Figure(figsize=(16, 4.4 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), len(PANELS), squeeze=False)
    for row, name in zip(panels, names, strict=True):
        for ax, (metric, words) in zip(row, PANELS.items(), strict=True):
            own = table[(table["benchmark"] == name) & (table["metric"] == metric)]
            if metric != GENERATORS:
                ax.set_yscale("log")
                plain_logarithm(ax.yaxis)
            curves_panel(ax, own, "seconds")
            ax.set(title=f"{IMAGES[name]}: {metric}", ylabel=words, xlabel="simulated seconds")
    return figure


def caption(table: pd.DataFrame) -> str:
    """Where the curves end."""
    from dagnas.papers.panels import counted, join_sentences, number

    words = []
    ends = table[table["last"]]
    for (benchmark, method), rows in ends.groupby(["benchmark", "method"], sort=False):
        value = rows.set_index("metric")["mean"]
        words.append(
            f"{IMAGES[str(benchmark)]}, {looks()[str(method)].label}: "
            f"{value['validation error']:.2f} % ({value[GENERATORS]:.1f} generators)"
        )
    return join_sentences(
        "Error of the network of the best validation accuracy so far, where a longer training is "
        f"better than any shorter one; mean over {counted(table['n'], 'trial')}, bands of one "
        "standard error. RS are the first networks of random generators. GP-EI is what the "
        "released code calls BOHB; with full trainings it is conventional Bayesian optimisation.",
        "Validation errors at the end: " + "; ".join(words) + ".",
        f"Seconds are simulated, up to {number(float(ends['seconds'].max()))}: multiply-adds over "
        "a billion a second.",
        protocol_sentence(list(table["benchmark"].unique())),
    )
