"""The ledger's rule: each kind of statement and of error, at both sides of each boundary."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dagnas.errors import DagnasError
from dagnas.papers.claims import estimate
from dagnas.papers.claims.check import Tables, check
from dagnas.papers.claims.estimate import Estimate
from dagnas.papers.claims.model import Claim
from dagnas.papers.claims.page import count_statuses, to_csv, to_lines, to_markdown
from dagnas.papers.claims.rule import FAILED, NOT_RUN, REPRODUCED, UNDECIDED

#: Half of the interval of a mean over ten trials with a standard error of 1.
HALF = stats.t.ppf(0.975, 9)
#: The same of a difference of two of them.
BOTH = math.sqrt(2) * HALF


@pytest.fixture
def judge(tmp_path):
    """Function that checks a statement on rows, each of which is selected by its name."""

    def entry(test, *rows):
        (tmp_path / "p").mkdir(exist_ok=True)
        pd.DataFrame(rows).to_csv(tmp_path / "p/r.csv", index=False)
        claim = Claim.model_validate(
            {"id": "c", "place": "Figure 1", "statement": "It is so.", "check": test}
        )
        return check("p", claim, Tables(tmp_path, ["p/r"]))

    return entry


def mean_of(name, error=None, **more):
    return {
        "result": "p/r",
        "column": "mean",
        "where": {"name": name},
        "error": error or {"se": "se"},
        **more,
    }


def row(name, mean, se=1.0, n=10, **more):
    return {"name": name, "mean": mean, "se": se, "n": n, **more}


@pytest.mark.parametrize(
    ("lead", "status"),
    [
        (BOTH + 0.01, REPRODUCED),
        (BOTH - 0.01, UNDECIDED),
        (0.0, UNDECIDED),
        (0.01 - BOTH, UNDECIDED),
        (-0.01 - BOTH, FAILED),
    ],
)
def test_an_order_of_two_means(judge, lead, status):
    rows = row("a", 5.0), row("b", 5.0 + lead)
    assert judge({"kind": "less", "value": mean_of("a"), "other": mean_of("b")}, *rows).status == (
        status
    )
    turned = {"kind": "greater", "value": mean_of("b"), "other": mean_of("a")}
    assert judge(turned, *rows).status == status


def test_a_lead_of_half_a_standard_error_says_nothing(judge):
    """As GOAL's below NPNAS, which was called reproduced."""
    rows = row("goal", 8.50, 0.01, 50), row("npnas", 8.507, 0.01, 50)
    found = judge({"kind": "less", "value": mean_of("goal"), "other": mean_of("npnas")}, *rows)
    assert found.status == UNDECIDED
    assert found.measured == (
        "8.5 [8.48, 8.52], asked below 8.507 [8.487, 8.527]; difference -0.007 [-0.03542, 0.02142]"
    )


def test_two_trials_decide_no_order_of_close_means(judge):
    error = {"sd": "sd"}
    rows = row("gcn", 81.6, sd=0.9, n=2), row("mlp", 81.9, sd=0.98, n=2)
    test = {"kind": "greater", "value": mean_of("gcn", error), "other": mean_of("mlp", error)}
    assert judge(test, *rows).status == UNDECIDED
    # The same standard deviations, over many trials.
    rows = [{**part, "n": 5000} for part in rows]
    assert judge(test, *rows).status == FAILED


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (7.0, REPRODUCED),
        (7.0 + 3 - HALF - 0.01, REPRODUCED),
        (7.0 + 3 - HALF + 0.01, UNDECIDED),
        (7.0 + 3 + HALF - 0.01, UNDECIDED),
        (7.0 + 3 + HALF + 0.01, FAILED),
        (7.0 - 3 + HALF + 0.01, REPRODUCED),
        (7.0 - 3 + HALF - 0.01, UNDECIDED),
        (7.0 - 3 - HALF + 0.01, UNDECIDED),
        (7.0 - 3 - HALF - 0.01, FAILED),
    ],
)
def test_about_and_between_bounds(judge, value, status):
    about = {"kind": "equal", "value": mean_of("a"), "other": 7, "tolerance": 3}
    assert judge(about, row("a", value)).status == status
    between = {"kind": "between", "value": mean_of("a"), "low": 4, "high": 10}
    assert judge(between, row("a", value)).status == status


