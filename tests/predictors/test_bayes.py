"""Bayesian linear regression against closed forms, and evidence against its definition."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from dagnas.predictors.bayes import BayesianLinear, log_evidence


def draw(size, features, alpha=4.0, beta=25.0, seed=0):
    """A design, and targets of weights and noise with these precisions."""
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(size, features))
    weights = rng.normal(0, alpha**-0.5, features)
    return design, design @ weights + rng.normal(0, beta**-0.5, size)


def test_log_evidence_is_the_density_of_the_targets():
    # Weights integrated out, t is normal with covariance I / beta + Phi Phi^T / alpha.
    for size, features in ((7, 3), (3, 7), (1, 1)):
        design, targets = draw(size, features)
        for alpha, beta in ((1.0, 1.0), (0.3, 20.0), (50.0, 0.1)):
            covariance = np.eye(size) / beta + design @ design.T / alpha
            expected = multivariate_normal.logpdf(targets, np.zeros(size), covariance)
            assert log_evidence(design, targets, alpha, beta) == pytest.approx(expected)


@pytest.mark.parametrize(("size", "features"), [(30, 6), (12, 20)])
def test_posterior_and_prediction_are_equations_4_and_5(size, features):
    design, targets = draw(size, features, beta=4.0, seed=3)
    found = BayesianLinear(design.astype(np.float32), targets)
    design = design.astype(np.float32).astype(np.float64)
    precision = found.alpha * np.eye(features) + found.beta * design.T @ design
    covariance = np.linalg.inv(precision)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-6, atol=1e-10)
    mean = found.beta * covariance @ design.T @ targets
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6, atol=1e-10)
    new = np.random.default_rng(1).normal(size=(4, features))
    predicted, variance = found.predict(new)
    for row, one, other in zip(new, predicted, variance, strict=True):
        assert one == pytest.approx(mean @ row)
        assert other == pytest.approx(row @ covariance @ row + 1 / found.beta)


def test_variance_by_hand():
    # One feature: S_N = 1 / (alpha + beta sum of squares), and variance S_N phi^2 + 1 / beta.
    design, targets = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.1, 5.8])
    found = BayesianLinear(design, targets)
    spread = 1 / (found.alpha + 14 * found.beta)
    mean, variance = found.predict(np.array([[0.0], [5.0]]))
    assert variance == pytest.approx([1 / found.beta, 25 * spread + 1 / found.beta])
    assert mean == pytest.approx([0, 5 * spread * found.beta * (2 + 8.2 + 17.4)])


@pytest.mark.parametrize(
    ("size", "features", "seed"), [(40, 5, 0), (40, 5, 1), (60, 40, 2), (30, 64, 3), (200, 64, 4)]
)
def test_precisions_maximise_the_evidence(size, features, seed):
    design, targets = draw(size, features, seed=seed)
    found = BayesianLinear(design, targets)

    def loss(logarithms):
        return -log_evidence(design, targets, *np.exp(logarithms))

    best = minimize(loss, np.log([4.0, 25.0]), method="Nelder-Mead", options={"xatol": 1e-6})
    assert loss(np.log([found.alpha, found.beta])) == pytest.approx(best.fun, abs=1e-3)
    assert np.log([found.alpha, found.beta]) == pytest.approx(best.x, abs=0.02)


def test_precisions_of_a_large_sample_are_those_that_made_it():
    found = BayesianLinear(*draw(3000, 400, alpha=4.0, beta=25.0))
    assert found.alpha == pytest.approx(4, rel=0.15)
    assert found.beta == pytest.approx(25, rel=0.1)


@pytest.mark.parametrize("targets", [np.array([1.0, 3.0, 2.0, 2.5]), np.zeros(4), np.ones(4)])
@pytest.mark.parametrize(
    "design",
    [
        np.zeros((4, 3)),
        np.ones((4, 3)),
        np.arange(4.0)[:, None] * np.ones(5),
        np.eye(4),
        np.random.default_rng(0).normal(size=(4, 64)),
        1e-8 * np.random.default_rng(0).normal(size=(4, 2)),
        1e4 * np.random.default_rng(0).normal(size=(4, 2)),
    ],
    ids=["zero", "equal", "duplicates", "square", "wide", "tiny", "huge"],
)
@pytest.mark.parametrize("size", [1, 4])
def test_poor_designs_give_finite_predictions(design, targets, size):
    found = BayesianLinear(design[:size], targets[:size])
    mean, variance = found.predict(np.concatenate([design, 10 * design]))
    assert np.isfinite(mean).all()
    assert np.isfinite(variance).all()
    assert (variance > 0).all()


def test_a_design_that_says_nothing_predicts_zero_with_the_targets_spread():
    found = BayesianLinear(np.zeros((8, 3)), np.array([1.0, -1.0] * 4))
    mean, variance = found.predict(np.zeros((1, 3)))
    assert mean == pytest.approx(0)
    assert variance == pytest.approx(1)
