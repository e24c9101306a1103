"""Figure 2: accuracy and its spread depend on the generator's hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.ranks import spearman
from dagnas.papers.inputs import Inputs
from dagnas.papers.nago.networks import (
    IMAGES,
    RANDOM,
    benchmark_of,
    networks,
    protocol_sentence,
    space_of,
    studies,
)
from dagnas.papers.result import Result
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 2",
    title="Accuracy and its spread by hyperparameters of the generator",
    reads={"studies": (f"{RANDOM}*",)},
)
#: What of a generator: name in words, colour.
OF = {
    "mean": ("mean of its networks", "#0072B2"),
    "spread": ("standard deviation of its networks", "#D55E00"),
}
PERMUTATIONS = 5_000


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Mean and spread of generators, and how they go with hyperparameters.

    Returns
    -------
    DataFrame
        Columns part, benchmark, of ("mean" or "spread"), hyperparameter, value, low, high, p, n
        (generators), generator, mean, spread (%), and one for each hyperparameter. Rows whose part
        is

        - generator: mean and standard deviation of the validation accuracy of its networks;
        - correlation: rank correlation (Spearman) of a hyperparameter with either, and its
          interval of 95 % (Bonett and Wright 2000);
        - test: the largest of these but for sign, and its p-value by permutation of the
          generators.
    """
    import pandas as pd

    from dagnas.papers.claims.estimate import correlation

    rows: list[dict[str, Any]] = []
    for study in studies(inputs, RANDOM):
        benchmark = benchmark_of(inputs, study)
        space, found = space_of(benchmark), networks(inputs, study)
        whole = found[found.groupby("generator")["drawn"].transform("all")]
        groups = whole.groupby("generator")["signal"]
        about = {"mean": groups.mean().to_numpy(), "spread": groups.std(ddof=1).to_numpy()}
        vectors = space.from_str(whole.groupby("generator")["cell"].first().tolist())
        for number, vector in enumerate(vectors):
            own = {of: values[number] for of, values in about.items()}
            row = {"part": "generator", "benchmark": benchmark, "generator": number}
            rows.append(row | own | dict(zip(space.names, vector.tolist(), strict=True)))
        varies = [place for place, column in enumerate(vectors.T) if np.ptp(column)]
        for of, values in about.items():
            if np.isnan(values).any():
                continue
            row = {"benchmark": benchmark, "of": of, "n": len(vectors)}
            for place in varies:
                told = spearman(vectors[:, place], values)
                reach = correlation(told, len(vectors), 0.95, ranks=True)
                rows.append({"part": "correlation", **row, "hyperparameter": space.names[place]})
                rows[-1] |= {"value": told, "low": reach.low, "high": reach.high}
            rng = stream("nago figure 2", benchmark, of)
            largest, p = largest_correlation(vectors[:, varies], values, rng)
            rows.append({"part": "test", **row, "value": largest, "p": p})
    names = ["part", "benchmark", "of", "hyperparameter", "value", "low", "high", "p", "n"]
    table = pd.DataFrame(rows)
    table = table[[*names, *(name for name in table if name not in names)]]
    return table.fillna({"of": "", "hyperparameter": ""}).assign(emulated="")


def largest_correlation(
    columns: NDArray[np.float64], values: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, float]:
    """Largest rank correlation but for sign, and its p-value among permutations of the values.

    One test for all columns, so that their number needs no correction.

    Parameters
    ----------
    columns : ndarray, shape (n, d)
    values : ndarray, shape (n,)
    rng : numpy.random.Generator
    """
    from scipy.stats import rankdata, zscore

    one, other = zscore(rankdata(columns, axis=0), axis=0), zscore(rankdata(values))
    found = np.abs(one.T @ other / len(other)).max()
    drawn = rng.permuted(np.tile(other, (PERMUTATIONS, 1)), axis=1)
    beyond = np.abs(drawn @ one / len(other)).max(axis=1) >= found - 1e-12
    return float(found), float((1 + beyond.sum()) / (1 + PERMUTATIONS))


