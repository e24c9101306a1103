"""Vertices and edges on paths from input to output, against all paths listed one by one."""

import itertools

import numpy as np
import pytest

from dagnas.spaces.paths import prune, vertices_on_paths


def listed(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and edges of all paths of one graph, each path tried in turn."""
    last = len(edges) - 1
    vertices, kept = np.zeros(len(edges), dtype=bool), np.zeros_like(edges)
    for count in range(last):
        for between in itertools.combinations(range(1, last), count):
            path = (0, *between, last)
            if all(edges[step] for step in itertools.pairwise(path)):
                vertices[list(path)] = True
                for step in itertools.pairwise(path):
                    kept[step] = True
    return vertices, kept


@pytest.mark.parametrize("size", [2, 3, 4])
def test_every_small_graph(size):
    tails, heads = np.triu_indices(size, 1)
    values = np.array(list(itertools.product([False, True], repeat=len(tails))))
    edges = np.zeros((len(values), size, size), dtype=bool)
    edges[:, tails, heads] = values
    expected = [listed(graph) for graph in edges]
    assert np.array_equal(vertices_on_paths(edges), [vertices for vertices, _ in expected])
    assert np.array_equal(prune(edges), [kept for _, kept in expected])


@pytest.mark.parametrize("density", [0.2, 0.4, 0.7])
def test_random_graphs_of_seven_vertices(density):
    rng = np.random.default_rng(0)
    edges = np.triu(rng.random((300, 7, 7)) < density, 1)
    before = edges.copy()
    expected = [listed(graph) for graph in edges]
    assert np.array_equal(vertices_on_paths(edges), [vertices for vertices, _ in expected])
    assert np.array_equal(prune(edges), [kept for _, kept in expected])
    assert np.array_equal(edges, before)


def test_no_graph_at_all():
    none = np.zeros((0, 4, 4), dtype=bool)
    assert vertices_on_paths(none).shape == (0, 4)
    assert prune(none).shape == (0, 4, 4)
