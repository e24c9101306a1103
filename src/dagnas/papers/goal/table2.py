"""Table 2: cells of the DARTS space found with shared weights, trained anew beside random ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.clusters import interval_of_clusters
from dagnas.analysis.ranks import Values, spearman
from dagnas.analysis.rows import rows_of
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.spaces import SPACES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STUDY = "goal_table2"
RESULT = Result(
    place="Table 2",
    title="Cells of the DARTS space found with shared weights, trained anew",
    reads={"studies": (STUDY,), "trainings": ("goal_table2_*",)},
)
#: What a training's cell is: the best of a search, or one of random search's cells.
RANDOM = "random cell"
#: The paper's test errors (%); which cells they are of is not known, but for DARTS.
PAPER = {
    "ENAS": 2.89,
    "NAO-WS": 2.93,
    "DARTS": 2.76,
    "random search": 2.85,
    "GOAL": 2.64,
}
#: Setting of the paper's trainings (Liu et al. 2019), which alone may be compared with its errors.
PROTOCOL = {
    "images": "cifar10",
    "pixels": None,
    "train": 45000,
    "channels": 36,
    "layers": 20,
    "epochs": 600,
    "steps": None,
    "batch_size": 96,
    "learning_rate": 0.025,
    "final_learning_rate": 0.0,
    "decay": "epoch",
    "momentum": 0.9,
    "weight_decay": 0.0003,
    "clip": 5.0,
    "smoothing": 0.0,
    "pad": 4,
    "flip": True,
    "cutout": 16,
    "drop_path": 0.2,
    "auxiliary": 0.4,
}
#: What of it the table shows.
SHOWN = ["images", "pixels", "channels", "layers", "epochs"]
#: Columns that are the same for all trainings of a cell.
_OF_CELL = ["method", "cell", *SHOWN, "score", "params", "evaluations", "protocol"]
#: Coverage of each of two intervals that both hold with 95 % (Bonferroni).
_BOTH = 0.975


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Test errors of the cells trained, ranks of those found among random ones, and the paper's.

    Returns
    -------
    DataFrame
        Columns part, method, name, seed, cell, images, pixels (NaN: the images' own), channels,
        layers, epochs, error (%, test), score (%, signal of the search), params (of 36 channels and
        20 cells), evaluations, n, sd, se, low, high, random, better, better_low, better_high,
        spearman, protocol and emulated. Rows whose part is

        - training: one training (name, seed), of a method's cell or of a random cell;
        - method: mean error over the n trainings of the cell that a method found, with standard
          deviation, standard error and interval by Student's t; of so many random cells the
          fraction that are better, as `_better` counts;
        - random: mean error of the n random cells, which are trained equally, once each, with
          standard deviation, standard error and interval by Student's t; spearman, what score and
          accuracy of these agree;
        - paper: the paper's error.

        ``protocol`` says whether a training is the paper's: all settings of `PROTOCOL`, among
        them 600 epochs of a network of 36 channels and 20 cells on CIFAR-10 as it is.
    """
    import pandas as pd

    trainings = pd.DataFrame([_training(inputs, name) for name in inputs.result.names("trainings")])
    rows: list[dict[Any, Any]] = []
    # Images that are not reduced have NaN pixels.
    for key, here in trainings.groupby([*SHOWN, "protocol"], sort=False, dropna=False):
        about = dict(zip([*SHOWN, "protocol"], key, strict=True))
        random = here[here["method"] == RANDOM]
        if len(random):
            rows.append({"part": "random", "method": RANDOM, **about, **_random(random)})
        for _, again in here[here["method"] != RANDOM].groupby(["method", "cell"], sort=False):
            of_cell: dict[Any, Any] = again.iloc[0][_OF_CELL].to_dict()
            errors = again["error"].to_numpy()
            row = {"part": "method", **of_cell, **_mean(errors)}
            rows.append(row | _better(errors, random["error"].to_numpy()))
    theirs = [
        {"part": "paper", "method": name, "error": error, "images": "cifar10", "protocol": True}
        for name, error in PAPER.items()
    ]
    columns = [
        *("part", "method", "name", "seed", "cell", *SHOWN, "error", "score", "params"),
        *("evaluations", "n", "sd", "se", "low", "high", "random", "better", "better_low"),
        *("better_high", "spearman", "protocol", "emulated"),
    ]
    table = pd.concat([trainings, pd.DataFrame([*rows, *theirs])], ignore_index=True)
    return table.reindex(columns=columns).fillna({"name": "", "cell": ""}).assign(emulated="")