def draw(table: pd.DataFrame) -> Figure:
    """A row for each image set: correlations, then mean and spread by what goes most with them."""
    from matplotlib.figure import Figure

    names = list(table["benchmark"].unique())
    height = 5.6 * len(names)
    figure = Figure(figsize=(15, height))
    # Set by hand: what the constrained layout makes of the legend below differs from run to run, in
    # the last digits, which are in the SVG.
    margins = {"left": 0.11, "right": 0.985, "bottom": 1.2 / height, "top": 1 - 0.4 / height}
    panels = figure.subplots(
        len(names), 3, squeeze=False, width_ratios=[1.2, 1, 1],
        gridspec_kw={**margins, "wspace": 0.2, "hspace": 0.4},
    )  # fmt: skip
    for (left, *others), name in zip(panels, names, strict=True):
        rows = table[table["benchmark"] == name]
        told = rows[rows["part"] == "correlation"]
        _correlations(left, told)
        left.set(title=f"{IMAGES[name]}: rank correlation")
        for ax, of in zip(others, OF, strict=True):
            own = told[told["of"] == of]
            if len(own):
                most = own.loc[own["value"].abs().idxmax(), "hyperparameter"]
                _scatter(ax, rows[rows["part"] == "generator"], str(most), of)
                ax.set(title=f"{most}, most tied to the {of}")
    return figure


def _correlations(ax: Axes, told: pd.DataFrame) -> None:
    names = list(told["hyperparameter"].unique())
    for shift, (of, (words, colour)) in zip((-0.15, 0.15), OF.items(), strict=True):
        own = told[told["of"] == of]
        places = np.array([names.index(name) for name in own["hyperparameter"]]) + shift
        ax.hlines(places, own["low"], own["high"], color=colour, lw=1.6, alpha=0.6)
        ax.plot(own["value"], places, "o", ms=5, color=colour, label=words)
    ax.axvline(0, color="#555555", lw=1)
    ax.set(xlim=(-1, 1), xlabel="with the generator's")
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), fontsize=9, ncols=1)


def _scatter(ax: Axes, generators: pd.DataFrame, name: str, of: str) -> None:
    """Mean or spread of each generator; those of one whole number stand side by side."""
    from matplotlib.ticker import MaxNLocator

    words, colour = OF[of]
    values = generators[name].to_numpy()
    places = values.astype(float)
    if np.array_equal(values, np.round(values)):
        for value in np.unique(values):
            same = np.flatnonzero(values == value)
            places[same] += np.linspace(-0.3, 0.3, len(same) + 2)[1:-1]
            middle = generators[of].to_numpy()[same].mean()
            ax.hlines(middle, value - 0.35, value + 0.35, color="#222222", lw=1.8, zorder=3)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.plot(places, generators[of], "o", ms=5, mew=0, color=colour, alpha=0.6)
    ax.set(xlabel=name, ylabel=f"{words} (%)")


def caption(table: pd.DataFrame) -> str:
    """What goes with what, and the tests."""
    from dagnas.papers.panels import join_sentences

    words = []
    told = table[table["part"] == "correlation"]
    for row in table[table["part"] == "test"].to_dict("records"):
        own = told[(told["benchmark"] == row["benchmark"]) & (told["of"] == row["of"])]
        most = own.loc[own["value"].abs().idxmax()]
        words.append(
            f"{IMAGES[row['benchmark']]}, {row['of']}: most {most['hyperparameter']} "
            f"({most['value']:.2f}), p {row['p']:.2g}, {row['n']:.0f} generators"
        )
    return join_sentences(
        "Random generators: rank correlations of their hyperparameters with mean and standard "
        "deviation of the accuracies of their networks, with intervals of 95 %; and generators by "
        "the one that goes most with either, with means of those of one value.",
        "The largest correlation of all, tested by permutation of the generators: "
        + "; ".join(words)
        + "."
        if words
        else "",
        protocol_sentence(list(table["benchmark"].unique())),
    )
