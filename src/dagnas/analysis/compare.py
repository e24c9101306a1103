"""A comparison of methods from their traces: curves with intervals, and a table with tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis import paired
from dagnas.analysis.incumbents import time_grid
from dagnas.analysis.traces import ABOUT, Metric, find_metric, incumbents, read, usual_metric
from dagnas.errors import DagnasError, unknown
from dagnas.files import atomic_path, write_text
from dagnas.search import METHODS
from dagnas.search.runner import TRACE
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dagnas.drawing.style import Look

By = Literal["seconds", "evaluations"]
CLOCKS: tuple[By, ...] = ("seconds", "evaluations")
#: Formats of `MethodComparison.save`.
KINDS = ("png", "svg", "csv")
#: Points of a curve.
POINTS = 60
#: What tells two searches by the same method apart.
_IDENTITY = tuple(name for name in ABOUT if name not in ("benchmark", "policy", "table"))


class Run(NamedTuple):
    """All trials of one search.

    Attributes
    ----------
    name : str
        The user's label, else the method's name and what tells it from others of that method.
    method : str
    labelled : bool
        Whether the user gave the name.
    traces : DataFrame
    """

    name: str
    method: str
    labelled: bool
    traces: pd.DataFrame


@dataclass(frozen=True, eq=False)
class MethodComparison:
    """Methods compared on one benchmark: what `compare` gives.

    Attributes
    ----------
    table : DataFrame
        A row a method, at the end of the comparison: method, trials, evaluations and seconds
        (means of what the trials had spent), mean, low and high (95 % bootstrap interval of the
        mean), and against the reference difference (Hodges and Lehmann's, of the metric, method
        less reference), worse (fraction of pairs of trials in which the method is the worse one,
        ties counted as half), test ("signed-rank" where trials are paired, else "rank-sum"), p
        and p_holm (corrected for the number of methods); emulated.
    curves : DataFrame
        Columns benchmark, policy, metric, by, method, at, mean, low, high, n (trials that report
        something by then) and emulated: what `draw` draws.
    looks : dict of str to Look
        Label, colour and line of every method.
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    looks: dict[str, Look]

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False))

    @property
    def title(self) -> str:
        """What is compared, where, and when."""
        row = self.curves.iloc[-1]
        when = f"{row['at']:,.6g} {'simulated seconds' if row['by'] == 'seconds' else row['by']}"
        return (
            f"{find_metric(row['metric']).words} after {when} on {row['benchmark']}, "
            f"policy {row['policy']}"
        )

    def text(self) -> str:
        """Title and table, for a terminal."""
        shown = self.table.drop(columns="emulated").rename(columns={"p_holm": "p (Holm)"})
        numbers = dict.fromkeys(("mean", "low", "high", "difference"), "{:.4g}".format)
        numbers |= dict.fromkeys(("p", "p (Holm)"), "{:.2g}".format)
        numbers |= {"worse": "{:.0%}".format}
        numbers |= dict.fromkeys(("evaluations", "seconds"), "{:,.6g}".format)
        lines = [self.title, shown.to_string(index=False, na_rep="", formatters=numbers)]
        if marks := sorted(set(" ".join(self.table["emulated"]).split())):
            lines.append(f"EMULATED, not from training runs: {', '.join(marks)}")
        return "\n".join(lines)

    def draw(self) -> Figure:
        """Curves of the means, with bands of their 95 % intervals."""
        from matplotlib.figure import Figure

        from dagnas.drawing import style

        first = self.curves.iloc[0]
        with style.context():
            figure = Figure(figsize=(8, 5), layout="constrained")
            ax = figure.subplots()
            ends = []
            for method, curve in self.curves.groupby("method", sort=False):
                look = self.looks[str(method)]
                line = {"color": look.colour, "lw": look.width, "ls": look.dashes}
                # A report holds until a better one comes.
                ax.step(curve["at"], curve["mean"], where="post", **line, zorder=3 + look.width)
                band: dict[str, Any] = {"color": look.colour, "alpha": 0.15, "lw": 0}
                ax.fill_between(curve["at"], curve["low"], curve["high"], step="post", **band)
                ends.append((curve["mean"].iloc[-1], look))
            ax.set(
                title=style.benchmark_label(first["benchmark"]),
                xlabel="simulated seconds" if first["by"] == "seconds" else first["by"],
                ylabel=find_metric(first["metric"]).words,
                xlim=(0, self.curves["at"].max()),
                ylim=_limits(self.curves),
            )
            style.label_ends(ax, ends)
            style.stamp(ax, " ".join(sorted(set(" ".join(self.curves["emulated"]).split()))))
        return figure

    def save(self, path: str | PathLike[str]) -> None:
        """Write the picture (.png, .svg), or the numbers that it shows (.csv).

        Raises
        ------
        DagnasError
            The name ends otherwise, or the file cannot be written.
        """
        from dagnas.drawing import style

        path = Path(path)
        kind = check_kind(path)
        if kind == "csv":
            write_text(self.curves.to_csv(index=False), path)
            return
        figure = self.draw()
        with style.context(), atomic_path(path) as temporary:
            style.save(figure, temporary, kind)


