"""Relation: what the accuracy on digits says of the accuracies of NAS-Bench-201."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.ranks import class_means, mean_of_best, percent_ranks, spearman
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Relation",
    title="digits201 and NAS-Bench-201",
    benchmarks=("digits201", "nasbench201"),
)
#: What digits201 is compared with, as far as the table of NAS-Bench-201 has it.
TARGETS = {
    "cifar10/valid/12": "CIFAR-10, valid., 12 epochs",
    "cifar10/valid/200": "CIFAR-10, validation",
    "cifar10/test/200": "CIFAR-10, test",
    "cifar100/valid/200": "CIFAR-100, validation",
    "cifar100/test/200": "CIFAR-100, test",
    "imagenet16/valid/200": "ImageNet16, validation",
    "imagenet16/test/200": "ImageNet16, test",
}
MAIN = "cifar10/valid/200"
#: What ranks the cells, with its colour and marker.
RANKED_BY = {
    "digits201": ("digits201", "#D55E00", "o"),
    "params": ("parameters", "#0072B2", "s"),
    "madds": ("multiply-adds", "#56B4E9", "D"),
    MAIN: ("CIFAR-10, validation", "#777777", "|"),
}
PARTS = {"cells": "all cells", "best tenth": "the best tenth"}
BEST = (1, 10, 100)
#: Best classes by one, looked at on the other.
WAYS = {
    ("digits201", MAIN): ("best of digits201, on CIFAR-10", "#D55E00", "o"),
    (MAIN, "digits201"): ("best of CIFAR-10, on digits201", "#777777", "v"),
    ("params", MAIN): ("most parameters, on CIFAR-10", "#0072B2", "s"),
}
#: Moves the marks of panel b apart.
SHIFTS = (-0.3, 0.0, 0.3)
#: Width of the bins of panel a, in % of the cells.
BIN = 2


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Rank correlations, and how the best of one benchmark fare on the other.

    Returns
    -------
    DataFrame
        Columns quantity, by, target, over, k, x, y, value and emulated. Quantities:

        - density: cells (value) whose rank, in % of all from the best, is above x and at most
          x + 2 by digits201, and the same for y by CIFAR-10;
        - spearman: rho of what ranks the cells (``by``) and a target, over all cells and over the
          best tenth by the target;
        - best_accuracy, best_rank: mean accuracy (%) of the best k classes by one on the other,
          and mean rank in % of all classes. A class counts with the mean of its cells.

        Parameters and multiply-adds are those of the networks of digits201.
    """
    import pandas as pd

    digits, real = inputs.benchmark("digits201"), inputs.benchmark("nasbench201")
    rows = digits.rows(real.cells)
    targets = [target for target in TARGETS if _has(real, target)]
    by: dict[str, NDArray[np.float64]] = {
        "digits201": digits.values(digits.policies["goal"].valid)[rows],
        "params": digits.table["params"][rows].astype(np.float64),
        "madds": digits.table["madds"][rows].astype(np.float64),
        MAIN: real.values(MAIN),
    }
    found: list[dict[str, Any]] = []
    edges = np.arange(0, 100 + BIN, BIN)
    # Ranks begin above zero and end at 100, so that a bin holds its upper edge.
    bins = [
        np.ceil(percent_ranks(by[name]) / BIN - 1e-9).astype(int) - 1
        for name in ("digits201", MAIN)
    ]
    counts = np.zeros((100 // BIN, 100 // BIN), int)
    np.add.at(counts, tuple(bins), 1)
    for x, y in zip(*np.nonzero(counts), strict=True):
        place: dict[str, Any] = {"by": "digits201", "target": MAIN, "over": "cells"}
        place |= {"x": edges[x], "y": edges[y], "value": counts[x, y]}
        found.append({"quantity": "density", **place})
    for target in targets:
        truth = real.values(target)
        for over, part in (
            ("cells", np.full(len(truth), True)),
            ("best tenth", truth >= np.quantile(truth, 0.9)),
        ):
            found += [
                {
                    "quantity": "spearman",
                    "by": name,
                    "target": target,
                    "over": over,
                    "value": spearman(values[part], truth[part]),
                }
                for name, values in by.items()
                if name != target
            ]
    classes = real.space.canonical(real.cells)
    of_class = {name: class_means(classes, values) for name, values in by.items()}
    for (name, target), k in ((way, k) for way in WAYS for k in BEST):
        order, values = of_class[name], of_class[target]
        for quantity, seen in (
            ("best_accuracy", values),
            ("best_rank", percent_ranks(values)),
        ):
            place = {"by": name, "target": target, "over": "classes", "k": k}
            value = mean_of_best(order, seen, k)
            found.append({"quantity": quantity, **place, "value": value})
    columns = ["quantity", "by", "target", "over", "k", "x", "y", "value"]
    table = pd.DataFrame(found, columns=columns)
    return table.assign(emulated=[_mark(real, target) for target in table["target"]])


def _has(benchmark: TabularBenchmark, quantity: str) -> bool:
    table = benchmark.table
    return f"{quantity}/mean" in table.columns or bool(table.repeats(quantity))


def _mark(benchmark: TabularBenchmark, quantity: str) -> str:
    """The quantity if a model gave it, else nothing."""
    return quantity if f"{quantity}/mean" in benchmark.table.emulated else ""


def draw(table: pd.DataFrame) -> Figure:
    """Ranks on both; rank correlations; the best of one on the other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.4, 9.8), layout="constrained")
    density, best, cells, tenth = figure.subplots(2, 2).ravel()
    _density(density, table)
    _best(best, table)
    _correlations(cells, table, "cells", "c")
    _correlations(tenth, table, "best tenth", "d")
    tenth.tick_params(labelleft=False)
    names = cells.get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=len(RANKED_BY), title="cells ranked by")
    return figure


def _density(ax: Axes, table: pd.DataFrame) -> None:
    """Panel a: cells by their percentiles on both benchmarks."""
    from matplotlib.colors import LogNorm

    from dagnas.drawing import style

    rows = table[table["quantity"] == "density"]
    counts = np.full((100 // BIN, 100 // BIN), np.nan)
    at = (rows[["y", "x"]] / BIN).to_numpy(dtype=int)
    counts[at[:, 0], at[:, 1]] = rows["value"]
    edges = np.arange(0, 100 + BIN, BIN)
    image = ax.pcolormesh(edges, edges, counts, norm=LogNorm(1), cmap="Blues", rasterized=True)
    ax.plot([0, 100], [0, 100], color="#999999", lw=1)
    ax.figure.colorbar(image, ax=ax, label="cells", shrink=0.85)
    rho = _spearman(table, "digits201", MAIN, "cells")
    ax.set(
        title=f"(a) Validation accuracies: \N{GREEK SMALL LETTER RHO} = {rho:.3f}",
        xlabel="rank on digits201 (% of all cells, best first)",
        ylabel="rank on CIFAR-10 (% of all cells, best first)",
        aspect="equal",
    )
    style.stamp(ax, rows["emulated"].iloc[0])


def _best(ax: Axes, table: pd.DataFrame) -> None:
    """Panel b: where the best classes by one are on the other."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    from dagnas.papers.panels import number

    for shift, ((by, target), (label, colour, marker)) in zip(SHIFTS, WAYS.items(), strict=True):
        rows = table[(table["by"] == by) & (table["target"] == target)]
        ranks = rows[rows["quantity"] == "best_rank"]["value"]
        accuracies = rows[rows["quantity"] == "best_accuracy"]["value"]
        steps = np.arange(len(BEST)) + shift
        ax.vlines(steps, 50, ranks, color=colour, lw=1.6)
        ax.plot(steps, ranks, color=colour, marker=marker, ls="none", ms=9, label=label)
        for step, rank, accuracy in zip(steps, ranks, accuracies, strict=True):
            # Ranks below 50 % are drawn above the line, so their texts are on the far side too.
            offset = 10 if rank <= 50 else -10
            ax.annotate(
                f"{accuracy:.1f} %",
                (step, rank),
                xytext=(0, offset),
                textcoords="offset points",
                color=colour,
                fontsize=8.5,
                ha="center",
                va="bottom" if rank <= 50 else "top",
            )
    ax.axhline(50, color="#444444", lw=1.2, ls=":", zorder=1)
    ax.text(len(BEST) - 0.27, 50, "any class", color="#444444", va="top", ha="right")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: number(y)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_xticks(range(len(BEST)), [str(k) for k in BEST])
    ax.grid(visible=False, axis="x")
    ax.set(
        title="(b) The best of one on the other",
        xlabel="best classes taken",
        ylabel="mean rank (% of all classes)",
        xlim=(-0.5, len(BEST) - 0.5 + 0.25),
    )
    # Better ranks are above; below the legend has its place.
    least = table.loc[table["quantity"] == "best_rank", "value"].min()
    ax.set_ylim(700, 0.5 * least)
    ax.set_yticks([tick for tick in (100, 10, 1, 0.1, 0.01) if tick >= 0.5 * least])
    ax.legend(loc="lower left")


def _correlations(ax: Axes, table: pd.DataFrame, over: str, letter: str) -> None:
    """Panels c and d: a row a target, a mark for each that ranks the cells."""
    rows = table[(table["quantity"] == "spearman") & (table["over"] == over)]
    targets = list(rows["target"].unique())
    for by, (label, colour, marker) in RANKED_BY.items():
        mine = rows[rows["by"] == by]
        heights = [targets.index(target) for target in mine["target"]]
        # Marks that fall on others are larger and hollow.
        hollow = marker in "D|"
        look: dict[str, Any] = {"mew": 2.2, "ms": 14} if hollow else {"ms": 8}
        look |= {"marker": marker, "mec": colour, "mfc": "none" if hollow else colour}
        ax.plot(mine["value"], heights, ls="none", label=label, zorder=4, **look)
    ax.axvline(0, color="#444444", lw=1)
    ax.set_yticks(range(len(targets)), [TARGETS[target] for target in targets])
    ax.invert_yaxis()
    low = min(float(rows["value"].min()), 0.0)
    ax.set(
        title=f"({letter}) Rank correlation, {PARTS[over]}",
        xlabel="Spearman's \N{GREEK SMALL LETTER RHO}",
        xlim=(low - 0.03, 1),
    )


def _spearman(table: pd.DataFrame, by: str, target: str, over: str) -> float:
    rows = table[(table["quantity"] == "spearman") & (table["by"] == by)]
    (value,) = rows[(rows["target"] == target) & (rows["over"] == over)]["value"]
    return float(value)


def caption(table: pd.DataFrame) -> str:
    """What is compared, and the main numbers."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, own_sentence

    cells = int(table.loc[table["quantity"] == "density", "value"].sum())
    rho = {
        (by, over): _spearman(table, by, MAIN, over)
        for by in ("digits201", "params", "madds")
        for over in PARTS
    }
    return join_sentences(
        own_sentence(["digits201"]),
        f"(a) Ranks of all {cells:,} cells of the space by the final mean validation accuracy on "
        "digits201 and by that of NAS-Bench-201 on CIFAR-10.",
        "(b) Mean rank, and as text mean validation accuracy, of the best classes by one on the "
        "other; a class counts with the mean of its cells, and where classes tie at the last "
        "place all of them share it.",
        "(c) Rank correlation over all cells with accuracies of NAS-Bench-201, after 200 epochs "
        "unless said otherwise; parameters and multiply-adds are those of the networks of "
        "digits201. (d) The same over the best tenth of the cells by the accuracy of the row. "
        f"With CIFAR-10, validation: digits201 {rho['digits201', 'cells']:.3f} "
        f"({rho['digits201', 'best tenth']:.3f} over the best tenth), parameters "
        f"{rho['params', 'cells']:.3f} ({rho['params', 'best tenth']:.3f}), multiply-adds "
        f"{rho['madds', 'cells']:.3f} ({rho['madds', 'best tenth']:.3f}).",
        emulated_sentence(table["emulated"]),
    )
