"""Table 2: cells of the DARTS space found with shared weights, trained anew beside random ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.clusters import interval_of_clusters
from dagnas.analysis.ranks import spearman
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
PROTOCOL = {"images": "cifar10", "channels": 36, "layers": 20, "epochs": 600}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Test errors of the cells trained, ranks of those found among random ones, and the paper's.

    Returns
    -------
    DataFrame
        Columns part, method, name, images, channels, layers, epochs, error (%, test), score (%,
        signal of the search), params (of 36 channels and 20 cells), evaluations, n, sd, low, high,
        better, better_low, better_high, spearman, protocol and emulated. Rows whose part is

        - training: one training (name), of a method's cell or of a random cell;
        - method: error of the cell that a method found; of n random cells the fraction that are
          better, equals as half, with its exact interval (Clopper and Pearson, 1934);
        - random: mean error of the n random cells, which are trained equally, with standard
          deviation and interval by Student's t; spearman, what score and accuracy of these agree;
        - paper: the paper's error.

        ``protocol`` says whether a training is the paper's: 600 epochs of a network of 36 channels
        and 20 cells on CIFAR-10.
    """
    import pandas as pd

    trainings = pd.DataFrame([_training(inputs, name) for name in inputs.result.names("trainings")])
    equal = ["images", "channels", "layers", "epochs", "protocol"]
    rows: list[dict[Any, Any]] = []
    for key, here in trainings.groupby(equal, sort=False):
        about = dict(zip(equal, key, strict=True))
        random = here[here["method"] == RANDOM]
        if len(random):
            rows.append({"part": "random", "method": RANDOM, **about, **_random(random)})
        for _, found in here[here["method"] != RANDOM].iterrows():
            row = found.to_dict() | {"part": "method"}
            rows.append(row | _better(found["error"], random["error"].to_numpy()))
    theirs = [
        {"part": "paper", "method": name, "error": error, "images": "cifar10", "protocol": True}
        for name, error in PAPER.items()
    ]
    columns = [
        *("part", "method", "name", "images", "channels", "layers", "epochs", "error", "score"),
        *("params", "evaluations", "n", "sd", "low", "high", "better", "better_low"),
        *("better_high", "spearman", "protocol", "emulated"),
    ]
    table = pd.concat([trainings, pd.DataFrame([*rows, *theirs])], ignore_index=True)
    return table.reindex(columns=columns).fillna({"name": ""}).assign(emulated="")


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
    about = {key: getattr(entry, key) for key in PROTOCOL}
    return {
        "part": "training",
        "method": method,
        "name": name,
        **about,
        "error": 100 - attrs["test"],
        "score": float(steps.loc[steps["cell"] == attrs["cell"], "signal"].iloc[0]),
        "params": int(space.size(space.from_str([attrs["cell"]])).params[0]),
        "evaluations": len(steps),
        "protocol": about == PROTOCOL,
    }


def _random(random: pd.DataFrame) -> dict[str, Any]:
    """Summary of the random cells."""
    low, high = interval_of_clusters(random["error"].to_numpy())
    row = {"error": random["error"].mean(), "sd": random["error"].std(), "n": len(random)}
    row |= {"low": low, "high": high, "params": random["params"].mean()}
    if len(random) > 2:
        row["spearman"] = spearman(random["score"].to_numpy(), -random["error"].to_numpy())
    return row


def _better(error: float, random: np.ndarray) -> dict[str, float]:
    """Fraction of random cells that are better, with its interval."""
    from dagnas.papers.claims.estimate import fraction

    if not len(random):
        return {}
    share = float((random < error).mean() + (random == error).mean() / 2)
    found = fraction(share, len(random), 0.95)
    reach = {"better_low": found.low, "better_high": found.high}
    return {"n": len(random), "better": share, **reach}


def draw(table: pd.DataFrame) -> Figure:
    """Left: test errors of random cells and of those found; right: errors against scores."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    trainings = table[table["part"] == "training"]
    groups = list(trainings.groupby(["images", "channels", "layers", "epochs"], sort=False))
    figure = Figure(figsize=(12.5, 4.2 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 2, squeeze=False, width_ratios=[1.25, 1])
    for (left, right), (_, here) in zip(panels, groups, strict=True):
        _errors(left, here, table[table["part"] == "paper"])
        _scores(right, here)
    style.headline(figure, "Cells of the DARTS space, trained equally")
    return figure


def _errors(ax: Axes, here: pd.DataFrame, paper: pd.DataFrame) -> None:
    """A row a method; the paper's errors where the protocol is its own."""
    from dagnas.drawing import style

    found = here[here["method"] != RANDOM].sort_values("error", kind="stable")
    looks = _looks(here)
    methods = [*dict.fromkeys(found["method"]), RANDOM]
    for place, method in enumerate(methods):
        dots = here.loc[here["method"] == method, "error"]
        one: dict[str, Any] = {"ms": 7, "color": looks[method].colour, "zorder": 3}
        ax.plot(dots, [place] * len(dots), "o", alpha=0.6 if method == RANDOM else 1, mew=0, **one)
        if method != RANDOM:
            for error in dots:
                ax.axvline(error, color=looks[method].colour, lw=1, alpha=0.5)
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
        "equally. Left: test errors. Right: against the signal that the search saw.",
    ]
    found, random = (table[table["part"] == part] for part in ("method", "random"))
    for _, row in found.iterrows():
        label = looks([row["method"]])[row["method"]].label
        rank = (
            f"{100 * row['better']:.0f} % [{100 * row['better_low']:.0f}, "
            f"{100 * row['better_high']:.0f}] of {row['n']:.0f} random cells are better"
            if row["n"] > 0
            else "no random cells were trained"
        )
        sentences.append(
            f"{label} ({number(row['evaluations'])} evaluations): error {row['error']:.2f} %, "
            f"{row['params'] / 1e6:.2f} M parameters at 36 channels and 20 cells; {rank}."
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
        sentences.append(
            f"They are of 600 epochs of 36 channels and 20 cells and cannot be compared with ours, "
            f"of {plural(row['epochs'], 'epoch')} of {row['channels']:.0f} channels and "
            f"{row['layers']:.0f} cells on {row['images']}. Trainings of one cell differ as well, "
            "so that small differences of errors tell nothing."
        )
    return join_sentences(*sentences)
