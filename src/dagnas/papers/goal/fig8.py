"""Figure 8: the cells that GOAL finds in the DARTS space (appendix F)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagnas.analysis.incumbents import incumbent
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.spaces import SPACES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STUDY = "goal_table2"
METHOD = "goal"
RESULT = Result(
    place="Figure 8",
    title="Normal and reduction cell found by GOAL on the DARTS space",
    reads={"studies": (STUDY,)},
    methods=(METHOD,),
)
#: Network that parameters are counted of, as in table 2 of the DARTS paper.
CHANNELS, LAYERS = 36, 20


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Cell with the best signal of the first trial.

    Returns
    -------
    DataFrame
        One row: columns method, trial, step, evaluations, cell (official text), signal (%), random
        (best signal of the cells that were drawn at random), params (of the network of 36 channels
        and 20 cells) and emulated.
    """
    import pandas as pd

    from dagnas.spaces.genotype_space import GenotypeSpace

    traces = inputs.traces(STUDY)
    trial = traces[(traces["method"] == METHOD) & (traces["trial"] == 0)]
    step = int(incumbent(trial["signal"].to_numpy())[-1])
    chosen = trial.iloc[step]
    space = SPACES.get("darts")
    assert isinstance(space, GenotypeSpace)
    size = space.size(space.from_str([chosen["cell"]]))
    first = trial[trial["parent"] < 0]
    row: dict[str, Any] = {
        "method": METHOD,
        "trial": 0,
        "step": step,
        "evaluations": len(trial),
        "cell": chosen["cell"],
        "signal": chosen["signal"],
        "random": first["signal"].max(),
        "params": int(size.params[0]),
        "emulated": chosen["emulated"],
    }
    return pd.DataFrame([row])


def draw(table: pd.DataFrame) -> Figure:
    """Both cells."""
    from dagnas.drawing.cells import draw_cell

    space = SPACES.get("darts")
    figure = draw_cell(space, space.from_str([table["cell"].iloc[0]])).get_figure(root=True)
    assert figure is not None
    return figure


def caption(table: pd.DataFrame) -> str:
    """Where the cell comes from."""
    from dagnas.papers.panels import number

    row = table.iloc[0]
    return (
        f"The cell of the best signal ({row['signal']:.2f} %) among {number(row['evaluations'])} "
        f"that GOAL evaluated with shared weights, found at evaluation {row['step'] + 1}; the best "
        f"of its random cells has {row['random']:.2f} %. Every node has two inputs, with the "
        "operation on the way; the output concatenates the nodes. In a network of "
        f"{CHANNELS} channels and {LAYERS} cells it has {row['params'] / 1e6:.2f} M parameters. "
        "The paper's cell is known as a picture alone."
    )