def check_kind(path: Path) -> str:
    """Format that the name of a file asks for.

    Raises
    ------
    DagnasError
        It is none of `KINDS`.
    """
    kind = path.suffix.removeprefix(".")
    if kind not in KINDS:
        valid = ", ".join(f".{known}" for known in KINDS)
        raise DagnasError(f"{path}: expected a name that ends in one of {valid}")
    return kind


def compare(
    *traces: str | PathLike[str] | pd.DataFrame,
    by: By | None = None,
    metric: str | None = None,
    labels: Sequence[str] | None = None,
    reference: str | None = None,
) -> MethodComparison:
    """Compare searches on one benchmark by what their trials report.

    All are compared up to the shortest budget. Trials of one search may be spread over several
    traces.

    Parameters
    ----------
    *traces : path or DataFrame
        Traces that ``dagnas search`` wrote, or what `dagnas.run` and `dagnas.read` give.
    by : {"seconds", "evaluations"}, optional
        What is spent: by default simulated seconds if all searches have a budget in them, else
        evaluations.
    metric : {"test-error", "valid-error", "test", "valid", "signal"}, optional
        What is reported; by default the test error (%) of cells, and the test result of decisions.
    labels : sequence of str, optional
        Names of the searches, one for each of ``traces``; by default the methods' names.
    reference : str, optional
        Name of the search that all others are tested against; by default the first one.

    Returns
    -------
    MethodComparison

    Raises
    ------
    DagnasError
        A trace cannot be read, traces are of several benchmarks, policies or versions of a table,
        a trial stands in several of them, or a name is unknown.
    """
    runs = _runs(traces, labels)
    every = [run.traces for run in runs]
    for column, kind in (
        ("benchmark", "benchmarks"),
        ("policy", "policies"),
        ("table", "versions of a table"),
    ):
        found = sorted({str(value) for trace in every for value in trace[column].unique()})
        if len(found) > 1:
            raise DagnasError(
                f"these traces are of several {kind}, {', '.join(found)}: compare those of one"
            )
    names = [run.name for run in runs]
    reference = names[0] if reference is None else reference
    if reference not in names:
        raise unknown("reference", reference, names)
    metric = metric or usual_metric(every[0])
    chosen = find_metric(metric)
    if by is None:
        in_seconds = all(trace["budget_seconds"].notna().all() for trace in every)
        by = "seconds" if in_seconds else "evaluations"
    elif by not in CLOCKS:
        raise unknown("clock", by, CLOCKS)
    grid = _grid(runs, by)
    reports = {run.name: _reports(run, grid, by, metric) for run in runs}
    about = every[0].iloc[0]
    curves = _curves(runs, reports, grid, by, chosen).assign(
        benchmark=about["benchmark"], policy=about["policy"], metric=metric, by=by
    )
    ordered = ["benchmark", "policy", "metric", "by", "method", "at", "mean", "low", "high", "n"]
    table = _table(runs, reports, curves, reference, chosen.error)
    return MethodComparison(table, curves[[*ordered, "emulated"]], _looks(runs))


# Searches.


def _runs(
    sources: Sequence[str | PathLike[str] | pd.DataFrame], labels: Sequence[str] | None
) -> list[Run]:
    """Searches of some traces, in their order."""
    import pandas as pd

    if not sources:
        raise DagnasError("no traces to compare")
    frames = [_frame(source) for source in sources]
    if labels is None:
        runs = _told_apart(pd.concat(frames, ignore_index=True))
    elif len(labels) == len(frames):
        runs = _labelled(frames, labels)
    else:
        raise DagnasError(f"{len(labels)} labels for {len(frames)} traces: give one for each trace")
    for run in runs:
        again = run.traces[run.traces.duplicated(["trial", "step"])]
        if len(again):
            trial = again["trial"].iloc[0]
            raise DagnasError(f"trial {trial} of {run.name} stands in the traces more than once")
    return runs


def _frame(source: str | PathLike[str] | pd.DataFrame) -> pd.DataFrame:
    if isinstance(source, str | PathLike):
        frame, name = read(source), str(source)
    else:
        frame, name = source, "the data frame"
    if missing := [column for column in (*TRACE.names, *ABOUT) if column not in frame]:
        raise DagnasError(f"{name} lacks the columns {', '.join(missing)}")
    if frame.empty:
        raise DagnasError(f"{name} has no evaluations")
    return frame


