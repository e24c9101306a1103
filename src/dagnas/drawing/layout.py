"""Layered layout of pictures of cells: depths and breadths without overlaps.

The layout follows the steps of Sugiyama, Tagawa and Toda (1981): vertices in layers, edges that
skip layers bent around what lies between, few crossings, then short edges.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Most that a gap may shrink so that a line becomes straight.
SLACK = 0.12

Array = NDArray[np.float64]
Edge = tuple[int, int]
#: A vertex, or the bend of the edge (i, j) in a layer that it crosses.
Item = int | tuple[int, int, int]


def chain(edge: Edge, items: Mapping[Item, Any]) -> list[Item]:
    """Items along an edge: its tail, its bends from layer to layer, its head."""
    bends = sorted(item for item in items if isinstance(item, tuple) and item[:2] == edge)
    return [edge[0], *bends, edge[1]]


def place(
    layer_of: Mapping[int, int], edges: Collection[Edge], width: float, gap: float
) -> dict[Item, tuple[int, float]]:
    """Number of the layer and breadth of every vertex and of every bend.

    Parameters
    ----------
    layer_of : mapping of int to int
        Layer of every vertex.
    edges : collection of (int, int)
        From lower layers to higher ones.
    width, gap : float
        Breadth of vertices, and least room between two, or between one and a bend.
    """
    depth: dict[Item, int] = {vertex: layer for vertex, layer in layer_of.items()}
    for i, j in edges:
        depth.update({(i, j, layer): layer for layer in range(layer_of[i] + 1, layer_of[j])})
    layers: list[list[Item]] = [[] for _ in range(max(depth.values()) + 1)]
    for item, layer in depth.items():
        layers[layer].append(item)
    links = [link for edge in edges for link in itertools.pairwise(chain(edge, depth))]
    _uncross(layers, links)
    breadth = _straighten(layers, links, width, gap)
    return {item: (depth[item], breadth[item]) for item in depth}


def _uncross(layers: list[list[Item]], links: list[tuple[Item, Item]]) -> None:
    """Order the layers in place: swap items as long as crossings or lengths become fewer."""
    layer_of = {v: number for number, layer in enumerate(layers) for v in layer}
    by_layer: list[list[tuple[Item, Item]]] = [[] for _ in layers]
    for link in links:
        by_layer[layer_of[link[0]]].append(link)

    def cost() -> tuple[int, float]:
        rank = {v: k - (len(layer) - 1) / 2 for layer in layers for k, v in enumerate(layer)}
        crossings = sum(
            (rank[a] - rank[c]) * (rank[b] - rank[d]) < 0
            for together in by_layer
            for (a, b), (c, d) in itertools.combinations(together, 2)
        )
        return crossings, sum((rank[a] - rank[b]) ** 2 for a, b in links)

    best, improved = cost(), True
    while improved:
        improved = False
        for layer in layers:
            for i, j in itertools.combinations(range(len(layer)), 2):
                layer[i], layer[j] = layer[j], layer[i]
                if (now := cost()) < best:
                    best, improved = now, True
                else:
                    layer[i], layer[j] = layer[j], layer[i]


def _straighten(
    layers: list[list[Item]], links: list[tuple[Item, Item]], width: float, gap: float
) -> dict[Item, float]:
    """Breadths that keep the order and the gaps and make edges straight, long ones above all.

    Every item is drawn to the weighted mean of its neighbours; the best breadths of one layer
    under minimal distances are an isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    breadth: dict[Item, float] = {}
    distances = []
    for layer in layers:
        wide = np.array([width if isinstance(item, int) else 0.0 for item in layer])
        distances.append(np.concatenate([[0.0], np.cumsum((wide[1:] + wide[:-1]) / 2 + gap)]))
        breadth.update(zip(layer, distances[-1] - distances[-1][-1] / 2, strict=True))
    pull: dict[Item, list[tuple[Item, float]]] = {item: [] for item in breadth}
    for a, b in links:
        weight = 8.0 ** (isinstance(a, tuple) + isinstance(b, tuple))
        pull[a].append((b, weight))
        pull[b].append((a, weight))
    forth = list(zip(layers, distances, strict=True))
    for layer, distance in (forth + forth[::-1]) * 30:
        weights = np.array([sum((w for _, w in pull[v]), 1e-3) for v in layer])
        wanted = [sum(w * breadth[u] for u, w in pull[v]) for v in layer] / weights
        placed = isotonic_regression(wanted - distance, weights=weights).x + distance
        breadth.update(zip(layer, placed.tolist(), strict=True))
    _align(forth, links, breadth)
    return {item: round(place, 3) for item, place in breadth.items()}


def _align(
    layers: list[tuple[list[Item], Array]],
    links: list[tuple[Item, Item]],
    breadth: dict[Item, float],
) -> None:
    """Put on one line, in place, the bends of an edge and what is nearly so, where there is room.

    Parameters
    ----------
    layers : list of (items, least distances from the first item)
    links : list of (item, item)
    breadth : dict
    """
    number = {item: k for k, (layer, _) in enumerate(layers) for item in layer}
    groups: dict[Item, list[Item]] = {item: [item] for item in breadth}

    def slant(link: tuple[Item, Item]) -> tuple[int, float]:
        a, b = link
        # Bends first: they are seen most. A vertex and a bend keep apart for the vertex's ports.
        kinds = isinstance(a, tuple) + isinstance(b, tuple)
        return (1, 2, 0)[kinds], round(abs(breadth[a] - breadth[b]), 6)

    for a, b in sorted(links, key=slant):
        merged = groups[a] + groups[b]
        order, slope = slant((a, b))
        if groups[a] is groups[b] or len({number[v] for v in merged}) < len(merged):
            continue
        if order == 2 or (order == 1 and slope > 0.3):
            continue
        line = sum(breadth[v] for v in merged) / len(merged)
        moved = {**breadth, **dict.fromkeys(merged, line)}
        if all(
            (np.diff([moved[v] for v in layer]) >= np.diff(distance) - SLACK).all()
            for layer, distance in layers
        ):
            breadth.update(moved)
            groups.update(dict.fromkeys(merged, merged))


def ports(
    routes: dict[Edge, list[Array]], shapes: Mapping[int, Array], ahead: Array, aside: Array
) -> dict[Edge, list[tuple[Array, Array]]]:
    """Points and headings where edges leave and enter boxes, side by side in their order."""
    ends: dict[Edge, list[tuple[Array, Array]]] = {edge: [] for edge in routes}
    for end, inner, side in ((0, 1, 1), (-1, -2, -1)):
        for vertex in {edge[end] for edge in routes}:
            shape = shapes[vertex]
            border = side * np.abs(shape @ ahead) / 2 * ahead
            room = np.abs(shape @ aside) * 0.3
            here = [edge for edge in routes if edge[end] == vertex]
            here.sort(key=lambda edge: float(routes[edge][inner] @ aside))
            offsets = np.linspace(-room, room, len(here)) if len(here) > 1 else np.zeros(1)
            for edge, offset in zip(here, offsets, strict=True):
                ends[edge].append((routes[edge][end] + border + offset * aside, ahead))
    return ends


def radii(routes: dict[Edge, list[Array]], radius: float) -> dict[Edge, list[tuple[Array, Array]]]:
    """Points and headings where edges leave and enter dots, straight from and to the next."""
    ends = {}
    for edge, route in routes.items():
        leave, arrive = (
            d / np.linalg.norm(d) for d in (route[1] - route[0], route[-1] - route[-2])
        )
        ends[edge] = [(route[0] + radius * leave, leave), (route[-1] - radius * arrive, arrive)]
    return ends
