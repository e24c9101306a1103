"""Table 1: heteroscedastic against homoscedastic surrogates (section 2.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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

    from dagnas.predictors.sghmc import Noise

RESULT = Result(
    place="Table 1",
    title="Heteroscedastic and homoscedastic surrogates",
    reads={"studies": (f"{RANDOM}*",)},
)
#: Points of a split, of which a third are to train on; splits.
POINTS, SPLITS = 150, 10
MODELS: dict[Noise, str] = {"heteroscedastic": "#D55E00", "homoscedastic": "#0072B2"}
METRICS = {"nll": "NLL", "rmse": "RMSE"}


class Column(NamedTuple):
    """Image set of the paper's table: heteroscedastic, then homoscedastic."""

    images: str
    nll: tuple[float, float]
    rmse: tuple[float, float]


#: The paper's table, in our reading of a text that lost its lines (deviations.md).
PAPER = (
    Column("CIFAR10", (-0.92, 3.43), (0.01, 0.02)),
    Column("CIFAR100", (5.92, 7.23), (0.02, 0.02)),
    Column("SPORT8", (0.89, 7.49), (0.14, 0.15)),
    Column("MIT67", (7.15, 15.6), (0.11, 0.12)),
    Column("FLOWERS102", (19.0, 23.8), (0.18, 0.19)),
)


