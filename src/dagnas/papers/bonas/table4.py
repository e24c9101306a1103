"""Table 4: size of networks in ImageNet's mobile setting (section 4.4.1); nothing is trained."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from dagnas.papers.bonas.fig8 import METHOD, RELEASED, STUDY, found
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dagnas.networks.count import Count

RESULT = Result(
    place="Table 4",
    title="Parameters and multiply-adds in the mobile setting",
    reads={"studies": (STUDY,)},
    methods=(METHOD,),
)
#: Multiply-adds that the mobile setting allows, in millions.
ALLOWED = 600
#: Genotype of DARTS, second order (Liu et al. 2019; the official code's DARTS_V2).
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
#: The paper's table: blocks, multiply-adds and parameters (millions), top-1 and top-5 errors (%).
PAPER: dict[str, tuple[int, float | None, float, float, float]] = {
    "NASNet-A": (5, 564, 5.3, 26.0, 8.4),
    "NASNet-B": (5, 488, 5.3, 27.2, 8.7),
    "NASNet-C": (5, 558, 4.9, 27.5, 9.0),
    "AmoebaNet-A": (5, 555, 5.1, 25.5, 8.0),
    "AmoebaNet-B": (5, 555, 5.3, 26.0, 8.5),
    "AmoebaNet-C": (5, 570, 6.4, 24.3, 7.6),
    "PNASNet-5": (4, 588, 5.1, 25.8, 8.1),
    "DARTS": (4, 574, 4.7, 26.7, 8.7),
    "BayesNAS": (4, None, 3.9, 26.5, 8.9),
    "LaNet": (7, 570, 5.1, 25.0, 7.7),
    "BONAS": (4, 561, 5.1, 25.6, 8.1),
}
#: Rows whose cells are published and of the DARTS space: its name and the cell.
PUBLISHED = {"DARTS": ("darts", DARTS_V2), "BONAS": ("darts_one_cell", RELEASED)}
#: Name of the row of the cell that our search found.
OURS = "BONAS, here"


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Sizes that the paper states, and those counted of cells that are known.

    Returns
    -------
    DataFrame
        Columns model, blocks, stated_multiply_adds, stated_params, top1, top5 (errors that the
        paper states, %; not measured here), params, multiply_adds, with_elementwise (multiply-adds
        and the operations of batch norms, ReLUs, poolings and biases; all in millions) and
        emulated. The last row is the cell that our search found.
    """
    import pandas as pd

    steps, step = found(inputs, STUDY, METHOD)
    cells = PUBLISHED | {OURS: ("darts_one_cell", str(steps["cell"].iloc[step]))}
    names = ("blocks", "stated_multiply_adds", "stated_params", "top1", "top5")
    rows: dict[str, dict[str, Any]] = {
        model: {"model": model, **dict(zip(names, row, strict=True))}
        for model, row in PAPER.items()
    }
    rows[OURS] = {"model": OURS, "blocks": 4}
    for model, (space, text) in cells.items():
        size = mobile(space, text)
        rows[model] |= {
            "params": size.parameters / 1e6,
            "multiply_adds": size.multiply_adds / 1e6,
            "with_elementwise": (size.multiply_adds + size.elementwise) / 1e6,
        }
    return pd.DataFrame(list(rows.values())).assign(emulated="")


@cache
def mobile(space: str, text: str) -> Count:
    """Size of the network of an architecture in its form for ImageNet."""
    import torch

    from dagnas.networks import NETWORKS
    from dagnas.networks.count import count

    family = NETWORKS.get(space)
    shape = family.shaped(imagenet=True)
    with torch.device("meta"):
        return count(family.build(family.read(text), shape), shape.image)


def draw(table: pd.DataFrame) -> Figure:
    """Multiply-adds against parameters: as stated, and as counted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 5.4), layout="constrained")
    ax = figure.subplots()
    stated = table[table["stated_multiply_adds"].notna()]
    ax.plot(stated["stated_params"], stated["stated_multiply_adds"], "o", ms=8, color="#777777",
            label="stated")  # fmt: skip
    for _, row in stated.iterrows():
        low = row["model"] in ("AmoebaNet-A", "DARTS")
        place = (-8, -2) if low else (7, 4)
        ax.annotate(row["model"], (row["stated_params"], row["stated_multiply_adds"]), place,
                    textcoords="offset points", color="#555555", ha="right" if low else "left",
                    fontsize=9)  # fmt: skip
    counted = table[table["params"].notna()]
    for column, marker, label in (
        ("multiply_adds", "v", "counted: convolutions and linear layers"),
        ("with_elementwise", "^", "counted: with batch norms, ReLUs, poolings, biases"),
    ):
        ax.plot(counted["params"], counted[column], marker, ms=8, color="#D55E00", label=label)
    for _, row in counted.iterrows():
        ax.plot(
            [row["params"]] * 2,
            [row["multiply_adds"], row["with_elementwise"]],
            color="#D55E00",
            lw=1,
        )
        # Ours may be anywhere; the others' labels are at the right.
        side = -1 if row["model"] == OURS else 1
        ax.annotate(row["model"], (row["params"], row["multiply_adds"]), (8 * side, -12),
                    textcoords="offset points", color="#D55E00", fontweight="bold",
                    ha="right" if side < 0 else "left")  # fmt: skip
    ax.axhline(ALLOWED, color="#222222", lw=1.2, ls="--")
    ax.text(1.0, ALLOWED, "allowed ", transform=ax.get_yaxis_transform(), ha="right", va="bottom")
    ax.set(xlabel="parameters (millions)", ylabel="multiply-adds (millions)")
    ax.margins(0.22, 0.12)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def caption(table: pd.DataFrame) -> str:
    """Counts beside what the paper states."""
    words = []
    for _, row in table[table["params"].notna()].iterrows():
        stated = ""
        if row["stated_params"] > 0:
            stated = f" (stated: {row['stated_params']:g} M, {row['stated_multiply_adds']:.0f} M)"
        words.append(
            f"{row['model']} {row['params']:.2f} M parameters, {row['multiply_adds']:.1f} M or "
            f"{row['with_elementwise']:.1f} M multiply-adds{stated}"
        )
    return (
        "Networks of 48 channels and 14 cells for images of 224 x 224 pixels, counted, not "
        "trained: **not run** are the errors, which need ImageNet and 288 GPU hours a network (as "
        "Liu et al. 2019 report). "
        f"{'; '.join(words)}. The second number of multiply-adds has batch norms, ReLUs, poolings "
        "and biases as well; how the authors counted is not published. The other cells are not of "
        f"this space, or not published. Allowed are {ALLOWED} M."
    )
