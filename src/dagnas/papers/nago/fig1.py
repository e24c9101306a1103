"""Figure 1: an architecture sampled from the hierarchical space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.inputs import Inputs
from dagnas.papers.nago.networks import RANDOM
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RESULT = Result(
    place="Figure 1",
    title="Architecture sampled from HNAG",
    reads={"studies": (f"{RANDOM}*",)},
    traces=False,
)
#: A generator with all of its parts: merges and operations of every kind, stages of three lengths.
GENERATOR = (
    "top_n=8 top_k=4 top_p=0.4 mid_n=5 mid_p=0.5 bottom_n=5 bottom_k=2 bottom_p=0.5 "
    "stage_1=0.3 stage_2=0.3 stage_3=0.4 channels_1=1 channels_2=2 channels_3=4 "
    "sum=0.6 attention=0.2 concatenation=0.2 conv_3x3=0.7 conv_5x5=0.3"
)
#: Parameters as in the released code, images of CIFAR-10.
BUDGET, PIXELS, CLASSES = 4_000_000, 32, 10


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Stages of the network drawn.

    Returns
    -------
    DataFrame
        Columns generator (text of the space ``nago``), sample, stage (from 1), nodes (of the top
        graph), channels, pixels (side), parameters and multiply_adds (of the whole network), memory
        (peak of activations of one image, bytes) and convolutions (of the whole network's nodes).
    """
    import pandas as pd

    from dagnas.networks.generators import plan_generated
    from dagnas.networks.shape import NetworkShape
    from dagnas.spaces.nago import nago

    (vector,) = nago.from_str([GENERATOR])
    shape = NetworkShape(image_channels=3, height=PIXELS, width=PIXELS, classes=CLASSES)
    drawn, plan = plan_generated(nago, vector, 0, shape, BUDGET)
    outputs = {name: part.output for name, part in plan.parts(PIXELS, PIXELS).items()}
    of_node = {node: about["stage"] for node, about in drawn.nodes.items()}
    about = {
        "generator": GENERATOR,
        "sample": 0,
        "parameters": plan.parameters,
        "multiply_adds": plan.multiply_adds(PIXELS, PIXELS),
        "memory": plan.peak_bytes(PIXELS, PIXELS),
        "convolutions": sum(
            len(middle["graph"])
            for top in drawn.nodes.values()
            for middle in top["graph"].nodes.values()
        ),
    }
    rows = []
    for stage in sorted(set(of_node.values())):
        nodes = [node for node, own in of_node.items() if own == stage]
        channels, side, _ = outputs[f"top{nodes[0]}"]
        rows.append({**about, "stage": stage + 1, "nodes": len(nodes), "channels": channels})
        rows[-1]["pixels"] = side
    return pd.DataFrame(rows).assign(emulated="")


def draw(table: pd.DataFrame) -> Figure:
    """Three levels: the top graph, that of one of its nodes, and one of that."""
    from matplotlib.figure import Figure

    from dagnas.drawing.hierarchies import draw_hierarchy
    from dagnas.networks.wiring import draw as draw_network
    from dagnas.spaces.nago import nago

    first = table.iloc[0]
    (vector,) = nago.from_str([first["generator"]])
    hyperparameters = nago.hyperparameters(vector)
    drawn = draw_network(hyperparameters, int(first["sample"]))
    sizes = {
        int(row["stage"]) - 1: f"stage {row['stage']}: {row['pixels']} x {row['pixels']}, "
        f"{row['channels']} channels"
        for row in table.to_dict("records")
    }
    found = draw_hierarchy(drawn, hyperparameters, sizes=sizes).figure
    assert isinstance(found, Figure)
    return found


def caption(table: pd.DataFrame) -> str:
    """What the rows are, and the size of the network."""
    first = table.iloc[0]
    return (
        "From top to bottom: the graph of top nodes, that of one of them, and that of one node "
        "of it; each node has a graph of its own, drawn for itself. Colours of top nodes are "
        f"stages. The network has {first['convolutions']:,} convolutions at its nodes, "
        f"{first['parameters'] / 1e6:.2f} M parameters, {first['multiply_adds'] / 1e6:,.0f} M "
        f"multiply-adds for an image of {PIXELS} x {PIXELS} pixels, and "
        f"{first['memory'] / 1e6:.1f} MB of activations at most. Hyperparameters: "
        f"`{first['generator']}`."
    )