def test_a_number_of_the_paper_may_have_an_error_too(judge):
    test = {"kind": "equal", "value": mean_of("a"), "other": mean_of("paper"), "tolerance": 1}
    for distance, status in ((1 + BOTH - 0.01, UNDECIDED), (1 + BOTH + 0.01, FAILED)):
        assert judge(test, row("a", 7.0), row("paper", 7 + distance)).status == status


@pytest.mark.parametrize(
    ("value", "status"),
    [
        # Between 0.8 and 1.2 times 100, each end of which has an error of its own.
        (100.0, REPRODUCED),
        (120 - HALF * math.hypot(1, 1.2) - 0.01, REPRODUCED),
        (120 - HALF * math.hypot(1, 1.2) + 0.01, UNDECIDED),
        (120 + HALF * math.hypot(1, 1.2) - 0.01, UNDECIDED),
        (120 + HALF * math.hypot(1, 1.2) + 0.01, FAILED),
        (80 + HALF * math.hypot(1, 0.8) + 0.01, REPRODUCED),
        (80 + HALF * math.hypot(1, 0.8) - 0.01, UNDECIDED),
        (80 - HALF * math.hypot(1, 0.8) + 0.01, UNDECIDED),
        (80 - HALF * math.hypot(1, 0.8) - 0.01, FAILED),
    ],
)
def test_a_ratio(judge, value, status):
    test = {"kind": "ratio", "value": mean_of("a"), "other": mean_of("b"), "low": 0.8, "high": 1.2}
    assert judge(test, row("a", value), row("b", 100.0)).status == status


def test_a_ratio_to_what_may_be_zero_is_undecided(judge):
    test = {"kind": "ratio", "value": mean_of("a"), "other": mean_of("b"), "low": 0.001}
    assert judge(test, row("a", 100.0), row("b", 1.0)).status == UNDECIDED
    assert judge(test, row("a", 100.0), row("b", 3.0)).status == REPRODUCED


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ((BOTH + 0.01, BOTH + 0.01), REPRODUCED),
        ((BOTH + 0.01, BOTH - 0.01), UNDECIDED),
        ((BOTH - 0.01, BOTH + 0.01), UNDECIDED),
        ((-BOTH + 0.01, 99.0), UNDECIDED),
        ((-BOTH - 0.01, 99.0), FAILED),
        ((99.0, -BOTH - 0.01), FAILED),
    ],
)
def test_an_order_of_several(judge, steps, status):
    test = {"kind": "order", "values": [mean_of("a"), mean_of("b"), mean_of("c")]}
    rows = row("a", 0.0), row("b", steps[0]), row("c", sum(steps))
    assert judge(test, *rows).status == status


FRACTION = {"of": "n"}


@pytest.mark.parametrize(
    ("held", "status"),
    # Exact intervals of 95 % around 0.9: 50 of 50 from 0.929 on, 37 of 50 to 0.854.
    [(50, REPRODUCED), (49, UNDECIDED), (41, UNDECIDED), (39, FAILED), (37, FAILED), (0, FAILED)],
)
def test_a_fraction_has_an_exact_interval(judge, held, status):
    test = {"kind": "between", "value": mean_of("a", FRACTION), "low": 0.9}
    ends = stats.binomtest(held, 50).proportion_ci()
    assert status == (REPRODUCED if ends.low >= 0.9 else FAILED if ends.high < 0.9 else UNDECIDED)
    assert judge(test, row("a", held / 50, n=50)).status == status


