"""Figure 3: the space of "select an optimizer", as a graph and as a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 3",
    title="Spaces of the artificial tasks",
    reads={"studies": ("graph_search_space_select_optimizer_2",)},
    traces=False,
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """States, architectures and decisions of the artificial tasks.

    Returns
    -------
    DataFrame
        Columns space, states, walks (architectures, as text: some are beyond whole numbers of 64
        bits), shortest and longest (decisions of a walk).
    """
    import pandas as pd

    from dagnas.benchmarks import toys

    spaces = [toys.stack_layers_graph().space, toys.stack_layers_chain().space]
    for branches in (2, 4):
        spaces.append(toys.select_optimizer_graph(branches).space)
        spaces.append(toys.select_optimizer_chain(branches).space)
    return pd.DataFrame(
        [
            {
                "space": space.name,
                "states": len(space.states),
                "walks": str(space.count()),
                "shortest": int(space.distance[0]),
                "longest": len(space.states) if not space.is_cyclic else space.cap,
            }
            for space in spaces
        ]
    )


def draw(table: pd.DataFrame) -> Figure:
    """Two branches above, the chain below."""
    from matplotlib.figure import Figure

    from dagnas.benchmarks.toys import select_optimizer_chain, select_optimizer_graph
    from dagnas.drawing.decisions import draw_decisions

    figure = Figure(figsize=(15, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[1.6, 1])
    draw_decisions(select_optimizer_graph(2).space, above)
    above.set(title="(a) Graph: a branch for each optimizer")
    draw_decisions(select_optimizer_chain(2).space, below)
    below.set(title="(b) Linear: the parameters of all optimizers, used or not")
    return figure


def caption(table: pd.DataFrame) -> str:
    """What boxes and arrows are."""
    return (
        '"Select an optimizer" with two optimizers. Boxes are decisions, the first one at the '
        "left; arrows are actions, those to the same decision drawn as one, with their number "
        'in brackets. The table also has "stack layers" and four optimizers.'
    )
