"""Figure 4: the performance predictor, and ascents along its gradient (section 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.papers.inputs import Inputs
from dagnas.papers.ngae.fig3 import emulated
from dagnas.papers.ngae.labels import label_cells
from dagnas.papers.result import Result
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.predictors.graph_vae.labelled import Labelled
    from dagnas.predictors.graph_vae.model import GraphVAE

RESULT = Result(
    place="Figure 4",
    title="Predicted accuracies",
    reads={
        "autoencoders": ("ngae_{benchmark}",),
        "latent_searches": ("ngae_paths_{benchmark}",),
    },
    benchmarks=("{benchmark}",),
)
#: Test cells drawn.
SHOWN = 100
#: Look of each objective of ascents: label, colour, width.
LOOKS = {"performance": ("accuracy alone", "#E69F00", 2.4), "both": ("equation 7", "#D55E00", 3.0)}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Predictions of test cells, errors, and what ascents predict.

    Returns
    -------
    DataFrame
        Columns benchmark, quantity, of, epoch, step, code, actual, value, low, high and emulated.
        With the weights of the last epoch: cell (of "test": a test cell with its code, its
        accuracy ``actual`` and the predicted one, %, both); of all test cells the pearson
        correlation, slope and intercept (least squares line of predicted on actual accuracies)
        and spread (standard deviation of actual accuracies, points); best (of "table": the highest
        accuracy, %). rmse (points): of "train" in each epoch, as it went, and of "test" at the
        epochs kept. Of ascents with the objective ``of`` after each step (0 is the start): accuracy
        and complexity (predicted, % and in [0, 1]) and distance (root mean square over dimensions
        of the distance to the mean code, in the codes' standard deviations; about 1 for points of
        the prior), means over starts, with their 10th and 90th percentiles low and high; climb,
        what the predicted accuracy rises by from a step to the last (points), mean over starts,
        with its interval of 95 %; and of "ascent" the number of starts (points) and the size of a
        step (rate). The slope has its interval of 95 % too.
    """
    import pandas as pd

    columns = ["benchmark", "quantity", "of", "epoch", "step", "code", "actual", "value"]
    frames = []
    for name in inputs.result.names("autoencoders"):
        benchmark = inputs.config.section("autoencoders")[name].benchmark
        rows = [*_rows(inputs, name), *_path_rows(inputs, f"ngae_paths_{benchmark}")]
        frame = pd.DataFrame(rows, columns=[*columns, "low", "high"]).assign(benchmark=benchmark)
        frames.append(frame.assign(emulated=emulated(inputs, name)))
    whole = dict.fromkeys(("epoch", "step", "code"), "Int64")
    return pd.concat(frames, ignore_index=True).astype(whole)


def _rows(inputs: Inputs, name: str) -> list[dict[str, Any]]:
    from dagnas.predictors.graph_vae.measures import errors

    asked = inputs.config.section("autoencoders")[name]
    benchmark, labelled = inputs.benchmark(asked.benchmark), label_cells(inputs, name)
    stored = inputs.autoencoder(name)
    records, states = stored.training.records, sorted(stored.training.states)
    model = stored.model(benchmark.space)
    codes = benchmark.space.pack(labelled.cells[labelled.split.test])
    last = {"epoch": len(records)}
    rows = _test_rows(model, labelled, codes, stream("ngae/fig4", name, "cells"))
    rows = [row | last for row in rows]
    best = 100 * float(max(part.performance.max() for part in (labelled.train, labelled.test)))
    rows.append({"quantity": "best", "of": "table", "value": best})
    rows += [
        {"quantity": "rmse", "of": "train", "epoch": r.epoch, "value": 100 * r.performance**0.5}
        for r in records
    ]
    for epoch in states:
        error, _ = errors(stored.model(benchmark.space, epoch), labelled.test)
        rows.append({"quantity": "rmse", "of": "test", "epoch": epoch, "value": 100 * error})
    return rows


def _path_rows(inputs: Inputs, name: str) -> list[dict[str, Any]]:
    """Means and percentiles of what is predicted along ascents, and how these were made."""
    paths, asked = inputs.read("latent_searches", name), inputs.config.section("latent_searches")
    rows: list[dict[str, Any]] = []
    for (objective, epoch), whole in paths.groupby(["objective", "epoch"], sort=False):
        for quantity in ("accuracy", "complexity", "distance"):
            path = whole.pivot(index="step", columns="point", values=quantity).to_numpy()
            values = {"value": path.mean(axis=1)}
            values["low"], values["high"] = np.quantile(path, [0.1, 0.9], axis=1)
            rows += [
                {"quantity": quantity, "of": objective, "epoch": epoch, "step": step}
                | {key: along[step] for key, along in values.items()}
                for step in range(len(path))
            ]
            if quantity == "accuracy":
                rows += [row | {"of": objective, "epoch": epoch} for row in _climb_rows(path)]
    settings = {"points": asked[name].points, "rate": asked[name].rate}
    return rows + [{"quantity": k, "of": "ascent", "value": v} for k, v in settings.items()]


