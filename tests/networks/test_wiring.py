"""Drawn networks: orientation, independence, repeatability, feasibility, and special cases."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

import networkx
import numpy as np
import pytest

from dagnas.errors import DagnasError
from dagnas.networks.wiring import TRIES, Infeasible, connected, draw, stages
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.spaces.generators import Chain, ErdosRenyi, Hyperparameters, WattsStrogatz

CODE = SPACES.get("nago_code")
USUAL = Hyperparameters(
    top=WattsStrogatz(6, 4, 0.5), middle=ErdosRenyi(5, 0.6), bottom=WattsStrogatz(7, 4, 0.5)
)


def everything(drawn):
    """All of a drawn network, so that networks can be compared."""
    return [
        (node, sorted(drawn.predecessors(node)), about["merge"], about.get("operation"),
         about.get("stage"), everything(about["graph"]) if "graph" in about else None)
        for node, about in sorted(drawn.nodes.items())
    ]  # fmt: skip


def bottoms(drawn):
    middles = [about["graph"] for about in drawn.nodes.values()]
    return [about["graph"] for middle in middles for about in middle.nodes.values()]


def test_a_network_is_a_graph_of_graphs_of_graphs():
    drawn = draw(USUAL, 0)
    middles = [about["graph"] for about in drawn.nodes.values()]
    assert [len(graph) for graph in (drawn, *middles)] == [6] + [5] * 6
    assert [len(graph) for graph in bottoms(drawn)] == [7] * 30
    for graph in (drawn, *middles, *bottoms(drawn)):
        assert all(i < j for i, j in graph.edges)
        assert networkx.is_weakly_connected(graph)
    assert [about["stage"] for about in drawn.nodes.values()] == [0, 0, 1, 1, 2, 2]


def test_graphs_are_drawn_each_for_itself():
    drawn = draw(USUAL, 0)
    middles = {frozenset(about["graph"].edges) for about in drawn.nodes.values()}
    assert len(middles) > 4
    assert len({frozenset(graph.edges) for graph in bottoms(drawn)}) > 25


def test_a_network_depends_on_hyperparameters_and_sample_alone():
    one = everything(draw(USUAL, 3))
    np.random.seed(1)  # noqa: NPY002
    draw(USUAL, 0)
    assert everything(draw(USUAL, 3)) == one
    assert everything(draw(USUAL, 4)) != one
    other = Hyperparameters(top=USUAL.top, middle=USUAL.middle, bottom=WattsStrogatz(7, 4, 0.51))
    assert everything(draw(other, 3)) != one
    # K = 4 and 5 are one distribution, and one network.
    other = Hyperparameters(top=USUAL.top, middle=USUAL.middle, bottom=WattsStrogatz(7, 5, 0.5))
    assert everything(draw(other, 3)) == one


@pytest.mark.slow
def test_another_process_draws_the_same():
    code = (
        "from tests.networks.test_wiring import *; import hashlib;"
        "print(hashlib.sha256(repr(everything(draw(USUAL, 3))).encode()).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": "src:."},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1]


def test_merges_and_operations_follow_their_weights():
    many = Hyperparameters(
        top=Chain(10),
        middle=Chain(10),
        bottom=Chain(20),
        merges={"sum": 1, "attention": 0, "concatenation": 3},
        operations={"conv_3x3": 4, "conv_5x5": 1},
    )
    nodes = [about for graph in bottoms(draw(many)) for about in graph.nodes.values()]
    merges = Counter(about["merge"] for about in nodes)
    operations = Counter(about["operation"] for about in nodes)
    assert set(merges) == {"sum", "concatenation"}
    # Of 2,000: five standard deviations.
    assert abs(merges["sum"] - 500) < 97
    assert abs(operations["conv_5x5"] - 400) < 90


def test_weights_of_nothing_are_equal():
    none = Hyperparameters(
        top=Chain(3), middle=Chain(3), bottom=Chain(60), operations={"conv_1x1": 0, "conv_7x7": 0}
    )
    found = Counter(a["operation"] for g in bottoms(draw(none)) for a in g.nodes.values())
    assert abs(found["conv_1x1"] - 270) < 60


def test_lengths_of_stages():
    # The paper's example: 20 nodes and [0.2, 0.2, 0.6] give 4, 4 and 12.
    assert np.bincount(stages(20, [0.2, 0.2, 0.6])).tolist() == [4, 4, 12]
    assert np.bincount(stages(20, [1, 1, 3])).tolist() == [4, 4, 12]
    assert stages(3, [1, 1, 1]) == [0, 1, 2]
    for nodes in range(1, 40):
        found = stages(nodes, [1, 1, 1])
        assert found == sorted(found)
        sizes = np.bincount(found, minlength=3)
        assert (abs(sizes - nodes / 3) < 1.01).all()


# Feasibility.


def connectedness(nodes, joined):
    """Probability that an Erdos-Renyi graph is connected, by its first node's component."""
    found = [0.0, 1.0]
    for n in range(2, nodes + 1):
        apart = sum(
            math.comb(n - 1, k - 1) * found[k] * (1 - joined) ** (k * (n - k)) for k in range(1, n)
        )
        found.append(1 - apart)
    return found[nodes]


