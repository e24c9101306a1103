"""Spaces of generators: views of vectors, what is refused, and how many networks there are."""

from __future__ import annotations

import itertools
import math

import networkx
import numpy as np
import pytest

from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.spaces.generators import (
    Chain,
    ErdosRenyi,
    GeneratorSpace,
    Hyperparameters,
    WattsStrogatz,
)
from dagnas.spaces.nago import connected_graphs, nago_space, networks_at_least
from dagnas.spaces.vectors import Dimension
from dagnas.testing import space_checks

NAGO, CODE = SPACES.get("nago"), SPACES.get("nago_code")
WIRING = "top_n=3 top_k=5 top_p=0.5 mid_n=4 mid_p=0.25 bottom_n=8 bottom_k=5 bottom_p=0.75"
REST = (
    "stage_1=0.2 stage_2=0.2 stage_3=0.6 channels_1=4 channels_2=1 channels_3=4 sum=0.5 "
    "attention=0 concatenation=1 conv_3x3=1 conv_5x5=0.25"
)


@pytest.mark.parametrize("space", [NAGO, CODE], ids=lambda space: space.name)
def test_spaces_keep_their_contract(space):
    for check in space_checks(space):
        check()


def test_the_paper_has_all_numbers_and_the_code_eight():
    assert (len(NAGO.dimensions), len(CODE.dimensions)) == (19, 8)
    ends = {each.name: (each.low, each.high) for each in CODE.dimensions}
    assert ends == {
        "top_n": (3, 10),
        "top_k": (2, 5),
        "top_p": (0.1, 1),
        "mid_n": (3, 10),
        "mid_p": (0.2, 1),
        "bottom_n": (3, 10),
        "bottom_k": (2, 5),
        "bottom_p": (0.1, 1),
    }
    assert NAGO.dimensions[3] == Dimension("mid_n", 1, 10, whole=True)


def test_a_vector_has_named_hyperparameters():
    found = NAGO.hyperparameters(NAGO.from_str([f"{WIRING} {REST}"]))
    assert found == Hyperparameters(
        top=WattsStrogatz(3, 5, 0.5),
        middle=ErdosRenyi(4, 0.25),
        bottom=WattsStrogatz(8, 5, 0.75),
        stages=(0.2, 0.2, 0.6),
        channels=(4, 1, 4),
        merges={"sum": 0.5, "attention": 0, "concatenation": 1},
        operations={"conv_3x3": 1, "conv_5x5": 0.25},
    )


def test_the_code_fixes_what_it_does_not_search():
    found = CODE.hyperparameters(CODE.from_str([WIRING])[0])
    assert (found.stages, found.channels) == ((1, 1, 1), (1, 2, 4))
    assert {name for name, weight in found.merges.items() if weight} == {"sum"}
    assert {name for name, weight in found.operations.items() if weight} == {"conv_3x3"}