def test_four_of_ten_that_reach_it_are_no_failure_of_all(judge):
    test = {"kind": "between", "value": mean_of("chain", FRACTION), "high": 0.1}
    assert judge(test, row("chain", 0.4, n=10)).status == FAILED
    assert judge(test, row("chain", 0.0, n=10)).status == UNDECIDED
    assert judge(test, row("chain", 0.0, n=50)).status == REPRODUCED


def test_alike_trials_of_a_percentage_count_once(judge):
    error = {"of": "n", "whole": 100, "cluster": 10}
    test = {"kind": "between", "value": mean_of("a", error), "low": 90}
    assert judge(test, row("a", 100.0, n=50)).status == UNDECIDED
    assert judge(test, row("a", 100.0, n=500)).status == REPRODUCED


@pytest.mark.parametrize(
    ("p", "effect", "status"),
    [
        (0.049, 1.1, REPRODUCED),
        (0.051, 1.1, UNDECIDED),
        (0.36, 0.9, UNDECIDED),
        (0.051, 0.9, UNDECIDED),
        (0.049, 0.9, FAILED),
    ],
)
def test_a_two_sided_test_and_the_direction_of_its_effect(judge, p, effect, status):
    effect_of = {**mean_of("a", "none"), "column": "ratio"}
    test = {"kind": "tested", "p": {**mean_of("a", "none"), "column": "p"}, "effect": effect_of}
    found = judge({**test, "above": 1}, row("a", 0, p=p, ratio=effect))
    assert found.status == status
    assert found.measured == f"{effect:g}, asked above 1; p = {p:.3g}"


@pytest.mark.parametrize(
    ("p", "status"),
    [(0.024, REPRODUCED), (0.026, UNDECIDED), (0.974, UNDECIDED), (0.976, FAILED)],
)
def test_a_one_sided_test_is_held_to_the_same_level(judge, p, status):
    assert judge({"kind": "tested", "p": p}, row("a", 0)).status == status


@pytest.mark.parametrize(
    ("p", "opposite", "status"),
    [(0.049, 1, REPRODUCED), (0.051, 1, UNDECIDED), (1, 0.051, UNDECIDED), (1, 0.049, FAILED)],
)
def test_a_test_of_each_direction(judge, p, opposite, status):
    test = {"kind": "tested", "p": p, "opposite": opposite}
    assert judge(test, row("a", 0)).status == status


def test_what_is_counted_is_always_decided(judge):
    exactly = mean_of("a", "none")
    test = {"kind": "equal", "value": exactly, "other": 7}
    assert judge(test, row("a", 7)).status == REPRODUCED
    assert judge(test, row("a", 7.001)).status == FAILED
    # An order asks for more than a tie, a bound does not.
    assert judge({"kind": "less", "value": exactly, "other": 7}, row("a", 7)).status == FAILED
    bound = {"kind": "between", "value": exactly, "low": 7}
    assert judge(bound, row("a", 7)).status == REPRODUCED


def test_what_was_measured_once_says_so(judge):
    test = {"kind": "less", "value": mean_of("a", "once"), "other": 7}
    found = judge(test, row("a", 6.99))
    assert found.status == REPRODUCED
    assert found.measured == "6.99, asked below 7; one training, so no interval"
    more = mean_of("a", "none", minus=mean_of("a", "once"))
    assert (
        "one training" in judge({"kind": "equal", "value": more, "other": 0}, row("a", 1)).measured
    )


def test_rows_that_are_trials_give_their_mean_an_error(judge):
    values = np.array([1.0, 2.0, 4.0, 5.0])
    rows = [row("a", value) for value in values]
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2
    trials = mean_of("a", "rows", aggregate="mean")
    for bound, status in (
        (3 + half + 0.01, REPRODUCED),
        (3 + half - 0.01, UNDECIDED),
        (3 - half + 0.01, UNDECIDED),
        (3 - half - 0.01, FAILED),
    ):
        assert judge({"kind": "less", "value": trials, "other": bound}, *rows).status == status
    alone = judge({"kind": "less", "value": trials, "other": 9}, rows[0])
    assert alone.missing == "two rows or more with mean in p/r"
    with pytest.raises(ValueError, match="that of their mean"):
        judge({"kind": "less", "value": mean_of("a", "rows"), "other": 9}, *rows)