def _labelled(frames: list[pd.DataFrame], labels: Sequence[str]) -> list[Run]:
    """Traces by label; those of equal labels are one search."""
    import pandas as pd

    runs = []
    for label in dict.fromkeys(labels):
        mine = [frame for frame, name in zip(frames, labels, strict=True) if name == label]
        traces = pd.concat(mine, ignore_index=True)
        methods = list(traces["method"].unique())
        if len(methods) > 1:
            raise DagnasError(f"the label {label!r} names several methods: {', '.join(methods)}")
        runs.append(Run(label, methods[0], True, traces))
    return runs


def _told_apart(traces: pd.DataFrame) -> list[Run]:
    """Searches by what they are, named by their method and by what differs between them."""
    groups = list(traces.groupby(list(_IDENTITY), sort=False, dropna=False))
    abouts = [dict(zip(_IDENTITY, key, strict=True)) for key, _ in groups]
    return [
        Run(_name(about, abouts), str(about["method"]), False, group)
        for about, (_, group) in zip(abouts, groups, strict=True)
    ]


def _name(about: dict[str, Any], abouts: list[dict[str, Any]]) -> str:
    """Method's name, with what tells a search from others by the same method."""
    same = [_details(other) for other in abouts if other["method"] == about["method"]]
    mine = _details(about)
    differing = [
        f"{key}={value}"
        for key, value in mine.items()
        if any(other.get(key) != value for other in same)
    ]
    return f"{about['method']} ({', '.join(differing)})" if differing else str(about["method"])


def _details(about: dict[str, Any]) -> dict[str, str]:
    """What a search is, as texts by name, its settings one by one."""
    details = json.loads(about["settings"] or "{}")
    details |= {name: about[name] for name in _IDENTITY if name not in ("method", "settings")}
    return {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in details.items()
    }


# Numbers.


def _clock(traces: pd.DataFrame, by: By) -> pd.Series:
    """What was spent when each evaluation ended."""
    return traces["seconds"] if by == "seconds" else traces["step"] + 1


def _grid(runs: Sequence[Run], by: By) -> NDArray[np.float64]:
    """Points of the clock from the first step to the end of the shortest budget."""
    limits, last = [], max(float(_clock(run.traces, by).max()) for run in runs)
    for run in runs:
        budget = float(run.traces[f"budget_{by}"].max())
        if np.isnan(budget):
            # A search that ended with the best cell goes on reporting it.
            ended = bool(run.traces["until_best"].all())
            budget = np.inf if ended else float(_clock(run.traces, by).max())
        limits.append(budget)
    end = min(limits)
    if end == np.inf or all(run.traces["until_best"].all() for run in runs):
        end = min(end, last)
    if by == "seconds":
        return np.union1d(time_grid(end, POINTS), [end])
    return np.unique(np.linspace(1, end, min(POINTS, int(end))).round())


def _reports(
    run: Run, grid: NDArray[np.float64], by: By, metric: str
) -> dict[int, NDArray[np.float64]]:
    """What each trial reports at each point, NaN before its first evaluation has ended."""
    best = incumbents(run.traces, metric)
    if best.empty:
        raise DagnasError(f"no evaluation of {run.name} has a signal and is within its limits")
    found = {}
    for trial in sorted(run.traces["trial"].unique().tolist()):
        steps = best[best["trial"] == trial]
        ended = np.searchsorted(steps[by].to_numpy(), grid, side="right")
        # Place -1 is that of no report: nothing has ended yet, or all evaluations failed.
        values = np.append(steps["value"].to_numpy(dtype=float), np.nan)
        found[trial] = values[ended - 1]
    return found


def _curves(
    runs: Sequence[Run],
    reports: dict[str, dict[int, NDArray[np.float64]]],
    grid: NDArray[np.float64],
    by: By,
    metric: Metric,
) -> pd.DataFrame:
    """Mean over trials and its interval at each point at which some trial reports something."""
    import pandas as pd

    rows = []
    for run in runs:
        marks = set(" ".join(run.traces["emulated"].unique()).split())
        relevant = marks & {"signal", metric.column, *(["seconds"] if by == "seconds" else [])}
        before = np.empty(0)
        for at, column in zip(grid, np.array(list(reports[run.name].values())).T, strict=True):
            values = column[~np.isnan(column)]
            if not len(values):
                continue
            # Most reports hold for a while; drawing samples again would only cost time.
            if not np.array_equal(values, before):
                low, high = paired.interval(values, stream("compare", run.name, str(at)))
                before = values
            rows.append(
                {
                    "method": run.name,
                    "at": at,
                    "mean": values.mean(),
                    "low": low,
                    "high": high,
                    "n": len(values),
                    "emulated": " ".join(sorted(relevant)),
                }
            )
    return pd.DataFrame(rows)


