"""Figure 5: the space of image classifiers (section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 5",
    title="Space of image classifiers",
    reads={"studies": ("graph_search_space_layers_cifar10", "graph_search_space_layers_digits")},
    required=(),
    traces=False,
)


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Values of every decision on a layer.

    Returns
    -------
    DataFrame
        Columns decision, values (separated by "; ") and layers (those that make the decision).
    """
    import pandas as pd

    from dagnas.spaces.layers import CHOICES, LAYERS, MORE

    rows = [
        {"decision": name, "values": "; ".join(values), "layers": LAYERS}
        for name, values in CHOICES.items()
    ]
    more = {"decision": "more", "values": "; ".join(MORE), "layers": LAYERS - 1}
    return pd.DataFrame([*rows, more])


def draw(table: pd.DataFrame) -> Figure:
    """One layer, and the way to the next."""
    from matplotlib.figure import Figure

    from dagnas.drawing.decisions import draw_decisions
    from dagnas.spaces.layers import folded_graph

    figure = Figure(figsize=(17, 3.2), layout="constrained")
    draw_decisions(folded_graph(), figure.add_subplot())
    return figure


def caption(table: pd.DataFrame) -> str:
    """What is folded, and how many architectures there are."""
    from dagnas.spaces.layers import LAYERS, chain_of_layers, graph_of_layers

    return (
        f"Decisions on a layer. The {LAYERS} layers, each with decisions of its own, are drawn as "
        f"one; the last has no decision on another. The graph has {graph_of_layers().count():.2g} "
        f"architectures; the linear space makes all decisions on all layers and has "
        f"{chain_of_layers().count():.2g} walks."
    )
