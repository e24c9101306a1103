"""Table 3: open-domain search, by trainings that end early, on CIFAR-10 (section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dagnas.papers.bonas.fig8 import STUDY, found, one_cell, skips
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Methods of the study, and the trainings of what they found.
TRAININGS = {"bonas": "bonas_table3_bonas", "random_search": "bonas_table3_random_search"}
RESULT = Result(
    place="Table 3",
    title="Cells found on CIFAR-10 by trainings that end early",
    reads={"studies": (STUDY,), "trainings": tuple(TRAININGS.values())},
    required=(STUDY, TRAININGS["bonas"]),
)
#: Names of the rows of what they found.
OURS = {"bonas": "BONAS, here", "random_search": "random search, here"}
#: Benchmark of the paper's protocol, which alone may be compared with its numbers.
FULL = "darts_one_cell_cifar10_full"
BLOCKS = 4


class Row(NamedTuple):
    """Row of the paper's table: parameters in millions, error in %."""

    model: str
    blocks: int
    params: float
    error: float
    samples: float
    gpu_days: float


NONE = float("nan")
#: The paper's table; methods that share weights evaluate no samples.
PAPER = (
    Row("NASNet-A", 5, 3.3, 2.65, 20000, 2000),
    Row("AmoebaNet-B", 5, 2.8, 2.55, 27000, 3150),
    Row("PNASNet-5", 4, 3.2, 3.41, 1160, 225),
    Row("NAO", 5, 10.6, 3.18, 1000, 200),
    Row("LaNet", 7, 3.2, 2.53, 803, 150),
    Row("ENAS", 5, 4.6, 2.89, NONE, 0.45),
    Row("DARTS", 4, 3.3, 2.76, NONE, 1.5),
    Row("BayesNAS", 4, 3.4, 2.81, NONE, 0.2),
    Row("ASNG-NAS", 5, 3.9, 2.83, NONE, 0.11),
    Row("BONAS", 4, 3.5, 2.44, 186, 120),
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Rows of the paper, what our searches found, and their best signals so far.

    Returns
    -------
    DataFrame
        Columns part, model, method, benchmark, blocks, params (millions, of the network of 36
        channels and 20 cells), error (%, test), samples, gpu_days, signal (%), skips, epochs (of
        the last training), channels, layers, images, cell and emulated. Rows whose part is

        - paper: a row of the paper's table; the error is of that network;
        - found: what a method of our study found in ``samples`` evaluations (their best signal),
          and the error of its training anew, of a network of ``channels`` and ``layers``;
        - search: best signal of a method after a number of samples.
    """
    import pandas as pd

    rows = [{"part": "paper", **row._asdict()} for row in PAPER]
    study = inputs.config.section("studies")[STUDY]
    for method, name in TRAININGS.items():
        if name not in inputs.result.names("trainings"):
            continue
        steps, step = found(inputs, STUDY, method)
        about = {"method": method, "benchmark": study.benchmark}
        entry, trained = (
            inputs.config.section("trainings")[name],
            inputs.read("trainings", name).attrs,
        )
        cell = trained["cell"]
        space = one_cell()
        network = {key: getattr(entry, key) for key in ("epochs", "channels", "layers", "images")}
        rows.append(
            {
                "part": "found",
                "model": OURS[method],
                **about,
                "blocks": BLOCKS,
                "params": int(space.size(space.from_str([cell])).params[0]) / 1e6,
                "error": 100 - trained["test"],
                "samples": len(steps),
                "signal": steps["signal"].iloc[step],
                "skips": skips(cell),
                **network,
                "cell": cell,
            }
        )
        best = np.maximum.accumulate(steps["signal"].to_numpy())
        rows += [
            {"part": "search", **about, "samples": at, "signal": signal}
            for at, signal in enumerate(best, start=1)
        ]
    columns = [
        *("part", "model", "method", "benchmark", "blocks", "params", "error", "samples"),
        *("gpu_days", "signal", "skips", "epochs", "channels", "layers", "images", "cell"),
    ]
    table = pd.DataFrame(rows).reindex(columns=columns)
    texts = dict.fromkeys(("model", "method", "benchmark", "images", "cell"), "")
    return table.fillna(texts).assign(emulated="")


def draw(table: pd.DataFrame) -> Figure:
    """Left the paper's errors against samples, right our searches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _paper(left, table)
    search_panel(right, table)
    return figure


def _paper(ax: Axes, table: pd.DataFrame) -> None:
    from dagnas.drawing import style

    theirs = table[table["part"] == "paper"]
    sampled = theirs[theirs["samples"].notna()]
    for _, row in sampled.iterrows():
        colour = style.METHODS["bonas"].colour if row["model"] == "BONAS" else "#555555"
        ax.plot(row["samples"], row["error"], "o", ms=8, color=colour)
        ax.annotate(row["model"], (row["samples"], row["error"]), (8, 4),
                    textcoords="offset points", color=colour)  # fmt: skip
    for _, row in theirs[theirs["samples"].isna()].iterrows():
        ax.axhline(row["error"], color="#56B4E9", lw=1, ls="--")
        # Lines that are close share a side each.
        above = row["model"] in ("ENAS", "ASNG-NAS")
        ax.text(3e5, row["error"], f"{row['model']} ", ha="right", va="bottom" if above else "top",
                fontsize=8.5, color="#0072B2")  # fmt: skip
    own = table[(table["part"] == "found") & (table["benchmark"] == FULL)]
    for _, row in own.iterrows():
        look = style.METHODS[str(row["method"])]
        ax.plot(row["samples"], row["error"], "D", ms=8, color=look.colour)
        ax.annotate(row["model"], (row["samples"], row["error"]), (8, -10),
                    textcoords="offset points", color=look.colour)  # fmt: skip
    ax.set(title="(a) The paper's table (dashed: shared weights)", xscale="log", xlim=(100, 3e5))
    ax.set(xlabel="samples evaluated", ylabel="test error (%)")


def search_panel(ax: Axes, table: pd.DataFrame) -> None:
    """Best signals so far, of the rows of the part "search"."""
    from matplotlib.ticker import MaxNLocator

    from dagnas.drawing import style

    searches = table[table["part"] == "search"]
    ends = []
    for method, curve in searches.groupby("method", sort=False):
        look = style.METHODS[str(method)]
        ax.step(curve["samples"], curve["signal"], where="post", color=look.colour, lw=look.width)
        ends.append((curve["signal"].iloc[-1], look))
    ax.set(title=f"(b) Searches here: {style.benchmark_label(searches['benchmark'].iloc[0])}")
    ax.set(xlabel="samples evaluated", ylabel="best validation accuracy so far (%)")
    ax.set(xlim=(1, searches["samples"].max()))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.label_ends(ax, ends)


def caption(table: pd.DataFrame) -> str:
    """What was found, and whether it may be compared with the paper's numbers."""
    from dagnas.drawing.style import METHODS, benchmark_label
    from dagnas.papers.panels import join_sentences

    found = table[table["part"] == "found"]
    first = found.iloc[0]
    words = "; ".join(
        f"{METHODS[row['method']].label} {row['error']:.2f} % (best signal {row['signal']:.2f} %, "
        f"{row['params']:.2f} M parameters with 36 channels and 20 cells, skip connections: "
        f"{row['skips']:.0f})"
        for _, row in found.iterrows()
    )
    whole = first["benchmark"] == FULL
    return join_sentences(
        "(a) Errors and samples of the paper's table 3.",
        f"(b) One search of each method on {benchmark_label(first['benchmark'])}, "
        f"{first['samples']:.0f} trainings that end early (the paper: 186 of 120 epochs).",
        f"Test errors of the best cells, trained anew for {first['epochs']:.0f} epochs in networks "
        f"of {first['channels']:.0f} channels and {first['layers']:.0f} cells on "
        f"{first['images']}: {words}.",
        ""
        if whole
        else "**Not the paper's protocol**: networks, images or trainings are smaller, so that "
        "these errors say nothing of the paper's 2.44 %.",
        "One search of each, so that which is better may be chance." if len(found) > 1 else "",
    )