def test_k_is_at_most_one_less_than_n_and_halved():
    # N = 3: two neighbours are all; N = 4: three become two.
    for nodes, nearest, sides in [(3, 5, 1), (4, 5, 1), (5, 5, 2), (10, 5, 2), (10, 3, 1)]:
        assert WattsStrogatz(nodes, nearest, 0.5).sides == sides
    for a, b in [(2, 3), (4, 5)]:
        texts = [f"{WIRING} ".replace("bottom_k=5", f"bottom_k={k}") for k in (a, b)]
        one, two = (CODE.hyperparameters(v).text for v in CODE.from_str(texts))
        assert one == two
        graphs = [WattsStrogatz(9, k, 0.4).draw(np.random.default_rng(3)).edges for k in (a, b)]
        assert set(graphs[0]) == set(graphs[1])
        # What networkx itself makes of both.
        theirs = [networkx.watts_strogatz_graph(9, k, 0.4, seed=3).edges for k in (a, b)]
        assert set(theirs[0]) == set(theirs[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WattsStrogatz(1, 2, 0.5), "nodes 1 of Watts-Strogatz graphs: expected 2 or more"),
        (lambda: WattsStrogatz(5, 1, 0.5), "nearest 1 of Watts-Strogatz graphs: expected 2"),
        (lambda: WattsStrogatz(5, 2, 1.5), "rewired 1.5 of Watts-Strogatz graphs: expected a prob"),
        (lambda: ErdosRenyi(0, 0.5), "nodes 0 of Erdos-Renyi graphs: expected 1 or more"),
        (lambda: ErdosRenyi(3, float("nan")), "joined nan of Erdos-Renyi graphs"),
        (lambda: Chain(0), "nodes 0 of chains"),
        (lambda: levels(top=object()), "expected a dataclass with `draw`"),
        (lambda: levels(stages=(1, 1)), "expected one of each a stage"),
        (lambda: levels(stages=(0, 0, 0)), "and not all 0"),
        (lambda: levels(channels=(1, 0, 1)), "expected numbers above 0"),
        (lambda: levels(merges={"add": 1}), "unknown way to merge 'add'; valid: attention"),
        (lambda: levels(operations={}), "there is no operation; valid: conv_1x1, conv_3x3"),
        (lambda: levels(operations={"conv_3x3": -1}), "weight -1 of the operation 'conv_3x3'"),
        (lambda: CODE.hyperparameters(np.ones(8)), "is not one of its vectors"),
        (lambda: CODE.hyperparameters(CODE.from_str([WIRING] * 2)), "is not one of its vectors"),
    ],
)
def test_bad_numbers_are_refused_by_name(make, message):
    with pytest.raises(DagnasError, match=message.replace("(", r"\(")):
        make()


def levels(**changes):
    chain = Chain(3)
    return Hyperparameters(**{"top": chain, "middle": chain, "bottom": chain, **changes})


def test_a_space_of_another_generator_in_a_few_lines():
    space = GeneratorSpace(
        "chains",
        [Dimension("nodes", 1, 9, whole=True)],
        lambda nodes: levels(top=Chain(nodes)),
    )
    (vector,) = space.from_str(["nodes=7"])
    assert space.hyperparameters(vector).top == Chain(7)
    assert type(space.hyperparameters(vector).top.nodes) is int


def test_connected_graphs_are_counted():
    for nodes in range(1, 6):
        pairs = list(itertools.combinations(range(nodes), 2))
        found = 0
        for kept in itertools.product([False, True], repeat=len(pairs)):
            graph = networkx.Graph(itertools.compress(pairs, kept))
            graph.add_nodes_from(range(nodes))
            found += networkx.is_connected(graph)
        assert connected_graphs(nodes) == found
    # OEIS A001187.
    assert connected_graphs(10) == 34_496_488_594_816


def test_there_are_more_networks_than_the_paper_says():
    stated = 4.58e56
    assert networks_at_least() > stated
    # Nine middle nodes would not do, but ten with nine top nodes nearly.
    assert networks_at_least(9, 10) < networks_at_least(10, 10)
    # A case by hand: two top nodes, whose graphs of three nodes are a triangle or one of 3 paths.
    assert networks_at_least(2, 3, up_to_isomorphism=False) == 16
    # Up to names there are 2 x 2 middle graphs at least 16 / (6 * 6 * 2), rounded down.
    assert networks_at_least(2, 3) == 16 // 72
    assert networks_at_least() == 34_496_488_594_816**10 // (math.factorial(10) ** 11)


def test_numbers_of_nodes_are_arguments():
    wide = nago_space("rewired", top_n=(3, 3), mid_n=(1, 1), bottom_n=(32, 32), wiring_alone=True)
    text = "top_n=3 top_k=2 top_p=0.5 mid_n=1 mid_p=0.5 bottom_n=32 bottom_k=4 bottom_p=0.75"
    assert wide.hyperparameters(wide.from_str([text])).bottom == WattsStrogatz(32, 4, 0.75)
    assert not CODE.is_valid(wide.from_str([text])).any()
