"""Published: which of the numbers that papers report can be attained in the tables at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dagnas.papers.inputs import Inputs
from dagnas.papers.leaderboard.published_numbers import Number, published
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dagnas.benchmarks.benchmark import TabularBenchmark

RESULT = Result(
    place="Leaderboard",
    title="Published numbers and what the tables allow",
    benchmarks=(*("nasbench101", "nasbench201", "nasbench201_cifar100", "nasbench201_imagenet16"),),
    required=(),
)
#: Policy whose reported quantities are those of the full training.
POLICY = "bonas"
#: Verdicts on an accuracy.
ABSENT = "above every cell of the table"
LUCK = "in the table, not by validation"
ATTAINABLE = "attainable"
#: Verdict on a number of evaluations.
BY_TEST = "attainable, by test accuracy as signal"


class Ceiling(NamedTuple):
    """What a table allows.

    Attributes
    ----------
    valid, test : float
        Best mean accuracies of any cell, %.
    by_valid : float
        Mean test accuracy of the cells of the best mean validation accuracy, %.
    better : int
        Cells of a higher mean test accuracy than that.
    random_order : float
        Evaluations until a cell of the best test accuracy where all cells are drawn once in random
        order, (N + 1) / (b + 1) on the average with b best cells of N.
    emulated : str
        "valid" if validation accuracies are emulated.
    """

    valid: float
    test: float
    by_valid: float
    better: int
    random_order: float
    emulated: str


def ceiling(benchmark: TabularBenchmark) -> Ceiling:
    """Ceilings of a table, by the mean final accuracies of its cells."""
    policy = benchmark.policies[POLICY]
    valid, test = benchmark.values(policy.valid), benchmark.values(policy.test)
    chosen = float(test[valid == valid.max()].mean())
    best = int((test == test.max()).sum())
    return Ceiling(
        valid=float(valid.max()),
        test=float(test.max()),
        by_valid=chosen,
        better=int((test > chosen).sum()),
        random_order=(len(test) + 1) / (best + 1),
        emulated="valid" if "valid" in benchmark.emulated(policy) else "",
    )


def verdict(number: Number, limit: Ceiling) -> str:
    """Whether a published number can be attained: of accuracies, by a search that is perfect.

    A search that finds the cell of the best validation accuracy ends at `Ceiling.by_valid`. What is
    above that is the test accuracy of cells that validation ranks lower, which a search may report
    by luck in some trials and not on the average.
    """
    if number.metric == "until":
        return BY_TEST
    slack = 0.5 * 10.0**-number.digits
    if number.value > getattr(limit, number.metric) + slack:
        return ABSENT
    above = number.metric == "test" and number.value > limit.by_valid + slack
    return LUCK if above else ATTAINABLE


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Every published number on a table that is there, with the table's ceilings.

    Returns
    -------
    DataFrame
        Columns of `Number`; best (of the number's metric in the table; of "until" the mean of a
        random order), those of `Ceiling` but for valid and test, verdict and emulated.
    """
    import pandas as pd

    limits = {name: ceiling(inputs.benchmark(name)) for name in inputs.result.benchmarks}
    rows: list[dict[str, Any]] = []
    for number in published():
        if (limit := limits.get(number.benchmark)) is None:
            continue
        of_test = number.metric == "test"
        best = limit.random_order if number.metric == "until" else getattr(limit, number.metric)
        rows.append(
            {
                **number._asdict(),
                "best": best,
                "by_valid": limit.by_valid if of_test else np.nan,
                "better": limit.better if of_test else np.nan,
                "verdict": verdict(number, limit),
                # Test accuracies are real; what validation chooses is not where it is emulated.
                "emulated": limit.emulated if number.metric != "until" else "",
            }
        )
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> Figure:
    """Test accuracies as points below the best cell, by benchmark, and what validation allows."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    tests = table[table["metric"] == "test"]
    looks = style.looks(list(tests["method"].unique()))
    groups = list(tests.groupby("benchmark", sort=False))
    rows = len(tests) + len(groups)
    figure = Figure(figsize=(9.5, 1.1 + 0.29 * rows), layout="constrained")
    ax = figure.subplots()
    place, labels = 0, []
    for name, here in groups:
        first = here.iloc[0]
        emulated = "\n(emulated)" if first["emulated"] else ""
        ax.text(0.0, place, style.benchmark_label(str(name)), fontweight="bold", va="center")
        labels.append((place, style.Look("", "#222222")))
        # What a perfect search by validation does not reach.
        gap = first["best"] - first["by_valid"]
        ax.fill_betweenx([place + 0.5, place + len(here) + 0.5], 0, gap, color="#e3e3e3", lw=0)
        if gap > 0:
            middle = place + (len(here) + 1) / 2
            words = f"beyond\nvalidation{emulated}"
            ax.text(gap / 2, middle, words, ha="center", va="center", fontsize=8)
        for row in here.sort_values("value", ascending=False, kind="stable").to_dict("records"):
            place += 1
            look = looks[row["method"]]
            labels.append((place, look))
            filled = look.colour if row["verdict"] == ATTAINABLE else "white"
            # Numbers are rounded, and no mean is above the best one.
            below = max(row["best"] - row["value"], 0.0)
            ax.plot(below, place, marker="o", ms=8, color=look.colour, mfc=filled, clip_on=False)
        place += 1
    style.name_rows(ax, [look for _, look in labels])
    ax.set_xscale("symlog", linthresh=0.1)
    ax.set(xlim=(0, 60), ylim=(rows - 0.3, -0.7))
    ax.set_xticks([0, 0.1, 1, 10], ["0", "0.1", "1", "10"])
    ax.set_xlabel("published test accuracy: points below the best cell of the table")
    return figure


def page(table: pd.DataFrame) -> str:
    """Table in Markdown, as docs/published.md has it."""
    from dagnas.drawing import style

    lines = [
        "| method | number | protocol | table | verdict | source |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in table.to_dict("records"):
        look = style.METHODS.get(row["method"])
        words = {"test": "% test", "valid": "% validation", "until": "evaluations"}[row["metric"]]
        allowed = {
            "test": f"best {row['best']:.3f}, by validation {row['by_valid']:.3f}",
            "valid": f"best {row['best']:.3f}",
            "until": f"random order {row['best']:,.1f}",
        }[row["metric"]]
        benchmark = style.benchmark_label(row["benchmark"])
        lines.append(
            f"| {look.label if look else row['method']}, {benchmark} "
            f"| {row['value']:,.{row['digits']}f} {words} | {row['protocol']} | {allowed} "
            f"| {row['verdict']} | {row['source']} |"
        )
    return "\n".join(lines)


def caption(table: pd.DataFrame) -> str:
    """What the lines are, and what follows on each benchmark."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import emulated_sentence, join_sentences, plural

    sentences = [
        "Published test accuracies, means over the papers' trials, as points below the best mean "
        "test accuracy of any cell of the table. Grey: above the cell of the best mean validation "
        "accuracy, at which a perfect search by validation ends. Hollow: numbers that validation "
        "cannot choose, or that no cell of the table has."
    ]
    for name, here in table[table["metric"] == "test"].groupby("benchmark", sort=False):
        label, first = benchmark_label(str(name)), here.iloc[0]
        sentences += [
            f"{label}: the best cell has {first['best']:.3f} %, the cell of best validation "
            f"{first['by_valid']:.3f} %; {plural(first['better'], 'cell')} "
            "above that.",
            emulated_sentence(here["emulated"], label),
        ]
    return join_sentences(*sentences)
