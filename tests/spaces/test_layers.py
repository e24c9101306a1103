"""The space of image classifiers: graph and chain."""

import numpy as np
import pytest

from dagnas.spaces.layers import (
    CHOICES,
    LAYERS,
    chain_of_layers,
    folded_graph,
    graph_of_layers,
    read_layers,
)


def test_the_graph_has_as_many_architectures_as_layers_say():
    # 2 kernels, 3 squeezes, 2 skips, 3 widths, 2 repeats, 2 activations; 1 + 1 + 2 operations.
    of_one = 144 * 4
    expected = sum(of_one**number for number in range(1, LAYERS + 1))
    assert graph_of_layers().count() == folded_graph().count() == expected
    assert chain_of_layers().count() == (144 * 6) ** LAYERS * 2 ** (LAYERS - 1)


def test_layers_are_read_from_the_graph():
    (walk,) = graph_of_layers().from_str(
        [
            "inverted > 6 > 5 > 1/4 > yes > 16 > 2 > swish > yes"
            " > separable > 3 > none > no > 8 > 1 > relu > no"
        ]
    )
    first, second = read_layers(graph_of_layers().decisions(walk))
    assert first == ("inverted", 6, 5, 0.25, True, 16, 2, "swish")
    assert second == ("separable", 1, 3, 0.0, False, 8, 1, "relu")


@pytest.mark.parametrize("seed", range(5))
def test_the_chain_decides_the_same_layers_and_more(seed):
    chain, graph = chain_of_layers(), graph_of_layers()
    (walk,) = chain.sample(1, np.random.default_rng(seed))
    decided = chain.decisions(walk)
    layers = read_layers(decided)
    # The same values in the graph, without those that have no effect there.
    chosen, kept = dict(decided), []
    for number in range(1, len(layers) + 1):
        for name in CHOICES:
            if name != "expansion" or chosen[f"operation {number}"] == "inverted":
                kept.append(chosen[f"{name} {number}"])
        if number < LAYERS:
            kept.append(chosen[f"more {number}"])
    (short,) = graph.from_str([" > ".join(kept)])
    assert read_layers(graph.decisions(short)) == layers