class Split(NamedTuple):
    """Numbers of the networks to train and to test surrogates on."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Errors of surrogates, of ours by split, and of the paper.

    Returns
    -------
    DataFrame
        Columns part, benchmark, images, metric ("nll" or "rmse", of accuracies as fractions),
        model, split, value, low, high, train, test (networks) and n (splits). Rows whose part is

        - split: a surrogate on the test networks of a split;
        - median: median over splits;
        - difference: mean over splits of the heteroscedastic value less the homoscedastic one,
          with an interval of 95 % (`difference`);
        - paper: the paper's median, of its own image sets.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for study in studies(inputs, RANDOM):
        benchmark = benchmark_of(inputs, study)
        found = networks(inputs, study)
        of_splits = _errors(found[found["drawn"]], benchmark)
        errors = pd.DataFrame(of_splits)
        about: dict[str, Any] = {"benchmark": benchmark, "images": IMAGES[benchmark]}
        rows += [{"part": "split", **about, **row} for row in of_splits]
        train, test = (int(errors[part].iloc[0]) for part in ("train", "test"))
        about |= {"train": train, "test": test, "n": SPLITS}
        for metric, own in errors.groupby("metric", sort=False):
            grid = own.pivot(index="split", columns="model", values="value")
            for model in MODELS:
                median = grid[model].median()
                rows.append({"part": "median", **about, "metric": metric, "model": model})
                rows[-1]["value"] = median
            gaps = (grid["heteroscedastic"] - grid["homoscedastic"]).to_numpy()
            value, low, high = difference(gaps, test / train)
            rows.append({"part": "difference", **about, "metric": metric, "value": value})
            rows[-1] |= {"low": low, "high": high}
    for column in PAPER:
        for metric in METRICS:
            for model, value in zip(MODELS, getattr(column, metric), strict=True):
                rows.append({"part": "paper", "images": column.images, "metric": metric})
                rows[-1] |= {"model": model, "value": value}
    names = [
        *("part", "benchmark", "images", "metric", "model", "split", "value", "low", "high"),
        *("train", "test", "n"),
    ]
    table = pd.DataFrame(rows).reindex(columns=names)
    return table.fillna({"benchmark": "", "model": ""}).assign(emulated="")


def _errors(found: pd.DataFrame, benchmark: str) -> list[dict[str, Any]]:
    """Errors of both surrogates in every split."""
    from dagnas.predictors.sghmc import (
        BayesianNetwork,
        negative_log_likelihood,
        root_mean_square_error,
    )

    space = space_of(benchmark)
    points = space.encode(space.from_str(found["cell"].tolist()))
    targets = found["signal"].to_numpy() / 100
    generators = found["generator"].to_numpy()
    rows: list[dict[str, Any]] = []
    for number in range(SPLITS):
        rng = stream("nago table 1", benchmark, number)
        train, test = split(generators, rng)
        about = {"split": number, "train": len(train), "test": len(test)}
        for model in MODELS:
            fitted = BayesianNetwork(points[train], targets[train], rng, noise=model)
            told = fitted.predict(points[test])
            values = {
                "nll": negative_log_likelihood(told, targets[test]),
                "rmse": root_mean_square_error(told, targets[test]),
            }
            rows += [
                {"metric": metric, "model": model, "value": value, **about}
                for metric, value in values.items()
            ]
    return rows


def split(generators: NDArray[np.int64], rng: np.random.Generator) -> Split:
    """Random split of networks, a third of them to train on; no generator is on both sides.

    Of 150 generators or more, 150 are drawn with a network each. Of fewer, each has as many
    networks as it takes to be 150 in all, or all that there are.

    Parameters
    ----------
    generators : ndarray of int, shape (networks,)
        Generator of each network.
    rng : numpy.random.Generator
    """
    known, counts = np.unique(generators, return_counts=True)
    names = rng.permutation(known)
    each = min(math.ceil(POINTS / len(names)), int(counts.max()))
    names = names[: POINTS // each]
    places = [np.flatnonzero(generators == name)[:each] for name in names]
    cut = len(names) // 3
    return Split(np.concatenate(places[:cut]), np.concatenate(places[cut:]))


def difference(gaps: NDArray[np.float64], ratio: float) -> tuple[float, float, float]:
    """Mean over random splits and its interval of 95 % (Nadeau and Bengio 2003, equation 9).

    Splits of the same points are alike. Their corrected variance is that of the mean of
    independent splits, and ``ratio`` times the variance over splits beside it.

    Parameters
    ----------
    gaps : ndarray, shape (splits,)
    ratio : float
        Test points over training points.
    """
    from scipy.stats import t

    mean, variance = float(gaps.mean()), float(gaps.var(ddof=1))
    half = float(t.ppf(0.975, len(gaps) - 1)) * math.sqrt((1 / len(gaps) + ratio) * variance)
    return mean, mean - half, mean + half


def draw(table: pd.DataFrame) -> Figure:
    """Left NLL, right RMSE; ours above, the paper's below."""
    from matplotlib.figure import Figure

    images = list(dict.fromkeys(table["images"]))
    figure = Figure(figsize=(12.5, 1.6 + 0.55 * len(images)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for ax, metric in zip(panels, METRICS, strict=True):
        _panel(ax, table[table["metric"] == metric], images)
        ax.set(title=METRICS[metric], xlabel=f"{METRICS[metric]} (less is better)")
    panels[0].set_yticks(range(len(images)), images)
    panels[0].invert_yaxis()
    panels[1].legend(*_legend(), loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _panel(ax: Axes, table: pd.DataFrame, images: list[str]) -> None:
    shift = {"heteroscedastic": -0.14, "homoscedastic": 0.14}
    for model, colour in MODELS.items():
        for part, marker, size in (("split", ".", 5), ("median", "o", 9), ("paper", "D", 8)):
            rows = table[(table["part"] == part) & (table["model"] == model)]
            places = np.array([images.index(name) for name in rows["images"]]) + shift[model]
            faint = 0.45 if part == "split" else 1.0
            ax.plot(rows["value"], places, marker, ms=size, color=colour, alpha=faint, mew=0)
    ax.grid(axis="y", visible=False)
    for place in range(1, len(images)):
        ax.axhline(place - 0.5, color="#dddddd", lw=0.8)


def _legend() -> tuple[list[object], list[str]]:
    from matplotlib.lines import Line2D

    looks = [
        *(({"color": colour, "marker": "o"}, model) for model, colour in MODELS.items()),
        ({"color": "#777777", "marker": "o"}, "median, here"),
        ({"color": "#777777", "marker": "."}, "a split, here"),
        ({"color": "#777777", "marker": "D"}, "the paper"),
    ]
    handles: list[object] = [Line2D([], [], ls="none", **look) for look, _ in looks]  # type: ignore[arg-type]
    return handles, [words for _, words in looks]


def caption(table: pd.DataFrame) -> str:
    """Medians of ours, and what was not run."""
    from dagnas.papers.panels import join_sentences

    words = []
    medians = table[table["part"] == "median"]
    for images, rows in medians.groupby("images", sort=False):
        value = rows.set_index(["metric", "model"])["value"]
        pairs = [
            f"{name} {value[metric, 'heteroscedastic']:.3g} and "
            f"{value[metric, 'homoscedastic']:.3g}"
            for metric, name in METRICS.items()
        ]
        first = rows.iloc[0]
        words.append(f"{images} ({first['train']:.0f} + {first['test']:.0f}): {', '.join(pairs)}")
    theirs = ", ".join(column.images for column in PAPER)
    ours = "; ".join(words)
    return join_sentences(
        f"Errors of heteroscedastic and homoscedastic networks, medians over {SPLITS} random "
        f"splits of networks of random generators to train and to test on, accuracies as "
        f"fractions: {ours}.",
        f"Diamonds are the paper's, whose image sets were not run here: {theirs}.",
        protocol_sentence([name for name in table["benchmark"].unique() if name]),
    )
