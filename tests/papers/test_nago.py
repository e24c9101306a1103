"""NAGO: variance by hand and by simulation, splits, results of a tiny scale, claims."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import f_oneway

from dagnas.analysis.groups import one_way
from dagnas.benchmarks.absent import ABSENT
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.papers.claims.check import Tables, ledger
from dagnas.papers.inputs import Inputs
from dagnas.papers.make import make, read_table
from dagnas.papers.nago import fig2, networks, pareto, search, similar, table1
from dagnas.papers.result import results
from dagnas.pipeline import scales
from dagnas.search.models.pareto import front, hypervolume
from dagnas.seeds import stream
from dagnas.spaces.nago import nago_small
from tests.papers.tables import searches

SCALE = """
scale: tiny
trials: 3
papers: [nago]
studies:
  nago_random_digits: &least
    {benchmark: nago_digits, policy: trained, methods: [replicates], budget_evaluations: 40}
  nago_search_digits: {<<: *least, methods: [bohb, gp_ei_full], budget_seconds: 600}
  nago_pareto_digits: {<<: *least, methods: [nsga2_ten, mobo]}
variants:
  gp_ei_full: {method: gp_ei, settings: {brackets: false}}
  nsga2_ten: {method: nsga2, settings: {population: 10}}
"""
RESULTS = ("fig1", "fig2", "pareto", "search", "similar", "space", "table1")
#: Spread of the invented accuracies within a generator, for each unit of `top_p`.
NOISE = 6.0


def made_up_trial(method, *names):
    """Accuracies that grow with the nodes of the middle, and whose noise grows with `top_p`."""
    rng = stream(*names)
    if method == "replicates":
        vectors = np.repeat(nago_small.sample(20, rng), 2, axis=0)
        epochs = np.full(40, 16)
    else:
        vectors, epochs = nago_small.sample(40, rng), rng.choice([4, 8, 16], 40)
    of = dict(zip(nago_small.names, vectors.T, strict=True))
    signal = 50 + 10 * of["mid_n"] + NOISE * of["top_p"] * rng.normal(size=40)
    # The fourth network cannot be drawn.
    drawn = np.arange(40) != 3
    return pd.DataFrame(
        {
            "trial": np.int32(names[-1]),
            "step": np.arange(40, dtype=np.int32),
            "cell": nago_small.to_str(vectors),
            "code": np.int64(0),
            "parent": np.int32(-1),
            "epochs": epochs.astype(np.int32),
            "signal": np.where(drawn, signal, 0.0),
            "seconds": np.cumsum(rng.uniform(10, 30, 40)),
            "valid": np.where(drawn, signal, 0.0),
            "test": np.where(drawn, signal - 1, 0.0),
            "emulated": "",
            "cost_memory": np.where(drawn, 0.1 + of["bottom_n"] / 100, ABSENT),
        }
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    (root / "tiny.yaml").write_text(SCALE)
    for study, method, trials, _, path in searches(scales.load(root / "tiny.yaml")):
        frames = [made_up_trial(method, study, method, trial) for trial in trials]
        table = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
        seconds = json.dumps(600.0 if "search" in study else None)
        write_parquet(table, root / path, {"dagnas.budget_seconds": seconds})
    return root


@pytest.fixture
def inputs_of(root):
    scale = scales.load(root / "tiny.yaml")
    known = results(scale)
    return lambda name: Inputs(scale, known[f"nago/{name}"], root)


# Variance between and within groups.


def test_variance_on_paper():
    # Means 2, 4 and 9, so 26 / 2 of variance; within, 2 for each of 3 degrees of freedom.
    found = one_way(np.array([[1.0, 3.0], [3.0, 5.0], [8.0, 10.0]]))
    assert (found.groups, found.members) == (3, 2)
    assert found.within**2 == pytest.approx(2)
    assert found.between**2 == pytest.approx((26 - 2) / 2)
    assert found.correlation == pytest.approx(12 / 14)
    assert found.ratio == pytest.approx(13)


def test_variance_is_that_of_scipy():
    values = np.random.default_rng(0).normal(size=(30, 3)) + np.arange(30)[:, None] / 20
    found, other = one_way(values), f_oneway(*values)
    assert (found.ratio, found.p) == (pytest.approx(other.statistic), pytest.approx(other.pvalue))


def test_the_interval_holds_the_correlation_in_95_of_100():
    rng, inside, trials = np.random.default_rng(0), 0, 2000
    for _ in range(trials):
        found = one_way(rng.normal(size=(25, 1)) + 0.5 * rng.normal(size=(25, 2)))
        inside += found.low < 1 / 1.25 < found.high
    assert abs(inside / trials - 0.95) < 3 * np.sqrt(0.95 * 0.05 / trials)


def test_groups_of_one_are_refused():
    with pytest.raises(DagnasError, match="5 groups of 1"):
        one_way(np.zeros((5, 1)))


# Splits of table 1.


@pytest.mark.parametrize(
    ("generators", "members", "train", "test"),
    [(200, 2, 50, 100), (150, 2, 50, 100), (75, 2, 50, 100), (150, 1, 50, 100), (9, 2, 6, 12)],
)
def test_splits_divide_generators(generators, members, train, test):
    numbers = np.repeat(np.arange(generators), members)
    found = table1.split(numbers, np.random.default_rng(0))
    assert (len(found.train), len(found.test)) == (train, test)
    assert not set(numbers[found.train]) & set(numbers[found.test])
    assert len(set(found.train) | set(found.test)) == train + test


def test_differences_of_splits_are_wider_than_of_independent_ones():
    gaps = np.array([1.0, 2.0, 3.0, 4.0])
    mean, low, high = table1.difference(gaps, ratio=2)
    # Student's t of three degrees of freedom, a variance of 5 / 3 times (1 / 4 + 2).
    assert mean == 2.5
    assert (high - mean) == pytest.approx(3.182446 * np.sqrt(5 / 3 * 2.25), rel=1e-6)
    assert mean - low == pytest.approx(high - mean)


def test_the_papers_table_is_as_its_text_says():
    for column in table1.PAPER:
        assert column.nll[0] < column.nll[1]
        assert column.rmse[0] <= column.rmse[1]


# Figure 2.


def test_one_test_for_all_columns():
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(60, 8))
    strong, p = fig2.largest_correlation(columns, columns[:, 3] + rng.normal(size=60), rng)
    assert strong > 0.5
    assert p < 0.01
    # Where nothing is there, p-values are uniform.
    nothing = [fig2.largest_correlation(columns, rng.normal(size=60), rng)[1] for _ in range(40)]
    assert 0.3 < np.mean(nothing) < 0.7


# Traces.


def test_random_search_is_of_the_first_networks(inputs_of):
    inputs = inputs_of("search")
    found = networks.by_chance(inputs, "nago_random_digits")
    traces = inputs.traces("nago_random_digits")
    for trial, own in found.groupby("trial"):
        whole = traces[traces["trial"] == trial]
        assert own["cell"].tolist() == whole["cell"].tolist()[::2]
        assert own["signal"].tolist() == whole["signal"].tolist()[::2]
        seconds = np.diff(whole["seconds"], prepend=0)[::2]
        assert own["seconds"].to_numpy() == pytest.approx(np.cumsum(seconds))


def test_generators_count_once(inputs_of):
    traces = inputs_of("search").traces("nago_search_digits")
    twice = pd.concat([traces, traces.assign(seconds=traces["seconds"] + 5000)])
    grid = np.array([100.0, 400.0, 1e6])
    found = search.evaluated(twice.sort_values("seconds"), grid)
    assert found.groupby("method")["mean"].last().tolist() == [40, 40]
    own = traces[(traces["method"] == "bohb") & (traces["seconds"] <= 400)]
    mean = found[(found["method"] == "bohb") & (found["seconds"] == 400)]["mean"].item()
    assert mean == own.groupby("trial").size().mean()


def test_generators_without_all_networks_are_left_out(inputs_of):
    inputs = inputs_of("similar")
    found = networks.networks(inputs, "nago_random_digits")
    assert (~found["drawn"]).sum() == 3
    assert similar.accuracies(found, "signal").shape == (57, 2)


def test_fronts_are_of_networks(inputs_of):
    table = pareto.tabulate(inputs_of("pareto"))
    assert set(table["method"]) == {"random_search", "nsga2_ten", "mobo"}
    for _, own in table.groupby("method"):
        rows = own[own["part"] == "network"][["accuracy", "memory"]].to_numpy()
        best = own[own["part"] == "front"][["accuracy", "memory"]].to_numpy()
        assert sorted(map(tuple, rows[front(rows)])) == sorted(map(tuple, best))
        assert rows[:, 1].max() < 1
        assert (np.diff(own[own["part"] == "curve"]["mean"]) >= 0).all()
        assert own[own["part"] == "curve"]["evaluations"].max() == 20
    assert hypervolume(rows, pareto_frame(table)) <= 1


def pareto_frame(table):
    from dagnas.search.models.pareto import Frame

    return Frame.of(table[table["part"] == "network"][["accuracy", "memory"]].to_numpy())


# Results.


def test_what_was_put_in_comes_out(inputs_of):
    told = similar.tabulate(inputs_of("similar"))
    row = told[(told["part"] == "test") & (told["metric"] == "validation")].iloc[0]
    assert row["low"] < row["correlation"] < row["high"]
    # Nodes from 1 to 3 in steps of 10 %; noise of 6 % times a mean square of 0.37.
    assert row["between"] == pytest.approx(10 * np.sqrt(2 / 3), rel=0.25)
    assert row["within"] == pytest.approx(NOISE * np.sqrt(0.37), rel=0.25)
    told = fig2.tabulate(inputs_of("fig2"))
    largest = told[told["part"] == "correlation"].set_index(["of", "hyperparameter"])["value"]
    assert largest["mean"].idxmax() == "mid_n"
    assert largest["spread"].idxmax() == "top_p"
    tests = told[told["part"] == "test"].set_index("of")["p"]
    assert (tests < 0.01).all()


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_whole(name, inputs_of, tmp_path):
    csv, *pictures, text = make(inputs_of(name), tmp_path)
    assert len(read_table(csv)) > 0
    assert all(picture.stat().st_size > 1000 for picture in pictures)
    words = text.read_text()
    assert "Scale: tiny." in words
    if name not in ("fig1", "space"):
        assert "not the paper's protocol" in words


def test_claims_can_be_judged(inputs_of, tmp_path):
    for name in ("fig2", "space", "similar"):
        make(inputs_of(name), tmp_path)
    tables = Tables(tmp_path, [f"nago/{name}" for name in RESULTS])
    found = {entry.id: entry for entry in ledger(["nago"], tables)}
    assert found["space-size"].status == "reproduced"
    assert found["similar-mostly-nago_digits"].status == "reproduced"
    assert found["fig2-spread-nago_digits"].status == "reproduced"
    assert found["table1-cifar10-nll"].status == "not run"
