"""Decoding of a graph VAE where places of a cell depend on each other."""

import numpy as np
import pytest
import torch

from dagnas.predictors.graph_vae.model import GraphVAE, Sizes
from dagnas.predictors.predictor import drawing_from
from dagnas.search.models.latent import decode_valid
from dagnas.seeds import torch_generator
from dagnas.spaces import SPACES


def untrained(name, seed=0):
    generator = torch_generator(np.random.default_rng(seed))
    with drawing_from(generator):
        model = GraphVAE(SPACES.get(name), Sizes(6, 4, 5, 7))
    return model, 30 * torch.randn(40, model.sizes.latent, generator=generator)


@pytest.mark.parametrize("name", ["darts", "darts_one_cell", "resnet_strings"])
def test_every_point_leads_to_a_valid_cell(name):
    model, points = untrained(name)
    assert not model.decode(points).valid.any()
    cells, rows = decode_valid(model, points)
    assert rows.tolist() == list(range(40))
    assert SPACES.get(name).is_valid(cells).all()


def test_the_nearest_cell_is_the_decoding_itself_where_that_is_one():
    model, points = untrained("nasbench201")
    decoded = model.decode(points)
    nearest = model.decode_to_nearest(points)
    # Of NAS-Bench-201 each edge is a choice of its own, so the likeliest types are a cell.
    assert nearest.edges.tolist() == decoded.cells.edges.tolist()


def test_the_nearest_cell_has_the_largest_sum_of_log_probabilities():
    space = SPACES.get("darts_one_cell")
    model, points = untrained("darts_one_cell")
    points = points[:5]
    _, _, scores = model._decode(points, None)
    others = space.to_graph(space.sample(3000, np.random.default_rng(0)))
    found = space.to_graph(model.decode_to_nearest(points))

    def total(graphs, row):
        return np.einsum("bvt,vt->b", graphs.nodes, scores.nodes[row]) + np.einsum(
            "bvwr,vwr->b", graphs.edges, scores.edges[row]
        )

    for row in range(5):
        assert total(found, row)[row] >= total(others, row).max() - 1e-4
