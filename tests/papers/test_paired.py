"""Trials one by one: reports, intervals and tests, against values worked out by hand."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import rankdata

from dagnas.analysis.paired import compare, holm, interval, reports
from dagnas.files import write_parquet
from dagnas.papers.goal import search_table
from dagnas.papers.inputs import Inputs
from dagnas.papers.make import make
from dagnas.papers.result import results
from dagnas.pipeline import scales
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from tests.papers.tables import searches


def traces():
    rows = [
        # method, trial, signal, epochs, seconds, valid, test
        ("a", 0, 50.0, 12, 10.0, 90.0, 89.0),
        ("a", 0, 60.0, 12, 20.0, 80.0, 79.0),
        ("a", 0, 99.0, 4, 30.0, 10.0, 10.0),
        ("a", 1, 70.0, 4, 25.0, 94.0, 93.0),
        ("a", 1, 40.0, 12, 40.0, 70.0, 69.0),
    ]
    columns = ["method", "trial", "signal", "epochs", "seconds", "valid", "test"]
    return pd.DataFrame(rows, columns=columns).assign(emulated="signal valid")


def test_reports_are_of_the_best_signal_of_the_longest_training():
    table = reports(traces(), np.array([5.0, 10.0, 30.0, 40.0]))
    errors = table.pivot(index=["metric", "trial"], columns="seconds", values="error")
    # Nothing has ended at 5 s. The signal 99 is of a shorter training, so it is not believed.
    assert errors.loc[("validation error", 0)].tolist() == [100, 10, 20, 20]
    assert errors.loc[("test error", 0)].tolist() == [100, 11, 21, 21]
    # A short training is reported as long as there is no longer one.
    assert errors.loc[("validation error", 1)].tolist() == [100, 100, 6, 30]
    marks = table.groupby("metric")["emulated"].unique().map(list)
    assert marks["validation error"] == ["signal valid"]
    assert marks["test error"] == ["signal"]


def test_an_interval_of_many_values_is_that_of_the_normal_law():
    values = np.random.default_rng(0).normal(5, 2, 500)
    low, high = interval(values, stream("a"))
    half = 1.96 * values.std(ddof=1) / np.sqrt(500)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), rel=0.005)
    assert interval(values, stream("a")) == (low, high)
    assert interval(values, stream("b")) != (low, high)


def test_an_interval_reaches_further_to_the_side_of_the_tail():
    values = np.random.default_rng(1).exponential(1, 50)
    low, high = interval(values, stream("a"))
    # By percentiles alone it would be a fifth.
    assert high - values.mean() > 1.5 * (values.mean() - low)


def test_intervals_without_spread_or_of_one_trial():
    # Equal up to rounding, as means over trainings may be.
    assert interval(np.array([8.5, 8.5 + 1e-13, 8.5]), stream("a")) == (8.5, 8.5)
    assert np.isnan(interval(np.array([8.5]), stream("a"))).all()


def test_effects_are_over_all_pairs_of_trials():
    found = compare(np.array([3.0, 4.0]), np.array([1.0, 3.0]))
    # Differences 2, 0, 3 and 1: three worse and one equal.
    assert found.difference == 1.5
    assert found.lost == 0.875
    assert compare(np.array([1.0, 3.0]), np.array([3.0, 4.0])).lost == 0.125


def test_the_rank_sum_test_is_exact_for_few_trials():
    # Of the 70 ways to choose 4 of 8 ranks, one gives the least sum and one the largest.
    found = compare(np.array([5.0, 6.0, 7.0, 8.0]), np.array([4.0, 1.0, 3.0, 2.0]))
    assert found.mann_whitney == pytest.approx(2 / 70)
    assert found.lost == 1


def test_the_order_of_trials_matters_for_pairs_alone():
    method, reference = np.array([5.0, 1.5, 3.5, 2.5, 7.0]), np.array([4.0, 1.0, 3.0, 2.0, 6.0])
    ordered, mixed = compare(method, reference), compare(method[::-1], reference)
    assert ordered.mann_whitney == mixed.mann_whitney
    assert (ordered.difference, ordered.lost) == (mixed.difference, mixed.lost)
    assert ordered.wilcoxon == pytest.approx(2 / 32)
    assert mixed.wilcoxon > 0.3


def test_the_signed_rank_test_agrees_with_all_signs():
    gaps = np.array([0.0, 0.0, 0.0, -0.5, -1.0, 2.0, 3.0, 4.0, 5.0])
    size = rankdata(np.abs(gaps))[gaps != 0]
    signs = np.array(list(itertools.product((0, 1), repeat=len(size))))
    sums, observed = signs @ size, size[gaps[gaps != 0] > 0].sum()
    p = 2 * min((sums >= observed).mean(), (sums <= observed).mean())
    assert compare(gaps + 7, np.full(9, 7.0)).wilcoxon == pytest.approx(p)


def test_differences_that_are_equal_but_for_rounding_share_a_rank():
    method, reference = np.array([0, 3, 5, 5, 4, 0]), np.array([0, 1, 0, 8, 6, 7])
    whole = compare(method.astype(float), reference.astype(float))
    assert compare(method / 10, reference / 10).wilcoxon == whole.wilcoxon


def test_equal_errors_differ_in_nothing_whatever_their_last_digits():
    one = np.full(6, 8.47)
    other = one + np.array([1e-13, -1e-13, 0, 1e-13, 0, 0])
    assert compare(one, other) == (0, 0.5, 1, 1)


def test_holm_multiplies_by_the_number_of_tests_left():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.4, 0.6])) == pytest.approx([0.8, 0.8])
    assert holm(np.array([0.7, 0.8])).tolist() == [1, 1]
    assert holm(np.array([])).tolist() == []


# goal/search_table

SCALE = """
scale: small
trials: 6
trials_per_job: 3
studies:
  goal_digits201: {benchmark: digits201, methods: [random_search, npnas, goal]}
