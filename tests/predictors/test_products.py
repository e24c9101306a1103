"""Products against PyTorch's, with gradients, and gradients that are not asked for."""

import pytest
import torch

from dagnas.predictors import products
from dagnas.predictors.fit import gradient
from dagnas.predictors.products import Linear, frozen, linear, multiply, product
from dagnas.spaces.cells import Graphs


@pytest.fixture
def draw():
    generator = torch.Generator().manual_seed(1)
    return lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def gradients(function, *inputs):
    inputs = [values.detach().requires_grad_() for values in inputs]
    result = function(*inputs)
    weights = torch.arange(result.numel(), dtype=result.dtype).view_as(result)
    return [result, *torch.autograd.grad((result * weights).sum(), inputs)]


def same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b)


def test_product_and_its_gradients(draw):
    matrices = draw(5, 7), draw(7, 3)
    same(gradients(product, *matrices), gradients(torch.mm, *matrices))


@pytest.mark.parametrize("shape", [(7,), (4, 7), (2, 4, 7), (0, 7)])
def test_linear_and_its_gradients(draw, shape):
    parts = draw(*shape), draw(3, 7), draw(3)
    same(gradients(linear, *parts), gradients(torch.nn.functional.linear, *parts))
    same(gradients(linear, *parts[:2]), gradients(torch.nn.functional.linear, *parts[:2]))


def test_matrices_may_be_turned_spread_or_parts_of_others(draw):
    wide, one = draw(9, 12), draw(1, 5)
    pairs = [(wide[:, 2:7].T, wide[:, 3:]), (one.expand(4, 5), wide.T[2:7]), (wide[::2], wide.T)]
    for left, right in pairs:
        torch.testing.assert_close(multiply(left, right), left @ right)


def test_product_is_written_where_it_is_wanted(draw):
    left, right, out = draw(4, 5), draw(5, 6), draw(3, 4, 6)
    before = out.clone()
    assert multiply(left, right, out=out[1]).data_ptr() == out[1].data_ptr()
    torch.testing.assert_close(out[1], left @ right)
    torch.testing.assert_close(out[::2], before[::2])


def test_layer_starts_as_torchs():
    layers = []
    for kind in (Linear, torch.nn.Linear):
        torch.manual_seed(3)
        layers.append(list(kind(6, 2).parameters()))
    same(*layers)


@pytest.fixture
def calls(monkeypatch):
    """Products that were computed."""
    found = []

    def counted(*args, **options):
        found.append(args)
        return multiply(*args, **options)

    monkeypatch.setattr(products, "multiply", counted)
    return found


def test_slopes_of_scores_cost_no_gradients_of_weights(calls):
    layer = Linear(7, 1)

    def model(graphs):
        return layer(graphs.nodes.flatten(1))[:, 0]

    module = torch.nn.Module()
    module.layer, module.forward = layer, model
    gradient(module, Graphs(torch.rand(4, 1, 7), torch.rand(4, 1, 1, 2)))
    assert len(calls) == 2


def test_only_gradients_that_are_asked_for_are_computed(draw, calls):
    layer, inputs = Linear(7, 3).double(), draw(4, 7).requires_grad_()
    with frozen(layer):
        (slope,) = torch.autograd.grad(layer(inputs).sum(), inputs)
    assert len(calls) == 2
    assert all(weights.requires_grad for weights in layer.parameters())
    torch.testing.assert_close(slope, layer.weight.sum(dim=0).expand(4, 7))
    layer(draw(4, 7)).sum().backward()
    assert len(calls) == 4


@pytest.mark.parametrize("function", [product, lambda a, b: linear(a, b.T)])
def test_gradients_of_gradients_are_refused(draw, function):
    left, right = draw(4, 5).requires_grad_(), draw(5, 6)
    (slope,) = torch.autograd.grad(function(left, right).square().sum(), left, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_weights_that_had_no_gradient_have_none_afterwards():
    layer = Linear(7, 3)
    layer.bias.requires_grad_(False)
    with pytest.raises(KeyError), frozen(layer):
        raise KeyError
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad
