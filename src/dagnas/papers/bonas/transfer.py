"""Search space transfer: from cells of six vertices to those of seven (section 4.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.analysis import survival
from dagnas.papers.bonas.table2 import (
    REFERENCE,
    caps,
    compared_sentence,
    in_parts,
    on_benchmark,
    study_times,
    summary_rows,
    times_caption,
    times_figure,
    times_table,
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
    reads={"studies": tuple(STUDIES.values())},
    benchmarks=("nasbench101_seven",),
)
#: The paper's means over 50 trials.
PAPER = {"nasbench101_seven": {"pretrained": 511.9, "from_scratch": 1386.4}}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Samples that BONAS took with and without training on the smaller cells.

    Returns
    -------
    DataFrame
        Columns of table 2, method being "pretrained", the reference, or "from_scratch"; for
        "summary" also prior_cells (classes of six vertices).
    """
    from dagnas.spaces.nasbench101 import NASBench101Space

    study = STUDIES["pretrained"]
    limits = {name: caps(inputs, study)[REFERENCE] for name, study in STUDIES.items()}
    times = {name: study_times(inputs, study)[REFERENCE] for name, study in STUDIES.items()}
    summary = on_benchmark(inputs, study, survival.table(times, limits, "pretrained"))
    summary.insert(2, "prior_cells", len(NASBench101Space(6).enumerate()))
    return in_parts(with_paper(summary, PAPER, "pretrained"), [times_table(inputs, study, times)])


def draw(table: pd.DataFrame) -> Figure:
    """Panels of table 2."""
    from dagnas.drawing.style import METHODS, Look

    known = {
        "pretrained": METHODS["bonas"]._replace(label="pretrained on\nsix vertices"),
        "from_scratch": Look("from scratch", "#0072B2"),
    }
    return times_figure(table, known)


def caption(table: pd.DataFrame) -> str:
    """Table 2's caption for the two ways."""
    from dagnas.papers.panels import join_sentences, number

    summary = summary_rows(table)
    first = summary.iloc[0]
    return join_sentences(
        f"BONAS on the {number(first['cells'])} classes of seven vertices, with a network that "
        f"is first trained on the {number(first['prior_cells'])} classes of six, and without.",
        times_caption(summary),
        compared_sentence("the former", "benchmarks"),
    )