@pytest.mark.parametrize("nodes", [3, 4, 5])
def test_draws_fail_as_often_as_the_released_code_breaks(nodes):
    # P = 0.2: all of 30 draws fail in 2 to 8 % of the cases for these N.
    expected = (1 - connectedness(nodes, 0.2)) ** TRIES
    assert 0.02 < expected < 0.08
    rng, failed, cases = stream("test", nodes), 0, 400
    for _ in range(cases):
        try:
            connected(ErdosRenyi(nodes, 0.2), rng, "here")
        except Infeasible:
            failed += 1
    assert abs(failed / cases - expected) < 4 * math.sqrt(expected / cases)


def test_an_infeasible_network_says_which_graph():
    hard = Hyperparameters(top=Chain(2), middle=ErdosRenyi(4, 0.0), bottom=Chain(2))
    message = (
        r"middle graph of top node 0: Erdos-Renyi\(nodes=4, joined=0.0\) was not connected in 30"
    )
    with pytest.raises(Infeasible, match=message):
        draw(hard)
    assert issubclass(Infeasible, DagnasError)


def test_nodes_have_to_be_numbered():
    @dataclass(frozen=True)
    class Letters:
        def draw(self, rng):
            return networkx.Graph(["ab"])

    with pytest.raises(DagnasError, match=r"top graph: the nodes of .*Letters.* are \['a', 'b'\]"):
        draw(Hyperparameters(top=Letters(), middle=Chain(1), bottom=Chain(1)))


# Special cases of section 2.1.


def test_twenty_top_nodes_in_a_chain_and_single_middle_nodes_are_as_darts():
    """Cells in a row, each a small graph of operations, in three stages: the outline of DARTS.

    What is tested: 20 cells, of which each reads the one before; two levels, since the middle graph
    is one node; each cell an acyclic graph of operations; resolution changes twice, after a third
    of the cells and after two thirds. Not as in DARTS: cells differ, convolutions are on nodes.
    """
    drawn = draw(
        Hyperparameters(top=Chain(20), middle=ErdosRenyi(1, 0.5), bottom=WattsStrogatz(4, 2, 0.5))
    )
    assert list(drawn.edges) == [(i, i + 1) for i in range(19)]
    for about in drawn.nodes.values():
        (cell,) = (inner["graph"] for inner in about["graph"].nodes.values())
        assert len(cell) == 4
        assert networkx.is_directed_acyclic_graph(cell)
    found = [about["stage"] for about in drawn.nodes.values()]
    assert np.bincount(found).tolist() == [7, 6, 7]


def test_three_top_nodes_single_middle_nodes_and_32_below_are_randomly_wired_networks():
    """Xie et al. 2019: a random graph of 32 convolutions in each of three stages.

    Three nodes are a triangle in Watts-Strogatz graphs of any P, so that the last stage also reads
    the first, which it does not in theirs; a chain of three is theirs exactly.
    """
    for rewired in (0.1, 0.5, 1.0):
        drawn = draw(
            Hyperparameters(
                top=WattsStrogatz(3, 4, rewired),
                middle=ErdosRenyi(1, 0.5),
                bottom=WattsStrogatz(32, 4, 0.75),
            )
        )
        assert set(drawn.edges) == {(0, 1), (1, 2), (0, 2)}
        assert [about["stage"] for about in drawn.nodes.values()] == [0, 1, 2]
        assert [len(graph) for graph in bottoms(drawn)] == [32, 32, 32]
        # N K / 2 edges, whatever is rewired.
        assert [graph.number_of_edges() for graph in bottoms(drawn)] == [64, 64, 64]


@pytest.mark.slow
def test_few_vectors_of_the_released_space_are_infeasible():
    failed, vectors = 0, CODE.sample(200, stream("test", "infeasible"))
    for vector in vectors:
        try:
            draw(CODE.hyperparameters(vector))
        except Infeasible:
            failed += 1
    assert failed / len(vectors) < 0.05