papers: [goal]
"""
BUDGET = 70.0
#: Error at the end of the first trial, and by how much each further trial is worse.
ENDS = {"random_search": (20.0, 1.0), "npnas": (10.0, 1.0), "goal": (10.0, 1.0)}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Inputs of goal/search_table: GOAL's trials are NPNAS's, random search is worse by ten."""
    root = tmp_path_factory.mktemp("small")
    (root / "small.yaml").write_text(SCALE)
    scale = scales.load(root / "small.yaml")
    cells = SPACES.get("nasbench201").enumerate()
    for _, method, trials, _, path in searches(scale):
        frames = []
        for trial in trials:
            end = ENDS[method][0] + ENDS[method][1] * trial
            # Better at 20 s, 40 s and 60 s of 70.
            errors = np.array([end + 5, end + 2, end])
            frames.append(
                pd.DataFrame(
                    {
                        "trial": trial,
                        "step": range(3),
                        "cell": "",
                        "code": SPACES.get("nasbench201").pack(cells[:3]),
                        "parent": -1,
                        "epochs": 3,
                        "signal": [50.0, 60.0, 70.0],
                        "seconds": [20.0, 40.0, 60.0],
                        "valid": 100 - errors,
                        "test": 99 - errors,
                        "emulated": "",
                    }
                )
            )
        table = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
        write_parquet(table, root / path, {"dagnas.budget_seconds": json.dumps(BUDGET)})
    return Inputs(scale, results(scale)["goal/search_table"], root)


def test_the_table_has_errors_at_the_times_of_the_paper(small):
    table = search_table.tabulate(small)
    rows = table.set_index(["metric", "method", "seconds"])
    assert sorted(table["seconds"].unique()) == [30, 42.5, 70]
    # Trials 0 to 5 end at 10 to 15.
    end = rows.loc[("validation error", "goal", 70.0)]
    assert (end["mean"], end["n"]) == (12.5, 6)
    assert end["sd"] == pytest.approx(np.std(range(6), ddof=1))
    assert 10 < end["low"] < 12.5 < end["high"] < 15
    assert rows.loc[("validation error", "goal", 42.5), "mean"] == 14.5
    assert rows.loc[("validation error", "goal", 30.0), "mean"] == 17.5
    assert rows.loc[("test error", "random_search", 70.0), "mean"] == 23.5
    assert rows.loc[("test error", "oracle", 70.0), "n"] > 0


def test_the_table_tests_every_method_against_goal(small):
    table = search_table.tabulate(small)
    rows = table[table["seconds"] == 70].set_index(["metric", "method"]).loc["test error"]
    assert rows.loc["random_search", ["difference", "lost"]].tolist() == [10, 1]
    assert rows.loc["npnas", ["difference", "lost"]].tolist() == [0, 0.5]
    # Two of the 924 ways to choose 6 of 12 ranks, two of 64 signs; each twice, as two are tested.
    assert rows.loc["random_search", "mann_whitney"] == pytest.approx(2 * 2 / 924)
    assert rows.loc["random_search", "wilcoxon"] == pytest.approx(2 * 2 / 64)
    assert rows.loc["npnas", ["mann_whitney", "wilcoxon"]].tolist() == [1, 1]
    assert rows.loc[["goal", "oracle"], ["lost", "mann_whitney"]].isna().all(axis=None)


