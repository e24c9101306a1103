"""Networks drawn by a generator, as graphs of graphs of graphs (NAGO, section 2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import networkx
import numpy as np
from networkx import DiGraph

from dagnas.errors import DagnasError
from dagnas.seeds import stream

if TYPE_CHECKING:
    from dagnas.spaces.generators import Hyperparameters, RandomGraph

#: Draws of a graph, of which one has to be connected.
TRIES = 30


class Infeasible(DagnasError):
    """No network could be drawn, or none of the size that was asked for."""


def draw(hyperparameters: Hyperparameters, sample: int = 0) -> DiGraph:
    """Network of a generator, drawn by the numbers of its hyperparameters and the sample alone.

    Parameters
    ----------
    hyperparameters : Hyperparameters
    sample : int
        Number of the network; others are independent of it.

    Returns
    -------
    DiGraph
        Nodes are 0, 1, ..., and edges lead from lower to higher ones, at every level. A node has
        the attribute ``merge``, one of `dagnas.spaces.generators.MERGES`. A top or middle node has
        ``graph``, a DiGraph, each drawn for itself; a top node has ``stage`` too, from 0 on. A
        bottom node has ``operation``. Nodes without predecessors read the input of their graph;
        those without successors are averaged into its output.

    Raises
    ------
    Infeasible
        One of its graphs was not connected in 30 draws.
    """
    streams = ("network", hyperparameters.text, sample)
    top = _level(hyperparameters.top, hyperparameters, "top graph", *streams, "top")
    of_node = stages(len(top), hyperparameters.stages)
    for t, node in top.nodes.items():
        where = f"middle graph of top node {t}"
        middle = _level(hyperparameters.middle, hyperparameters, where, *streams, "middle", t)
        node.update(stage=of_node[t], graph=middle)
        for m, inner in middle.nodes.items():
            where = f"bottom graph of top node {t}, middle node {m}"
            names = (*streams, "bottom", t, m)
            inner["graph"] = _level(hyperparameters.bottom, hyperparameters, where, *names)
            rng = stream(*names, "operations")
            drawn = _choices(hyperparameters.operations, len(inner["graph"]), rng)
            networkx.set_node_attributes(inner["graph"], dict(enumerate(drawn)), "operation")
    return top


def stages(nodes: int, lengths: Sequence[float]) -> list[int]:
    """Stage of each top node, from 0 on: stages follow each other in proportion to ``lengths``.

    The sums of the lengths, as fractions of all nodes, are rounded, so a short stage may be empty.
    """
    # Fractions such as 1/3 of 3 nodes have to come out whole.
    ends = np.floor(nodes * np.cumsum(lengths) / np.sum(lengths) + 0.5 + 1e-9)
    found: list[int] = np.searchsorted(ends, np.arange(nodes), side="right").tolist()
    return found


def oriented(graph: networkx.Graph) -> DiGraph:
    """Directed graph whose edges lead from lower to higher nodes."""
    directed = DiGraph()
    directed.add_nodes_from(sorted(graph))
    directed.add_edges_from(sorted((min(edge), max(edge)) for edge in graph.edges))
    return directed


def connected(model: RandomGraph, rng: np.random.Generator, where: str) -> networkx.Graph:
    """First connected graph among 30 draws of a model.

    Parameters
    ----------
    model : RandomGraph
    rng : Generator
    where : str
        Place of the graph in its network, for messages.

    Raises
    ------
    Infeasible
        None is connected.
    DagnasError
        Its nodes are not 0, 1, ...
    """
    for _ in range(TRIES):
        graph = model.draw(rng)
        if set(graph) != set(range(len(graph))) or not len(graph):
            raise DagnasError(f"{where}: the nodes of {model} are {list(graph)}, not 0, 1, ...")
        if networkx.is_connected(graph):
            return graph
    raise Infeasible(f"{where}: {model} was not connected in {TRIES} draws")


def _level(
    model: RandomGraph, hyperparameters: Hyperparameters, where: str, *names: str | int
) -> DiGraph:
    """Oriented graph whose nodes know how they merge."""
    graph = oriented(connected(model, stream(*names), where))
    drawn = _choices(hyperparameters.merges, len(graph), stream(*names, "merges"))
    networkx.set_node_attributes(graph, dict(enumerate(drawn)), "merge")
    return graph


def _choices(weights: Mapping[str, float], n: int, rng: np.random.Generator) -> list[str]:
    """Names drawn by their weights; if all of these are 0, uniformly."""
    shares = np.array(list(weights.values()), np.float64)
    shares = shares / shares.sum() if shares.sum() else np.full(len(shares), 1 / len(shares))
    drawn: list[str] = rng.choice(list(weights), size=n, p=shares).tolist()
    return drawn
