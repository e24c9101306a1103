"""Figure 7: how GOAL came to a good cell from a bad start on NAS-Bench-101 (appendix E).

The paper does not say how its case was chosen. Here, in every trial, the cell with the best
search signal is followed back from parent to parent. Histories that start in the trial's initial
pool, among the quarter of it with the worst signals, are candidates; if there are none, all
histories that start in the initial pool; if there are none again, all. Of the candidates those of
at least three steps, as many as the paper's case has, come first. Among these the one with the
largest gain in signal is drawn; of equals, that of the earlier trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.incumbents import incumbent
from dagnas.errors import DagnasError
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.spaces import SPACES
from dagnas.spaces.paths import prune

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.spaces.cell_space import CellSpace
    from dagnas.spaces.cells import Cells

METHOD = "goal"
RESULT = Result(
    place="Figure 7",
    title="Transition history of a cell that GOAL found on NAS-Bench-101",
    reads={"studies": ("goal_nasbench101",)},
    methods=(METHOD,),
)
WORST = 0.25
STEPS = 3
ORIGINS = (
    "the worst quarter of the initial pool",
    "the initial pool (no history starts in its worst quarter)",
    "a cell drawn later (no history starts in an initial pool)",
)
PER_ROW = 5
#: Columns that count operations.
OPERATIONS = {"C3": "conv3x3-bn-relu", "C1": "conv1x1-bn-relu", "MP": "maxpool3x3"}


def history(trial: pd.DataFrame) -> tuple[int, list[int]]:
    """Origin of the trial's best cell (position in `ORIGINS`) and the steps that led to it."""
    signal, parent = trial["signal"].to_numpy(), trial["parent"].to_numpy()
    steps = [int(incumbent(signal)[-1])]
    while parent[steps[-1]] >= 0:
        steps.append(int(parent[steps[-1]]))
    # The initial pool is what was evaluated before the first cell that has a parent.
    initial = int(np.argmax(parent >= 0)) if (parent >= 0).any() else len(parent)
    start = steps[-1]
    if start >= initial:
        return 2, steps[::-1]
    return int(signal[start] > np.quantile(signal[:initial], WORST)), steps[::-1]


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """The chosen history, one cell a row.

    Returns
    -------
    DataFrame
        Columns trial, origin, step, cell (text), vertices, edges and one column of the number of
        vertices for each operation (all of the pruned cell), signal, valid, test, seconds, n
        (trials that it was chosen from) and emulated.
    """
    import pandas as pd

    space = SPACES.get("nasbench101")
    traces = inputs.traces("goal_nasbench101")
    found = []
    for number, trial in traces[traces["method"] == METHOD].groupby("trial"):
        origin, steps = history(trial)
        gain = trial["signal"].iloc[steps[-1]] - trial["signal"].iloc[steps[0]]
        found.append((origin, len(steps) <= STEPS, -gain, number, trial.iloc[steps]))
    if not found:
        raise DagnasError(
            f"study goal_nasbench101 has no searches of {METHOD}, whose history this is"
        )
    origin, _, _, number, chosen = min(found, key=lambda item: item[:4])
    rows: list[dict[str, Any]] = []
    for _, evaluation in chosen.iterrows():
        rows.append(
            {
                "trial": number,
                "origin": ORIGINS[origin],
                "step": evaluation["step"],
                "cell": evaluation["cell"],
                **_counts(space, space.from_str([evaluation["cell"]])),
                **{key: evaluation[key] for key in ("signal", "valid", "test", "seconds")},
                "n": len(found),
                "emulated": evaluation["emulated"],
            }
        )
    return pd.DataFrame(rows)


def _counts(space: CellSpace, cell: Cells) -> dict[str, int]:
    """Vertices, edges and operations of a cell (a batch of one) that have an effect."""
    (edges,) = prune(np.triu(cell.edges != space.edge_types.index("none"), 1))
    kept = edges.any(axis=0) | edges.any(axis=1)
    kept[[0, -1]] = True
    kinds = [space.node_types[kind] for kind in cell.nodes[0, kept]]
    operations = {label: kinds.count(name) for label, name in OPERATIONS.items()}
    return {"vertices": len(kinds), "edges": int(edges.sum()), **operations}


def draw(table: pd.DataFrame) -> Figure:
    """Cells in the order of the history, each with what was added and deleted."""
    from matplotlib.figure import Figure
    from matplotlib.patches import ConnectionPatch

    from dagnas.drawing import style
    from dagnas.drawing.cells import INCHES_PER_UNIT, draw_cell

    space = SPACES.get("nasbench101")
    cells = space.from_str(list(table["cell"]))
    columns, rows = min(PER_ROW, len(table)), -(-len(table) // PER_ROW)
    figure = Figure()
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for position, ax in enumerate(panels):
        if position >= len(table):
            ax.set_axis_off()
            continue
        row = table.iloc[position]
        draw_cell(space, cells[position], ax, before=cells[position - 1] if position else None)
        ax.set_title("start" if not position else f"step {position}", loc="center")
        mark = "\n(emulated)" if "valid" in row["emulated"].split() else ""
        text = f"validation {row['valid']:.2f} %{mark}\nevaluation {row['step'] + 1}"
        ax.text(0.5, -0.02, text, transform=ax.transAxes, ha="center", va="top")
    width, height = _same_scale(list(panels[: len(table)]))
    wide, high = INCHES_PER_UNIT * width, INCHES_PER_UNIT * height
    figure.set_size_inches(columns * wide, rows * (high + 1.2) + 0.4)
    total = figure.get_figheight()
    figure.subplots_adjust(0, 0.8 / total, 1, 1 - 0.8 / total, wspace=0, hspace=1.2 / high)
    for position in range(1, len(table)):
        if position % PER_ROW:
            ends = {"axesA": panels[position - 1], "axesB": panels[position]}
            reach = 0.35 / width
            arrow = ConnectionPatch(
                (1 - reach, 0.5), (reach, 0.5), "axes fraction", arrowstyle="simple", **ends
            )
            arrow.set(facecolor="#aaaaaa", linewidth=0)
            figure.add_artist(arrow)
    style.stamp(figure, table["emulated"].iloc[0])
    return figure


def _same_scale(panels: Sequence[Axes]) -> tuple[float, float]:
    """Give all panels one window that the largest cell fits, so that boxes are equally large.

    Returns its width and height in units of the drawing.
    """
    width = max(3.6, max(np.ptp(ax.get_xlim()) for ax in panels) + 1.0)
    height = max(np.ptp(ax.get_ylim()) for ax in panels)
    for ax in panels:
        middle, top = np.mean(ax.get_xlim()), ax.get_ylim()[1]
        ax.set(xlim=(middle - width / 2, middle + width / 2), ylim=(top - height, top))
    return width, height


def caption(table: pd.DataFrame) -> str:
    """How the case was chosen and how it is drawn."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, plural

    return join_sentences(
        f"The {len(table) - 1} steps from an initial cell to the cell with the best search signal "
        f"of trial {table['trial'].iloc[0]}. Of {plural(table['n'].iloc[0], 'trial')}, this "
        f"history was chosen because it starts in {table['origin'].iloc[0]} and gains most "
        f"(histories of at least {STEPS} steps come first): signal "
        f"{table['signal'].iloc[0]:.2f} % to {table['signal'].iloc[-1]:.2f} %. I input, O output, "
        f"C3 and C1 convolutions, MP max pooling; parts without effect are left out. Added and "
        f"changed parts are green, deleted ones dashed.",
        emulated_sentence(table["emulated"]),
    )