def test_ends_of_an_interval_may_stand_in_columns(judge):
    error = {"low": "low", "high": "high"}
    less = {"kind": "less", "value": mean_of("a", error), "other": mean_of("b", error)}
    near = row("a", 10, low=9, high=12)
    far = row("b", 18, low=17.5, high=math.inf)
    # The gap of 8 against the root of the squares of 2 above the one and 7.7 below the other.
    for below, status in ((7.7, REPRODUCED), (7.8, UNDECIDED)):
        assert judge(less, near, {**far, "low": 18 - below}).status == status
    turned = {**less, "value": less["other"], "other": less["value"]}
    assert judge(turned, near, row("b", 18, low=12, high=math.inf)).status == FAILED


def test_a_standard_deviation(judge):
    error = {"spread": "n"}
    at_most = {"kind": "between", "value": mean_of("a", error), "high": 1.2}
    high = math.sqrt(49 / stats.chi2.ppf(0.025, 49))
    low = math.sqrt(49 / stats.chi2.ppf(0.975, 49))
    for sd, status in (
        (1.2 / high - 0.001, REPRODUCED),
        (1.2 / high + 0.001, UNDECIDED),
        (1.2 / low - 0.001, UNDECIDED),
        (1.2 / low + 0.001, FAILED),
    ):
        assert judge(at_most, row("a", sd, n=50)).status == status


@pytest.mark.parametrize(("kind", "variance"), [("pearson", 1.0), ("spearman", 1 + 0.81 / 2)])
def test_a_correlation(judge, kind, variance):
    half = stats.norm.ppf(0.975) * math.sqrt(variance / 97)
    ends = np.tanh(np.arctanh(0.9) + np.array([-half, half]))
    for bound, status in (
        (ends[0] - 0.001, REPRODUCED),
        (ends[0] + 0.001, UNDECIDED),
        (ends[1] - 0.001, UNDECIDED),
        (ends[1] + 0.001, FAILED),
    ):
        test = {"kind": "greater", "value": mean_of("a", {kind: 100}), "other": bound}
        assert judge(test, row("a", 0.9)).status == status


def waiting(mean, finished, se=10.0, n=50, upto=math.nan):
    row = {"name": "a", "restricted_mean": mean, "se": se, "n": n, "finished": finished}
    return {**row, "restricted_to": upto}


def about(number):
    value = {"result": "p/r", "column": "restricted_mean", "where": {"name": "a"}, "error": "wait"}
    return {"kind": "ratio", "value": value, "other": number, "low": 0.8, "high": 1.2}


def test_mean_samples_against_the_papers_own(judge):
    """Numbers three standard errors off passed when a factor of two was allowed."""
    half = stats.t.ppf(0.975, 49) * 300
    assert judge(about(7712.3), waiting(5033, 50, se=300)).status == FAILED
    assert judge(about(5000.0), waiting(5033, 50, se=300)).status == REPRODUCED
    assert judge(about(5000.0), waiting(6000 - half + 1, 50, se=300)).status == UNDECIDED


def test_stopped_trials_refute_but_never_confirm(judge):
    # 50 trials without success in 3,000 samples each: as many from 92.9 % of all waits.
    stopped = waiting(3000.0, 0, se=0.0, upto=3000)
    least = 3000 * stats.binomtest(50, 50).proportion_ci().low
    assert judge(about(least / 1.2 - 1), stopped).status == FAILED
    assert judge(about(least / 1.2 + 1), stopped).status == UNDECIDED
    assert judge(about(3000.0), stopped).status == UNDECIDED
    # One is refuted as well that most trials tell.
    most = waiting(1000.0, 49, se=1.0, upto=1005)
    half = stats.t.ppf(0.975, 49)
    assert judge(about((1000 - half) / 1.2 - 1), most).status == FAILED
    assert judge(about(1000.0), most).status == UNDECIDED


