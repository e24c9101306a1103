"""Figure 4: search efficiency on the paper's benchmarks and ours, validation and test error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagnas.analysis.incumbents import EVALUATIONS, METRICS, curves, held, oracle, time_grid
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Methods of the paper's figures 4 and 5. A scale may list others too, for the leaderboard.
METHODS = (
    *("random_search", "regularized_evolution", "npnas", "reinforce", "bohb", "smac", "nao"),
    *("alphax", "goal_mlp", "goal"),
)
RESULT = Result(
    place="Figure 4",
    title="Search efficiency",
    # The last are of tables of one's own (docs/tutorial_table.md).
    reads={"studies": ("goal_nasbench101", "goal_nasbench201", "goal_digits201", "goal_own_*")},
    benchmarks=("nasbench201", "digits201"),
    required=(),
    methods=METHODS,
    own=True,
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Mean report of every method at every time, and the oracle where the table is open."""
    return efficiency_table(inputs, intervals=150)


def efficiency_table(inputs: Inputs, intervals: int) -> pd.DataFrame:
    """Curves of all studies of figures 4 and 5.

    Rows of the oracle, and of the number of evaluations, have the last time alone.

    Methods are the paper's, variants of these, and those of plug-ins; where a study has none of
    them, and of tables of one's own, all that it has.

    Returns
    -------
    DataFrame
        Columns benchmark, metric, method, seconds, mean, sd, se (standard error of the mean), n,
        emulated and note (of the signal); errors in %. Where a budget is in evaluations alone, the
        column evaluations has it. Where the table is open, the mean of the
        metric "optimum held" is the fraction of trials whose reported cell has the best signal of
        the table.
    """
    import pandas as pd

    frames = []
    for study in inputs.result.names("studies"):
        benchmark = inputs.config.section("studies")[study].benchmark
        grid = time_grid(inputs.budget(study), intervals)
        traces = inputs.traces(study)
        found = curves(traces, grid)
        # How many evaluations ended is asked of whole budgets alone.
        parts = [found[(found["metric"] != EVALUATIONS) | (found["seconds"] == grid[-1])]]
        if benchmark in inputs.result.benchmarks:
            opened, policy = inputs.benchmark(benchmark), inputs.policy(study)
            parts.append(_fractions(held(traces, grid, opened, policy)))
            parts.append(oracle(opened, policy).assign(seconds=grid[-1]))
        about: dict[str, Any] = {"benchmark": benchmark, "note": inputs.signal_note(study)}
        if evaluations := inputs.evaluations(study):
            about["evaluations"] = evaluations
        frames.append(pd.concat(parts).assign(**about))
    columns = ["benchmark", "metric", "method", "seconds", "mean", "sd", "se", "n"]
    columns += ["emulated", "note"]
    table: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return table[[*columns, *(name for name in ["evaluations"] if name in table)]]


def _fractions(trials: pd.DataFrame) -> pd.DataFrame:
    """Fraction of trials that hold the optimum, in the columns of `curves`."""
    groups = trials.groupby(["metric", "method", "seconds", "emulated"], sort=False)["held"]
    return groups.agg(mean="mean", sd="std", se="sem", n="size").reset_index()


def draw(table: pd.DataFrame) -> Figure:
    """A column a benchmark; validation error above test error."""
    return efficiency_figure(table, bars=False)


def efficiency_figure(table: pd.DataFrame, bars: bool) -> Figure:
    """Panels of figures 4 and 5."""
    from matplotlib.figure import Figure

    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import efficiency

    benchmarks = list(table["benchmark"].unique())
    # Three columns are narrower, or a page shows their text too small.
    width = min(5.8, 14.4 / len(benchmarks))
    figure = Figure(figsize=(1 + width * len(benchmarks), 8), layout="constrained")
    panels = figure.subplots(2, len(benchmarks), squeeze=False)
    for column, benchmark in enumerate(benchmarks):
        for row, metric in enumerate(METRICS):
            ax = panels[row, column]
            here = table[(table["benchmark"] == benchmark) & (table["metric"] == metric)]
            efficiency(ax, here, bars=bars)
            ax.set(title=benchmark_label(benchmark), ylabel=f"{metric} (%)")
    return figure


def caption(table: pd.DataFrame) -> str:
    """What is compared, over how many trials and samples, and what is emulated."""
    return efficiency_caption(table, "Mean") + (
        " The first tenth of the budget may lie above the panels."
    )


def efficiency_caption(table: pd.DataFrame, what: str) -> str:
    """Sentences that figures 4 and 5 share."""
    from dagnas.drawing.style import benchmark_label
    from dagnas.papers.panels import (
        budget_words,
        counted,
        emulated_sentence,
        join_sentences,
        note_sentence,
        own_sentence,
        plural,
    )

    sentences = [
        f"{what} over trials of the final validation and test error of the cell with the best "
        "search signal among the evaluations finished within the given simulated training "
        "seconds."
    ]
    for benchmark, here in table.groupby("benchmark", sort=False):
        searches = here[here["method"] != "oracle"]
        last = searches[searches["seconds"] == searches["seconds"].max()]
        samples = last.loc[last["metric"] == EVALUATIONS, "mean"]
        label = benchmark_label(str(benchmark))
        sentences.append(
            f"{label}: {counted(last['n'], 'trial')} of {plural(len(samples), 'method')}, "
            f"{budget_words(here, last['seconds'].iloc[0])}, on average "
            f"{counted(samples.round(), 'sample')}."
        )
        sentences.append(own_sentence([str(benchmark)]))
        sentences.append(note_sentence(here, label))
        sentences.append(emulated_sentence(here["emulated"], label))
        if (here["method"] == "oracle").any():
            sentences.append(
                "Oracle: mean (dashed) and standard deviation (band) of the final results of the "
                f"cell with the best search signal of {label} (of each training that gives one; "
                "of all equals); where there is no band the table holds no single trainings."
            )
    return join_sentences(*sentences)
