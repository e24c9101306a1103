"""Table 3's column of GPU days: time that the trainings of the open-domain searches took here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.errors import DagnasError
from dagnas.papers.bonas.fig8 import STUDY
from dagnas.papers.inputs import Inputs, any_benchmark
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Table 3, GPU days",
    title="Time of searches by trainings that end early",
    reads={"studies": (STUDY,)},
    benchmarks=("{benchmark}",),
    # Seconds of trainings differ from run to run as those of trials do.
    walls=True,
)
#: The paper's search.
SAMPLES, GPU_DAYS = 186, 120


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Hours of the trainings of each method, as the benchmark's cache has them.

    A training counts whole for each method that asked for it, whichever search did it, and once
    where a method asked for isomorphic cells. How often a search was interrupted changes nothing.

    Returns
    -------
    DataFrame
        Columns method, benchmark, samples, trainings, hours (of all of these trainings, in seconds
        as of `dagnas.benchmarks.timed`), minutes (a training's, in the mean) and emulated. The last
        row, method "paper", has the paper's GPU hours.

    Raises
    ------
    DagnasError
        The cache lacks the seconds of a training.
    """
    import pandas as pd

    # PyTorch is imported where a benchmark is opened.
    from dagnas.benchmarks.timed import TimedCells

    traces = inputs.traces(STUDY)
    name = inputs.config.section("studies")[STUDY].benchmark
    benchmark = any_benchmark(inputs, name)
    if not isinstance(benchmark, TimedCells):
        raise DagnasError(f"{name} does not note how long trainings take")
    rows = []
    for method, own in traces.groupby("method", sort=False):
        cells = benchmark.space.from_str(own["cell"].tolist())
        seconds = benchmark.seconds(cells)
        row = {"method": method, "benchmark": name, "samples": len(own)}
        rows.append(row | {"trainings": len(seconds), "hours": sum(seconds.values()) / 3600})
    theirs = {"method": "paper", "benchmark": "", "samples": SAMPLES, "trainings": SAMPLES}
    table = pd.DataFrame([*rows, theirs | {"hours": float(24 * GPU_DAYS)}])
    return table.assign(minutes=60 * table["hours"] / table["trainings"], emulated="")


def draw(table: pd.DataFrame) -> Figure:
    """A bar a method, on a logarithmic axis."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    known = style.METHODS | {"paper": style.Look("the paper (GPU)", "#555555")}
    shown = style.looks(list(table["method"]), known)
    figure = Figure(figsize=(8, 1.2 + 0.55 * len(table)), layout="constrained")
    ax = figure.subplots()
    for place, (_, row) in enumerate(table.iterrows()):
        ax.barh(place, row["minutes"], color=shown[str(row["method"])].colour, height=0.6)
        time = (
            f"{row['hours']:,.1f} hours"
            if row["hours"] >= 1
            else f"{60 * row['hours']:.1f} minutes"
        )
        ax.annotate(f"{row['samples']} samples, {time}", (row["minutes"], place), (6, 0),
                    textcoords="offset points", va="center")  # fmt: skip
    ax.set(xscale="log", xlabel="minutes a training", ylim=(len(table) - 0.4, -0.6))
    ax.set_xlim(table["minutes"].min() / 3, 300 * table["minutes"].max())
    style.name_rows(ax, list(shown.values()))
    return figure


def caption(table: pd.DataFrame) -> str:
    """What was measured."""
    from dagnas.drawing.style import benchmark_label

    own = table[table["method"] != "paper"]
    return (
        "Time of the trainings of one search of each method on "
        f"{benchmark_label(own['benchmark'].iloc[0])}; the paper's: {SAMPLES} samples in "
        f"{GPU_DAYS} GPU days. CPU seconds of the process that trained, or wall-clock seconds on a "
        "GPU, as they were noted with each training, so that neither interruptions of a search nor "
        "what another search trained before it change them; of a training that was itself "
        "interrupted, those after it resumed. What the methods compute themselves is not counted."
    )