def test_true_means_are_not_refuted_where_trials_are_stopped(judge):
    """Methods that learn find the best cell ever sooner: an exponential bound would refute them."""
    times = np.random.default_rng(0).normal(250, 60, size=50)
    for cap in (50, 100, 200, 300):
        upto = np.minimum(times, cap)
        se = upto.std(ddof=1) / np.sqrt(50)
        stopped = waiting(upto.mean(), int((times <= cap).sum()), se=se, upto=cap)
        assert judge(about(times.mean()), stopped).status == UNDECIDED


def test_a_cap_is_no_lower_end(judge):
    """Ten of ten trials are stopped one time in twenty if 26 % of waits are shorter."""
    stopped = waiting(100.0, 0, se=0.0, n=10, upto=100)
    least = 100 * 0.025**0.1
    for other, status in ((least - 0.1, REPRODUCED), (least + 0.1, UNDECIDED), (99, UNDECIDED)):
        test = {"kind": "greater", "value": about(other)["value"], "other": other}
        assert judge(test, stopped).status == status
    # Where none was stopped there is no cap, and none is needed; elsewhere it is.
    assert judge(about(100.0), waiting(100.0, 10, n=10)).status == UNDECIDED
    assert judge(about(100.0), waiting(100.0, 9, n=10)).missing == "restricted_to in p/r"


@pytest.mark.parametrize("n", [1, 2, 10, 50])
def test_lower_ends_of_bounded_numbers_hold_for_fractions(n):
    """Successes are the numbers that spread most: the exact end of their fraction is no lower."""
    for successes in range(n + 1):
        low = estimate.bounded_below(7.0 * successes / n, 7.0, n, 0.95) / 7
        exact = stats.binomtest(successes, n).proportion_ci().low
        assert low == pytest.approx(exact) if successes in (0, n) else 0 < low < exact
        assert stats.binom.sf(successes - 1, n, low) <= 0.025 + 1e-9 or successes == 0


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize("short", [0.02, 0.1, 0.26, 0.4])
def test_lower_ends_of_stopped_waits_hold_whatever_the_times_are(n, short):
    """Some waits are far shorter than all others, or spread up to the cap of 100."""
    rng = np.random.default_rng(0)
    for times in ([1.0], [60.0, 100.0], np.arange(1.0, 101.0)):
        mean = short * np.mean(times) + (1 - short) * 100
        met = rng.random((400, n)) < short
        counted = np.where(met, rng.choice(times, size=met.shape), 100.0)
        few = 2 * met.sum(axis=1) < n
        waits = [
            estimate.wait(x.mean(), x.std(ddof=1) / math.sqrt(n), n, found, 100, 0.95)
            for x, found in zip(counted[few], met[few].sum(axis=1), strict=True)
        ]
        wrong = sum(wait.low > mean for wait in waits)
        # No more than chance allows, were the end above the mean in 2.5 % of all trials.
        assert stats.binom.sf(wrong - 1, 400, 0.025) > 0.001


CURVE = {"kind": "between", "value": mean_of("a"), "low": mean_of("b"), "each": "samples"}


def curves(*leads):
    return [
        row(name, 90 + lead * (name == "a"), samples=place)
        for place, lead in enumerate(leads)
        for name in ("a", "b")
    ]


@pytest.mark.parametrize(
    ("lead", "status"),
    [
        (BOTH + 0.01, REPRODUCED),
        (BOTH - 0.01, UNDECIDED),
        # One of three places may fall so far behind by chance.
        (-BOTH - 0.01, UNDECIDED),
        (-math.sqrt(2) * stats.t.ppf(1 - 0.025 / 3, 9) + 0.01, UNDECIDED),
        (-math.sqrt(2) * stats.t.ppf(1 - 0.025 / 3, 9) - 0.01, FAILED),
    ],
)
def test_a_statement_about_each_place_of_a_curve(judge, lead, status):
    found = judge(CURVE, *curves(50.0, lead, 50.0))
    assert found.status == status
    assert found.measured.endswith(" at samples 1, the worst of 3")


