"""The graph VAE as its equations say, on a list of graph objects, the way D-VAE's code goes.

One vertex after another; at each vertex the states of predecessors are gathered from one graph at
a time, padded and stacked, and the new states are put back into the graphs. (D-VAE also updates the
decoder's state after each single edge, which costs it more; here, as in NGAE, once for a vertex.)
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dagnas.predictors.graph_vae.model import GraphVAE, Losses
from dagnas.predictors.graph_vae.passing import Passing, silent
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells


class Graph:
    """Types of vertices, types of all pairs (tail, head), and incoming edges that carry messages.

    The number of an incoming edge's type leaves out the type without messages.
    """

    def __init__(self, space: CellSpace, cell: Cells) -> None:
        self.types = cell.nodes[0].tolist()
        size = len(self.types)
        self.edges = {
            (u, v): int(cell.edges[0, u, v]) for u, v in itertools.combinations(range(size), 2)
        }
        carrying = [kind for kind in range(len(space.edge_types)) if kind != silent(space)]
        self.into: list[list[tuple[int, int]]] = [[] for _ in range(size)]
        for (u, v), kind in self.edges.items():
            if kind in carrying:
                self.into[v].append((u, carrying.index(kind)))
        self.states: list[Tensor] = []

    def turned(self) -> Graph:
        """The graph from its output to its input."""
        other = Graph.__new__(Graph)
        last = len(self.types) - 1
        other.types, other.states = self.types[::-1], []
        other.into = [[] for _ in other.types]
        for v, edges in enumerate(self.into):
            for u, kind in edges:
                other.into[last - u].append((last - v, kind))
        return other


def one_hot(number: int, size: int, like: Tensor) -> Tensor:
    return F.one_hot(torch.tensor(number), size).to(like.dtype)


def pass_vertex(passing: Passing, graphs: list[Graph], v: int, start: Tensor | None) -> None:
    """Equation 2 at vertex v of all graphs."""
    _, vertices, kinds = passing.send.split
    weight = passing.unit.weight_ih
    most = max(len(graph.into[v]) for graph in graphs)
    sums = []
    if most:
        rows, there = [], []
        for graph in graphs:
            mine = []
            for u, kind in graph.into[v]:
                extra = [one_hot(u, vertices, weight)]
                extra += [one_hot(kind, kinds, weight)] if kinds else []
                mine.append(torch.cat([graph.states[u], *extra]))
            empty = [weight.new_zeros(passing.send.in_features)] * (most - len(mine))
            rows.append(torch.stack([*mine, *empty]))
            there.append([1.0] * len(mine) + [0.0] * len(empty))
        gate, value = nn.Linear.forward(passing.send, torch.stack(rows)).chunk(2, dim=2)
        mask = weight.new_tensor(there)[:, :, None]
        sums = list((torch.sigmoid(gate) * value * mask).sum(dim=1))
    else:
        sums = [weight.new_zeros(passing.hidden) for _ in graphs]
    if start is not None:
        for number, graph in enumerate(graphs):
            if not graph.into[v]:
                sums[number] = graph.states[v - 1] if v else start[number]
    types = torch.stack([one_hot(graph.types[v], weight.shape[1], weight) for graph in graphs])
    for graph, state in zip(graphs, passing.unit(types, torch.stack(sums)), strict=True):
        graph.states.append(state)


def states_of(passing: Passing, graphs: list[Graph], start: Tensor | None = None) -> Tensor:
    """States of all vertices, shape (V, B, H)."""
    for graph in graphs:
        graph.states = []
    for v in range(len(graphs[0].types)):
        pass_vertex(passing, graphs, v, start)
    return torch.stack([torch.stack(graph.states) for graph in graphs], dim=1)


def losses(
    model: GraphVAE, graphs: list[Graph], performance: Tensor, complexity: Tensor, noise: Tensor
) -> Losses:
    """What `GraphVAE.losses` gives."""
    read = states_of(model.forwards, graphs)[-1]
    if model.backwards is not None:
        back = states_of(model.backwards, [graph.turned() for graph in graphs])[-1]
        read = torch.cat([read, back], dim=1)
    mean, log_variance = model.mean(read), model.log_variance(read)
    points = mean + noise * log_variance.exp().sqrt()
    start, weight = model.start(points), model.edge_out.weight
    vertices, types = model.space.num_nodes, model.type_out.out_features
    for graph in graphs:
        graph.states = []
    pass_vertex(model.generate, graphs, 0, start)
    of_nodes = of_edges = torch.zeros(len(graphs), dtype=weight.dtype)

    def placed(states: list[Tensor], v: int) -> Tensor:
        place = one_hot(v, vertices, weight)
        return torch.stack([torch.cat([state, place]) for state in states])

    for v in range(1, vertices):
        last = [graph.states[v - 1] for graph in graphs]
        chosen = torch.tensor([graph.types[v] for graph in graphs])
        if v < vertices - 1:
            hidden = F.linear(placed(last, v - 1), model.type_in.weight, model.type_in.bias)
            scores = model.type_out(hidden.relu())
            of_nodes = of_nodes + F.cross_entropy(scores, chosen, reduction="none")
        one_hots = F.one_hot(chosen, types).to(weight.dtype)
        new = list(model.generate.unit(one_hots, torch.stack(last)))
        head = F.linear(placed(new, v), model.edge_head.weight, model.edge_head.bias)
        for u in range(v):
            earlier = [graph.states[u] for graph in graphs]
            tail = F.linear(placed(earlier, u), model.edge_tail.weight, model.edge_tail.bias)
            scores = model.edge_out((tail + head).relu())
            truth = torch.tensor([graph.edges[u, v] for graph in graphs])
            of_edges = of_edges + F.cross_entropy(scores, truth, reduction="none")
        pass_vertex(model.generate, graphs, v, start)
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return Losses(
        of_nodes,
        of_edges,
        torch.distributions.kl_divergence(normal, standard).sum(dim=1),
        (model.performance(points)[:, 0] - performance) ** 2,
        (model.complexity(points)[:, 0] - complexity) ** 2,
    )
