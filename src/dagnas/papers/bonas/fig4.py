"""Figure 4: accuracy of the best cell so far against the number of samples (section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.incumbents import incumbent
from dagnas.papers.bonas.lstm12k import TABLES, lstm_sentence
from dagnas.papers.bonas.table2 import BENCHMARKS, REFERENCE, STUDIES, benchmark_name, caps
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from dagnas.drawing.style import Look

RESULT = Result(
    place="Figure 4",
    title="Best cell after a number of samples",
    reads={"studies": STUDIES},
    benchmarks=BENCHMARKS,
    required=(),
)
COLUMNS = ["benchmark", "best", "method", "samples", "mean", "sd", "se", "n", "lead", "emulated"]
#: Samples in the table are these times a power of ten, and where the curves end.
STEPS = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Mean test accuracy of every method's best cell after each number of samples.

    Returns
    -------
    DataFrame
        Columns benchmark, best (of the table, %), method, samples, mean, sd, se (standard error of
        the mean), n (trials), lead (mean of BONAS(EA) less that of the method) and emulated.
    """
    import pandas as pd

    frames = [accuracy_table(inputs, study) for study in inputs.result.names("studies")]
    return pd.concat(frames, ignore_index=True)


def accuracy_table(inputs: Inputs, study: str) -> pd.DataFrame:
    """Rows of one study: of each method up to its cap, but no further than BONAS(EA)'s."""
    import pandas as pd

    name, policy = benchmark_name(inputs, study), inputs.policy(study)
    ends = caps(inputs, study)
    benchmark = inputs.benchmark(name)
    most = ends.get(REFERENCE, max(ends.values()))
    samples = np.union1d(grid(most), [end for end in ends.values() if end < most])
    frames = [
        accuracies(trials, samples[samples <= ends[str(method)]]).assign(method=method)
        for method, trials in inputs.traces(study).groupby("method", sort=False)
    ]
    table = pd.concat(frames, ignore_index=True)
    reference = table[table["method"] == REFERENCE].set_index("samples")["mean"]
    marks = {"signal", "test"} & set(benchmark.emulated(policy))
    table = table.assign(
        benchmark=name,
        best=benchmark.best_signal(policy),
        lead=table["samples"].map(reference) - table["mean"],
        emulated=" ".join(sorted(marks)),
    )
    return table[COLUMNS]


def grid(last: int) -> NDArray[np.int64]:
    """Whole numbers of samples, about ten to each power of ten, up to ``last``."""
    powers = 10 ** np.arange(int(np.log10(last)) + 1)
    samples = np.unique((powers[:, None] * STEPS).astype(np.int64))
    return np.append(samples[samples < last], last)


def accuracies(trials: pd.DataFrame, samples: NDArray[np.int64]) -> pd.DataFrame:
    """Mean and spread over trials of the test accuracy of the cell with the best signal so far.

    A trial that has ended keeps its last cell.

    Parameters
    ----------
    trials : DataFrame
        Traces of one method, each beginning with its first sample.
    samples : ndarray
        Numbers of samples, 1 or more.

    Returns
    -------
    DataFrame
        Columns samples, mean, sd (n - 1 in the denominator), se and n (trials).
    """
    import pandas as pd

    found = []
    for _, trial in trials.groupby("trial"):
        best = incumbent(trial["signal"].to_numpy(), trial["epochs"].to_numpy())
        ended = np.searchsorted(trial["step"].to_numpy() + 1, samples, side="right")
        found.append(trial["test"].to_numpy()[best[ended - 1]])
    values = pd.DataFrame(found)
    spread = {"mean": values.mean(), "sd": values.std(), "se": values.sem(), "n": len(values)}
    return pd.DataFrame({"samples": samples, **spread})


def draw(table: pd.DataFrame) -> Figure:
    """A panel a benchmark."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    groups = list(table.groupby("benchmark", sort=False))
    looks = style.looks(list(table["method"].unique()))
    figure = Figure(figsize=(2.2 + 5.6 * len(groups), 4.8), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for ax, (benchmark, here) in zip(panels, groups, strict=True):
        accuracy_panel(ax, here, looks)
        ax.set_title(style.benchmark_label(str(benchmark)))
        if benchmark in TABLES:
            ax.set_ylabel("perplexity saved by the best cell (%)")
    figure.legend(handles=handles(looks), loc="outside right center")
    return figure


def accuracy_panel(ax: Axes, here: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Means with intervals of 95 %, and the best of the table."""
    from dagnas.drawing import style

    end = here["samples"].max()
    for method, curve in here.groupby("method", sort=False):
        look = looks[str(method)]
        x, mean, half = curve["samples"], curve["mean"], 1.96 * curve["se"].fillna(0)
        line: dict[str, Any] = {"color": look.colour, "zorder": 3 + look.width}
        ax.plot(x, mean, lw=look.width, ls=look.dashes, **line)
        ax.fill_between(x, mean - half, mean + half, alpha=0.15, lw=0, **line)
        if x.iloc[-1] < end:
            ax.plot(x.iloc[-1], mean.iloc[-1], marker="+", ms=10, mew=2, **line)
    best = here["best"].iloc[0]
    ax.axhline(best, color="black", lw=1.4, ls=(0, (4, 2)), zorder=2)
    # The first samples are far below the rest, and random for most methods.
    low = here.loc[here["samples"] >= min(10, end), "mean"].min()
    ax.set(
        xscale="log",
        xlim=(min(5, end / 2), end),
        ylim=(low - 0.05 * (best - low), best + 0.04 * (best - low)),
        xlabel="samples",
        ylabel="test accuracy of the best cell (%)",
    )
    style.stamp(ax, here["emulated"].iloc[0])


def handles(looks: Mapping[str, Look]) -> list[Line2D]:
    """Lines for a legend."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=look.colour, lw=look.width, ls=look.dashes, label=look.label)
        for look in looks.values()
    ]


def caption(table: pd.DataFrame) -> str:
    """Legend of the curves, with numbers of trials and samples."""
    from dagnas.papers.panels import join_sentences

    return join_sentences(accuracy_caption(table), lstm_sentence(table["benchmark"]))


def accuracy_caption(table: pd.DataFrame) -> str:
    """Sentences of the captions of all results with such curves."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import (
        counted,
        emulated_sentence,
        join_sentences,
        own_sentence,
        plural,
    )

    sentences = [
        "Mean over trials, with its interval of 95 % (1.96 standard errors), of the mean test "
        "accuracy of the best cell among the samples so far. Dashed: the best of the table. A "
        "trial that has found it keeps it. A curve ends where its method's trials are stopped "
        "(plus), or BONAS(EA)'s. The first samples are not shown."
    ]
    for benchmark, here in table.groupby("benchmark", sort=False):
        label = benchmark_label(str(benchmark))
        sentences.append(
            f"{label}: {counted(here['n'], 'trial')} of "
            f"{plural(here['method'].nunique(), 'method')}, "
            f"{plural(here['samples'].max(), 'sample')}."
        )
        sentences.append(own_sentence([str(benchmark)]))
        sentences.append(emulated_sentence(here["emulated"], label))
    return join_sentences(*sentences)
