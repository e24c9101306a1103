"""Quality: how far two trainings agree, how early ranks settle, how many cells share the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.ranks import rounded, spearman
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Quality",
    title="What digits201 can tell apart",
    benchmarks=("digits201",),
)
#: How many of the best classes are looked at one by one.
BEST = 100
#: Accuracies (%) that panel a may name on its axes.
TICKS = (10, 30, 50, 70, 80, 90, 95, 97, 98, 99, 99.5)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Agreement, early ranks, ties and distributions of the validation accuracy (%).

    Returns
    -------
    DataFrame
        Columns quantity, over (cells or classes), trainings (single, mean or ""), epoch, stage
        (signal or final where the epoch is that, else ""), x, y, value and emulated. Quantities:

        - size: number of cells, of classes;
        - pairs: classes (value) whose two trainings ended at x and y;
        - seeds_spearman: rho of the two trainings after this epoch;
        - final_spearman: rho of the accuracy after this epoch with the final mean, of a single
          training (mean of their rhos) and of the mean over both; of a single one also over the
          best tenth of the cells by the final mean;
        - training_sd: standard deviation of a training of one class, over all and over the best
          hundred;
        - sorted_best: mean accuracy of the x-th best class;
        - best_distinct: different accuracies among the best hundred classes;
        - best_tied: classes, and cells, that share the best accuracy;
        - random_hit: chance that a best cell is among as many uniformly drawn cells as a search
          can evaluate (x of them);
        - distribution: share of cells (%) whose mean accuracy is x at most.
    """
    import pandas as pd

    from dagnas.benchmarks.built import BUDGET

    benchmark = inputs.benchmark("digits201")
    policy = benchmark.policies["goal"]
    early, last = (int(quantity.split("/")[2]) for quantity in (policy.signal, policy.valid))
    stem = policy.valid.rpartition("/")[0]
    singles = {e: benchmark.values(f"{stem}/{e}", "random") for e in range(1, last + 1)}
    means = {e: rounded(values.mean(axis=1)) for e, values in singles.items()}
    final, ends = means[last], singles[last]
    tenth = final >= np.quantile(final, 0.9)
    classes, first = np.unique(benchmark.space.canonical(benchmark.cells), return_index=True)

    rows: list[dict[str, Any]] = []

    def add(quantity: str, value: float, over: str, epoch: int = last, **more: Any) -> None:
        stage = {early: "signal", last: "final"}.get(epoch, "")
        rows.append({"quantity": quantity, "over": over, "epoch": epoch, "stage": stage, **more})
        rows[-1]["value"] = value

    add("size", len(benchmark), "cells")
    add("size", len(classes), "classes")
    pairs, counts = np.unique(rounded(ends[first, :2]), axis=0, return_counts=True)
    for (x, y), count in zip(pairs, counts, strict=True):
        add("pairs", count, "classes", trainings="single", x=x, y=y)
    for e, values in singles.items():
        add("seeds_spearman", spearman(values[:, 0], values[:, 1]), "cells", e, trainings="single")
        for over, part in (("cells", slice(None)), ("best tenth", tenth)):
            alone = np.mean([spearman(seed[part], final[part]) for seed in values.T])
            add("final_spearman", float(alone), over, e, trainings="single")
        add("final_spearman", spearman(means[e], final), "cells", e, trainings="mean")
    best = first[np.argsort(-final[first], kind="stable")[:BEST]]
    for over, some in (("classes", first), (f"best {BEST} classes", best)):
        spread = float(np.sqrt(ends[some].var(axis=1, ddof=1).mean()))
        add("training_sd", spread, over, trainings="single")
    for rank, value in enumerate(final[best], start=1):
        add("sorted_best", value, "classes", trainings="mean", x=rank)
    add("best_distinct", len(np.unique(final[best])), f"best {BEST} classes", trainings="mean")
    add("best_tied", (final[first] == final.max()).sum(), "classes", trainings="mean")
    add("best_tied", (final == final.max()).sum(), "cells", trainings="mean")
    miss = (1 - (final == final.max()).mean()) ** BUDGET
    add("random_hit", 1 - miss, "cells", trainings="mean", x=BUDGET)
    for e in sorted({1, early, 2 * early, last}):
        for x in range(101):
            add("distribution", 100 * (means[e] <= x).mean(), "cells", e, trainings="mean", x=x)
    marks = "valid" if any(c.startswith(stem) for c in benchmark.table.emulated) else ""
    columns = ["quantity", "over", "trainings", "epoch", "stage", "x", "y", "value"]
    table = pd.DataFrame(rows, columns=columns).fillna({"trainings": ""})
    return table.assign(emulated=marks)


