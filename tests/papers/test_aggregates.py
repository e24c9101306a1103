"""Statistics over benchmarks: against their definitions, and spreads that are known."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, trim_mean

from dagnas.analysis import aggregates
from dagnas.analysis.paired import RESAMPLES
from dagnas.seeds import stream


def alone(*trials):
    """Counts of the trials themselves, by benchmark."""
    return [np.ones((1, n), dtype=np.uint16) for n in trials]


def test_resamples_have_as_many_trials_and_begin_with_the_trials_themselves():
    counts = aggregates.resample(7, stream("a"))
    assert counts.shape == (1 + RESAMPLES, 7)
    assert set(counts.sum(axis=1)) == {7}
    assert counts[0].tolist() == [1] * 7
    assert counts[1:].mean(axis=0) == pytest.approx(np.ones(7), abs=0.04)
    assert counts[1:].var() == pytest.approx(6 / 7, rel=0.03)


def test_the_interquartile_mean_is_a_trimmed_mean_of_all_trials():
    scores = np.random.default_rng(0).normal(size=(3, 20))
    found = aggregates.interquartile_mean(list(scores), alone(20, 20, 20))
    assert found == pytest.approx(trim_mean(scores.ravel(), 0.25))
    # A number that is no multiple of four keeps parts of two trials: half of 1, 2, half of 4.
    three = aggregates.interquartile_mean([np.array([4.0, 1.0, 2.0])], alone(3))
    assert three == pytest.approx((0.25 * 1 + 1 * 2 + 0.25 * 4) / 1.5)


def test_benchmarks_with_more_trials_weigh_no_more():
    scores = np.random.default_rng(1).normal(size=(2, 8))
    few = aggregates.interquartile_mean(list(scores), alone(8, 8))
    many = aggregates.interquartile_mean([np.repeat(scores[0], 5), scores[1]], alone(40, 8))
    assert many == pytest.approx(few)


def test_resampled_interquartile_means_are_those_of_the_drawn_trials():
    scores = np.random.default_rng(2).normal(size=(2, 12))
    counts = [aggregates.resample(12, stream(name)) for name in "ab"]
    found = aggregates.interquartile_mean(list(scores), counts)
    for row in (1, 2, RESAMPLES):
        drawn = [np.repeat(each, count[row]) for each, count in zip(scores, counts, strict=True)]
        assert found[row] == pytest.approx(trim_mean(np.concatenate(drawn), 0.25))
    undefined = aggregates.interquartile_mean([scores[0], np.full(12, np.inf)], counts)
    assert np.isnan(undefined).all()


def test_improvement_is_the_statistic_of_mann_and_whitney():
    rng = np.random.default_rng(3)
    # Few values, so that many are equal.
    one, other = rng.integers(4, size=(15, 2)) / 7, rng.integers(4, size=(9, 2)) / 7
    counts = aggregates.resample(15, stream("a")), aggregates.resample(9, stream("b"))
    found = aggregates.improvement(one, other, *counts)
    assert found.shape == (1 + RESAMPLES, 2)
    assert found[0] == pytest.approx(mannwhitneyu(other, one).statistic / (15 * 9))
    for row in (1, RESAMPLES):
        drawn = [np.repeat(x, c[row], axis=0) for x, c in zip((one, other), counts, strict=True)]
        assert found[row] == pytest.approx(mannwhitneyu(drawn[1], drawn[0]).statistic / (15 * 9))
    back = aggregates.improvement(other, one, counts[1], counts[0])
    assert found + back == pytest.approx(np.ones_like(found))
    # Against itself, in each resample too.
    assert aggregates.improvement(one, one, counts[0], counts[0]) == pytest.approx(0.5)


def test_improvement_that_is_certain():
    worse = np.array([[2.0], [3.0]])
    counts = aggregates.resample(2, stream("a"))
    assert (aggregates.improvement(worse - 1.5, worse, counts, counts)[0] == 1).all()
    assert (aggregates.improvement(worse - 3, worse, counts, counts) == 1).all()
    assert (aggregates.improvement(worse + 3, worse, counts, counts) == 0).all()


def test_draws_of_benchmarks_add_their_spread_to_that_of_trials():
    rng = np.random.default_rng(4)
    n, within, places = 5, 0.3, np.array([0.0, 1.0, 2.0, 3.0, 7.0])
    values = places[:, None] + within * rng.normal(size=(n, 1 + RESAMPLES))
    found = aggregates.over_benchmarks(values, stream("a"))
    assert found[0] == values[:, 0].mean()
    assert found[1:].mean() == pytest.approx(places.mean(), abs=0.05)
    # Trials of each draw are their own, also where a benchmark is drawn twice.
    assert found[1:].var() == pytest.approx((places.var() + within**2) / n, rel=0.05)
    # Benchmarks that are equal leave the spread of trials alone.
    same = aggregates.over_benchmarks(within * rng.normal(size=(n, 1 + RESAMPLES)), stream("a"))
    assert same[1:].var() == pytest.approx(within**2 / n, rel=0.05)


def test_a_single_benchmark_has_the_intervals_of_its_trials():
    values = np.random.default_rng(5).normal(size=(1, 1 + RESAMPLES, 2))
    found = aggregates.over_benchmarks(values, stream("a"))
    assert aggregates.limits("x", found)["x_low"] == pytest.approx(
        aggregates.limits("x", values[0])["x_low"]
    )
