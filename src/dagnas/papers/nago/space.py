"""Section 2.1: size of the search space, and what the paper says of it by numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dagnas.papers.inputs import Inputs
from dagnas.papers.nago.networks import RANDOM
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Section 2.1",
    title="Size of the search space",
    reads={"studies": (f"{RANDOM}*",)},
    traces=False,
)
#: Nodes of the largest graphs, and the paper's numbers of networks.
NODES = 10
PAPER, DARTS = 4.58e56, 8**14


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Lower bounds on the number of networks, and numbers of the paper computed anew.

    Returns
    -------
    DataFrame
        Columns part, name, nodes, value, log10 and paper. Rows whose part is

        - bound: decimal logarithm of the number of networks of ``nodes`` top nodes whose middle
          graphs have ten, "labelled", or "classes" where networks that differ by the names of
          nodes alone count once (`dagnas.spaces.nago.networks_at_least`);
        - fact: a number that the paper names.
    """
    import pandas as pd

    from dagnas.networks.wiring import stages
    from dagnas.spaces.nago import nago, networks_at_least

    rows: list[dict[str, Any]] = []
    for nodes in range(1, NODES + 1):
        for name, same in (("labelled", False), ("classes", True)):
            count = networks_at_least(nodes, NODES, up_to_isomorphism=same)
            # The whole number is beyond what a float holds exactly, not its logarithm.
            rows.append({"part": "bound", "name": name, "nodes": nodes, "log10": math.log10(count)})
    of_node = stages(20, (0.2, 0.2, 0.6))
    facts = {
        "DARTS": (8**14, 4.40e12),
        "connections of 32 nodes": (math.comb(32, 2), 496),
        "connections of 4 graphs of 8 nodes": (4 * math.comb(8, 2) + math.comb(4, 2), 118),
        "stage 1 of 20 nodes": (of_node.count(0), 4),
        "stage 2 of 20 nodes": (of_node.count(1), 4),
        "stage 3 of 20 nodes": (of_node.count(2), 12),
        "hyperparameters": (len(nago.dimensions), math.nan),
    }
    for name, (value, paper) in facts.items():
        rows.append({"part": "fact", "name": name, "value": value, "paper": paper})
    names = ["part", "name", "nodes", "value", "log10", "paper"]
    return pd.DataFrame(rows).reindex(columns=names).assign(emulated="")


def draw(table: pd.DataFrame) -> Figure:
    """Bounds by the number of top nodes, and the paper's numbers across."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 4.6), layout="constrained")
    ax = figure.add_subplot()
    bounds = table[table["part"] == "bound"]
    looks = {
        "labelled": ("named nodes", "#0072B2"),
        "classes": ("but for the names of nodes", "#D55E00"),
    }
    for name, (words, colour) in looks.items():
        own = bounds[bounds["name"] == name]
        ax.plot(own["nodes"], own["log10"], "-o", color=colour, lw=2.2, label=words)
    # At the ends where no curve is.
    lines = ((PAPER, "the paper: more than 4.58e56", 1, "left"), (DARTS, "DARTS", NODES, "right"))
    for count, words, place, side in lines:
        ax.axhline(math.log10(count), color="#555555", lw=1.2, ls="--")
        ax.text(place, math.log10(count) + 1, words, color="#333333", ha=side, fontsize=9.5)
    ax.set(xlabel="top nodes, with middle graphs of ten nodes", ylabel="networks, at least (10^)")
    ax.set_xticks(range(1, NODES + 1))
    ax.legend(loc="upper left")
    return figure


def caption(table: pd.DataFrame) -> str:
    """What is counted."""
    bounds = table[(table["part"] == "bound") & (table["nodes"] == NODES)].set_index("name")
    return (
        "Networks that differ in their middle graphs, all else held fixed: at least "
        f"10^{bounds['log10']['labelled']:.1f} of ten top nodes, and 10^"
        f"{bounds['log10']['classes']:.1f} where those count once that differ by the names of "
        "nodes alone. Both are proved lower bounds; how the paper counts stands in an appendix "
        "that is not at hand. The table also has the other numbers of section 2.1."
    )
