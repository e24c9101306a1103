"""Section 4.3's remark: trainings of too few epochs favour skip connections and small networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.ranks import spearman
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BENCHMARK = "darts214"
RESULT = Result(
    place="Section 4.3",
    title="What trainings of few epochs favour in the DARTS space",
    benchmarks=(BENCHMARK,),
)
#: Last epoch of the trainings, and the number after which BONAS ends its own.
LAST, STOPPED = 600, 120
EPOCHS = (1, 2, 3, 5, 7, 10, 20, 30, 50, 80, STOPPED, 150, 200, 300, 400, 500, 550, LAST)
#: Fraction of the genotypes that a search of this accuracy would keep.
BEST = 0.1
#: Bootstrap samples of genotypes, for intervals of 95 %.
_RESAMPLED = 2000
_RANGE = (2.5, 97.5)
#: Properties of genotypes: their name in words.
PROPERTIES = {"skips": "skip connections", "params": "parameters (millions)"}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Correlations of early accuracies, and what the best by them have.

    Returns
    -------
    DataFrame
        Columns part, epochs, property, value, low, high and n (genotypes). Rows whose part is

        - final: rank correlation (Spearman) of the test accuracy after ``epochs`` with that after
          600;
        - correlation: rank correlation of that accuracy with ``property`` of the genotypes: "skips"
          (skip connections of both cells) or "params" (millions);
        - best: mean ``property`` of the tenth of genotypes of the highest accuracy then;
        - change: that mean less the same after 600 epochs;
        - all: mean ``property`` of all genotypes.

        Intervals of 95 % of correlations are those of Bonett and Wright (2000), of means
        percentiles over bootstrap samples of the genotypes.
    """
    import pandas as pd

    from dagnas.papers.claims.estimate import correlation

    benchmark = inputs.benchmark(BENCHMARK)
    texts = benchmark.space.to_str(benchmark.space.unpack(benchmark.table["code"]))
    count = len(texts)
    known = {
        "skips": np.array([float(text.count("skip_connect")) for text in texts]),
        "params": benchmark.table["params"].astype(np.float64) / 1e6,
    }
    accuracies = {epoch: benchmark.values(f"cifar10/test/{epoch}") for epoch in EPOCHS}
    rows: list[dict[str, Any]] = []

    def note(part: str, epochs: int, item: str, value: float, low: float, high: float) -> None:
        row = {"part": part, "epochs": epochs, "property": item, "value": value}
        rows.append(row | {"low": low, "high": high, "n": count})

    def correlate(part: str, epochs: int, item: str, other: NDArray[np.float64]) -> None:
        found = spearman(accuracies[epochs], other)
        reach = correlation(found, count, 0.95, ranks=True)
        note(part, epochs, item, found, reach.low, reach.high)

    for epochs in EPOCHS:
        correlate("final", epochs, "", accuracies[LAST])
    drawn = stream("bonas", "short trainings").integers(count, size=(_RESAMPLED, count))
    # The genotypes as they are, and bootstrap samples of them.
    samples = np.vstack([np.arange(count), drawn])
    for item, values in known.items():
        note("all", LAST, item, float(values.mean()), np.nan, np.nan)
        means = {epochs: best_means(found, values, samples) for epochs, found in accuracies.items()}
        for epochs in EPOCHS:
            correlate("correlation", epochs, item, values)
            for part, found in (
                ("best", means[epochs]),
                ("change", means[epochs] - means[LAST]),
            ):
                note(part, epochs, item, found[0], *np.percentile(found[1:], _RANGE))
    return pd.DataFrame(rows).assign(emulated="")


def best_means(
    by: NDArray[np.float64], of: NDArray[np.float64], samples: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean of ``of`` over the best tenth by ``by``, in each of some samples of rows.

    As `dagnas.analysis.ranks.mean_of_best`: values tied with the last share the ranks left.
    """
    kept = max(1, round(BEST * samples.shape[1]))
    by, of = by[samples], of[samples]
    last = np.partition(by, -kept, axis=1)[:, -kept, None]
    above, tied = by > last, by == last
    # Every tied value counts for its share of the ranks that are left.
    share = (kept - above.sum(axis=1)) / tied.sum(axis=1)
    total = (of * above).sum(axis=1) + share * (of * tied).sum(axis=1)
    return np.asarray(total / kept)


def draw(table: pd.DataFrame) -> Figure:
    """How soon the order is known, and what the best have, by epochs."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    figure = Figure(figsize=(14, 4.4), layout="constrained")
    left, *others = figure.subplots(1, 1 + len(PROPERTIES))
    _curve(left, table[table["part"] == "final"], "#0072B2")
    left.set(title="(a) Order after few epochs", ylabel="rank correlation with the last accuracy")
    left.axhline(0, color="#555555", lw=1)
    for letter, ax, (item, words) in zip("bc", others, PROPERTIES.items(), strict=True):
        own = table[table["property"] == item]
        _curve(ax, own[own["part"] == "best"], "#D55E00")
        mean = own.loc[own["part"] == "all", "value"].item()
        ax.axhline(mean, color="#555555", lw=1.4, ls="--")
        ax.text(1.0, mean, "all genotypes ", transform=ax.get_yaxis_transform(), ha="right",
                va="bottom", color="#555555")  # fmt: skip
        ax.set(title=f"({letter}) Best tenth: {words}", ylabel=f"mean {words}")
    style.headline(figure, "What trainings of few epochs favour")
    return figure


def _curve(ax: Axes, rows: pd.DataFrame, colour: str) -> None:
    ax.fill_between(rows["epochs"], rows["low"], rows["high"], color=colour, alpha=0.15, lw=0)
    ax.plot(rows["epochs"], rows["value"], "-o", ms=4, color=colour, lw=2)
    ax.axvline(STOPPED, color="#999999", lw=1, ls=":")
    ax.set(xscale="log", xlabel="epochs of training", xlim=(1, LAST))
    ax.set_xticks([1, 10, 100, LAST], ["1", "10", "100", str(LAST)])


def caption(table: pd.DataFrame) -> str:
    """What was trained, by whom, and what came out."""
    rows = {(row["part"], row["epochs"], row["property"]): row for _, row in table.iterrows()}

    def tell(part: str, epochs: int, item: str = "") -> str:
        row = rows[part, epochs, item]
        return f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"

    def mean(item: str) -> float:
        return float(rows["all", LAST, item]["value"])

    return (
        f"{table['n'].iloc[0]:.0f} random genotypes of the DARTS space (two cells, not BONAS's "
        "one) that Yang, Esperanca and Carlucci (2020) trained for 600 epochs on CIFAR-10, by "
        "their test accuracy after some of these epochs. The learning rate falls along a cosine "
        "of all 600, where a search would end it with its own training. Spearman's correlation "
        f"with the last accuracy: {tell('final', 5)} after 5 epochs, {tell('final', STOPPED)} "
        f"after {STOPPED} (dotted), after which BONAS ends its trainings. The best tenth has "
        f"{tell('best', 5, 'skips')} skip connections after 5 epochs, "
        f"{tell('best', STOPPED, 'skips')} after {STOPPED} and {tell('best', LAST, 'skips')} at "
        f"the end (all: {mean('skips'):.2f}); and {tell('best', 5, 'params')}, "
        f"{tell('best', STOPPED, 'params')} and {tell('best', LAST, 'params')} million parameters "
        f"(all: {mean('params'):.2f}). Intervals of 95 %: Bonett and Wright's, and of means by "
        "bootstrap over the genotypes."
    )