def test_places_that_one_curve_lacks_are_left_out(judge):
    rows = curves(50.0, 50.0, -50.0)
    assert judge(CURVE, *rows).status == FAILED
    assert judge(CURVE, *rows[:-1]).status == REPRODUCED
    apart = [rows[0], rows[3]]
    assert judge(CURVE, *apart).missing == "a common samples of all numbers"


@pytest.mark.parametrize("aggregate", ["min", "max"])
def test_the_least_and_the_greatest_of_several(judge, aggregate):
    sign = 1 if aggregate == "min" else -1
    rows = [row("a", sign * mean) for mean in (0.0, 50.0, 50.0)]
    chosen = mean_of("a", aggregate=aggregate)
    wide = stats.t.ppf(1 - 0.025 / 3, 9)
    for bound, status in (
        (-HALF - 0.01, REPRODUCED),
        (-HALF + 0.01, UNDECIDED),
        (wide - 0.01, UNDECIDED),
        (wide + 0.01, FAILED),
    ):
        kind = "greater" if aggregate == "min" else "less"
        test = {"kind": kind, "value": chosen, "other": sign * bound}
        assert judge(test, *rows).status == status


def test_rows_without_the_number_are_left_out_of_several_but_not_of_all(judge):
    rows = [row("a", 1.0), row("a", None), row("a", 3.0)]
    test = {"kind": "equal", "value": mean_of("a", "none", aggregate="mean"), "other": 2}
    assert judge(test, *rows).status == REPRODUCED
    assert judge(test, rows[1], row("b", 1.0)).missing == "mean in p/r"


def test_mean_and_sum_of_rows_with_errors(judge):
    rows = [row("a", 1.0), row("a", 3.0)]
    for aggregate, middle, half in (("mean", 2.0, BOTH / 2), ("sum", 4.0, BOTH)):
        chosen = mean_of("a", aggregate=aggregate)
        for bound, status in (
            (middle + half + 0.01, REPRODUCED),
            (middle + half - 0.01, UNDECIDED),
            (middle - half - 0.01, FAILED),
        ):
            assert judge({"kind": "less", "value": chosen, "other": bound}, *rows).status == status


def test_numbers_added_and_taken_away_widen_the_interval(judge):
    value = mean_of("a", plus=mean_of("b"), minus=mean_of("c"))
    rows = row("a", 1.0), row("b", 2.0), row("c", 0.5)
    half = math.sqrt(3) * HALF
    for bound, status in ((2.5 + half + 0.01, REPRODUCED), (2.5 + half - 0.01, UNDECIDED)):
        assert judge({"kind": "less", "value": value, "other": bound}, *rows).status == status


@pytest.mark.parametrize(
    "error",
    [{}, {"se": "se", "sd": "sd"}, {"low": "low"}, {"whole": 100}, {"of": "n", "cluster": 0}],
)
def test_an_error_is_of_one_kind(judge, error):
    with pytest.raises(ValueError, match=r"expected one of|greater than 0"):
        judge({"kind": "less", "value": mean_of("a") | {"error": error}, "other": 1}, row("a", 1))


@pytest.mark.parametrize(
    ("error", "value", "n", "missing"),
    [
        ({"se": "se"}, 1.0, 1, "2 or more in p/r (there are 1)"),
        ({"sd": "se"}, 1.0, 1, "2 or more in p/r (there are 1)"),
        ({"spread": "n"}, 1.0, 1, "2 or more in p/r (there are 1)"),
        ({"pearson": "n"}, 0.5, 3, "4 or more in p/r (there are 3)"),
        ({"spearman": "n"}, 0.5, None, "n in p/r"),
    ],
)
def test_too_few_trials_for_an_interval_judge_nothing(judge, error, value, n, missing):
    found = judge({"kind": "less", "value": mean_of("a", error), "other": 2}, row("a", value, n=n))
    assert (found.status, found.missing) == (NOT_RUN, missing)