def draw(table: pd.DataFrame) -> Figure:
    """Two trainings; ranks over epochs; the best hundred; distributions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 9.6), layout="constrained")
    pairs, epochs, best, spread = figure.subplots(2, 2).ravel()
    _pairs(pairs, table)
    _epochs(epochs, table)
    _best(best, table)
    _spread(spread, table)
    return figure


def _pairs(ax: Axes, table: pd.DataFrame) -> None:
    """Panel a: final accuracy of one training against the other's."""
    from matplotlib.ticker import NullFormatter, NullLocator

    from dagnas.drawing import style

    pairs = _of(table, "pairs")
    # The scale is that of the error's logarithm: best cells differ by little of a large accuracy.
    errors = (100 - pairs[["x", "y"]].to_numpy()).clip(min=0.1)
    low, high = 0.85 * float(errors.min()), 1.1 * float(errors.max())
    ax.plot([low, high], [low, high], color="#999999", lw=1, zorder=3)
    size = 5 * np.sqrt(pairs["value"])
    ax.scatter(
        errors[:, 0], errors[:, 1], s=size, color="#0072B2", alpha=0.35, lw=0, rasterized=True
    )
    ax.set(xscale="log", yscale="log", xlim=(high, low), ylim=(high, low), aspect="equal")
    named = [tick for tick in TICKS if low <= 100 - tick <= high]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
        axis.set_ticks([100 - tick for tick in named], [f"{tick:g}" for tick in named])
    rho = _one(table, "seeds_spearman", stage="final")
    ax.set(
        title=f"(a) Two trainings: \N{GREEK SMALL LETTER RHO} = {rho:.3f}",
        xlabel="validation accuracy (%), first seed",
        ylabel="validation accuracy (%), second seed",
    )
    style.stamp(ax, table["emulated"].iloc[0])


def _epochs(ax: Axes, table: pd.DataFrame) -> None:
    """Panel b: rank correlations after each epoch."""
    from dagnas.drawing import style

    both = style.Look("mean of both\nwith final mean", "#E69F00", 2.4)
    one = style.Look("one training\nwith final mean", "#D55E00", 3.0)
    other = style.Look("one training\nwith the other", "#0072B2")
    best = style.Look("one training\nwith final mean,\nbest tenth", "#D55E00", 1.4, "--")
    lines = (
        ("final_spearman", "mean", "cells", both),
        ("final_spearman", "single", "cells", one),
        ("seeds_spearman", "single", "cells", other),
        ("final_spearman", "single", "best tenth", best),
    )
    ends = []
    for quantity, trainings, over, look in lines:
        line = _of(table, quantity, trainings=trainings, over=over)
        drawn = {"color": look.colour, "lw": look.width, "ls": look.dashes}
        ax.plot(line["epoch"], line["value"], marker="o", ms=4.5, **drawn)
        ends.append((line["value"].iloc[-1], look))
    last = int(table["epoch"].max())
    signal = _of(table, "final_spearman", stage="signal")["epoch"].iloc[0]
    shown = table[table["quantity"].isin([quantity for quantity, *_ in lines])]
    low = float(shown["value"].min())
    ax.set(
        title="(b) Ranks after each epoch",
        xlabel="epochs",
        ylabel="Spearman's \N{GREEK SMALL LETTER RHO}",
        xlim=(0.7, last),
        ylim=(low - 0.05 * (1 - low), 1 + 0.02 * (1 - low)),
        xticks=range(1, last + 1),
    )
    ax.axvline(signal, color="#444444", lw=1.2, ls=":", zorder=1)
    ax.annotate(
        "search signal",
        (signal, ax.get_ylim()[0]),
        xytext=(6, 8),
        textcoords="offset points",
        color="#444444",
    )
    style.label_ends(ax, ends, gap=0.12)


