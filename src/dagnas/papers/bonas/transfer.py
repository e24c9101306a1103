"""Search space transfer: from cells of six vertices to those of seven (section 4.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.analysis import survival
from dagnas.papers.bonas.table2 import (
    REFERENCE,
    caps,
    compared_sentence,
    on_benchmark,
    study_waits,
    waiting_caption,
    waiting_figure,
    with_paper,
)
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STUDIES = {
    "pretrained": "bonas_transfer_nasbench101",
    "from_scratch": "bonas_transfer_without_nasbench101",
}
RESULT = Result(
    place="Section 4.4.2",
    title="Samples until the best cell of seven vertices is found",
    studies=tuple(STUDIES.values()),
    benchmarks=("nasbench101_seven",),
)
#: The paper's means over 50 trials.
PAPER = {"nasbench101_seven": {"pretrained": 511.9, "from_scratch": 1386.4}}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """What BONAS took with and without training on the smaller cells.

    Returns
    -------
    DataFrame
        Columns of table 2, method being "pretrained", to which is compared, or "from_scratch", and
        prior_cells (classes of six vertices).
    """
    from dagnas.spaces.nasbench101 import NASBench101Space

    limits = {name: caps(inputs, study)[REFERENCE] for name, study in STUDIES.items()}
    table = survival.table(_waits(inputs), limits, "pretrained")
    table = on_benchmark(inputs, STUDIES["pretrained"], table)
    table.insert(2, "prior_cells", len(NASBench101Space(6).enumerate()))
    return with_paper(table, PAPER, "pretrained")


def _waits(inputs: Inputs) -> dict[str, survival.Waits]:
    return {name: study_waits(inputs, study)[REFERENCE] for name, study in STUDIES.items()}


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """Panels of table 2."""
    from dagnas.drawing.style import METHODS, Look

    known = {
        "pretrained": METHODS["bonas"]._replace(label="pretrained on\nsix vertices"),
        "from_scratch": Look("from scratch", "#0072B2"),
    }
    return waiting_figure(table, {"nasbench101_seven": _waits(inputs)}, known)


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """Table 2's caption for the two ways."""
    from dagnas.papers.panels import number

    first = table.iloc[0]
    return " ".join(
        [
            f"BONAS on the {number(first['cells'])} classes of seven vertices, with a network that "
            f"is first trained on the {number(first['prior_cells'])} classes of six, and without.",
            waiting_caption(table),
            compared_sentence("the former", "benchmarks"),
        ]
    )
