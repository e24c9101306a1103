"""The sparse Gaussian process on latent codes."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from dagnas.search.models.gaussian_process import (
    GaussianProcess,
    Hyperparameters,
    log_marginal_likelihood,
)
from dagnas.search.models.latent_process import BOUNDS, LatentProcess

KNOWN = Hyperparameters(0.03, np.array([1.7]), np.array([[0.4]]))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def kernel(a, b):
    return 1.7 * np.exp(-0.4 * ((a[:, None] - b[None]) ** 2).sum(axis=2))


def squares(a, b):
    return cdist(a, b, "sqeuclidean")[None, None]


def problem(seed=0, inducing=12):
    """Inducing points, data, values there and other points, in three dimensions."""
    codes = normal(40, 3, seed=seed)
    return codes[:inducing], codes, normal(40, seed=seed + 1), normal(9, 3, seed=seed + 2)


def dense(inducing, codes, targets, points):
    """Mean and covariance of the DTC posterior by the paper's formulas."""
    inner = np.linalg.inv(
        kernel(inducing, codes) @ kernel(codes, inducing) / 0.03 + kernel(inducing, inducing)
    )
    across = kernel(points, inducing)
    mean = across @ inner @ kernel(inducing, codes) @ targets / 0.03
    explained = across @ np.linalg.inv(kernel(inducing, inducing)) @ across.T
    return mean, kernel(points, points) - explained + across @ inner @ across.T


def test_posterior_is_that_of_the_formulas():
    inducing, codes, targets, points = problem()
    posterior = LatentProcess(KNOWN, inducing, codes, targets).at(points)
    mean, covariance = dense(inducing, codes, targets, points)
    assert posterior.mean == pytest.approx(mean, abs=1e-6)
    assert posterior.variance == pytest.approx(covariance.diagonal(), abs=1e-6)
    assert posterior.sd == pytest.approx(np.sqrt(covariance.diagonal()), abs=1e-6)
    rows = [posterior.covariance(row) for row in range(9)]
    assert np.array(rows) == pytest.approx(covariance, abs=1e-6)


def test_with_all_data_inducing_it_is_the_exact_process():
    _, codes, targets, points = problem()
    posterior = LatentProcess(KNOWN, codes, codes, targets).at(points)
    exact = GaussianProcess(KNOWN, squares(codes, codes), targets)
    for row, value in ((4, 1.3), (7, -2.0), (4, 0.2)):
        mean, sd = exact.predict(squares(codes, points))
        assert posterior.mean == pytest.approx(mean, abs=1e-5)
        assert posterior.sd == pytest.approx(sd, abs=1e-5)
        posterior.add(row, value)
        exact.add(squares(codes, points[[row]])[..., 0], value)
        codes = np.concatenate([codes, points[[row]]])


def test_more_values_condition_the_posterior():
    inducing, codes, targets, points = problem(seed=5)
    posterior = LatentProcess(KNOWN, inducing, codes, targets).at(points)
    mean, covariance = dense(inducing, codes, targets, points)
    rows, values = [3, 0, 8], np.array([0.5, -1.0, 2.0])
    for row, value in zip(rows, values, strict=True):
        posterior.add(row, value)
    gain = covariance[:, rows] @ np.linalg.inv(covariance[np.ix_(rows, rows)] + 0.03 * np.eye(3))
    assert posterior.mean == pytest.approx(mean + gain @ (values - mean[rows]), abs=1e-6)
    left = covariance - gain @ covariance[rows]
    assert posterior.variance == pytest.approx(left.diagonal(), abs=1e-6)
    assert posterior.covariance(5) == pytest.approx(left[5], abs=1e-6)


def test_a_predicted_value_leaves_means_and_narrows_what_is_near():
    inducing, codes, targets, _ = problem()
    points = np.array([[5.0, 5, 5], [5.1, 5, 5], [-9, 0, 0]])
    posterior = LatentProcess(KNOWN, inducing, codes, targets).at(points)
    mean, sd = posterior.mean.copy(), posterior.sd
    posterior.add(0, posterior.mean[0])
    assert posterior.mean == pytest.approx(mean)
    assert (posterior.sd[:2] < 0.2 * sd[:2]).all()
    assert posterior.sd[2] == pytest.approx(sd[2])


def test_data_that_are_not_inducing_count():
    codes, points = normal(300, 2), normal(200, 2, seed=1)
    truth = np.sin(points).sum(axis=1)
    targets = np.sin(codes).sum(axis=1) + 0.3 * normal(300, seed=2)

    def error(data):
        mean = LatentProcess(KNOWN, codes[:20], codes[:data], targets[:data]).at(points).mean
        return np.sqrt(np.mean((mean - truth) ** 2))

    assert error(300) < 0.5 * error(20)


def test_fitted_hyperparameters_have_the_largest_likelihood_of_the_inducing_data():
    codes = normal(60, 3)
    targets = np.sin(2 * codes[:, 0]) + 0.2 * normal(60, seed=1)
    process = LatentProcess.fitted(codes, targets, 60, np.random.default_rng(0))
    found = process.hyperparameters
    gaps = squares(codes, codes)
    best, gradient = log_marginal_likelihood(found, gaps, targets)
    assert abs(gradient).max() < 0.05
    for factor in (0.5, 2.0):
        for change in (
            {"noise": found.noise * factor},
            {"scales": found.scales * factor},
            {"rates": found.rates * factor},
        ):
            assert log_marginal_likelihood(found._replace(**change), gaps, targets)[0] < best - 0.05


def test_at_most_so_many_of_the_data_are_inducing():
    codes, targets = normal(30, 3), normal(30, seed=1)

    def inducing(count, seed=0):
        return LatentProcess.fitted(codes, targets, count, np.random.default_rng(seed)).inducing

    for count, expected in ((7, 7), (30, 30), (500, 30)):
        rows = (inducing(count)[:, None] == codes[None]).all(axis=2)
        assert rows.sum(axis=1).tolist() == [1] * expected
        assert rows.sum(axis=0).max() == 1
    assert (inducing(7) == inducing(7)).all()
    assert not (inducing(7) == inducing(7, seed=1)).all()


def test_the_unit_of_codes_does_not_matter():
    codes, points = normal(40, 3), normal(9, 3, seed=2)
    targets = np.sin(codes).sum(axis=1)
    one, other = (
        LatentProcess.fitted(unit * codes, targets, 25, np.random.default_rng(3)).at(unit * points)
        for unit in (1.0, 1000.0)
    )
    assert one.mean == pytest.approx(other.mean, abs=1e-4)
    assert one.sd == pytest.approx(other.sd, abs=1e-4)


def test_equal_codes_and_equal_targets_are_no_harm():
    codes = np.repeat(normal(5, 3), 4, axis=0)
    for data, targets in ((codes, np.repeat(normal(5, seed=1), 4)), (0 * codes, np.zeros(20))):
        process = LatentProcess.fitted(data, targets, 20, np.random.default_rng(0))
        posterior = process.at(data)
        assert np.isfinite(posterior.mean).all()
        assert (posterior.sd > 0).all()
        assert abs(posterior.mean - targets).max() < 0.5
        low, high = (bound.noise for bound in BOUNDS)
        assert low * 0.999 <= process.hyperparameters.noise <= high * 1.001