def _best(ax: Axes, table: pd.DataFrame) -> None:
    """Panel c: the best hundred classes, a step for each accuracy."""
    ranked = _of(table, "sorted_best")
    top, tied = ranked["value"].iloc[0], int(_one(table, "best_tied", over="classes"))
    shown = len(ranked)
    ax.axvspan(0.5, min(tied, shown) + 0.5, color="#fbe3d1", lw=0, zorder=1)
    ax.step(ranked["x"], ranked["value"], where="mid", color="#D55E00", lw=2.2)
    span = max(top - ranked["value"].iloc[-1], 0.1)
    ax.set(
        title=f"(c) The best {shown} classes of cells",
        xlabel="rank",
        ylabel="validation accuracy (%), mean of both",
        xlim=(0.5, shown + 0.5),
        ylim=(top - 1.08 * span, top + 0.14 * span),
    )
    share = _count(tied, "class", "classes")
    distinct = int(_one(table, "best_distinct"))
    ax.text(
        0.98,
        0.96,
        f"{share} at {top:.2f} %; {distinct} different accuracies",
        transform=ax.transAxes,
        ha="right",
        va="top",
    )


def _spread(ax: Axes, table: pd.DataFrame) -> None:
    """Panel d: distribution of the accuracy after few epochs."""
    rows = _of(table, "distribution")
    colours = ("#a6cee3", "#56B4E9", "#0072B2", "#08305c")
    for (epoch, curve), colour in zip(rows.groupby("epoch"), colours, strict=False):
        name = f"{epoch} epoch{'s' * (int(str(epoch)) > 1)}"
        ax.plot(curve["x"], curve["value"], color=colour, lw=2.4, label=name)
    ax.set(
        title="(d) Accuracies of all cells",
        xlabel="validation accuracy (%), mean of both",
        ylabel="cells of at most this accuracy (%)",
        xlim=(0, 100),
        ylim=(0, 101),
    )
    ax.legend(loc="upper left")


def _of(table: pd.DataFrame, quantity: str, **where: str) -> pd.DataFrame:
    rows = table[table["quantity"] == quantity]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows


def _one(table: pd.DataFrame, quantity: str, **where: str) -> float:
    (value,) = _of(table, quantity, **where)["value"]
    return float(value)


def _count(number: int, one: str, several: str) -> str:
    return f"one {one}" if number == 1 else f"{number:,} {several}"


def caption(table: pd.DataFrame) -> str:
    """What the panels show, with the counts of ties."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, own_sentence

    cells, classes = (int(_one(table, "size", over=over)) for over in ("cells", "classes"))
    signal = _of(table, "final_spearman", stage="signal")
    early = int(signal["epoch"].iloc[0])
    rho = {
        (trainings, over): _one(
            table, "final_spearman", stage="signal", trainings=trainings, over=over
        )
        for trainings, over in (("single", "cells"), ("mean", "cells"), ("single", "best tenth"))
    }
    tied, tied_cells = (int(_one(table, "best_tied", over=o)) for o in ("classes", "cells"))
    hit = _of(table, "random_hit").iloc[0]
    some = f"best {BEST} classes"
    return join_sentences(
        own_sentence(["digits201"]),
        f"(a) Final validation accuracy of the two trainings of {classes:,} classes of isomorphic "
        "cells, larger dots for more classes; on both axes equal steps are equal ratios of the "
        "error. Spearman's rank correlation is over all "
        f"{cells:,} cells. A single training has a standard deviation of "
        f"{_one(table, 'training_sd', over='classes'):.2f} points over all classes and of "
        f"{_one(table, 'training_sd', over=some):.2f} over the {some}.",
        f"(b) Rank correlation over all cells after each epoch. After epoch {early}, whose "
        "accuracy is the search signal, a single training has "
        f"{rho['single', 'cells']:.3f} with the final mean, the mean of both "
        f"{rho['mean', 'cells']:.3f}. Dashed: over the best tenth of the cells by the final mean "
        f"alone, where a single signal has {rho['single', 'best tenth']:.3f}.",
        f"(c) Final accuracies of the {some}, of which "
        f"{int(_one(table, 'best_distinct'))} are different; the best is that of "
        f"{_count(tied, 'class', 'classes')} (shaded; {_count(tied_cells, 'cell', 'cells')}), and "
        f"among {int(hit['x'])} cells drawn uniformly there is "
        f"one of them with a chance of {100 * hit['value']:.0f} %.",
        "(d) Share of all cells that have at most an accuracy.",
        emulated_sentence(table["emulated"]),
    )
