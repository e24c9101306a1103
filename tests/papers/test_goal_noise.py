"""GOAL under the noise of single trainings: orders of methods by signal, and GOAL's course."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.benchmarks.policy import Policy
from dagnas.papers.claims.check import Tables, ledger
from dagnas.papers.claims.rule import FAILED, REPRODUCED, UNDECIDED
from dagnas.papers.goal import noise
from dagnas.spaces import SPACES
from dagnas.tables.table import Table
from tests.papers.tables import built

SPACE = SPACES.get("nasbench201")
#: Test errors of what each method finds, by study.
FOUND = {
    "goal_nasbench201": {"random_search": 12.0, "npnas": 11.0, "goal": 10.0},
    "goal_nasbench201_noise1": {"random_search": 12.0, "npnas": 10.5, "goal": 11.0},
}
POLICY = Policy(
    signal="digits/valid/12",
    repeat="mean",
    seconds="digits/seconds/12",
    valid="digits/valid/12",
    test="digits/test/12",
)


@pytest.fixture
def benchmark(tmp_path):
    """Benchmark of ten cells, of which the last has the best mean signal."""
    path = tmp_path / "table.parquet"
    accuracies = np.linspace(70.0, 90.0, 20).reshape(10, 2)
    built(path, {3: accuracies, 12: accuracies})
    noisy = Policy(**{**POLICY.__dict__, "repeat": "random"})
    policies = {"goal": POLICY, "goal_noise1": noisy}
    return TabularBenchmark("nasbench201", SPACE, Table(path), policies)


def trace(method, error, code, trials=3):
    """Trials of two evaluations: a poor cell, then one of a given error, which the signal tells."""
    frames = [
        pd.DataFrame(
            {
                "method": method,
                "trial": trial,
                "step": [0, 1],
                "code": [0, code],
                "epochs": 12,
                "signal": [50.0, 80.0],
                "seconds": [10.0, 20.0],
                "valid": 80.0,
                "test": [50.0, 100 - error - 0.01 * trial],
                "emulated": "signal" if method == "npnas" else "",
            }
        )
        for trial in range(trials)
    ]
    return pd.concat(frames)


@pytest.fixture
def table(benchmark):
    best = int(benchmark.table["code"][9])

    def traces(study):
        # Under noise GOAL reports another cell than the best.
        code = best if study == "goal_nasbench201" else 0
        return pd.concat([trace(m, e, code) for m, e in FOUND[study].items()], ignore_index=True)

    policies = {"goal_nasbench201": "goal", "goal_nasbench201_noise1": "goal_noise1"}
    studies = {
        name: SimpleNamespace(benchmark="nasbench201", policy=policy)
        for name, policy in policies.items()
    }
    inputs = SimpleNamespace(
        result=SimpleNamespace(names=lambda section: tuple(studies)),
        config=SimpleNamespace(section=lambda name: studies),
        benchmark=lambda name: benchmark,
        policy=lambda study: benchmark.policies[policies[study]],
        traces=traces,
        budget=lambda study: 20.0,
    )
    return noise.tabulate(inputs)


def test_ranks_are_those_of_the_final_errors_under_each_signal(table):
    final = table[table["rank"].notna()]
    ranks = final.set_index(["signal", "method"])["rank"].to_dict()
    assert ranks == {
        ("mean of trainings", "goal"): 1,
        ("mean of trainings", "npnas"): 2,
        ("mean of trainings", "random_search"): 3,
        ("realisation 1", "npnas"): 1,
        ("realisation 1", "goal"): 2,
        ("realisation 1", "random_search"): 3,
    }
    goal = final[(final["method"] == "goal") & (final["signal"] == "realisation 1")]
    assert goal["mean"].item() == pytest.approx(11.01)
    assert goal["low"].item() < 11.01 < goal["high"].item()


def test_the_optimum_is_that_of_the_means_whatever_was_seen(table):
    held = table[table["metric"] == "optimum held"]
    assert set(held["method"]) == {"goal"}
    last = held[held["seconds"] == 20.0].set_index("signal")["mean"]
    assert last.to_dict() == {"mean of trainings": 1.0, "realisation 1": 0.0}
    # Before the second evaluation has ended, the first cell is reported.
    assert (held.loc[held["seconds"] < 20.0, "mean"] == 0.0).all()


def test_the_caption_says_how_far_orders_agree_and_what_is_emulated(table):
    caption = noise.caption(table)
    # One of three pairs of methods changes its order.
    assert "Kendall's tau between the orders of two signals is 0.33" in caption
    assert "the first is GOAL, NPNAS under 1 of 2 each" in caption
    assert "At the end 100, 0 % of GOAL's trials" in caption
    assert "**Emulated** in NAS-Bench-201" in caption


def test_the_figure_shows_ranks_errors_and_what_holds_the_optimum(table):
    figure = noise.draw(table)
    ranks, errors, held = figure.axes
    assert [line.get_ydata().tolist() for line in ranks.lines[:3]] == [[3, 3], [2, 1], [1, 2]]
    assert [text.get_text() for text in errors.get_legend().get_texts()] == [
        "mean of trainings",
        "realisation 1",
    ]
    assert held.lines[0].get_ydata()[-1] == 1.0


@pytest.mark.parametrize(
    ("errors", "status"),
    [([5.9, 5.9, 5.9], REPRODUCED), ([5.9, 5.9, 6.05], UNDECIDED), ([5.9, 6.3, 5.9], FAILED)],
)
def test_an_order_has_to_hold_under_every_realisation(tmp_path, errors, status):
    rows = []
    for number, error in enumerate(errors, 1):
        about = {"benchmark": "nasbench101", "signal": f"realisation {number}", "n": 10}
        about |= {"metric": "test error", "seconds": 500_000.0}
        ends = {"goal": error, "bohb": 6.1}
        for rank, (method, mean) in enumerate(ends.items(), 1):
            value = {"method": method, "mean": mean, "low": mean - 0.05, "high": mean + 0.05}
            rows.append({**about, **value, "rank": rank})
        # The course ends at the same time and is not counted twice.
        rows.append({**rows[-2], "rank": None})
    (tmp_path / "goal").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "goal/noise.csv", index=False)
    found = {e.id: e.status for e in ledger(["goal"], Tables(tmp_path, ["goal/noise"]))}
    assert found["noise-nasbench101-goal-below-bohb"] == status
    assert found["noise-nasbench101-goal-below-smac"] == "not run"
