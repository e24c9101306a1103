"""Results of hardware: fronts, hypervolumes and limits, held against what is computed by hand."""

from pathlib import Path

import numpy as np
import pytest

import dagnas
from dagnas.benchmarks import BENCHMARKS
from dagnas.papers.claims.reader import read
from dagnas.papers.hardware import constrained, front, hypervolume
from dagnas.papers.hardware.objectives import TABLE
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import results
from dagnas.pipeline import scales
from dagnas.pipeline.kinds import KINDS

SCALE = """
scale: tiny
trials: 3
trials_per_job: 3
studies:
  hardware_front_digits:
    benchmark: digits201_costs
    methods: [nsga2]
    settings: {population: 8}
    objectives: [parameters]
    budget_evaluations: 30
  hardware_plain_digits201_costs:
    benchmark: digits201_costs
    methods: [random_search]
    budget_evaluations: 24
  hardware_limit_digits_600:
    benchmark: digits201_costs
    methods: [random_search, local_search_nas]
    constraints: ["parameters<600"]
    budget_evaluations: 20
papers: [hardware]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Tables of all results by name, and the folder of the traces."""
    root = tmp_path_factory.mktemp("hardware")
    (root / "tiny.yaml").write_text(SCALE)
    scale = scales.load(root / "tiny.yaml")
    for name, job in scale.jobs("search").items():
        path = root / KINDS.get("search").path(scale, name)
        path.parent.mkdir(parents=True)
        job.run(root, path)
    known = results(scale)
    assert set(known) == {"hardware/constrained", "hardware/front", "hardware/hypervolume"}
    modules = {"constrained": constrained, "front": front, "hypervolume": hypervolume}
    tables = {
        name: module.tabulate(Inputs(scale, known[f"hardware/{name}"], root))
        for name, module in modules.items()
    }
    return tables, root / "results/tiny/traces"


@pytest.fixture(scope="module")
def bench():
    return BENCHMARKS.get("digits201_costs").open(Path("nowhere"))


@pytest.fixture(scope="module")
def whole(bench):
    """Mean signal and parameters of all cells."""
    signal = np.nanmean(bench.values("digits/valid/3", "random"), axis=1)
    return np.stack([signal, bench.table["params"].astype(float)], axis=1)


def seen(bench, whole, trace):
    """Mean signals and parameters of the cells of a trace."""
    return whole[bench.rows(bench.space.unpack(trace["code"].to_numpy()))]


def traces(folder, study, method):
    return dagnas.read(folder / study / method / "0000-0003.parquet")


def undominated(rows):
    """Places of the rows that none dominates, by comparing each with each."""
    better = (rows[:, None, 0] >= rows[:, 0]) & (rows[:, None, 1] <= rows[:, 1])
    strictly = (rows[:, None, 0] > rows[:, 0]) | (rows[:, None, 1] < rows[:, 1])
    return np.flatnonzero(~(better & strictly).any(axis=0))


def area(rows, whole):
    """Area that rows dominate in the smallest frame around all cells, by a sweep over costs."""
    low, high = whole.min(axis=0), whole.max(axis=0)
    points = (rows - low) / (high - low)
    total, best = 0.0, 0.0
    order = np.lexsort([-points[:, 0], points[:, 1]])
    for height, cost in points[order]:
        if height > best:
            total += (height - best) * (1 - cost)
            best = height
    return total


def test_front_of_the_table_is_that_of_brute_force(made, whole):
    own = made[0]["front"]
    own = own[own["method"] == TABLE]
    # Among 15,625 cells those matter that are the best of their cost.
    best = [whole[whole[:, 1] == cost][:, 0].max() for cost in np.unique(whole[:, 1])]
    rows = np.stack([best, np.unique(whole[:, 1])], axis=1)
    kept = rows[undominated(rows)]
    found = own[["signal", "value"]].drop_duplicates().to_numpy()
    np.testing.assert_allclose(found[found[:, 1].argsort()], kept)


def test_front_of_a_trial_is_that_of_its_cells(made, bench, whole):
    table, folder = made[0]["front"], made[1]
    for study, method in (
        ("hardware_front_digits", "nsga2"),
        ("hardware_plain_digits201_costs", "random_search"),
    ):
        shown = table[table["method"] == method]
        trace = traces(folder, study, method)
        volumes = {
            trial: area(seen(bench, whole, own), whole) for trial, own in trace.groupby("trial")
        }
        median = sorted(volumes, key=volumes.get)[1]
        assert shown["trial"].unique().tolist() == [median]
        own = trace[trace["trial"] == median].drop_duplicates("cell")
        rows = seen(bench, whole, own)
        assert set(shown["cell"]) == set(own["cell"].iloc[undominated(rows)])


def test_missed_hypervolume_is_that_of_a_sweep(made, bench, whole):
    table, folder = made[0]["hypervolume"], made[1]
    full = area(whole, whole)
    trace = traces(folder, "hardware_front_digits", "nsga2")
    for evaluations in (1, 10, 24):
        missed = [
            100 * (1 - area(seen(bench, whole, own)[:evaluations], whole) / full)
            for _, own in trace.groupby("trial")
        ]
        row = table[(table["method"] == "nsga2") & (table["evaluations"] == evaluations)].iloc[0]
        assert row["missed"] == pytest.approx(np.mean(missed))
        assert row["se"] == pytest.approx(np.std(missed, ddof=1) / 3**0.5)
        assert row["n"] == 3
        half = 4.302653 * row["se"]
        ends = (row["missed"] - half, row["missed"] + half)
        assert (row["low"], row["high"]) == pytest.approx(ends)
    # Up to the shortest budget, and never better than the table.
    assert table["evaluations"].max() == 24
    assert (table["least"] >= 0).all()


def test_reports_are_the_best_cells_within_the_limit(made, bench):
    table, folder = made[0]["constrained"], made[1]
    for method in ("random_search", "local_search_nas"):
        tests = []
        for _, own in traces(folder, "hardware_limit_digits_600", method).groupby("trial"):
            within = own[own["cost_parameters"] < 600]
            if len(within):
                tests.append(within.sort_values("signal", kind="stable")["test"].iloc[-1])
        row = table[table["method"] == method].iloc[0]
        assert (row["n"], row["trials"]) == (len(tests), 3)
        assert row["value"] < 600 or not tests
        if len(tests):
            assert row["test"] == pytest.approx(np.mean(tests))
    last = table[table["method"] == TABLE].iloc[0]
    within = bench.table["params"] < 600
    assert last["within"] == pytest.approx(within.mean())
    signal = np.nanmean(bench.values("digits/valid/3", "random"), axis=1)
    best = np.flatnonzero(within)[signal[within].argmax()]
    assert last["test"] == bench.values("digits/test/12")[best]


@pytest.mark.parametrize("name", ["front", "hypervolume", "constrained"])
def test_pictures_and_captions(made, name):
    module = {"constrained": constrained, "front": front, "hypervolume": hypervolume}[name]
    table = made[0][name]
    assert len(module.draw(table).axes) == 1
    assert "3 trials" in module.caption(table)


def test_claims_can_be_read():
    claims = read("hardware")
    names = {claim.id for claim in claims}
    assert "mobo-raspi4_latency-misses-less-than-random-search" in names
    assert len(names) == len(claims) == 1 + 4 + 3 + 6
