"""Evaluations: test accuracy of every method after a number of evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.aggregates import interquartile_mean, with_interval
from dagnas.analysis.incumbents import incumbent, optimum
from dagnas.analysis.ranks import Values
from dagnas.papers.inputs import Inputs
from dagnas.papers.leaderboard.rank import (
    OVERALL,
    REAL,
    SHARES,
    Field,
    begins,
    by_benchmark,
    over_all,
    ranks,
    resampled,
)
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREFIX = "leaderboard_evaluations_"
RESULT = Result(
    place="Leaderboard",
    title="Test accuracy after a number of evaluations",
    reads={"studies": (f"{PREFIX}*",)},
    benchmarks=("{benchmark}",),
)
COLUMNS = 3


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Accuracy and rank of every method at several shares of the budget of each protocol.

    Returns
    -------
    DataFrame
        Columns protocol (the study's name without "leaderboard_evaluations_"), benchmark, share (of
        the budget), evaluations, method, accuracy (mean test accuracy over trials of the cell with
        the best signal, %), iqm_accuracy (its interquartile mean), regret (points below the best
        cell of the table), rank, each with _low and _high (intervals of 95 %, of resamples of the
        trials), begins (1 where the median trial still evaluates its first random cells), best
        (test accuracy of the best cell of the table), by_signal (that of the cells with the best
        signal of the table, at which a perfect search of the signal ends), space, n (trials), note
        (of the signal), averaged (1 for the protocols that means are over, else 0) and emulated.

        Rows of the protocols "all" and "real" are as those benchmarks of `leaderboard/rank`, with a
        protocol of each benchmark in its place: that of the most evaluations, as a shorter one on
        the same table is the beginning of such searches and no other evidence.
    """
    import pandas as pd

    longest = _longest(inputs)
    fields, frames = {}, []
    for study in inputs.result.names("studies"):
        field = _field(inputs, study)
        name = study.removeprefix(PREFIX)
        averaged = study in longest
        if averaged:
            fields[name] = field
        frames.append(_alone(inputs, study, field).assign(protocol=name, averaged=float(averaged)))
    together = [
        frame.rename(columns={"benchmark": "protocol"}).assign(benchmark="", averaged=0.0)
        for frame in over_all(fields)
    ]
    table = pd.concat([*frames, *together], ignore_index=True)
    table.insert(0, "protocol", table.pop("protocol"))
    return table


def _longest(inputs: Inputs) -> list[str]:
    """Of each benchmark the study with the most evaluations, of equals the first."""
    return [
        max(studies, key=lambda study: inputs.evaluations(study) or 0)
        for studies in by_benchmark(inputs).values()
    ]


def _field(inputs: Inputs, study: str) -> Field:
    """Regrets of a study's trials after shares of its evaluations, and resamples of them."""
    budget = inputs.evaluations(study) or 0
    at = np.ceil(np.array(SHARES) * budget).astype(int)
    traces, benchmark = inputs.traces(study), _benchmark(inputs, study)
    best = np.nanmax(benchmark.values(inputs.policy(study).test))
    regrets, ended = {}, {}
    for method, steps in traces.groupby("method", sort=False):
        trials = [trial for _, trial in steps.groupby("trial")]
        regrets[str(method)] = np.array([best - _accuracies(trial, at) for trial in trials])
        ended[str(method)] = np.array([np.minimum(at, len(trial)) for trial in trials])
    marks = set(" ".join(traces["emulated"].unique()).split())
    return resampled(
        (study,),
        regrets,
        space=benchmark.space.name,
        seconds=at,
        emulated=" ".join(sorted(marks & {"signal", "test"})),
        evaluations=budget,
        begins=begins(inputs, [study], ended),
    )


def _accuracies(trial: pd.DataFrame, at: Values) -> Values:
    """Test accuracies of what a trial reports after numbers of evaluations."""
    best = incumbent(trial["signal"].to_numpy(), trial["epochs"].to_numpy())
    # A method that has no more to propose keeps its last report.
    return np.asarray(trial["test"].to_numpy()[best[np.minimum(at, len(trial)) - 1]])


