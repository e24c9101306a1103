"""Table 5: ResNet-style strings (appendix D): sizes, and a search on small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dagnas.papers.bonas.fig8 import found
from dagnas.papers.bonas.table3 import search_panel
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STUDY = "bonas_table5"
RESULT = Result(
    place="Table 5",
    title="ResNet-style strings: sizes, and a search on small images",
    reads={"studies": (STUDY,)},
)
SPACE = "resnet_strings"


class Row(NamedTuple):
    """Row of the paper's table, and the stages of its network if they are known bottlenecks."""

    model: str
    params: float
    error: float
    stages: tuple[str, ...] = ()


#: The paper's table; parameters in millions, errors in % on ImageNet. ResNet-18 and ResNet-34 are
#: made of other blocks, and the string of BONAS's network is known as a picture alone.
PAPER = (
    Row("ResNet-18", 11.68, 30.4),
    Row("ResNet-34", 21.8, 26.7),
    Row("ResNet-50", 25.56, 24.0, ("111", "2111", "211111", "211")),
    Row("ResNet-101", 44.55, 22.4, ("111", "2111", "2" + 22 * "1", "211")),
    Row("BONAS", 36.56, 21.7),
)
OURS = {"bonas": "BONAS, here", "random_search": "random search, here"}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Sizes on ImageNet, the paper's and counted, and our searches on small images.

    Returns
    -------
    DataFrame
        Columns part, model, method, benchmark, stated_params, stated_error (%), params (millions,
        on ImageNet, counted), samples, signal (validation accuracy, %), test (%), cell (string) and
        emulated. Rows whose part is

        - paper: a row of the paper's table;
        - found: what a method of our study found in ``samples`` evaluations;
        - search: best signal of a method after a number of samples.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = [
        {
            "part": "paper",
            "model": row.model,
            "stated_params": row.params,
            "stated_error": row.error,
            "params": imagenet_parameters(row.stages) / 1e6 if row.stages else np.nan,
            "cell": "-".join(row.stages),
        }
        for row in PAPER
    ]
    study = inputs.config.section("studies")[STUDY]
    for method in (method for method in OURS if method in study.methods):
        steps, step = found(inputs, STUDY, method)
        about = {"method": method, "benchmark": study.benchmark}
        chosen = steps.iloc[step]
        rows.append(
            {
                "part": "found",
                "model": OURS[method],
                **about,
                "params": imagenet_parameters(chosen["cell"].split("-")) / 1e6,
                "samples": len(steps),
                "signal": chosen["signal"],
                "test": chosen["test"],
                "cell": chosen["cell"],
            }
        )
        best = np.maximum.accumulate(steps["signal"].to_numpy())
        rows += [
            {"part": "search", **about, "samples": at, "signal": signal}
            for at, signal in enumerate(best, start=1)
        ]
    columns = [
        *("part", "model", "method", "benchmark", "stated_params", "stated_error", "params"),
        *("samples", "signal", "test", "cell"),
    ]
    table = pd.DataFrame(rows).reindex(columns=columns)
    texts = dict.fromkeys(("model", "method", "benchmark", "cell"), "")
    return table.fillna(texts).assign(emulated="")


def imagenet_parameters(stages: tuple[str, ...] | list[str]) -> int:
    """Parameters of the network of some stages on ImageNet, which may be longer than strings."""
    import torch

    from dagnas.networks.count import parameters
    from dagnas.networks.resnet_strings import ResNetOfString

    with torch.device("meta"):
        return parameters(ResNetOfString(stages))


def draw(table: pd.DataFrame) -> Figure:
    """Sizes and errors of the paper, our searches, and the string that BONAS found."""
    from matplotlib.figure import Figure

    from dagnas.drawing.cells import draw_cell
    from dagnas.spaces import SPACES

    figure = Figure(figsize=(13.5, 6.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[3, 1.2])
    left, right = (figure.add_subplot(grid[0, column]) for column in range(2))
    _paper(left, table[table["part"] == "paper"])
    search_panel(right, table)
    ax = figure.add_subplot(grid[1, :])
    row = table[(table["part"] == "found")].iloc[0]
    space = SPACES.get(SPACE)
    draw_cell(space, space.from_str([row["cell"]]), ax)
    ax.set(title=f"(c) Found here: {row['cell']}")
    return figure


def _paper(ax: Axes, theirs: pd.DataFrame) -> None:
    for _, row in theirs.iterrows():
        colour = "#B2182B" if row["model"] == "BONAS" else "#555555"
        ax.plot(row["stated_params"], row["stated_error"], "o", ms=8, color=colour)
        ax.annotate(row["model"], (row["stated_params"], row["stated_error"]), (8, 4),
                    textcoords="offset points", color=colour)  # fmt: skip
    ax.set(title="(a) The paper's table, on ImageNet", xlim=(5, 55))
    ax.set(xlabel="parameters (millions)", ylabel="top-1 error (%)")


def caption(table: pd.DataFrame) -> str:
    """Counts, what was found, and what was not run."""
    from dagnas.drawing.style import benchmark_label

    theirs = table[(table["part"] == "paper") & table["params"].notna()]
    counted = "; ".join(
        f"{row['model']} {row['params']:.2f} M (stated: {row['stated_params']:.2f} M)"
        for _, row in theirs.iterrows()
    )
    ours = table[table["part"] == "found"]
    found_words = "; ".join(
        f"{row['model']}: {row['cell']}, validation {row['signal']:.2f} %, test "
        f"{row['test']:.2f} %, {row['params']:.2f} M parameters on ImageNet"
        for _, row in ours.iterrows()
    )
    first = ours.iloc[0]
    return (
        "(a) The paper's numbers. Parameters counted here on ImageNet, whose stem has two 3 x 3 "
        f"convolutions in place of one of 7 x 7: {counted}; ResNet-18 and ResNet-34 are made of "
        "other blocks, and the paper's string is known as a picture alone. **Not run** are the "
        "errors, which need ImageNet and 16,000 GPU hours (500 trainings of 4 hours on 8 GPUs). "
        f"(b) In its place, searches of {first['samples']:.0f} evaluations on "
        f"{benchmark_label(first['benchmark'])}, networks of few channels: {found_words}. These "
        "say nothing of the paper's error."
    )
