"""Table 3's column of GPU days: time that the open-domain searches took here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.bonas.fig8 import STUDY
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Table 3, GPU days",
    title="Time of searches by trainings that end early",
    reads={"studies": (STUDY,)},
    walls=True,
)
#: The paper's search.
SAMPLES, GPU_DAYS = 186, 120


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Hours of each method.

    Returns
    -------
    DataFrame
        Columns method, benchmark, samples, hours (of one process, as measured; those of an
        interrupted trial count from its last start), minutes (an evaluation's, in the mean) and
        emulated. The last row, method "paper", has the paper's GPU hours.
    """
    import pandas as pd

    traces = inputs.traces(STUDY)
    benchmark = inputs.config.section("studies")[STUDY].benchmark
    walls = inputs.walls(STUDY)
    rows = [
        {
            "method": method,
            "benchmark": benchmark,
            "samples": int((traces["method"] == method).sum()),
            "hours": own["seconds"].sum() / 3600,
        }
        for method, own in walls.groupby("method", sort=False)
    ]
    rows.append(
        {"method": "paper", "benchmark": "", "samples": SAMPLES, "hours": float(24 * GPU_DAYS)}
    )
    table = pd.DataFrame(rows)
    return table.assign(minutes=60 * table["hours"] / table["samples"], emulated="")


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
    ax.set(xscale="log", xlabel="minutes an evaluation", ylim=(len(table) - 0.4, -0.6))
    ax.set_xlim(table["minutes"].min() / 3, 300 * table["minutes"].max())
    style.name_rows(ax, list(shown.values()))
    return figure


def caption(table: pd.DataFrame) -> str:
    """What was measured."""
    from dagnas.drawing.style import benchmark_label

    own = table[table["method"] != "paper"]
    return (
        "Time of one search of each method on "
        f"{benchmark_label(own['benchmark'].iloc[0])}, trainings included, in one process, as "
        f"measured; the paper's: {SAMPLES} samples in {GPU_DAYS} GPU days. Trainings that another "
        "search did before are not repeated, and an interrupted search counts from its last start."
    )
