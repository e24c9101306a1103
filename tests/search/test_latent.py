"""Moves in latent space."""

from types import SimpleNamespace

import numpy as np
import torch

from dagnas.predictors.graph_vae.model import Sizes
from dagnas.predictors.graph_vae.training import build
from dagnas.search.models.latent import Region, ascend, decode_valid, objective
from dagnas.spaces import SPACES
from tests.predictors.common import seeded

SPACE = SPACES.get("nasbench201")


def model_of():
    return build(SPACE, Sizes(6, 4, 5, 7), seeded()).double()


def normal(*shape):
    return torch.randn(*shape, generator=seeded(3), dtype=torch.float64)


def test_points_have_the_regions_mean_and_deviation():
    region = Region.of(torch.tensor([[1.0, -4.0], [3.0, -4.5], [5.0, -5.0]]))
    assert region.mean.tolist() == [3, -4.5]
    points = region.draw(20_000, seeded())
    np.testing.assert_allclose(points.mean(dim=0), [3, -4.5], atol=0.05)
    np.testing.assert_allclose(points.std(dim=0), [2, 0.5], rtol=0.05)
    assert torch.equal(points, region.draw(20_000, seeded()))


def test_objective_is_equation_7():
    model, points = model_of(), normal(5, 4)
    performance, complexity = model.performance(points)[:, 0], model.complexity(points)[:, 0]
    assert torch.equal(objective(model, points, False), performance)
    assert torch.equal(objective(model, points, True), performance - complexity)


def test_a_step_follows_the_gradient_of_finite_differences():
    model, start = model_of(), normal(3, 4)
    climb = ascend(model, start, steps=1, rate=0.5, complexity=True)
    nearby = 1e-6 * torch.eye(4).double()
    with torch.no_grad():
        ahead = torch.stack([objective(model, start + d, True) for d in nearby], dim=1)
        behind = torch.stack([objective(model, start - d, True) for d in nearby], dim=1)
    torch.testing.assert_close(climb.points, start + 0.5 * (ahead - behind) / 2e-6)
    torch.testing.assert_close(climb.heights[0], objective(model, start, True))
    torch.testing.assert_close(climb.heights[1], objective(model, climb.points, True))


def test_ascent_climbs_and_leaves_model_and_start_alone():
    model, start = model_of(), normal(50, 4)
    before = start.clone()
    climb = ascend(model, start, steps=30, rate=1.0, complexity=False)
    assert climb.heights.shape == (31, 50)
    assert (climb.heights.diff(dim=0) > 0).all()
    assert torch.equal(start, before)
    assert not start.requires_grad
    assert all(weights.grad is None for weights in model.parameters())
    # One more batch of steps continues where the first ended.
    half = ascend(model, start, steps=15, rate=1.0, complexity=False)
    again = ascend(model, half.points, steps=15, rate=1.0, complexity=False)
    assert torch.equal(again.points, climb.points)


def test_invalid_decodings_are_left_out():
    space = SPACES.get("nasbench101")
    cells = space.sample(4, np.random.default_rng(0))
    valid = np.array([True, False, False, True])
    model = SimpleNamespace(space=space, decode=lambda points: (cells, valid, None))
    found, rows = decode_valid(model, normal(4, 4))
    assert rows.tolist() == [0, 3]
    assert space.prune(cells[rows]).same(found).all()