def test_the_table_says_what_goal_beats_and_not_what_beats_goal(small):
    traces = small.traces("goal_digits201")
    inputs = Inputs(small.config, small.result, small.root)
    renamed = traces.replace({"method": {"npnas": "goal_mlp"}})
    # Better than GOAL in every trial.
    best = renamed[renamed["method"] == "goal"].assign(method="smac")
    best = best.assign(valid=best["valid"] + 9.0, test=best["test"] + 9.0)
    inputs.traces = lambda study: pd.concat([renamed, best])
    table = search_table.tabulate(inputs)
    rows = table[table["seconds"] == 70].set_index(["metric", "method"]).loc["test error"]
    for column, itself, equal in (
        ("beaten_by_goal", "goal", "goal_mlp"),
        ("beaten_by_goal_mlp", "goal_mlp", "goal"),
    ):
        # Three methods are tested.
        assert rows.loc["random_search", column] == pytest.approx(3 * 2 / 924)
        assert rows.loc[[equal, "smac"], column].tolist() == [1, 1]
        assert rows.loc[[itself, "oracle"], column].isna().all()
        opposite = column.replace("beaten_by", "beats")
        assert rows.loc["smac", opposite] == pytest.approx(3 * 2 / 924)
        assert rows.loc[[equal, "random_search"], opposite].tolist() == [1, 1]
        assert rows.loc[[itself, "oracle"], opposite].isna().all()
    assert rows.loc["smac", "mann_whitney"] < 0.05


def test_the_table_has_fractions_of_trials_that_hold_the_optimum(small):
    opened = small.benchmark("digits201")
    signals = opened.values("digits/valid/3", "mean")
    best = opened.table["code"][signals.argmax()]
    traces = small.traces("goal_digits201").copy()
    met = (traces["method"] == "goal") & (traces["trial"] < 3) & (traces["step"] == 1)
    traces.loc[met, ["code", "signal"]] = best, 99.0
    inputs = Inputs(small.config, small.result, small.root)
    inputs.traces = lambda study: traces
    inputs.policy = lambda study: replace(opened.policies["goal"], repeat="mean")
    table = search_table.tabulate(inputs)
    rows = table[table["metric"] == "optimum held"].set_index(["method", "seconds"])
    # Met after 40 s.
    assert rows["mean"]["goal"].tolist() == [0, 0.5, 0.5]
    # Exact interval of 3 of 6, from tables.
    half = rows.loc[("goal", 70.0)]
    assert (half["low"], half["high"]) == pytest.approx((0.118, 0.882), abs=5e-4)
    assert rows["mean"]["npnas"].tolist() == [0, 0, 0]
    assert rows.loc[("npnas", 70.0), "low"] == 0
    # Half of the pairs are won, half are ties.
    assert rows.loc[("npnas", 70.0), "lost"] == 0.75
    words = "At these times 0, 50, 50 % of GOAL's trials hold the cell with the best search signal."
    assert words in search_table.caption(table)


def test_the_table_is_drawn_best_first_and_repeats(small, tmp_path):
    table = search_table.tabulate(small)
    figure = search_table.draw(table)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["NPNAS", "GOAL", "RS"]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"GOAL wins", "100 %, p = 0.0043"} <= set(texts)
    first, second = make(small, tmp_path / "a"), make(small, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    text = first[-1].read_text()
    assert "digits201: 6 trials; 30, 42.5, 70 s." in text
    assert text.count("this project's own benchmark") == 1


def test_a_scale_without_goal_has_errors_and_no_tests(small):
    without = small.traces("goal_digits201")
    without = without[without["method"] != "goal"]
    inputs = Inputs(small.config, small.result, small.root)
    inputs.traces = lambda study: without
    table = search_table.tabulate(inputs)
    assert table["lost"].isna().all()
    figure = search_table.draw(table)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["NPNAS", "RS"]
    assert "GOAL wins" not in [text.get_text() for text in figure.axes[0].texts]
    assert "GOAL wins" not in search_table.caption(table)
