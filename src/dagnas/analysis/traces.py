"""Traces as data frames: read, told apart by method, and followed from best cell to best cell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from dagnas.analysis.incumbents import incumbent
from dagnas.errors import DagnasError, unknown
from dagnas.files import read_parquet
from dagnas.search.runner import COST, FEASIBLE, TRACE, trace_schema

if TYPE_CHECKING:
    import pandas as pd

#: What a search says of itself, as columns beside those of its trace.
ABOUT = (
    "method",
    "settings",
    "benchmark",
    "policy",
    "study",
    "prior",
    "budget_seconds",
    "budget_evaluations",
    "until_best",
    "draw",
    "objectives",
    "constraints",
    "table",
)


class Metric(NamedTuple):
    """A quantity by which methods are compared.

    Attributes
    ----------
    column : str
        Column of a trace.
    error : bool
        Whether the quantity is what is missing to 100 %, so that less is better.
    words : str
        Name on an axis.
    """

    column: str
    error: bool
    words: str

    def of(self, values: Any) -> Any:
        """Values of the metric from values of its column."""
        return 100 - values if self.error else values


METRICS = {
    "test-error": Metric("test", True, "test error (%)"),
    "valid-error": Metric("valid", True, "validation error (%)"),
    "test": Metric("test", False, "test result"),
    "valid": Metric("valid", False, "validation result"),
    "signal": Metric("signal", False, "search signal"),
}


def find_metric(name: str) -> Metric:
    """Metric of that name.

    Raises
    ------
    DagnasError
        There is none.
    """
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]


def usual_metric(traces: pd.DataFrame) -> str:
    """Metric that suits some traces: the test error of cells, the test result of decisions.

    Accuracies of cells are in %; rewards of decisions have no such scale.
    """
    return "test-error" if traces["code"].notna().any() else "test"


def to_frame(trace: pa.Table, metadata: Mapping[str, str]) -> pd.DataFrame:
    """Data frame of a trace.

    Parameters
    ----------
    trace : pyarrow.Table
        Columns of `dagnas.search.runner.TRACE`.
    metadata : mapping of str to str
        What the trace says of itself; `dagnas.search.runner.Search.metadata`.

    Returns
    -------
    DataFrame
        The trace's columns, then those of `ABOUT`.
    """
    said = {name: metadata.get(f"dagnas.{name}", "") for name in ABOUT}
    columns: dict[str, Any] = dict(said)
    for name in ("budget_seconds", "budget_evaluations"):
        columns[name] = _budget(name, said[name])
    if not isinstance(_told("settings", said["settings"], "{}"), dict):
        raise DagnasError(f"a trace tells {said['settings']!r:.100} as its settings")
    columns["until_best"] = said["until_best"] == "true"
    columns["draw"] = _told("draw", said["draw"], "null") or ""
    for name in ("objectives", "constraints"):
        columns[name] = _listed(name, said[name])
    frame: pd.DataFrame = trace.to_pandas()
    # Where no cell has a number, pandas would take the column for one of objects.
    return frame.astype({"code": "Int64"}).assign(**columns)


def _told(name: str, text: str, empty: str) -> Any:
    """Value that a trace tells as JSON; ``empty`` is that of no text.

    Raises
    ------
    DagnasError
        It is no JSON.
    """
    try:
        return json.loads(text or empty)
    except (ValueError, RecursionError) as error:
        raise DagnasError(f"a trace tells {text!r:.100} as its {name}, which is no JSON") from error


def _listed(name: str, text: str) -> str:
    """Texts that a trace tells, with commas between them.

    Raises
    ------
    DagnasError
        It is no list of texts.
    """
    texts = _told(name, text, "[]")
    if not isinstance(texts, list) or not all(isinstance(part, str) for part in texts):
        raise DagnasError(f"a trace tells {text!r:.100} as its {name}, which is no list of texts")
    return ", ".join(texts)


def _budget(name: str, text: str) -> float:
    """Budget that a trace tells; NaN for none.

    Raises
    ------
    DagnasError
        It is no number.
    """
    budget = _told(name, text, "null")
    if budget is None:
        return np.nan
    if not isinstance(budget, int | float) or isinstance(budget, bool) or abs(budget) > 1e300:
        raise DagnasError(f"a trace tells {text!r:.100} as its {name}, which is no number")
    return float(budget)


def read(paths: str | PathLike[str] | Iterable[str | PathLike[str]]) -> pd.DataFrame:
    """Read traces that ``dagnas search`` wrote.

    Parameters
    ----------
    paths : path or iterable of paths

    Returns
    -------
    DataFrame
        One row an evaluation, with the columns of the traces and those that tell of what search
        it is, such as ``method``, ``settings`` (JSON) and ``benchmark`` (docs/traces.md).

    Raises
    ------
    DagnasError
        A file is missing, damaged, or no trace, or there are none.
    """
    import pandas as pd

    listed = [paths] if isinstance(paths, str | PathLike) else list(paths)
    frames = [_read(Path(path)) for path in listed]
    if not frames:
        raise DagnasError("no traces to read: give the path of one")
    return pd.concat(frames, ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    trace = read_trace(path)
    for field in trace_schema(trace.column_names):
        found = trace.schema.field(field.name).type
        if found == pa.large_string() and field.type == pa.string():
            # That is how pandas writes texts.
            place = trace.column_names.index(field.name)
            trace = trace.set_column(place, field, trace[field.name].cast(field.type))
        elif found != field.type:
            raise DagnasError(
                f"{path} is no trace: its column {field.name} is of type {found}, not {field.type}"
            )
    try:
        return to_frame(trace, metadata(trace, path))
    except DagnasError as error:
        raise DagnasError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def read_trace(path: Path) -> pa.Table:
    """Columns of a trace, with those of costs and of their limits if it has some.

    Raises
    ------
    DagnasError
        There is no such file, or it is no trace.
    """
    return read_parquet(
        path, TRACE.names, also=lambda name: name.startswith(COST) or name == FEASIBLE
    )


def metadata(trace: pa.Table, path: Path) -> dict[str, str]:
    """What a trace says of itself.

    Raises
    ------
    DagnasError
        It does not say which method made it on which benchmark.
    """
    stored = (trace.schema.metadata or {}).items()
    said = {k.decode(errors="replace"): v.decode(errors="replace") for k, v in stored}
    for key in ("dagnas.method", "dagnas.benchmark"):
        if not said.get(key):
            raise DagnasError(f"{path} is no trace of `dagnas search`: it does not tell {key}")
    return said


def incumbents(traces: pd.DataFrame, metric: str | None = None) -> pd.DataFrame:
    """What each trial would report after each of its evaluations.

    That is the cell with the best signal so far, of the longest training where trainings have
    different lengths. Evaluations without a signal (NaN) and those beyond a limit on a cost are
    left out.

    Parameters
    ----------
    traces : DataFrame
        As `read` and `dagnas.run` give them.
    metric : {"test-error", "valid-error", "test", "valid", "signal"}, optional
        What is reported of the cell; by default the test error (%) of cells, and the test result
        of decisions.

    Returns
    -------
    DataFrame
        Columns benchmark, method, trial, evaluations (ended, this one included), seconds, cell
        and value (of the metric).

    Raises
    ------
    DagnasError
        The metric is unknown.
    """
    import pandas as pd

    chosen = find_metric(metric or usual_metric(traces))
    frames = []
    keys = ["benchmark", "method", "trial"]
    for (benchmark, method, trial), steps in traces.groupby(keys, sort=False):
        known = reportable(steps)
        if known.empty:
            continue
        best = known.iloc[incumbent(known["signal"].to_numpy(), known["epochs"].to_numpy())]
        report = {
            "benchmark": benchmark,
            "method": method,
            "trial": trial,
            "evaluations": known["step"].to_numpy() + 1,
            "seconds": known["seconds"].to_numpy(),
            "cell": best["cell"].to_numpy(),
            "value": chosen.of(best[chosen.column].to_numpy()),
        }
        frames.append(pd.DataFrame(report))
    columns = [*keys, "evaluations", "seconds", "cell", "value"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def regret(
    traces: pd.DataFrame, best: float | None = None, metric: str | None = None
) -> pd.DataFrame:
    """How far what each trial would report is from the best, after each of its evaluations.

    Parameters
    ----------
    traces : DataFrame
        As `read` and `dagnas.run` give them.
    best : float, optional
        Best value of the metric; by default the best of any evaluation in ``traces`` of the same
        benchmark.
    metric : str, optional
        As of `incumbents`.

    Returns
    -------
    DataFrame
        As `incumbents` gives it, with a column regret, 0 for the best.
    """
    name = metric or usual_metric(traces)
    chosen, table = find_metric(name), incumbents(traces, name)
    reached: Any = best
    if best is None:
        values = chosen.of(traces[chosen.column]).groupby(traces["benchmark"])
        reached = table["benchmark"].map(values.min() if chosen.error else values.max())
    missing = table["value"] - reached if chosen.error else reached - table["value"]
    return table.assign(regret=missing)


def reportable(steps: pd.DataFrame) -> pd.DataFrame:
    """Evaluations that gave a signal and kept to the limits on costs, where there are some."""
    known = steps[steps["signal"].notna()]
    if FEASIBLE not in steps:
        return known
    # Of traces read together, those without limits have no value there.
    return known[known[FEASIBLE].fillna(True).astype(bool)]


def last_reports(traces: pd.DataFrame) -> pd.DataFrame:
    """What each trial did and would report at its end.

    Parameters
    ----------
    traces : DataFrame
        Columns of a trace, of one search.

    Returns
    -------
    DataFrame
        Columns trial, evaluations, total (seconds), and signal, valid, test and cell of what it
        would report; missing where no evaluation gave a signal.
    """
    import pandas as pd

    rows = []
    for trial, steps in traces.groupby("trial"):
        row: dict[str, Any] = {
            "trial": trial,
            # Not the number of rows: some traces keep improvements only.
            "evaluations": int(steps["step"].iloc[-1]) + 1,
            "total": float(steps["seconds"].iloc[-1]),
        }
        known = reportable(steps)
        if len(known):
            best = known.iloc[incumbent(known["signal"].to_numpy(), known["epochs"].to_numpy())[-1]]
            row |= {name: best[name] for name in ("signal", "valid", "test", "cell")}
        rows.append(row)
    columns = ["trial", "evaluations", "total", "signal", "valid", "test", "cell"]
    return pd.DataFrame(rows, columns=columns)
