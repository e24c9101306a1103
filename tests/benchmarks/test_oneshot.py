import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.benchmarks.built import find_benchmark
from dagnas.benchmarks.norms import STATISTICS
from dagnas.benchmarks.oneshot import OneShotBenchmark, open_supernet, score_table
from dagnas.benchmarks.scored import open_scores
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.networks.supernet201 import pruned
from dagnas.pipeline.kinds.supernet import ScoreJob, SupernetJob
from dagnas.search import METHODS
from dagnas.search.runner import Search, run_trial
from dagnas.testing import benchmark_checks
from dagnas.training import scoring
from dagnas.training.device_images import DeviceImages
from dagnas.training.images import Split, digits

TINY = {"channels": 4, "epochs": 2, "steps": 10, "batch_size": 32}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with a supernet of each space, and scores of NAS-Bench-201's."""
    folder = tmp_path_factory.mktemp("oneshot")
    for space in ("nasbench201", "darts"):
        settings = {**TINY, **({"layers": 3} if space == "darts" else {})}
        job = SupernetJob(name="a", space=space, images="digits", settings=settings)
        job.run(folder, folder / f"{space}_net.pt")
    supernet = folder / "nasbench201_net.pt"
    job = ScoreJob(
        supernet=supernet, truth="digits201", valid_images=40, statistics=list(STATISTICS)
    )
    job.run(folder, folder / "scores.parquet")
    return folder


@pytest.fixture(scope="module")
def oneshot(folder):
    return open_supernet("net", folder / "nasbench201_net.pt", folder)


def some(benchmark, n=6):
    return benchmark.space.sample(n, np.random.default_rng(0))


@pytest.mark.parametrize("check", range(8))
def test_supernets_keep_the_contract_of_benchmarks(oneshot, check):
    checks = benchmark_checks(oneshot)
    if check < len(checks):
        checks[check]()


def test_cells_equal_after_pruning_are_scored_once(oneshot, monkeypatch):
    calls = []

    def score(network, architecture, examples):
        calls.append(architecture)
        return 50.0, 1.0

    monkeypatch.setattr(scoring, "score_one", score)
    fresh = OneShotBenchmark("net", oneshot.supernet)
    space = fresh.space
    # The operation 0->1 leads nowhere.
    texts = [
        f"|{name}~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
        for name in ("none", "nor_conv_3x3")
    ]
    found = fresh.evaluate(space.from_str(texts), fresh.policies["goal"], None)
    assert len(calls) == 1
    assert found.signal.tolist() == [50, 50]
    loss = fresh.evaluate(space.from_str(texts), fresh.policies["goal_loss"], None)
    assert len(calls) == 1
    np.testing.assert_allclose(loss.signal, 100 * np.exp(-1))
    # Statistics of other images are other scores.
    fresh.evaluate(space.from_str(texts), fresh.policies["goal_recalibrated"], None)
    assert len(calls) == 2


def test_images_of_each_statistics(oneshot):
    images = oneshot.supernet.images
    batch, recalibrated, running = (oneshot.examples(chosen) for chosen in STATISTICS)
    every, labels = images.batch(images.split.valid)
    # All 599 validation images in another order, which is the same for all.
    assert sorted(batch.labels.tolist()) == sorted(labels.tolist())
    np.testing.assert_allclose(batch.images.sum(0), every.sum(0), atol=1e-3)
    np.testing.assert_array_equal(running.images, batch.images)
    np.testing.assert_array_equal(recalibrated.images[256:], batch.images)
    train, _ = images.batch(images.split.train)
    known = {image.numpy().tobytes() for image in train}
    assert {image.numpy().tobytes() for image in recalibrated.images[:256]} < known
    assert [e.calibration for e in (batch, recalibrated, running)] == [0, 256, None]
    for examples in (batch, recalibrated, running):
        np.testing.assert_array_equal(examples.labels, batch.labels)


def test_images_sorted_by_class_are_scored_on_all_classes(oneshot):
    images = oneshot.supernet.images
    valid = images.split.valid[np.argsort(images.labels[images.split.valid], kind="stable")]
    train = images.split.train[np.argsort(images.labels[images.split.train], kind="stable")]
    by_class = DeviceImages(digits(), Split(train, valid, images.split.test))
    supernet = replace(oneshot.supernet, images=by_class)
    fresh = OneShotBenchmark("net", supernet, valid=60, calibration=60)
    chosen = fresh.examples("recalibrated")
    # The first 60 of either are of the first or second class.
    assert len(set(chosen.labels.tolist())) == 10
    means = [chosen.images[:60].mean(), by_class.batch(train)[0].mean()]
    assert abs(float(means[0] - means[1])) < 0.02


