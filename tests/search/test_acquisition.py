"""Expected improvement against its integral."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from dagnas.search.models.acquisition import expected_improvement


@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.7, 3.0])
@pytest.mark.parametrize("sd", [0.05, 0.5, 4.0])
@pytest.mark.parametrize("best", [-1.0, 0.0, 1.5])
def test_expected_improvement_is_the_mean_of_what_is_gained(mean, sd, best):
    def gained(value):
        return (value - best) * norm.pdf(value, mean, sd)

    start, end = max(best, mean - 12 * sd), max(best, mean + 12 * sd)
    expected, _ = quad(gained, start, end, epsabs=1e-13)
    (found,) = expected_improvement(np.array([mean]), np.array([sd]), best)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_it_grows_with_mean_and_spread_and_takes_single_precision():
    mean, sd = np.linspace(-3, 3, 50, dtype=np.float32), np.linspace(0.1, 3, 50, dtype=np.float32)
    by_mean = expected_improvement(mean, np.full(50, 0.5, dtype=np.float32), 0.5)
    by_spread = expected_improvement(np.zeros(50, dtype=np.float32), sd, 0.5)
    assert by_mean.dtype == by_spread.dtype == np.float64
    assert (np.diff(by_mean) > 0).all()
    assert (np.diff(by_spread) > 0).all()


def test_without_spread_it_is_the_gain_itself():
    found = expected_improvement(np.array([-1.0, 0.0, 2.0]), np.full(3, 1e-9), 0.5)
    assert found == pytest.approx([0, 0, 1.5])