def _climb_rows(path: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Mean rise from each step to the last, with its interval; path has shape (steps, starts)."""
    from scipy.stats import t

    starts = path.shape[1]
    rise = path[-1] - path
    mean, se = rise.mean(axis=1), rise.std(axis=1, ddof=1) / np.sqrt(starts)
    half = t.ppf(0.975, starts - 1) * se
    return [
        {"quantity": "climb", "step": step, "value": m, "low": m - h, "high": m + h}
        for step, (m, h) in enumerate(zip(mean, half, strict=True))
    ]


def _test_rows(
    model: GraphVAE, labelled: Labelled, codes: NDArray[np.int64], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Predictions of some test cells, and how well they fit on all."""
    from scipy.stats import linregress, t

    from dagnas.predictors.graph_vae.measures import guesses

    actual = 100 * labelled.test.performance.double().numpy()
    predicted = 100 * guesses(model, labelled.test.batch)[:, 0].double().numpy()
    chosen = np.sort(rng.choice(len(actual), min(SHOWN, len(actual)), replace=False))
    line = linregress(actual, predicted)
    half = float(t.ppf(0.975, len(actual) - 2) * line.stderr)
    fit = {
        "pearson": {"value": float(line.rvalue)},
        "slope": {"value": line.slope, "low": line.slope - half, "high": line.slope + half},
        "intercept": {"value": line.intercept},
        "spread": {"value": float(actual.std())},
    }
    cells: list[dict[str, Any]] = [
        {"quantity": "cell", "code": code, "actual": x, "value": y}
        for code, x, y in zip(codes[chosen], actual[chosen], predicted[chosen], strict=True)
    ]
    whole = [{"quantity": quantity, **values} for quantity, values in fit.items()]
    return [row | {"of": "test"} for row in cells + whole]


def draw(table: pd.DataFrame) -> Figure:
    """A row a benchmark: test cells, errors by epoch, predictions along ascents."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    benchmarks = list(table["benchmark"].unique())
    figure = Figure(figsize=(18.5, 4.4 * len(benchmarks)), layout="constrained")
    grid = figure.subplots(len(benchmarks), 4, squeeze=False)
    for axes, benchmark in zip(grid, benchmarks, strict=True):
        rows = table[table["benchmark"] == benchmark]
        _draw_cells(axes[0], rows)
        axes[0].set_title(f"(a) {style.benchmark_label(benchmark)}: {SHOWN} test cells")
        _draw_errors(axes[1], rows)
        axes[1].set_title("(b) Error during training")
        _draw_paths(axes[2], axes[3], rows)
        for ax in axes:
            style.stamp(ax, rows["emulated"].iloc[0])
    return figure


def value_of(rows: pd.DataFrame, quantity: str, of: str) -> float:
    """Value of a quantity that has one, or its last one.

    Raises
    ------
    DagnasError
        The table lacks it.
    """
    found = rows[(rows["quantity"] == quantity) & (rows["of"] == of)]["value"]
    if found.empty:
        raise DagnasError(f"the table has no {quantity} of {of}")
    return float(found.iloc[-1])


def _draw_cells(ax: Axes, rows: pd.DataFrame) -> None:
    points = rows[rows["quantity"] == "cell"]
    both = points[["actual", "value"]].to_numpy()
    margin = 0.04 * np.ptp(both)
    ends = np.array([both.min() - margin, both.max() + margin])
    slope, intercept = (value_of(rows, quantity, "test") for quantity in ("slope", "intercept"))
    ax.plot(ends, ends, color="#777777", lw=1.4, ls=(0, (4, 2)), label="y = x")
    ax.plot(ends, intercept + slope * ends, color="#D55E00", lw=2.2, label="fit")
    ax.plot(points["actual"], points["value"], "o", color="#0072B2", ms=4, alpha=0.7)
    ax.set(xlim=ends, ylim=ends, aspect="equal")
    ax.set(xlabel="true accuracy (%)", ylabel="predicted accuracy (%)")
    ax.legend(loc="lower right")
    ax.text(
        0.03,
        0.97,
        f"all test cells:\nRMSE {value_of(rows, 'rmse', 'test'):.2f} points\n"
        f"correlation {value_of(rows, 'pearson', 'test'):.3f}\nslope {slope:.2f}",
        transform=ax.transAxes,
        va="top",
        fontsize=9.5,
    )


def _draw_errors(ax: Axes, rows: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    errors = rows[rows["quantity"] == "rmse"]
    train, test = (errors[errors["of"] == part] for part in ("train", "test"))
    ax.plot(train["epoch"].astype(int), train["value"], color="#0072B2", label="training cells")
    dots: dict[str, Any] = {"color": "#D55E00", "ms": 8, "clip_on": False, "zorder": 3}
    ax.plot(test["epoch"].astype(int), test["value"], "o", label="test cells", **dots)
    spread = value_of(rows, "spread", "test")
    ax.axhline(spread, color="#777777", ls=(0, (4, 2)), lw=1.4, label="predicting the mean")
    last = max(int(train["epoch"].max()), 2)
    # The first epoch starts from nothing: it may be far above all that follows.
    shown = errors[errors["epoch"] > 1]["value"].max()
    ax.set(xlim=(1, last), ylim=(0, 1.15 * max(shown, spread)))
    ax.set(xlabel="epoch", ylabel="RMSE (points of accuracy)")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.legend(loc="lower left")


def _draw_paths(accuracy: Axes, complexity: Axes, rows: pd.DataFrame) -> None:
    from dagnas.drawing import style

    _draw_ascents(accuracy, rows, "accuracy")
    best = value_of(rows, "best", "table")
    accuracy.axhline(best, color="#777777", ls=(0, (4, 2)), lw=1.4)
    accuracy.text(1, best, "best of table", color="#777777", va="bottom", fontsize=9)
    accuracy.margins(y=0.08)
    accuracy.set(title="(c) Ascent: accuracy", ylabel="predicted accuracy (%)")
    ends = _draw_ascents(complexity, rows, "complexity")
    complexity.set(title="(d) Ascent: complexity", ylabel="predicted complexity")
    complexity.set_ylim(bottom=0)
    style.label_ends(complexity, ends)


def _draw_ascents(ax: Axes, rows: pd.DataFrame, quantity: str) -> list[tuple[float, Any]]:
    """Means and bands of a quantity along the ascents; heights and looks of the means' ends."""
    from dagnas.drawing import style

    ends = []
    for objective, (label, colour, width) in LOOKS.items():
        path = rows[(rows["quantity"] == quantity) & (rows["of"] == objective)]
        steps = path["step"].astype(int)
        ax.fill_between(steps, path["low"], path["high"], color=colour, alpha=0.18, lw=0)
        ax.plot(steps, path["value"], color=colour, lw=width)
        ends.append((path["value"].iloc[-1], style.Look(label, colour, width)))
    ax.set(xlim=(0, rows["step"].max()), xlabel="step")
    return ends


def caption(table: pd.DataFrame) -> str:
    """What is shown, with the numbers that the paper's text speaks of."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, own_sentence

    points, rate = (value_of(table, quantity, "ascent") for quantity in ("points", "rate"))
    return join_sentences(
        f"(a) {SHOWN} test cells drawn at random; the line is fitted on all test cells, and so are "
        "the numbers in the corner. (b) Root mean squared error of the performance predictor, on "
        "the training cells as they were met in each epoch and on the test cells at the epochs "
        "whose weights were kept; dashed: the error of predicting the mean. (c, d) Predictions "
        f"on the way from {points:.0f} points of the prior, {table['step'].max():.0f} steps of "
        f"size {rate:g} along the "
        "gradient of the predicted accuracy alone, and of equation 7, which subtracts the "
        "predicted complexity: mean, and band from the 10th to the 90th percentile.",
        *(
            _numbers(table[table["benchmark"] == benchmark], benchmark)
            for benchmark in table["benchmark"].unique()
        ),
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"]),
    )


def _numbers(rows: pd.DataFrame, benchmark: str) -> str:
    from dagnas.drawing import style

    parts = []
    for objective, (label, *_) in LOOKS.items():
        ends = []
        for quantity, digits in (("accuracy", 2), ("complexity", 3), ("distance", 2)):
            path = rows[(rows["quantity"] == quantity) & (rows["of"] == objective)]["value"]
            ends.append(f"{quantity} {path.iloc[0]:.{digits}f} to {path.iloc[-1]:.{digits}f}")
        parts.append(f"{label}: {', '.join(ends)}")
    return (
        f"{style.benchmark_label(benchmark)}, means at the first and the last point of the "
        f"ascents (accuracy in %, complexity between 0 and 1, distance to the mean code in "
        f"standard deviations): {'; '.join(parts)}."
    )
