"""Hierarchical spaces of NAGO (NeurIPS 2020, section 2.1): the paper's, and its released code's."""

from __future__ import annotations

import math

from dagnas.spaces.generators import (
    ErdosRenyi,
    GeneratorSpace,
    Hyperparameters,
    WattsStrogatz,
)
from dagnas.spaces.vectors import Dimension

#: Range of whole numbers, both ends included.
Ends = tuple[int, int]


def hyperparameters(
    *,
    top_n: int,
    top_k: int,
    top_p: float,
    mid_n: int,
    mid_p: float,
    bottom_n: int,
    bottom_k: int,
    bottom_p: float,
    stage_1: float = 1,
    stage_2: float = 1,
    stage_3: float = 1,
    channels_1: float = 1,
    channels_2: float = 2,
    channels_3: float = 4,
    sum: float = 1,
    attention: float = 0,
    concatenation: float = 0,
    conv_3x3: float = 1,
    conv_5x5: float = 0,
) -> Hyperparameters:
    """Hyperparameters of the numbers of a vector; by default, the fixed ones of the released code.

    Watts-Strogatz graphs are at the top and at the bottom, Erdos-Renyi graphs between.
    """
    return Hyperparameters(
        top=WattsStrogatz(top_n, top_k, top_p),
        middle=ErdosRenyi(mid_n, mid_p),
        bottom=WattsStrogatz(bottom_n, bottom_k, bottom_p),
        stages=(stage_1, stage_2, stage_3),
        channels=(channels_1, channels_2, channels_3),
        merges={"sum": sum, "attention": attention, "concatenation": concatenation},
        operations={"conv_3x3": conv_3x3, "conv_5x5": conv_5x5},
    )


def nago_space(
    name: str,
    *,
    top_n: Ends = (3, 10),
    mid_n: Ends = (3, 10),
    bottom_n: Ends = (3, 10),
    wiring_alone: bool = False,
) -> GeneratorSpace:
    """Space of NAGO with other numbers of nodes.

    Parameters
    ----------
    name : str
    top_n, mid_n, bottom_n : (int, int)
        Least and largest number of nodes of each level.
    wiring_alone : bool
        Whether the eight numbers of the graphs are all that varies, as in the released code.
    """
    graphs = [
        Dimension("top_n", *top_n, whole=True),
        Dimension("top_k", 2, 5, whole=True),
        Dimension("top_p", 0.1, 1),
        Dimension("mid_n", *mid_n, whole=True),
        Dimension("mid_p", 0.2, 1),
        Dimension("bottom_n", *bottom_n, whole=True),
        Dimension("bottom_k", 2, 5, whole=True),
        Dimension("bottom_p", 0.1, 1),
    ]
    # The paper names no ranges. These hold its examples: stages of a fifth to three fifths, and
    # channels from 1 to 4.
    stages = [Dimension(f"stage_{number}", 0.1, 1) for number in (1, 2, 3)]
    channels = [Dimension(f"channels_{number}", 1, 4) for number in (1, 2, 3)]
    weights = ("sum", "attention", "concatenation", "conv_3x3", "conv_5x5")
    rest = [*stages, *channels, *(Dimension(each, 0, 1) for each in weights)]
    return GeneratorSpace(name, graphs if wiring_alone else graphs + rest, hyperparameters)


#: The paper's Θ: 19 numbers, and middle graphs of one node too.
nago = nago_space("nago", mid_n=(1, 10))
#: The released code: 8 numbers; 3x3 convolutions, sums, channels 1:2:4 and equal stages.
nago_code = nago_space("nago_code", wiring_alone=True)
#: The paper's Θ with fewer nodes, for trainings of seconds: some 32 convolutions, 75 at most.
nago_small = nago_space("nago_small", top_n=(3, 5), mid_n=(1, 3), bottom_n=(3, 5))
#: The least of it, to try searches on.
nago_least = nago_space("nago_least", top_n=(3, 3), mid_n=(1, 2), bottom_n=(3, 3))


def connected_graphs(nodes: int) -> int:
    """Number of connected graphs on so many labelled nodes (OEIS A001187).

    Of all graphs, those are taken away in which the component of the first node has k nodes.
    """
    counts: list[int] = [0, 1]
    for n in range(2, nodes + 1):
        apart = sum(
            math.comb(n - 1, k - 1) * counts[k] * 2 ** math.comb(n - k, 2) for k in range(1, n)
        )
        counts.append(2 ** math.comb(n, 2) - apart)
    return counts[nodes]


def networks_at_least(
    top_nodes: int = 10, middle_nodes: int = 10, *, up_to_isomorphism: bool = True
) -> int:
    """Lower bound on the number of networks that a space can draw.

    The paper states more than 4.58e56; its count is in an appendix that is not public, so this
    is not that number but a proof of the sentence. Only middle graphs are counted: in a network of
    ``top_nodes`` top nodes, each is an Erdos-Renyi graph of its own, of which every connected graph
    on ``middle_nodes`` labelled nodes has a positive probability if 0 < P < 1. The top and all
    bottom graphs are held fixed, and fewer nodes are not counted.

    Parameters
    ----------
    top_nodes, middle_nodes : int
        Largest numbers of nodes.
    up_to_isomorphism : bool
        Whether networks that differ by the names of nodes alone count once. A class has at most
        as many members as there are ways to name the nodes, so the count is divided by that.
    """
    networks = math.prod([connected_graphs(middle_nodes)] * top_nodes)
    if not up_to_isomorphism:
        return networks
    names = math.prod([math.factorial(middle_nodes)] * top_nodes)
    return networks // (names * math.factorial(top_nodes))