def _table(
    runs: Sequence[Run],
    reports: dict[str, dict[int, NDArray[np.float64]]],
    curves: pd.DataFrame,
    reference: str,
    less_is_better: bool,
) -> pd.DataFrame:
    """Means at the end, and tests against the reference."""
    import pandas as pd

    last = curves.groupby("method", sort=False).last()
    losses = _losses(reports, less_is_better)
    rows = []
    for run in runs:
        spent = run.traces.groupby("trial")[["step", "seconds"]].last()
        row = {
            "method": run.name,
            "trials": len(spent),
            "evaluations": spent["step"].mean() + 1,
            "seconds": spent["seconds"].mean(),
            **{name: last.loc[run.name, name] for name in ("mean", "low", "high")},
        }
        if run.name != reference:
            row |= _tests(losses[run.name], losses[reference], less_is_better)
        rows.append({**row, "emulated": last.loc[run.name, "emulated"]})
    columns = ["method", "trials", "evaluations", "seconds", "mean", "low", "high"]
    columns += ["difference", "worse", "test", "p"]
    table = pd.DataFrame(rows).reindex(columns=[*columns, "emulated"])
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = paired.holm(table.loc[tested, "p"].to_numpy(dtype=float))
    return table.reindex(columns=[*columns, "p_holm", "emulated"])


def _losses(
    reports: dict[str, dict[int, NDArray[np.float64]]], less_is_better: bool
) -> dict[str, dict[int, float]]:
    """What each trial reports at the end, as a number of which less is better.

    A trial that reports nothing has an error of 100 %, or the worst result of any trial.
    """
    sign = 1 if less_is_better else -1
    ends = {
        name: {trial: sign * values[-1] for trial, values in trials.items()}
        for name, trials in reports.items()
    }
    worst = 100.0 if less_is_better else np.nanmax([v for t in ends.values() for v in t.values()])
    return {
        name: {trial: worst if np.isnan(end) else end for trial, end in trials.items()}
        for name, trials in ends.items()
    }


def _tests(
    method: dict[int, float], reference: dict[int, float], less_is_better: bool
) -> dict[str, Any]:
    """How a method compares with the reference; trials of equal numbers are pairs."""
    pairs = method.keys() == reference.keys()
    mine, other = (
        np.array([ends[trial] for trial in sorted(ends)]) for ends in (method, reference)
    )
    found = paired.compare(mine, other, paired=pairs)
    return {
        "difference": found.difference if less_is_better else -found.difference,
        "worse": found.lost,
        "test": "signed-rank" if pairs else "rank-sum",
        "p": found.wilcoxon if pairs else found.mann_whitney,
    }


# Looks.


def _looks(runs: Sequence[Run]) -> dict[str, Look]:
    """Look of every search; the first of a method has the method's own colour.

    Raises
    ------
    DagnasError
        A method declares a colour that matplotlib does not know.
    """
    from dagnas.drawing import style

    known: dict[str, Look] = {}
    labels: dict[str, str] = {}
    taken = set()
    for run in runs:
        look = _declared(run.method)
        if not run.labelled:
            labels[run.name] = look.label + run.name.removeprefix(run.method)
        if look.colour and run.method not in taken:
            known[run.name] = look
            taken.add(run.method)
    looks = style.looks([run.name for run in runs], known)
    return {name: look._replace(label=labels.get(name, name)) for name, look in looks.items()}


def _declared(method: str) -> Look:
    """Look of a method: this project's, or what a plug-in declares; no colour if none is."""
    from matplotlib.colors import is_color_like

    from dagnas.drawing import style

    if method in style.METHODS:
        return style.METHODS[method]
    if method not in METHODS.names():
        return style.Look(method, "")
    entry = METHODS.get(method)
    if entry.colour and not is_color_like(entry.colour):
        raise DagnasError(f"method {method!r} declares {entry.colour!r}, which is no colour")
    return style.Look(entry.label or method, entry.colour)


def _limits(curves: pd.DataFrame) -> tuple[float, float]:
    """Limits of an axis that holds all that comes after the first tenth of the budget."""
    settled = curves[curves["at"] >= 0.1 * curves["at"].max()]
    low = settled["low"].fillna(settled["mean"]).min()
    high = settled["high"].fillna(settled["mean"]).max()
    margin = 0.06 * (high - low) or 1.0
    return float(low - margin), float(high + margin)
