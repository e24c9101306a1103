"""Curves of the best cell so far, against values worked out by hand."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagnas.analysis.incumbents import curves, held, incumbent, oracle, time_grid
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.benchmarks.policy import Policy
from dagnas.files import write_parquet
from dagnas.spaces import SPACES
from dagnas.tables.table import Table


def test_incumbent_is_the_earliest_best():
    assert incumbent(np.array([3.0, 1.0, 3.0, 5.0, 5.0, 4.0])).tolist() == [0, 0, 0, 3, 3, 3]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_incumbent_agrees_with_a_plain_loop(signal):
    best, expected = 0, []
    for step, value in enumerate(signal):
        best = step if value > signal[best] else best
        expected.append(best)
    assert incumbent(np.array(signal, dtype=float)).tolist() == expected


def test_a_longer_training_is_better_than_any_shorter_one():
    # As in Hyperband: what was trained longest is reported, whatever shorter trainings told.
    told = np.array([90.0, 95.0, 60.0, 99.0, 60.0, 61.0, 50.0])
    epochs = np.array([1, 1, 3, 1, 3, 3, 9])
    assert incumbent(told, epochs).tolist() == [0, 1, 2, 2, 2, 5, 6]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), min_size=1, max_size=30))
def test_incumbent_of_several_lengths_agrees_with_a_plain_loop(pairs):
    best, expected = 0, []
    for step, pair in enumerate(pairs):
        best = step if pair > pairs[best] else best
        expected.append(best)
    epochs, told = np.array(pairs).T
    assert incumbent(told.astype(float), epochs).tolist() == expected


@pytest.mark.parametrize(
    ("budget", "intervals", "step", "count"),
    [
        (28000, 150, 200, 140),
        (500000, 150, 5000, 100),
        (2000, 20, 100, 20),
        (28000, 15, 2000, 14),
        (70, 150, 0.5, 140),
        (15, 150, 0.1, 150),
        (70, 15, 5, 14),
        (0.6, 15, 0.05, 12),
    ],
)
def test_time_grid_is_round_and_holds_the_budget(budget, intervals, step, count):
    grid = time_grid(budget, intervals)
    assert grid[0] == pytest.approx(step)
    assert grid[-1] == pytest.approx(budget)
    assert len(grid) == count


def traces():
    rows = [
        # trial, signal, seconds, valid, test
        (0, 50.0, 10.0, 90.0, 89.0),
        (0, 60.0, 20.0, 80.0, 79.0),
        (0, 55.0, 30.0, 99.0, 99.0),
        (1, 70.0, 25.0, 94.0, 93.0),
    ]
    frame = pd.DataFrame(rows, columns=["trial", "signal", "seconds", "valid", "test"])
    return frame.assign(method="m", epochs=1, emulated="signal seconds valid")


def test_curves_report_by_signal_and_count_trials_that_have_begun():
    table = curves(traces(), np.array([5.0, 10.0, 20.0, 30.0])).set_index(["metric", "seconds"])
    # At 5 s nothing has ended. A worse validation accuracy with a better signal is reported.
    assert ("validation error", 5.0) not in table.index
    assert table.loc[("validation error", 10.0), ["mean", "n"]].tolist() == [10.0, 1]
    assert np.isnan(table.loc[("validation error", 10.0), "sd"])
    assert table.loc[("validation error", 20.0), "mean"] == 20.0
    # At 30 s: errors 20 and 6; sd with n - 1.
    end = table.loc[("validation error", 30.0)]
    assert end["mean"] == 13.0
    assert end["n"] == 2
    assert end["sd"] == pytest.approx(np.std([20, 6], ddof=1))
    assert end["se"] == pytest.approx(end["sd"] / np.sqrt(2))
    assert table.loc[("test error", 30.0), "mean"] == 14.0
    assert table.loc[("evaluations", 30.0), "mean"] == 2.0


def test_curves_say_what_is_emulated_of_each_metric():
    marks = curves(traces(), np.array([30.0])).set_index("metric")["emulated"]
    assert marks["validation error"] == "seconds signal valid"
    assert marks["test error"] == "seconds signal"
    assert marks["evaluations"] == "seconds"


def test_oracle_is_the_cell_with_the_best_signal(tmp_path):
    space = SPACES.get("nasbench201")
    columns = {
        "code": np.arange(3),
        "a/valid/12/s0": np.array([50.0, 60.0, 40.0]),
        "a/valid/200/s0": np.array([99.0, 90.0, 1.0]),
        "a/valid/200/s1": np.array([99.0, 92.0, 1.0]),
        "a/valid/200/s2": np.array([99.0, np.nan, 1.0]),
        "a/valid/200/mean": np.array([99.0, 91.0, 1.0]),
        "a/test/200/mean": np.array([99.0, 93.0, 1.0]),
        "a/seconds/12/mean": np.ones(3),
    }
    meta = {"dagnas.schema": "1", "dagnas.space": "nasbench201", "dagnas.emulated": "[]"}
    write_parquet(pa.table(columns), tmp_path / "t.parquet", meta)
    policy = Policy("a/valid/12", "random", "a/seconds/12", "a/valid/200", "a/test/200")
    benchmark = TabularBenchmark("b", space, Table(tmp_path / "t.parquet"), {"goal": policy})
    found = oracle(benchmark, policy).set_index("metric")
    assert found.loc["validation error", "mean"] == 9.0
    assert found.loc["validation error", "sd"] == pytest.approx(np.sqrt(2))
    assert found.loc["validation error", "n"] == 2
    # The table has no single trainings of the test accuracy, so no spread.
    assert found.loc["test error", "mean"] == 7.0
    assert np.isnan(found.loc["test error", "sd"])


def test_oracle_takes_all_equals_but_one_of_each_class(tmp_path):
    space = SPACES.get("nasbench201")
    classes = space.canonical(space.enumerate())
    # Two cells of one class, a cell of another, and one with a worse signal.
    twin = int(np.flatnonzero(classes != np.arange(len(classes)))[0])
    one = int(classes[twin])
    other, worse = (int(code) for code in np.unique(classes[classes != one])[:2])
    columns = {
        "code": np.array([one, twin, other, worse]),
        "a/valid/3/s0": np.array([60.0, 60.0, 60.0, 59.0]),
        "a/valid/12/s0": np.array([90.0, 90.0, 80.0, 10.0]),
        "a/valid/12/s1": np.array([92.0, 92.0, 82.0, 10.0]),
        "a/test/12/s0": np.array([90.0, 90.0, 80.0, 10.0]),
        "a/seconds/3/mean": np.ones(4),
    }
    meta = {"dagnas.schema": "1", "dagnas.space": "nasbench201", "dagnas.emulated": "[]"}
    write_parquet(pa.table(columns), tmp_path / "t.parquet", meta)
    policy = Policy("a/valid/3", "random", "a/seconds/3", "a/valid/12", "a/test/12")
    benchmark = TabularBenchmark("b", space, Table(tmp_path / "t.parquet"), {"goal": policy})
    found = oracle(benchmark, policy).set_index("metric")
    assert found.loc["validation error", "n"] == 4
    assert found.loc["validation error", "mean"] == 14.0
    assert found.loc["test error", "mean"] == 15.0


def test_a_trial_holds_the_optimum_by_its_signal_and_not_by_its_error(tmp_path):
    space = SPACES.get("nasbench201")
    columns = {
        "code": np.array([7, 8, 9]),
        "a/valid/12/mean": np.array([50.0, 60.0, 59.0]),
        "a/valid/200/mean": np.array([80.0, 90.0, 95.0]),
        "a/test/200/mean": np.array([80.0, 90.0, 95.0]),
        "a/seconds/12/mean": np.ones(3),
    }
    meta = {"dagnas.schema": "1", "dagnas.space": "nasbench201", "dagnas.emulated": "[]"}
    write_parquet(pa.table(columns), tmp_path / "t.parquet", meta)
    policy = Policy("a/valid/12", "mean", "a/seconds/12", "a/valid/200", "a/test/200")
    benchmark = TabularBenchmark("b", space, Table(tmp_path / "t.parquet"), {"goal": policy})
    signals = {7: 50.0, 8: 60.0, 9: 59.0}
    # The best signal is 8's, and 9 has the lower final error.
    orders = {0: [7, 8, 9], 1: [9, 7, 7], 2: [8, 9, 7]}
    found = [
        ("m", trial, signals[code], 12, 10.0 * (step + 1), code, "signal valid")
        for trial, codes in orders.items()
        for step, code in enumerate(codes)
    ]
    names = ["method", "trial", "signal", "epochs", "seconds", "code", "emulated"]
    table = held(pd.DataFrame(found, columns=names), np.array([5.0, 10.0, 30.0]), benchmark, policy)
    assert set(table["metric"]) == {"optimum held"}
    assert set(table["emulated"]) == {"signal"}
    at = table.pivot(index="trial", columns="seconds", values="held")
    assert at.to_numpy().tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 1]]