def _training(inputs: Inputs, name: str) -> dict[str, Any]:
    """Row of one training."""
    from dagnas.spaces.genotype_space import GenotypeSpace

    entry = inputs.config.section("trainings")[name]
    attrs = inputs.read("trainings", name).attrs
    traces = inputs.traces(STUDY)
    method = entry.cell.method if entry.cell.step is None else RANDOM
    steps = traces[(traces["method"] == entry.cell.method) & (traces["trial"] == entry.cell.trial)]
    space = SPACES.get("darts")
    assert isinstance(space, GenotypeSpace)
    return {
        "part": "training",
        "method": method,
        "name": name,
        "seed": entry.seed,
        "cell": attrs["cell"],
        **{key: getattr(entry, key) for key in SHOWN},
        "pixels": entry.pixels or np.nan,
        "error": 100 - attrs["test"],
        "score": float(steps.loc[steps["cell"] == attrs["cell"], "signal"].iloc[0]),
        "params": int(space.size(space.from_str([attrs["cell"]])).params[0]),
        "evaluations": len(steps),
        "protocol": {key: getattr(entry, key) for key in PROTOCOL} == PROTOCOL,
    }


def _mean(errors: Values) -> dict[str, Any]:
    """Mean of errors, with what of it a single one has not: NaN."""
    low, high = interval_of_clusters(errors)
    sd = errors.std(ddof=1) if len(errors) > 1 else np.nan
    row = {"error": errors.mean(), "sd": sd, "se": sd / math.sqrt(len(errors)), "n": len(errors)}
    return row | {"low": low, "high": high}


def _random(random: pd.DataFrame) -> dict[str, Any]:
    """Summary of the random cells."""
    row = _mean(random["error"].to_numpy()) | {"params": random["params"].mean()}
    if len(random) > 2:
        row["spearman"] = spearman(random["score"].to_numpy(), -random["error"].to_numpy())
    return row


def _better(errors: Values, random: Values) -> dict[str, float]:
    """Fraction of random cells that are better than a cell's mean error, with its interval.

    Both numbers that the fraction rests on are known in part. The mean error lies in its interval
    by Student's t; of random cells with errors below either end, the fraction among all random
    cells lies in its exact interval (Clopper and Pearson, 1934). Each has a coverage of 97.5 %, so
    that the lower end at the lower error and the upper end at the upper error have 95 % together.

    A random cell's error is of one training. The noise of these draws the fraction towards one
    half, and to no other side of it as long as it is symmetric about the cell's mean.

    Parameters
    ----------
    errors : ndarray
        Errors of the trainings of one cell. Of a single one there is no interval.
    random : ndarray
        Errors of random cells; equals count as half.
    """
    from dagnas.papers.claims.estimate import fraction, mean

    if not len(random):
        return {}

    def share(error: float) -> float:
        return float((random < error).mean() + (random == error).mean() / 2)

    row = {"random": len(random), "better": share(errors.mean())}
    if len(errors) < 2:
        return row
    se = float(errors.std(ddof=1)) / math.sqrt(len(errors))
    ends = mean(float(errors.mean()), se, len(errors), _BOTH)
    least, most = (fraction(share(end), len(random), _BOTH) for end in (ends.low, ends.high))
    return row | {"better_low": least.low, "better_high": most.high}


