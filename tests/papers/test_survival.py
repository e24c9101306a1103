"""Censored times: estimates and tests against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagnas.analysis import survival
from dagnas.analysis.survival import CensoredTimes


def waited(*samples):
    """Trials; a negative number is one that was stopped."""
    array = np.array(samples)
    return CensoredTimes(np.abs(array), array > 0)


#: Weeks in remission of the maintained group of Miller (1997), the standard example; its survival
#: and standard errors (Greenwood) are in every textbook: 0.909 (0.0867) at 9, 0.818 (0.1163) at 13,
#: 0.716 at 18, 0.614 at 23, 0.491 at 31, 0.368 at 34, 0.184 (0.1535) at 48.
REMISSION = waited(9, 13, -13, 18, 23, -28, 31, 34, -45, 48, -161)


def test_curve_is_the_textbooks():
    samples, fractions = survival.curve(REMISSION)
    risen = dict(zip(samples.tolist(), fractions.tolist(), strict=True))
    survivors = {9: 0.909, 13: 0.818, 18: 0.716, 23: 0.614, 31: 0.491, 34: 0.368, 48: 0.184}
    for sample, fraction in survivors.items():
        assert risen[sample] == pytest.approx(1 - fraction, abs=6e-4)
    # Where only a trial was stopped nothing changes, but the curve reaches to it.
    assert risen[28] == risen[23]
    assert samples[-1] == 161


def test_median_and_its_interval_are_those_of_the_log_log_scale():
    # Limits are S^exp(+-1.96 se / (S ln S)). Lower: 0.508 at 9, 0.448 at 13, so that 13 is the
    # first at which a half is not below the interval. Upper: 0.525 at 48, the last, so none.
    def limit(fraction, error, side):
        return fraction ** np.exp(side * 1.96 * error / (fraction * -np.log(fraction)))

    assert limit(0.909, 0.0867, 1) == pytest.approx(0.508, abs=2e-3)
    assert limit(0.818, 0.1163, 1) == pytest.approx(0.448, abs=2e-3)
    assert limit(0.184, 0.1535, -1) == pytest.approx(0.525, abs=2e-3)
    assert survival.median(REMISSION) == (31, 13, np.inf)


def test_median_without_stopped_trials_is_when_half_have_finished():
    assert survival.median(waited(4, 1, 3, 2)).value == 2
    assert survival.median(waited(5, 1, 3)).value == 3
    # A product of fractions is not one half to the last digit.
    for trials in range(2, 60, 2):
        everyone = waited(*range(1, trials + 1))
        assert survival.median(everyone).value == trials // 2
        stopped = waited(*range(1, trials // 2 + 1), *[-99] * (trials // 2))
        assert survival.median(stopped).value == trials // 2


def test_interval_of_many_trials_is_close_to_order_statistics():
    # The exact interval of the median of 50 values has order statistics 18 and 33.
    value, low, high = survival.median(waited(*range(1, 51)))
    assert value == 25
    assert abs(low - 18) <= 1
    assert abs(high - 33) <= 1


def test_median_is_not_given_if_fewer_than_half_finished():
    found = survival.median(waited(3, -9, -9))
    assert np.isnan(found.value)
    assert found.high == np.inf
    found = survival.median(waited(-9, -9, -9))
    assert np.isnan([found.value, found.low]).all()
    assert found.high == np.inf


def test_a_single_trial_has_a_median_without_interval():
    found = survival.median(waited(7))
    assert found.value == 7
    assert np.isnan(found.low)
    assert found.high == np.inf


def test_summary_of_trials_that_all_finished():
    found = survival.summary(waited(10, 20, 30, 40), 100)
    assert found[:6] == (4, 4, 100, 25, 25, pytest.approx(np.nan, nan_ok=True))
    assert found.se == pytest.approx(np.std([10, 20, 30, 40], ddof=1) / 2)
    assert found.median == 20


def test_summary_of_stopped_trials_has_no_mean_but_a_restricted_one():
    found = survival.summary(waited(50, 80, -100, -100), 100)
    assert (found.n, found.finished, found.cap) == (4, 2, 100)
    assert np.isnan(found.mean)
    assert (found.restricted_mean, found.restricted_to) == (82.5, 100)
    assert found.se == pytest.approx(np.std([50, 80, 100, 100], ddof=1) / 2)
    assert found.median == 80


def test_all_stopped():
    found = survival.summary(waited(-100, -100), 100)
    assert (found.finished, found.restricted_mean, found.se) == (0, 100, 0)
    assert np.isnan([found.mean, found.median]).all()


def test_a_trial_that_ended_before_its_cap_restricts_the_mean():
    # The second spent its space after 60 samples: beyond these not all trials are known.
    early = waited(10, -60, 90, -100)
    assert early.followed(100) == 60
    found = survival.summary(early, 100)
    assert found.restricted_to == 60
    assert found.restricted_mean == (10 + 60 + 60 + 60) / 4


@given(st.lists(st.integers(1, 200), min_size=1, max_size=40), st.integers(1, 150))
def test_restricted_mean_is_the_area_under_the_curve(times, cap):
    whole = CensoredTimes(np.array(times), np.ones(len(times), dtype=bool))
    stopped = whole.until(cap)
    samples, fractions = survival.curve(stopped)
    unfinished = 1 - np.concatenate([[0], fractions])
    steps = np.diff(np.concatenate([[0], samples, [cap]]))
    found = survival.summary(stopped, cap)
    assert found.restricted_mean <= np.mean(times) + 1e-9
    if not stopped.found.all():
        area = float((unfinished * steps)[: len(samples)].sum() + unfinished[-1] * steps[-1])
        assert found.restricted_mean == pytest.approx(area)


def test_until_forgets_what_came_later():
    samples, found = waited(5, 10, 11, -20).until(10)
    assert samples.tolist() == [5, 10, 10, 10]
    assert found.tolist() == [True, True, False, False]


def test_tally_counts_trials_that_ended_after_equal_numbers_of_samples():
    found = survival.tally(waited(30, 10, -30, 10, -40))
    assert found.to_dict("list") == {
        "samples": [10, 30, 40],
        "found": [2, 1, 0],
        "stopped": [0, 1, 1],
    }


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=40))
def test_times_come_back_from_their_tally_but_for_the_order(trials):
    samples, found = map(np.array, zip(*trials, strict=True))
    times = survival.from_tally(survival.tally(CensoredTimes(samples, found)))
    back = zip(times.samples.tolist(), times.found.tolist(), strict=True)
    assert sorted(back) == sorted(trials)
    # Those that found it come first.
    assert (np.diff(times.found.astype(int)) <= 0).all()


def test_log_rank_by_hand():
    # Of the first group 2 of 2 finish, at 1 and 2, the others at 3 and 4. Expected: 2/4 + 1/3.
    # Variance: (2 2 1 3)/(16 3) + (1 2 1 2)/(9 2) = 1/4 + 2/9.
    z = (2 - 2 / 4 - 1 / 3) / np.sqrt(1 / 4 + 2 / 9)
    from scipy.special import ndtr

    p = 2 * ndtr(-z)
    assert survival.log_rank(waited(1, 2), waited(3, 4)) == pytest.approx(p)
    # Whether the others were stopped then or finished does not matter.
    assert survival.log_rank(waited(1, 2), waited(-3, -4)) == pytest.approx(p)
    assert np.isnan(survival.log_rank(waited(-9, -9), waited(-9, -9)))


def test_sign_test_counts_pairs_that_are_decided():
    # Sooner, later, both stopped, equal, stopped against finished at the same number.
    one, other = waited(1, 9, -9, 4, 9), waited(2, 3, -9, 4, -9)
    assert survival.sign_test(one, other) == (2, 1, pytest.approx(1.0))
    assert survival.sign_test(waited(1, 1, 1, 1, 1), waited(2, 2, 2, -2, -2)) == (5, 0, 2 / 32)
    assert survival.sign_test(waited(-9), waited(-9)) == (0, 0, 1.0)


def test_comparison_where_all_are_known():
    found = survival.comparison(waited(20, 60), waited(10, 30), 100, 100)
    assert (found.mean_ratio, found.mean_ratio_least) == (2, 2)
    assert (found.median_ratio, found.median_ratio_least) == (2, 2)
    assert (found.upto, found.finished_upto, found.reference_finished_upto) == (100, 100, 100)
    assert found.ratio_upto == 2
    assert (found.sooner, found.later) == (0, 2)


def test_comparison_with_a_stopped_method_gives_bounds():
    found = survival.comparison(waited(20, -50, -50), waited(10, 20, 30), 50, 100)
    assert np.isnan([found.mean_ratio, found.median_ratio]).all()
    assert found.mean_ratio_least == 40 / 20
    assert found.median_ratio_least == 50 / 20
    assert found.upto == 50
    assert found.finished_upto == pytest.approx(100 / 3)


def test_comparison_with_a_stopped_reference_gives_what_both_were_given():
    found = survival.comparison(waited(20, 300), waited(10, -100), 1000, 100)
    assert np.isnan([found.mean_ratio, found.mean_ratio_least]).all()
    # Half of the reference's trials finished, so that its median is known.
    assert found.median_ratio == 20 / 10
    assert found.upto == 100
    assert found.ratio_upto == (20 + 100) / (10 + 100)
    assert (found.finished_upto, found.reference_finished_upto) == (50, 50)
    assert found.logrank_p == survival.log_rank(waited(20, -100), waited(10, -100))
    # Its 300 samples do not count: both were stopped after 100.
    assert (found.sooner, found.later) == (0, 1)


def test_who_is_sooner_is_not_known_while_nobody_is_there():
    found = survival.comparison(waited(-100, -100), waited(-50, 70), 100, 50)
    assert (found.upto, found.finished_upto, found.reference_finished_upto) == (50, 0, 0)
    assert np.isnan([found.ratio_upto, found.logrank_p]).all()


def traces():
    rows = [
        # method, trial, step, signal; improvements and the last one
        ("b", 0, 0, 80.0),
        ("b", 0, 6, 95.0),
        ("b", 1, 0, 85.0),
        ("b", 1, 3, 90.0),
        ("b", 1, 9, 10.0),
        ("a", 1, 4, 95.0),
        ("a", 0, 2, 95.0),
    ]
    return pd.DataFrame(rows, columns=["method", "trial", "step", "signal"])


def test_times_of_traces():
    found = survival.times_to(traces(), 95.0)
    assert list(found) == ["b", "a"]
    assert found["b"].samples.tolist() == [7, 10]
    assert found["b"].found.tolist() == [True, False]
    # In the order of the trials, whatever the order of the rows.
    assert found["a"].samples.tolist() == [3, 5]
    assert found["a"].found.all()


def test_times_until_a_cell_is_good_enough():
    found = survival.times_to(traces(), 90.0)
    # By the first that is: later ones do not count, nor what followed.
    assert found["b"].samples.tolist() == [7, 4]
    assert found["b"].found.all()
    assert survival.times_to(traces(), 80.0)["b"].samples.tolist() == [1, 1]


def test_chance_of_few_successes_if_waits_were_exponential():
    # None of 50 within twice the mean, and within 1,000 samples of a mean of 1,520.9.
    assert survival.chance(0, 50 * 2.0, 1.0) == pytest.approx(np.exp(-100))
    assert survival.chance(0, 50 * 1000, 1520.9) == pytest.approx(5e-15, rel=0.1)
    # One: the Poisson probabilities of none and one.
    assert survival.chance(1, 30.0, 10.0) == pytest.approx(np.exp(-3) * (1 + 3))


def test_chance_is_that_of_waits_that_are_stopped():
    rng = np.random.default_rng(0)
    waits = rng.exponential(10, size=(20_000, 6))
    none = (waits > 4).all(axis=1).mean()
    assert survival.chance(0, 6 * 4.0, 10) == pytest.approx(none, abs=0.01)


def test_p_values_are_corrected_within_each_benchmark():
    table = pd.DataFrame(
        {
            "benchmark": ["x", "x", "x", "y"],
            "logrank_p": [0.01, np.nan, 0.04, 0.04],
            "sign_p": [0.5, np.nan, 0.8, 0.8],
        }
    )
    found = survival.corrected(table)
    # The smallest of two is doubled, the other kept.
    assert found["logrank_p"].tolist() == pytest.approx([0.02, np.nan, 0.04, 0.04], nan_ok=True)
    assert found["sign_p"].tolist() == pytest.approx([1.0, np.nan, 1.0, 0.8], nan_ok=True)


def test_table_has_the_same_columns_with_and_without_a_reference():
    found = survival.times_to(traces(), 95.0)
    caps = {"a": 20, "b": 10}
    table = survival.table(found, caps, "a").set_index("method")
    assert table.loc["b", "ratio_upto"] == (7 + 10) / (3 + 5)
    assert np.isnan(table.loc["a", "ratio_upto"])
    assert table["cap"].to_dict() == {"a": 20, "b": 10}
    without = survival.table(found, caps, "none")
    assert list(without.set_index("method")) == list(table)
    assert without["ratio_upto"].isna().all()