def test_scores_are_a_table_with_the_truth_of_another(folder):
    table = open_scores("scores", folder / "scores.parquet")
    truth = BENCHMARKS.get("digits201").open(folder)
    assert isinstance(table, TabularBenchmark)
    assert len(table) == 15_625
    cells = some(table, 20)
    found = table.evaluate(cells, table.policies["goal"], np.random.default_rng(0))
    real = truth.evaluate(cells, truth.policies["goal"], np.random.default_rng(0))
    np.testing.assert_array_equal(found.valid, real.valid)
    np.testing.assert_array_equal(found.test, real.test)
    assert found.seconds.tolist() == [1.0] * 20
    np.testing.assert_array_equal(
        table.table["params"][table.rows(cells)], truth.table["params"][truth.rows(cells)]
    )
    assert table.policies["goal"].budget_evaluations == 100


def test_scores_are_those_of_the_supernet(folder):
    table = open_scores("scores", folder / "scores.parquet")
    supernet = open_supernet("net", folder / "nasbench201_net.pt", folder)
    supernet.valid = 40
    cells = some(table, 12)
    for name, policy in table.policies.items():
        looked_up = table.evaluate(cells, policy, np.random.default_rng(0)).signal
        own = supernet.evaluate(cells, supernet.policies[name], np.random.default_rng(0)).signal
        np.testing.assert_allclose(looked_up, own, atol=2.51 if "loss" not in name else 1e-3)
    operations = pruned(table.space.enumerate())
    _, same = np.unique(operations, axis=0, return_inverse=True)
    order = np.argsort(table.table["code"])
    signal = table.values(table.policies["goal"].signal)[order]
    # Cells that are equal after pruning share a score.
    assert len({*zip(same.tolist(), signal.tolist(), strict=True)}) == same.max() + 1


def test_without_a_truth_the_score_is_reported(folder, oneshot):
    small = OneShotBenchmark("net", oneshot.supernet, valid=20)
    table, metadata = score_table(small, ("batch",), None)
    write_parquet(table, folder / "alone.parquet", metadata)
    scores = open_scores("alone", folder / "alone.parquet")
    found = scores.evaluate(some(scores), scores.policies["goal"], np.random.default_rng(0))
    np.testing.assert_array_equal(found.valid, found.signal)
    np.testing.assert_array_equal(found.test, found.signal)
    assert list(scores.policies) == ["goal", "goal_loss"]


def test_files_are_found_by_name(folder):
    assert isinstance(find_benchmark("scores", folder).open(folder), TabularBenchmark)
    assert isinstance(find_benchmark("darts_net", folder).open(folder), OneShotBenchmark)
    # A table counts before a supernet of its name.
    assert find_benchmark("digits201", folder).name == "digits201"


def test_other_files_are_no_scores(folder, tmp_path):
    table = pq.read_table(folder / "scores.parquet")
    metadata = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    write_parquet(table, tmp_path / "x.parquet", {**metadata, "dagnas.scores": "{}"})
    with pytest.raises(DagnasError, match=r"x\.parquet is damaged"):
        open_scores("x", tmp_path / "x.parquet")
    del metadata["dagnas.scores"]
    write_parquet(table, tmp_path / "y.parquet", metadata)
    with pytest.raises(DagnasError, match=r"y\.parquet was not made by `dagnas score`"):
        open_scores("y", tmp_path / "y.parquet")


def test_a_search_on_scores_loads_no_torch(folder):
    code = (
        "import sys; from pathlib import Path; from dagnas.pipeline.kinds.search import SearchJob\n"
        "job = SearchJob(benchmark='scores', method='spos', trials=range(1))\n"
        f"job.run(Path({str(folder)!r}), Path({str(folder / 'trace.parquet')!r}))\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(pq.read_table(folder / "trace.parquet")) == 100


@pytest.mark.parametrize(
    ("name", "given", "policy"),
    [
        ("spos", {"population": 6, "mutated": 3, "crossed": 3}, "goal"),
        ("regularized_evolution", {"population": 6}, "goal_loss"),
        ("random_search", {"batch": 4}, "goal_recalibrated"),
    ],
)
def test_methods_search_a_supernet_of_the_darts_space(folder, name, given, policy):
    benchmark = open_supernet("darts_net", folder / "darts_net.pt", folder)
    benchmark.valid = 20
    search = Search(benchmark, METHODS.get(name), given, policy=policy, budget_evaluations=12)
    trace = run_trial(search, 0)
    assert trace.num_rows == 12


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in METHODS.names() if not METHODS.get(name).takes("objectives")]
)
def test_every_method_of_cells_searches_scores(folder, name):
    chosen = METHODS.get(name)
    table = open_scores("scores", folder / "scores.parquet")
    if not isinstance(table.space, chosen.space) or chosen.batched:
        pytest.skip("it searches no cells")
    for policy in ("goal", "goal_loss"):
        search = Search(table, chosen, {}, policy=policy, budget_evaluations=100)
        assert run_trial(search, 0).num_rows == 100