def test_a_standard_deviation_without_a_number_of_trials_judges_nothing(judge):
    test = {"kind": "less", "value": mean_of("a", {"sd": "se"}), "other": 2}
    found = judge(test, {"name": "a", "mean": 1.0, "se": 0.1})
    assert found.missing == "the column n in p/r"
    assert judge({**test, "value": mean_of("a")}, {"name": "a", "mean": 1, "se": 0.1}).status == (
        REPRODUCED
    )


@pytest.mark.parametrize(
    ("error", "value"), [({"of": "n"}, 40.0), ({"pearson": 9}, 84.1), ({"spearman": 9}, -1.1)]
)
def test_a_number_that_is_no_fraction_or_correlation_is_an_error(judge, error, value):
    with pytest.raises(DagnasError, match=f"mean in p/r is {value:g}: expected"):
        judge({"kind": "less", "value": mean_of("a", error), "other": 2}, row("a", value))


def test_a_statement_for_each_of_nothing_is_not_run(judge):
    found = judge({"kind": "less", "value": 1, "other": 2, "each": "samples"}, row("a", 1))
    assert found.missing == "a common samples of all numbers"


def test_missing_errors_are_named(judge):
    test = {"kind": "less", "value": mean_of("a"), "other": 1}
    found = judge(test, row("a", 1, se=None), row("b", 1))
    assert (found.status, found.missing) == (NOT_RUN, "se in p/r")


def test_intervals_cover_what_they_say():
    """Trials drawn anew: about 95 % of the intervals hold the truth."""
    rng = np.random.default_rng(0)
    draws = rng.normal(3.0, 2.0, size=(2000, 10))
    means = [estimate.mean(x.mean(), x.std(ddof=1) / math.sqrt(10), 10, 0.95) for x in draws]
    assert np.mean([e.low <= 3 <= e.high for e in means]) == pytest.approx(0.95, abs=0.015)
    sums = [
        estimate.combine((1, one), (-1, other))
        for one, other in zip(means[::2], means[1::2], strict=True)
    ]
    assert np.mean([e.low <= 0 <= e.high for e in sums]) == pytest.approx(0.95, abs=0.02)
    times = rng.exponential(100.0, size=(2000, 50))
    cut = np.minimum(times, 30)
    waits = [
        estimate.wait(x.mean(), x.std(ddof=1) / math.sqrt(50), 50, (x < 30).sum(), 30, 0.95)
        for x in cut
    ]
    # The lower end is that of the mean of times up to 30, a skewed one.
    counted = 100 * (1 - math.exp(-0.3))
    assert np.mean([e.low <= counted for e in waits]) >= 0.975
    assert all(e.low <= 100 and e.high == math.inf for e in waits)


def test_a_sum_without_errors_is_exact():
    found = estimate.combine((2.0, estimate.exact(3.0)), (0.0, Estimate(1, 0, math.inf)))
    assert found == Estimate(6.0, 6.0, 6.0)


def test_all_statuses_are_counted(judge, tmp_path):
    test = {"kind": "less", "value": mean_of("a"), "other": 7}
    entries = [judge(test, row("a", mean)) for mean in (0.0, 6.9, 6.9, 14.0)]
    entries.append(judge(test, row("b", 0.0)))
    words = "1 reproduced, 2 undecided, 1 not reproduced, 1 not run"
    assert list(to_lines(entries))[-1] == words
    text = to_markdown(entries, "toy")
    assert f"{words}." in text
    assert "| undecided | 6.9 [4.638, 9.162], asked below 7 |" in text
    (tmp_path / "claims.csv").write_text(to_csv(entries))
    counted = count_statuses(tmp_path / "claims.csv")
    assert '"undecided": 2' in counted
    (tmp_path / "claims.csv").write_text(to_csv(entries[:1]))
    assert '"undecided": 0' in count_statuses(tmp_path / "claims.csv")
