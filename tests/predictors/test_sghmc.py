"""The sampled network: gradient, sampler, predictive equations, and noise that varies."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm, spearmanr

from dagnas.errors import DagnasError
from dagnas.predictors.sghmc import (
    CENTRE,
    FLOOR,
    SPREAD,
    BayesianNetwork,
    Chain,
    Prediction,
    adapt,
    energy_and_gradient,
    move,
    negative_log_likelihood,
    root_mean_square_error,
    sample,
    scaled,
)

SHORT = Chain(steps=300, burn_in=100, every=20)


def layers(weights, widths):
    """Kernels and biases of a flat vector, and what is left of it."""
    parts, place = [], 0
    for width, out in pairwise(widths):
        kernel = weights[place : place + width * out].reshape(width, out)
        parts.append((kernel, weights[place + width * out : place + width * out + out]))
        place += (width + 1) * out
    return parts, weights[place:]


def energy(points, targets, rows, weights, widths, varies):
    """Energy of the docstring, with distributions of PyTorch."""
    parts, rest = layers(weights, widths)
    states = points[rows]
    for number, (kernel, bias) in enumerate(parts):
        states = states @ kernel + bias
        states = torch.tanh(states) if number < len(parts) - 1 else states
    logs = states[:, 1] if varies else SPREAD * rest[0]
    sd = (FLOOR + torch.exp(CENTRE + logs)).sqrt()
    likelihood = torch.distributions.Normal(states[:, 0], sd).log_prob(targets[rows])
    prior = torch.distributions.Normal(0, 1).log_prob(weights)
    constants = np.log(2 * np.pi) / 2 * (len(points) + len(weights))
    return -likelihood.mean() * len(points) - prior.sum() - constants


@pytest.mark.parametrize("varies", [False, True])
@pytest.mark.parametrize("hidden", [(), (4,), (5, 7, 3)])
def test_energy_and_gradient_equal_those_of_autograd(varies, hidden):
    rng = np.random.default_rng(3)
    widths = np.array([3, *hidden, 1 + varies])
    points, targets = rng.normal(size=(9, 3)), rng.normal(size=9)
    count = sum((i + 1) * o for i, o in pairwise(widths)) + (not varies)
    weights, rows = rng.normal(size=count), np.array([7, 0, 3, 2])
    gradient = np.empty(count)
    states, back = np.empty((len(widths), 4, 7)), np.empty((2, 4, 7))
    value = energy_and_gradient(
        points, targets, rows, weights, widths, varies, gradient, states, back
    )
    free = torch.tensor(weights, requires_grad=True)
    there = energy(torch.tensor(points), torch.tensor(targets), rows, free, widths, varies)
    there.backward()
    assert value == pytest.approx(there.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, free.grad.numpy(), rtol=1e-9, atol=1e-9)


def linear_posterior(design, targets):
    """Mean and covariance of weights, bias and w_n of a linear model.

    Given w_n the posterior is normal, so that one integral is left, over w_n.
    """
    grid = np.linspace(-5, 5, 2001)
    size, features = design.shape
    logs, means, seconds = [], [], []
    for w in grid:
        variance = FLOOR + np.exp(CENTRE + SPREAD * w)
        covariance = np.linalg.inv(design.T @ design / variance + np.eye(features))
        mean = np.append(covariance @ design.T @ targets / variance, w)
        second = np.outer(mean, mean)
        second[:-1, :-1] += covariance
        of_targets = variance * np.eye(size) + design @ design.T
        logs.append(multivariate_normal(np.zeros(size), of_targets).logpdf(targets))
        means.append(mean)
        seconds.append(second)
    density = np.exp(np.array(logs) - max(logs)) * norm.pdf(grid)
    density /= density.sum()
    mean = np.tensordot(density, means, 1)
    return mean, np.tensordot(density, seconds, 1) - np.outer(mean, mean)


def linear_task():
    rng = np.random.default_rng(0)
    points = scaled(rng.random((15, 2)))
    targets = points @ np.array([0.6, -0.3]) + 0.2 + rng.normal(scale=0.5, size=15)
    return points, targets, linear_posterior(np.c_[points, np.ones(15)], targets)


def linear_samples(points, targets, batch, steps=600_000):
    widths, start = np.array([2, 1]), np.zeros(4)
    rng = np.random.default_rng(1)
    arguments = (False, steps, 3000, 20, 1e-2, batch, 0.05, rng)
    return sample(points, targets, start, widths, *arguments)


def test_the_sampler_has_the_posterior_of_a_linear_model():
    points, targets, (mean, covariance) = linear_task()
    samples = linear_samples(points, targets, batch=20)
    # Monte Carlo errors of means of 40 blocks, which are long beside the chain's memory.
    usable = samples[: len(samples) // 40 * 40].reshape(40, -1, 4)
    errors = usable.mean(axis=1).std(axis=0) / np.sqrt(40)
    sds = np.sqrt(np.diag(covariance))
    assert (errors < 0.03 * sds).all()
    assert (np.abs(samples.mean(axis=0) - mean) < 4 * errors).all()
    found = np.cov(samples.T)
    np.testing.assert_allclose(
        found / np.outer(sds, sds), covariance / np.outer(sds, sds), atol=0.06
    )


def test_minibatches_change_the_posterior_little():
    points, targets, (mean, covariance) = linear_task()
    samples = linear_samples(points, targets, batch=5)
    sds = np.sqrt(np.diag(covariance))
    assert (np.abs(samples.mean(axis=0) - mean) < 0.2 * sds).all()
    np.testing.assert_allclose(samples.std(axis=0), sds, rtol=0.15)


@pytest.mark.parametrize("curvature", [0.5, 2.0])
def test_a_step_has_the_variance_that_follows_from_its_recursion(curvature):
    # Of a normal target the recursion is an AR(2) process, whose variance is known.
    chains, lr, decay = 50_000, 0.7, 0.1
    rng, pull = np.random.default_rng(0), np.full(chains, lr**2)
    weights, velocity = np.zeros(chains), np.zeros(chains)
    for _ in range(300):
        move(weights, velocity, curvature * weights, pull, np.sqrt(2 * decay * pull), decay, rng)
    step = lr**2 * curvature
    expected = (2 - decay) / (2 - decay - step / 2) / curvature
    assert weights.var() == pytest.approx(expected, rel=0.03)
    assert expected * curvature > 1.06 or curvature < 1


def test_the_preconditioner_finds_the_gradients_mean_square():
    rng, sizes = np.random.default_rng(0), np.repeat([0.1, 1.0, 100.0], 200)
    window, mean, square = np.zeros(600), np.zeros(600), np.ones(600)
    for _ in range(3000):
        adapt(sizes * rng.normal(size=600), window, mean, square)
    assert (window > 1).all()
    root = np.sqrt(square.reshape(3, 200).mean(axis=1))
    np.testing.assert_allclose(root, [0.1, 1, 100], rtol=0.05)
    # A gradient that stays the same has the shortest window: its mean is all of it.
    window, mean, square = np.zeros(600), np.zeros(600), np.ones(600)
    for _ in range(100):
        adapt(sizes, window, mean, square)
    assert (window < 1.1).all()


def test_a_fit_depends_on_its_generator_alone():
    rng = np.random.default_rng(0)
    points, targets = rng.random((30, 2)), rng.random(30)
    one, two, other = (
        BayesianNetwork(points, targets, np.random.default_rng(seed), chain=SHORT).samples
        for seed in (5, 5, 6)
    )
    assert one.tobytes() == two.tobytes()
    assert (one != other).any()
    assert one.shape == (10, 3 * 10 + 2 * 11 * 10 + 22)


@pytest.mark.parametrize("noise", ["homoscedastic", "heteroscedastic"])
def test_predictions_are_equation_1(noise):
    rng = np.random.default_rng(0)
    points, targets = rng.random((30, 2)), 5 + 3 * rng.random(30)
    network = BayesianNetwork(points, targets, rng, noise=noise, chain=SHORT)
    there = rng.random((7, 2))
    found = network.predict(there)
    values, variances = [], []
    for weights in network.samples:
        parts, rest = layers(weights, network.widths)
        states = scaled(there)
        for number, (kernel, bias) in enumerate(parts):
            states = states @ kernel + bias
            states = np.tanh(states) if number < len(parts) - 1 else states
        log = states[:, 1] if noise == "heteroscedastic" else SPREAD * rest[0]
        values.append(targets.mean() + targets.std() * states[:, 0])
        variances.append(targets.var() * (FLOOR + np.exp(CENTRE + log)) * np.ones(7))
    mean = sum(values) / len(values)
    variance = sum(f**2 + s for f, s in zip(values, variances, strict=True)) / len(values) - mean**2
    np.testing.assert_allclose(found.mean, mean, rtol=1e-10)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-8)
    np.testing.assert_allclose(found.noise, sum(variances) / len(variances), rtol=1e-10)
    if noise == "homoscedastic":
        assert np.ptp(found.noise) < 1e-12


def test_scores_are_those_of_the_normal_distribution():
    prediction = Prediction(np.array([0.0, 1.0]), np.array([4.0, 0.25]), np.zeros(2))
    targets = np.array([1.0, 2.0])
    expected = -norm.logpdf(targets, prediction.mean, np.sqrt(prediction.variance)).mean()
    assert negative_log_likelihood(prediction, targets) == pytest.approx(expected)
    assert root_mean_square_error(prediction, targets) == 1


def noisy(size, rng):
    """Points of the plane, values there, and the sd of the noise, which grows with the first."""
    points = rng.random((size, 2))
    sd = 0.02 + 0.6 * points[:, 0] ** 2
    truth = np.sin(3 * points[:, 1]) + points[:, 0]
    return points, truth + sd * rng.normal(size=size), sd


def scores(split, noise, chain, train=100):
    rng = np.random.default_rng(split)
    points, targets, _ = noisy(train, rng)
    network = BayesianNetwork(points, targets, rng, noise=noise, chain=chain)
    there, truth, sd = noisy(500, np.random.default_rng(1000 + split))
    found = network.predict(there)
    inside = np.abs(truth - found.mean) < norm.ppf(0.95) * np.sqrt(found.variance)
    shape = spearmanr(found.noise, sd).statistic
    return negative_log_likelihood(found, truth), inside.mean(), shape


def test_noise_that_varies_is_found_by_the_second_output():
    chain = Chain(steps=4000, burn_in=1500)
    varying = np.array([scores(split, "heteroscedastic", chain) for split in range(10)])
    constant = np.array([scores(split, "homoscedastic", chain) for split in range(10)])
    assert (varying[:, 0] < constant[:, 0]).all()
    assert np.median(varying[:, 2]) > 0.9
    assert 0.85 < varying[:, 1].mean() < 0.95


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points": np.zeros((3, 2))}, r"shape \(3, 2\) with targets of shape \(4,\)"),
        ({"points": np.full((4, 2), np.nan)}, "points of a network hold NaN"),
        ({"targets": np.full(4, np.inf)}, "targets of a network hold NaN"),
        ({"noise": "none"}, "unknown noise of a network 'none'.*homoscedastic"),
        ({"chain": Chain(steps=100, burn_in=50, every=60)}, "keeps no sample"),
        ({"chain": Chain(lr=0)}, "lr=0 of a chain"),
        ({"chain": Chain(decay=1)}, "decay=1 of a chain"),
        ({"chain": SHORT._replace(lr=1e200)}, "diverges"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    given = {"points": np.zeros((4, 2)), "targets": np.arange(4.0), "chain": SHORT, **arguments}
    with pytest.raises(DagnasError, match=words):
        BayesianNetwork(
            given.pop("points"), given.pop("targets"), np.random.default_rng(0), **given
        )
