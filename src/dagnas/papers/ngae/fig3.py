"""Figure 3: training of the graph VAE, and a plane through its latent space (section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.papers.inputs import Inputs
from dagnas.papers.ngae.labels import label_cells
from dagnas.papers.result import Result
from dagnas.seeds import stream, torch_generator

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.predictors.graph_vae.schedule import Weights
    from dagnas.predictors.graph_vae.training import Record

RESULT = Result(
    place="Figure 3",
    title="Training of the graph VAE, and a plane through its latent space",
    reads={"autoencoders": ("ngae_{benchmark}",)},
    benchmarks=("{benchmark}",),
)
#: The plane reaches so many standard deviations to each side; points along a side.
REACH, SIDE = 3.0, 61
#: How smooth the plane is, is told by moving it by so many points: half a standard deviation.
LAG = 5
#: Losses drawn: label, colour, width.
LOSSES = {
    "reconstruction": ("reconstruction", "#D55E00", 3.0),
    "divergence": ("KL divergence", "#0072B2", 1.8),
}


class Plane(NamedTuple):
    """Points of the latent space on two principal axes of the codes.

    Attributes
    ----------
    start : ndarray, shape (J,)
        Drawn from the prior; the middle.
    axes : ndarray, shape (2, J)
        Along the first two principal components, each as long as the codes' standard deviation.
    """

    start: NDArray[np.float64]
    axes: NDArray[np.float64]

    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Moves along both axes, shape (SIDE^2, 2), the second fastest, and points reached."""
        side = np.linspace(-REACH, REACH, SIDE)
        moves = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
        return moves, self.start + moves @ self.axes


def plane(codes: torch.Tensor, rng: np.random.Generator) -> Plane:
    """Plane through a point drawn from the prior scaled to codes, shape (N, J)."""
    from dagnas.search.models.latent import Region

    start = Region.of(codes).draw(1, torch_generator(rng))[0]
    centred = codes.double().numpy()
    centred = centred - centred.mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    # The sign of a component is arbitrary: its largest part is positive here.
    signs = np.sign(axes[[0, 1], np.abs(axes[:2]).argmax(axis=1)])
    units = signs * lengths[:2] / np.sqrt(len(codes) - 1)
    return Plane(start.double().numpy(), units[:, None] * axes[:2])


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Losses of every epoch, and predicted accuracies on the plane.

    Returns
    -------
    DataFrame
        Columns benchmark, quantity, epoch, first, second, value and emulated. Quantities of an
        epoch are means over the training cells, in nats: nodes and edges (L_n and L_e),
        reconstruction (their sum), divergence (unweighted) and rest (all other parts of the
        objective, weighted as in training). Of the plane, at the weights of the last epoch:
        accuracy (predicted, %) at moves first and second along the principal components, in
        standard deviations of the codes along them; and autocorrelation, of the plane's accuracies
        with those that the move (first, second) leads to. Of the training: divergence_weight, and
        noise (a factor on the posterior's noise).
    """
    import pandas as pd

    frames = []
    for name in inputs.result.names("autoencoders"):
        asked = inputs.config.section("autoencoders")[name]
        records = inputs.autoencoder(name).training.records
        rows = [*_losses(records, asked.schedule().weights), *_plane_rows(inputs, name)]
        settings = {"divergence_weight": asked.divergence_weight, "noise": asked.noise}
        rows += [{"quantity": key, "value": value} for key, value in settings.items()]
        frame = pd.DataFrame(rows, columns=["quantity", "epoch", "first", "second", "value"])
        frame.insert(0, "benchmark", asked.benchmark)
        frames.append(frame.assign(emulated=emulated(inputs, name)))
    table = pd.concat(frames, ignore_index=True)
    return table.astype({"epoch": "Int64"})


def _losses(records: list[Record], weights: Weights) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for record in records:
        values = {
            "nodes": record.nodes,
            "edges": record.edges,
            "reconstruction": record.nodes + record.edges,
            "divergence": record.divergence,
            "rest": weights.divergence * record.divergence
            + weights.performance * record.performance
            + weights.complexity * record.complexity,
        }
        rows += [{"quantity": k, "epoch": record.epoch, "value": v} for k, v in values.items()]
    return rows


def _plane_rows(inputs: Inputs, name: str) -> list[dict[str, Any]]:
    import torch

    from dagnas.predictors.graph_vae.measures import posterior

    stored = inputs.autoencoder(name)
    space = inputs.benchmark(inputs.config.section("autoencoders")[name].benchmark).space
    model, epoch = stored.model(space), len(stored.training.records)
    codes, _ = posterior(model, label_cells(inputs, name).train.batch)
    moves, points = plane(codes, stream("ngae/fig3", name)).grid()
    with torch.no_grad():
        guesses = model.performance(torch.from_numpy(points).float())[:, 0]
    heights = 100 * guesses.double().numpy()
    rows: list[dict[str, Any]] = [
        {"quantity": "accuracy", "epoch": epoch, "first": x, "second": y, "value": height}
        for (x, y), height in zip(moves.tolist(), heights.tolist(), strict=True)
    ]
    lag = 2 * REACH * LAG / (SIDE - 1)
    for axis, value in enumerate(autocorrelations(heights.reshape(SIDE, SIDE), LAG)):
        move = {"first": 0.0, "second": 0.0} | {("first", "second")[axis]: lag}
        rows.append({"quantity": "autocorrelation", "epoch": epoch, "value": value, **move})
    return rows


def autocorrelations(heights: NDArray[np.float64], lag: int) -> list[float]:
    """Correlation of a grid's values with those ``lag`` points further along each axis.

    1 is perfectly smooth at that distance, and 0 is noise; Weinberger (1990) measures so how
    rugged a landscape is.
    """
    pairs = [(heights[:-lag], heights[lag:]), (heights[:, :-lag], heights[:, lag:])]
    return [float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in pairs]


def emulated(inputs: Inputs, name: str) -> str:
    """Mark of a graph VAE that learned accuracies which the table only emulates, else ""."""
    asked = inputs.config.section("autoencoders")[name]
    table = inputs.benchmark(asked.benchmark).table
    columns = {f"{asked.target}/mean", *table.repeats(asked.target)}
    return "accuracy" if columns & table.emulated else ""


def draw(table: pd.DataFrame) -> Figure:
    """A row a benchmark: losses left, the plane right."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    benchmarks = list(table["benchmark"].unique())
    figure = Figure(figsize=(11.5, 4.4 * len(benchmarks)), layout="constrained")
    grid = figure.subplots(len(benchmarks), 2, squeeze=False, width_ratios=[1.35, 1])
    for (left, right), benchmark in zip(grid, benchmarks, strict=True):
        rows = table[table["benchmark"] == benchmark]
        name = style.benchmark_label(benchmark)
        _draw_losses(left, rows)
        left.set_title(f"(a) {name}: losses during training")
        _draw_plane(right, rows)
        right.set_title("(b) Predicted accuracy on a plane")
        for ax in (left, right):
            style.stamp(ax, rows["emulated"].iloc[0])
    return figure


def _draw_losses(ax: Axes, rows: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    from dagnas.drawing import style
    from dagnas.papers.panels import plain_logarithm

    ends = []
    for quantity, (label, colour, width) in LOSSES.items():
        curve = rows[rows["quantity"] == quantity]
        # A few epochs are no curve: then each is marked.
        line: dict[str, Any] = {
            "color": colour,
            "lw": width,
            "marker": "o" if len(curve) < 20 else "",
        }
        ax.plot(curve["epoch"].astype(int), curve["value"], **line)
        ends.append((curve["value"].iloc[-1], style.Look(label, colour, width)))
    ax.set(xlabel="epoch", ylabel="mean loss of a cell (nats)", yscale="log")
    ax.set_xlim(1, max(int(rows["epoch"].max()), 2))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    plain_logarithm(ax.yaxis)
    style.label_ends(ax, ends)


def _draw_plane(ax: Axes, rows: pd.DataFrame) -> None:
    points = rows[rows["quantity"] == "accuracy"]
    side = np.sort(points["first"].unique())
    heights = points["value"].to_numpy().reshape(len(side), len(side)).T
    # Pixels as one picture: thousands of shapes would make the file large.
    mesh = ax.pcolormesh(side, side, heights, shading="gouraud", cmap="viridis", rasterized=True)
    ax.contour(side, side, heights, levels=8, colors="white", linewidths=0.7, alpha=0.7)
    ax.plot(0, 0, "o", mfc="white", mec="black", ms=6)
    # Beside the square that is drawn, not beside the room for it.
    bar = ax.inset_axes((1.04, 0, 0.05, 1))
    ax.figure.colorbar(mesh, cax=bar, label="predicted accuracy (%)")
    ax.set(
        xlabel="first principal component (sd)",
        ylabel="second principal component (sd)",
        aspect="equal",
    )
    ax.grid(visible=False)


def caption(table: pd.DataFrame) -> str:
    """What is shown, how it was trained, and where the curves end."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, own_sentence

    return join_sentences(
        "(a) Reconstruction loss L_n + L_e and Kullback-Leibler divergence, unweighted, means over "
        "the training cells as they were met in each epoch.",
        *(
            _training_sentence(table[table["benchmark"] == benchmark], benchmark)
            for benchmark in table["benchmark"].unique()
        ),
        "(b) Accuracy that the performance predictor gives to the points of a plane through a "
        "point drawn from the prior (dot), along the first two principal components of the "
        "training cells' codes, in standard deviations of the codes along each; weights of the "
        "last epoch.",
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"]),
    )


def _training_sentence(rows: pd.DataFrame, benchmark: str) -> str:
    from dagnas.drawing import style

    losses, divergences, moved = (
        rows[rows["quantity"] == quantity]["value"]
        for quantity in ("reconstruction", "divergence", "autocorrelation")
    )
    settings = rows.set_index("quantity")["value"]
    return (
        f"{style.benchmark_label(benchmark)}: {len(losses)} epochs, weight "
        f"{settings['divergence_weight']:g} on the divergence and noise times "
        f"{settings['noise']:g} (both are 1 in the paper's equations); the reconstruction loss "
        f"goes from {losses.iloc[0]:.3g} to {losses.iloc[-1]:.3g}, the divergence from "
        f"{divergences.iloc[0]:.3g} to {divergences.iloc[-1]:.3g} (at most {divergences.max():.3g}"
        f"). Moved by half a standard deviation, the plane correlates with itself by "
        f"{moved.iloc[0]:.3f} and {moved.iloc[1]:.3f} along its axes."
    )
