"""Figure 4: the performance predictor, and ascents along its gradient (section 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.papers.inputs import Inputs
from dagnas.papers.ngae.fig3 import emulated
from dagnas.papers.result import Result
from dagnas.seeds import stream, torch_generator

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.predictors.graph_vae.labelled import Labelled
    from dagnas.predictors.graph_vae.model import GraphVAE
    from dagnas.search.models.latent import Region

RESULT = Result(
    place="Figure 4",
    title="Predicted accuracies",
    autoencoders=("ngae_{benchmark}",),
    benchmarks=("{benchmark}",),
)
#: Test cells drawn, and points that ascents start from.
SHOWN, STARTS = 100, 100
#: Step size eta and number of steps L of algorithm 1, here and in figure 5; the paper has neither.
#: Chosen by where points go and not by what is found there: after 100 steps of 0.03 on ENAS's graph
#: VAE they are 1.2 (accuracy alone) and 2.7 (equation 7) deviations away from the mean code, where
#: the prior draws them 1.0 away, and all of them decode to a cell (deviations.md has other sizes).
RATE, STEPS = 0.03, 100
#: Objectives of an ascent: whether they have the complexity predictor.
OBJECTIVES = {"performance": False, "both": True}
#: Look of each: label, colour, width.
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
        the prior), means over starts, with their 10th and 90th percentiles low and high.
    """
    import pandas as pd

    columns = ["benchmark", "quantity", "of", "epoch", "step", "code", "actual", "value"]
    frames = []
    for name in inputs.result.autoencoders:
        rows = [
            {"benchmark": inputs.config.autoencoders[name].benchmark, **row}
            for row in _rows(inputs, name)
        ]
        frame = pd.DataFrame(rows, columns=[*columns, "low", "high"])
        frames.append(frame.assign(emulated=emulated(inputs, name)))
    whole = dict.fromkeys(("epoch", "step", "code"), "Int64")
    return pd.concat(frames, ignore_index=True).astype(whole)


def _rows(inputs: Inputs, name: str) -> list[dict[str, Any]]:
    from dagnas.predictors.graph_vae.measures import errors, posterior
    from dagnas.search.models.latent import Region

    asked = inputs.config.autoencoders[name]
    benchmark, labelled = inputs.benchmark(asked.benchmark), inputs.labelled(name)
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
    region = Region.of(posterior(model, labelled.train.batch)[0])
    # One stream without the objective's name: both ascents start from the same points.
    starts = region.draw(STARTS, torch_generator(stream("ngae/fig4", name, "starts")))
    for objective, complexity in OBJECTIVES.items():
        paths = ascents(model, region, starts, complexity=complexity)
        for quantity, path in paths.items():
            low, high = np.quantile(path, [0.1, 0.9], axis=1)
            rows += [
                {
                    "quantity": quantity,
                    "of": objective,
                    **last,
                    "step": step,
                    "value": float(path[step].mean()),
                    "low": low[step],
                    "high": high[step],
                }
                for step in range(len(path))
            ]
    return rows


def _test_rows(
    model: GraphVAE, labelled: Labelled, codes: NDArray[np.int64], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Predictions of some test cells, and how well they fit on all."""
    from dagnas.predictors.graph_vae.measures import guesses

    actual = 100 * labelled.test.performance.double().numpy()
    predicted = 100 * guesses(model, labelled.test.batch)[:, 0].double().numpy()
    chosen = np.sort(rng.choice(len(actual), min(SHOWN, len(actual)), replace=False))
    slope, intercept = np.polyfit(actual, predicted, 1)
    fit = {
        "pearson": float(np.corrcoef(actual, predicted)[0, 1]),
        "slope": float(slope),
        "intercept": float(intercept),
        "spread": float(actual.std()),
    }
    cells: list[dict[str, Any]] = [
        {"quantity": "cell", "code": code, "actual": x, "value": y}
        for code, x, y in zip(codes[chosen], actual[chosen], predicted[chosen], strict=True)
    ]
    whole = [{"quantity": quantity, "value": value} for quantity, value in fit.items()]
    return [row | {"of": "test"} for row in cells + whole]


def ascents(
    model: GraphVAE, region: Region, starts: torch.Tensor, *, complexity: bool
) -> dict[str, NDArray[np.float64]]:
    """Predictions and distances on the way of `STEPS` steps, shape (STEPS + 1, B) each.

    The objective may have the complexity predictor (equation 7), the accuracy predicted is looked
    at either way.
    """
    import torch

    from dagnas.search.models.latent import ascend

    points, way = starts, [starts]
    for _ in range(STEPS):
        points = ascend(model, points, steps=1, rate=RATE, complexity=complexity).points
        way.append(points)
    path = torch.stack(way)
    with torch.no_grad():
        accuracy, guess = 100 * model.performance(path)[..., 0], model.complexity(path)[..., 0]
        distance = ((path - region.mean) / region.deviation).square().mean(dim=-1).sqrt()
    found = {"accuracy": accuracy, "complexity": guess, "distance": distance}
    return {quantity: values.double().numpy() for quantity, values in found.items()}


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
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
    """Value of a quantity that has one, or its last one."""
    return float(rows[(rows["quantity"] == quantity) & (rows["of"] == of)]["value"].iloc[-1])


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
    ax.set(xlim=(0, STEPS), xlabel="step")
    return ends


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """What is shown, with the numbers that the paper's text speaks of."""
    from dagnas.papers.panels import emulated_sentence, own_sentence

    sentences = [
        f"(a) {SHOWN} test cells drawn at random; the line is fitted on all test cells, and so are "
        "the numbers in the corner. (b) Root mean squared error of the performance predictor, on "
        "the training cells as they were met in each epoch and on the test cells at the epochs "
        "whose weights were kept; dashed: the error of predicting the mean. (c, d) Predictions "
        f"on the way from {STARTS} points of the prior, {STEPS} steps of size {RATE:g} along the "
        "gradient of the predicted accuracy alone, and of equation 7, which subtracts the "
        "predicted complexity: mean, and band from the 10th to the 90th percentile.",
        *(
            _numbers(table[table["benchmark"] == benchmark], benchmark)
            for benchmark in table["benchmark"].unique()
        ),
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"]),
    ]
    return " ".join(filter(None, sentences))


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