def _benchmark(inputs: Inputs, study: str) -> Any:
    return inputs.benchmark(inputs.config.section("studies")[study].benchmark)


def _alone(inputs: Inputs, study: str, field: Field) -> pd.DataFrame:
    """Rows of one protocol."""
    import pandas as pd

    benchmark, policy = _benchmark(inputs, study), inputs.policy(study)
    accuracies = benchmark.values(policy.test)
    best = np.nanmax(accuracies)
    about = {
        "best": best,
        "by_signal": accuracies[optimum(benchmark, policy)].mean(),
        "space": field.space,
        "note": inputs.signal_note(study),
        "emulated": field.emulated,
    }
    ranked = dict(zip(field.means, ranks(list(field.means.values())), strict=True))
    frames = []
    for method, regret in field.means.items():
        middle = [
            interquartile_mean([best - field.regrets[method][:, at]], [field.counts[method]])
            for at in range(len(SHARES))
        ]
        numbers = {
            **with_interval("accuracy", best - regret),
            **with_interval("iqm_accuracy", np.stack(middle, axis=1)),
            **with_interval("regret", regret),
            **with_interval("rank", ranked[method]),
        }
        frames.append(
            pd.DataFrame(
                {
                    "benchmark": benchmark.name,
                    "share": SHARES,
                    "evaluations": field.seconds,
                    "method": method,
                    **numbers,
                    "begins": field.begins[method].astype(float),
                    "n": len(field.regrets[method]),
                    **about,
                }
            )
        )
    return pd.concat(frames)


