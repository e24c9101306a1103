"""Trainings of cells that searches found, and scores of the cells of a table."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagnas.benchmarks.oneshot import score_table
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.pipeline import scales
from dagnas.pipeline.kinds.training import TrainJob
from dagnas.spaces import SPACES

SCALE = {
    "scale": "toy",
    "trials": 3,
    "trials_per_job": 2,
    "studies": {"s": {"benchmark": "digits201", "methods": ["goal"]}},
    "papers": [],
}


def scale(cell):
    entry = {"space": "nasbench201", "images": "digits", "cell": cell}
    return scales.parse({**SCALE, "trainings": {"t": entry}}, "toy.yaml")


def test_a_training_reads_the_trace_that_holds_its_trial():
    job = scale({"study": "s", "method": "goal", "trial": 2, "step": 5}).jobs("training")["t"]
    assert job.trace == Path("results/toy/traces/s/goal/0002-0003.parquet")
    assert job.files() == [str(job.trace)]
    words = job.arguments()
    assert "--trial=2" in words
    assert "--step=5" in words


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"study": "z", "method": "goal"}, "trainings.t.cell.study: unknown study 'z'"),
        ({"study": "s", "method": "spos"}, "trainings.t.cell.method: unknown method of s 'spos'"),
        ({"study": "s", "method": "goal", "trial": 3}, "s has 3 trials, from 0 on"),
    ],
)
def test_a_search_that_there_is_not_is_told(cell, message):
    with pytest.raises(DagnasError, match=message):
        scale(cell)


def test_cells_of_studies_left_out_are_left_out(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: [goal]\nbenchmarks: [nasbench201]\nscale: mine\ntrials: 1\npapers: [goal]\n"
    )
    found = scales.load(path)
    assert found.section("studies")
    assert not found.section("trainings")
    assert not found.section("supernets")


@pytest.fixture
def trace(tmp_path):
    """Trace of two trials of three evaluations."""
    table = {
        "trial": [0, 0, 0, 1, 1, 1],
        "cell": list("abcdef"),
        "signal": [50.0, 70.0, 70.0, 90.0, 80.0, 70.0],
        "epochs": [1] * 6,
    }
    write_parquet(pa.table(table), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def job(**given):
    return TrainJob(space="nasbench201", images="digits", **given)


def test_the_cell_of_the_best_signal_is_trained(trace):
    assert job(trace=trace).architecture() == "b"
    assert job(trace=trace, trial=1).architecture() == "d"
    assert job(trace=trace, trial=1, step=2).architecture() == "f"
    assert job(cell="x").architecture() == "x"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trial": 2}, r"--trial 2: .* has the trials \[0, 1\]"),
        ({"step": 3}, "--step 3: the trial has 3 evaluations, from 0 on"),
        ({"cell": "x"}, "expected one of --cell and --trace"),
    ],
)
def test_what_a_trace_lacks_is_told(trace, given, message):
    with pytest.raises(DagnasError, match=message):
        job(trace=trace, **given).architecture()


def test_a_trial_without_a_signal_has_no_best_cell(trace):
    table = pq.read_table(trace)
    signals = pa.array([None, None, None, 90.0, None, None], pa.float64())
    write_parquet(table.set_column(2, "signal", signals), trace)
    with pytest.raises(DagnasError, match=r"--trial 0: .* has no evaluation with a signal"):
        job(trace=trace).architecture()
    assert job(trace=trace, step=1).architecture() == "b"
    assert job(trace=trace, trial=1).architecture() == "d"


def test_neither_text_nor_trace_is_refused():
    with pytest.raises(DagnasError, match="expected one of --cell and --trace"):
        job().architecture()


def test_cells_of_a_table_are_scored_where_a_space_is_too_large():
    space = SPACES.get("darts")
    cells = space.sample(4, np.random.default_rng(0))
    test = np.array([96.0, 97.0, 98.0, 95.0])
    policy = SimpleNamespace(valid="cifar10/test/600", test="cifar10/test/600")
    truth = SimpleNamespace(
        name="darts214", space=space, cells=cells, policies={"goal": policy},
        table=SimpleNamespace(columns=()), rows=lambda cells: np.arange(len(cells)),
        values=lambda name: test, emulated=lambda policy: (), digest=lambda: "d",
    )  # fmt: skip
    images, recipe = SimpleNamespace(name="cifar10"), SimpleNamespace(epochs=7)
    benchmark = SimpleNamespace(
        space=space,
        supernet=SimpleNamespace(images=images, recipe=recipe, network=None, name="s"),
        scores=lambda cells, statistics, progress: np.array([[40, 50, 60, 30], [3, 2, 1, 4.0]]),
        examples=lambda statistics: SimpleNamespace(labels=[0]),
        digest=lambda: "x",
        calibration=1,
    )
    table, metadata = score_table(benchmark, ("batch",), truth)
    assert table["code"].to_pylist() == space.pack(cells).tolist()
    assert table["cifar10/shared_accuracy_batch/7/mean"].to_pylist() == [40, 50, 60, 30]
    assert table["cifar10/shared_likelihood_batch/7/mean"].to_numpy() == pytest.approx(
        100 * np.exp([-3, -2, -1, -4])
    )
    assert table["cifar10/test/600/mean"].to_pylist() == test.tolist()
    assert metadata["dagnas.space"] == "darts"
    with pytest.raises(DagnasError, match="too many to score: name a table"):
        score_table(benchmark, ("batch",), None)


def test_the_cell_of_darts_is_read_with_its_curve(tmp_path):
    from dagnas.pipeline.kinds import supernet
    from dagnas.training import checkpoint

    checkpoint.write(tmp_path / "d.pt", {"cell": "|none~0|+..."})
    write_parquet(pa.table({"epoch": [1], "skip_connections": [2.0]}), tmp_path / "d.curve.parquet")
    assert supernet.read(tmp_path / "d.pt").attrs["cell"] == "|none~0|+..."
    write_parquet(pa.table({"epoch": [1]}), tmp_path / "s.curve.parquet")
    assert supernet.read(tmp_path / "s.pt").attrs["cell"] == ""