def draw(table: pd.DataFrame) -> Figure:
    """Left: test errors of random cells and of those found; right: errors against scores."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    trainings = table[table["part"] == "training"]
    groups = list(trainings.groupby([*SHOWN, "protocol"], sort=False, dropna=False))
    figure = Figure(figsize=(12.5, 4.2 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 2, squeeze=False, width_ratios=[1.25, 1])
    for (left, right), (_, here) in zip(panels, groups, strict=True):
        _errors(left, here, table[table["part"] == "paper"])
        _scores(right, here)
    style.headline(figure, "Cells of the DARTS space, trained equally")
    return figure


def _errors(ax: Axes, here: pd.DataFrame, paper: pd.DataFrame) -> None:
    """A row a method, with a line at its mean; the paper's errors where the protocol is its own."""
    from dagnas.drawing import style

    found = here[here["method"] != RANDOM].sort_values("error", kind="stable")
    looks = _looks(here)
    methods = [*dict.fromkeys(found["method"]), RANDOM]
    for place, method in enumerate(methods):
        dots = here.loc[here["method"] == method, "error"]
        one: dict[str, Any] = {"ms": 7, "color": looks[method].colour, "zorder": 3}
        ax.plot(dots, [place] * len(dots), "o", alpha=0.6 if method == RANDOM else 1, mew=0, **one)
        if method != RANDOM:
            ax.axvline(dots.mean(), color=looks[method].colour, lw=1, alpha=0.5)
    if bool(here["protocol"].astype(str).eq("True").all()):
        ax.plot(paper["error"], [len(methods)] * len(paper), "x", color="black", ms=8, mew=2)
        for row in rows_of(paper):
            ax.annotate(str(row.method), (row.error, len(methods)), xytext=(0, 7),
                        textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    first = here.iloc[0]
    ax.set(xlabel=f"test error on {first['images']} after {first['epochs']:.0f} epochs (%)")
    ax.set_ylim(ax.get_ylim()[1] + 0.5, -0.6)
    style.name_rows(ax, [looks[method] for method in methods])


def _scores(ax: Axes, here: pd.DataFrame) -> None:
    """A dot a training."""
    looks = _looks(here)
    for method, dots in here.groupby("method", sort=False):
        look = looks[str(method)]
        alpha = 0.6 if method == RANDOM else 1
        ax.scatter(dots["score"], dots["error"], color=look.colour, s=45, alpha=alpha, lw=0,
                   label=look.label, zorder=3)  # fmt: skip
    ax.set(xlabel="signal of the search (%)", ylabel="test error, trained anew (%)")
    ax.legend(fontsize=8.5)


def _looks(here: pd.DataFrame) -> dict[str, Any]:
    """Looks of the methods, and of random cells, which random search's differs from."""
    from dagnas.drawing.style import Look, looks

    found = looks([method for method in here["method"].unique() if method != RANDOM])
    if "random_search" in found:
        found["random_search"] = Look("RS, its best", "#333333")
    return {**found, RANDOM: Look("random cells", "#999999")}


def caption(table: pd.DataFrame) -> str:
    """Errors and ranks, beside the paper's errors, and whether these may be compared."""
    from dagnas.drawing.style import looks
    from dagnas.papers.panels import join_sentences, number, plural

    sentences = [
        "Cells found by searches on one supernet and cells drawn at random, each trained anew and "
        "equally. Left: test errors, a dot a training, and lines at the means of the cells found. "
        "Right: against the signal that the search saw.",
    ]
    found, random = (table[table["part"] == part] for part in ("method", "random"))
    for _, row in found.iterrows():
        label = looks([row["method"]])[row["method"]].label
        reach = (
            f" [{100 * row['better_low']:.0f}, {100 * row['better_high']:.0f}]"
            if row["better_low"] >= 0
            else ""
        )
        rank = (
            f"{100 * row['better']:.0f} %{reach} of {row['random']:.0f} random cells are better"
            if row["random"] > 0
            else "no random cells were trained"
        )
        spread = f" ± {row['sd']:.2f}" if row["sd"] >= 0 else ""
        sentences.append(
            f"{label} ({number(row['evaluations'])} evaluations, {plural(row['n'], 'training')}): "
            f"error {row['error']:.2f}{spread} %, {row['params'] / 1e6:.2f} M parameters at 36 "
            f"channels and 20 cells; {rank}."
        )
    for _, row in random.iterrows():
        spread = f" ± {row['sd']:.2f}" if row["sd"] >= 0 else ""
        rho = (
            f" Spearman's correlation of signal and accuracy over them is {row['spearman']:.2f}."
            if row["spearman"] >= -1
            else ""
        )
        sentences.append(
            f"Random cells: {row['error']:.2f}{spread} %, {row['params'] / 1e6:.2f} M.{rho}"
        )
    theirs = ", ".join(
        f"{row.method} {row.error:.2f}" for row in rows_of(table[table["part"] == "paper"])
    )
    own = found[found["protocol"].astype(str) != "True"]
    sentences.append(f"The paper's test errors in %: {theirs}.")
    if len(own):
        row = own.iloc[0]
        reduced = f" at {row['pixels']:.0f} x {row['pixels']:.0f} pixels" * bool(row["pixels"] > 0)
        sentences.append(
            f"They are of 600 epochs of 36 channels and 20 cells and cannot be compared with ours, "
            f"of {plural(row['epochs'], 'epoch')} of {row['channels']:.0f} channels and "
            f"{row['layers']:.0f} cells on {row['images']}{reduced}."
        )
    if (found["n"] > 1).any():
        sentences.append(
            "After ±, the standard deviation of trainings of one cell with several seeds; of "
            "random cells, over cells trained once. Intervals of fractions hold with 95 %: the "
            "mean error of the cell found and the fraction of random cells below it are taken at "
            "97.5 % each."
        )
    if (found["n"] < 2).any():
        sentences.append(
            "Trainings of one cell differ as well, so that small differences between single ones "
            "tell nothing."
        )
    return join_sentences(*sentences)