def draw(table: pd.DataFrame) -> Figure:
    """Mean rank over tables, then test accuracy under each protocol; best methods first."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    order, protocols = _order(table), _protocols(table)
    looks = style.looks(list(table["method"].unique()))
    panels = [name for name in (_headline(table),) if name] + protocols
    columns = min(COLUMNS, len(panels))
    height = -(-len(panels) // columns)
    size = (2.4 + 4.6 * columns, height * (1.7 + 0.34 * max(len(order), 5)))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(height, columns, squeeze=False).ravel()
    for place, (ax, name) in enumerate(zip(axes, panels, strict=False)):
        rows = _end(table, name)
        draw_panel = _accuracy if name in protocols else _ranks
        draw_panel(ax, rows, order, looks)
        title = _label(rows) if name in protocols else f"Mean rank over {_tables(table)}"
        ax.set_title(f"({chr(ord('a') + place)}) {title}")
        if place % columns == 0:
            style.name_rows(ax, [looks[method] for method in order])
        else:
            ax.set_yticks(range(len(order)), [])
            ax.grid(visible=False, axis="y")
        ax.set_ylim(len(order) - 0.5, -0.5)
        style.stamp(ax, rows["emulated"].iloc[0])
    for ax in axes[len(panels) :]:
        ax.remove()
    return figure


def _ranks(ax: Axes, rows: pd.DataFrame, order: list[str], looks: dict[str, Any]) -> None:
    for row in rows.to_dict("records"):
        _bar(ax, row, "rank", order.index(row["method"]), looks[row["method"]].colour)
    ax.set_xlabel("mean rank (1 is best)")


def _accuracy(ax: Axes, rows: pd.DataFrame, order: list[str], looks: dict[str, Any]) -> None:
    """Means and interquartile means, and what a perfect search of the signal ends at."""
    for row in rows.to_dict("records"):
        place, colour = order.index(row["method"]), looks[row["method"]].colour
        _bar(ax, row, "accuracy", place, colour)
        ax.plot(row["iqm_accuracy"], place + 0.27, color="#444444", marker="D", ms=4.5, mfc="white")
    first = rows.iloc[0]
    ax.axvline(first["by_signal"], color="#222222", lw=1.2, ls="--")
    ax.axvline(first["best"], color="#999999", lw=1.2, ls=":")
    ax.set_xlabel("test accuracy (%)")


def _bar(ax: Axes, row: dict[Any, Any], name: str, place: float, colour: str) -> None:
    """A dot with its interval; hollow where the method has learned nothing yet."""
    ax.plot([row[f"{name}_low"], row[f"{name}_high"]], [place] * 2, color=colour, lw=3.4)
    hollow = row["begins"] >= 0.5
    ax.plot(row[name], place, color=colour, marker="o", ms=8, mfc="white" if hollow else colour)


def _protocols(table: pd.DataFrame) -> list[str]:
    return [name for name in table["protocol"].unique() if name not in (REAL, OVERALL)]


def _headline(table: pd.DataFrame) -> str:
    """Rows of mean ranks that are shown: over real data where some are emulated; "" if none."""
    names = set(table["protocol"])
    found = [name for name in (REAL, OVERALL) if name in names]
    return found[0] if found else ""


def _averaged(table: pd.DataFrame) -> list[str]:
    """Protocols that the mean ranks shown are over."""
    rows = table[table["averaged"] == 1]
    if _headline(table) == REAL:
        rows = rows[rows["emulated"] == ""]
    return list(rows["protocol"].unique())


def _tables(table: pd.DataFrame) -> str:
    """Number of tables that the mean ranks shown are over: "1 real table"."""
    from dagnas.papers.panels import plural

    return plural(len(_averaged(table)), "real table" if _headline(table) == REAL else "table")


def _end(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """Rows of a protocol at the end of its budget."""
    return table[(table["protocol"] == protocol) & (table["share"] == SHARES[-1])]


def _order(table: pd.DataFrame) -> list[str]:
    """Methods, those of the least mean rank first; then those without one, by protocol."""
    names = [name for name in (_headline(table), *_protocols(table)) if name]
    frames = [_end(table, name).sort_values("rank", kind="stable")["method"] for name in names]
    return list(dict.fromkeys(method for frame in frames for method in frame))


def _label(rows: pd.DataFrame) -> str:
    """Protocol in words: "NAS-Bench-101, 150 evaluations"."""
    from dagnas.drawing.style import benchmark_label

    first = rows.iloc[0]
    return f"{benchmark_label(first['benchmark'])}, {first['evaluations']:.0f} evaluations"


def caption(table: pd.DataFrame) -> str:
    """What is reported under each protocol, over how many trials, and what is emulated."""
    from dagnas.drawing import style
    from dagnas.papers.panels import (
        counted,
        emulated_sentence,
        join_sentences,
        note_sentence,
        own_sentence,
        plural,
    )

    looks = style.looks(list(table["method"].unique()))
    sentences = [
        "Test accuracy, mean over a cell's trainings, of the cell with the best signal after the "
        "evaluations of the budget: discs are means over trials with intervals of 95 % over "
        "resamples of the trials, diamonds interquartile means. Dashed: the cells with the best "
        "signal of the table, at which a perfect search of the signal ends. Dotted: the best cell "
        "of the table."
    ]
    if _headline(table):
        protocols = [_end(table, name) for name in _averaged(table)]
        each = [f"{_label(rows)} ({counted(rows['n'], 'trial')})" for rows in protocols]
        sentences.append(
            f"Mean ranks are over {_tables(table)}, each by its protocol of the most evaluations, "
            f"among the methods of all of these: {'; '.join(each)}."
        )
    for name in _protocols(table):
        rows = _end(table, name)
        label = _label(rows)
        hollow = [looks[method].label for method in rows.loc[rows["begins"] >= 0.5, "method"]]
        sentences += [
            f"{label}: {counted(rows['n'], 'trial')} of {plural(len(rows), 'method')}.",
            f"Random search to the end of that budget, which is no longer than their initial "
            f"phase (hollow): {', '.join(hollow)}."
            if hollow
            else "",
            own_sentence(rows["benchmark"]),
            note_sentence(rows, label),
            emulated_sentence(rows["emulated"], label),
        ]
    return join_sentences(*sentences)
