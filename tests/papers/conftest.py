"""Small scales with made-up searches and rankings, and made-up tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dagnas.files import write_parquet
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import results
from dagnas.pipeline import scales
from dagnas.pipeline.kinds import KINDS
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from tests.papers.tables import searches

SCALE = """
scale: toy
trials: 3
trials_per_job: 2
studies:
  goal_nasbench201: {benchmark: nasbench201, methods: [random_search, npnas, goal_mlp, goal]}
  goal_nasbench101: {benchmark: nasbench101, methods: [random_search, npnas, goal_mlp, goal]}
  goal_digits201: {benchmark: digits201, methods: [random_search, npnas, goal_mlp, goal]}
rankings:
  goal_uniform: {benchmark: nasbench201, target: cifar10/valid/200, predictors: [ecc, mlp],
                 train_sizes: [128, 256], test_size: 60, trials: 2}
  goal_after_search: {study: goal_nasbench201, method: goal, trials: 2}
papers: [goal]
"""
#: As the scale of `make smoke`: the shipped benchmark and no other.
ONLY_DIGITS = """
scale: digits
trials: 2
studies:
  goal_digits201: {benchmark: digits201, methods: [random_search, goal]}
rankings:
  goal_uniform: {benchmark: digits201, target: digits/valid/12, predictors: [ecc, mlp],
                 train_sizes: [128, 256], test_size: 60, trials: 2}
  goal_after_search: {study: goal_digits201, method: goal, trials: 2}
papers: [digits201, goal]
"""
SIGNALS = {"nasbench201": "cifar10/valid/12", "digits201": "digits/valid/3"}
BUDGETS = {"nasbench201": 2000.0, "nasbench101": 40000.0, "digits201": 60.0}
NOTES = {"nasbench201": "the signal is a mean of trainings"}
STEPS = 24


def made_up_trial(space, emulated, budget, *names):
    """Trace of one trial: random cells whose first eight are an initial pool."""
    rng = stream(*names)
    cells = space.sample(STEPS, rng)
    signal = rng.uniform(80, 91, STEPS)
    return pd.DataFrame(
        {
            "trial": np.int32(names[-1]),
            "step": np.arange(STEPS, dtype=np.int32),
            "cell": space.to_str(cells),
            "code": space.pack(cells),
            "parent": np.int32([-1] * 8 + [int(rng.integers(step)) for step in range(8, STEPS)]),
            "epochs": np.int32(12),
            "signal": signal,
            "seconds": np.cumsum(rng.uniform(0.5, 1.0, STEPS)) * budget / STEPS,
            "valid": signal + rng.normal(0, 0.2, STEPS),
            "test": signal - 1 + rng.normal(0, 0.2, STEPS),
            "emulated": emulated,
        }
    )


def write_traces(scale, root):
    for study, method, trials, benchmark, path in searches(scale):
        space = SPACES.get("nasbench101" if benchmark == "nasbench101" else "nasbench201")
        emulated = "signal seconds valid" if benchmark == "nasbench101" else ""
        budget = BUDGETS[benchmark]
        frames = [made_up_trial(space, emulated, budget, study, method, trial) for trial in trials]
        table = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
        notes = {"dagnas.budget_seconds": json.dumps(budget)}
        notes["dagnas.rules"] = json.dumps({"note": NOTES.get(benchmark, "")})
        write_parquet(table, root / path, notes)


def write_rankings(scale, root):
    space = SPACES.get("nasbench201")
    codes = np.unique(space.canonical(space.enumerate()))
    for name, predictors, sources, sizes, cells in (
        ("goal_uniform", ("ecc", "mlp"), ("uniform",), (128, 256), 60),
        ("goal_after_search", ("ecc",), ("search", "uniform"), (222,), 400),
    ):
        rng = stream(name)
        frames = []
        for trial in range(2):
            chosen = rng.choice(codes, cells, replace=False)
            target = rng.uniform(60, 91, cells)
            frames += [
                pd.DataFrame(
                    {
                        "predictor": predictor,
                        "source": source,
                        "train_size": np.int32(size),
                        "trial": np.int32(trial),
                        "code": chosen,
                        "target": target,
                        "score": rng.normal(-target, 300 / size + 3 * (predictor == "mlp")),
                    }
                )
                for predictor in predictors
                for source in sources
                for size in sizes
            ]
        table = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
        job = scale.jobs("ranking")[name]
        about = {
            "dagnas.benchmark": job.benchmark,
            "dagnas.target": SIGNALS[job.benchmark] if "search" in sources else job.target,
            "dagnas.emulated": "[]",
        }
        write_parquet(table, root / KINDS.get("ranking").path(scale, name), about)


def write_table(data):
    rng = stream("table")
    rows = 5**6
    trainings = rng.uniform(60, 91, (rows, 1)) + rng.normal(0, 0.2, (rows, 3))
    columns = {
        "code": np.arange(rows),
        "params": np.ones(rows),
        "cifar10/valid/12/s0": trainings[:, 0] - 10,
        "cifar10/valid/12/mean": trainings[:, 0] - 10,
        "cifar10/seconds/12/mean": np.full(rows, 100.0),
        **{f"cifar10/valid/200/s{k}": trainings[:, k] for k in range(3)},
        "cifar10/valid/200/mean": trainings.mean(axis=1),
        "cifar10/test/200/mean": trainings.mean(axis=1) + 3,
    }
    meta = {"dagnas.schema": "1", "dagnas.space": "nasbench201", "dagnas.emulated": "[]"}
    write_parquet(pa.table(columns), data / "nasbench201.parquet", meta)
    return columns


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    """Root of a project with config/toy.yaml and all inputs but the table of NAS-Bench-101."""
    root = tmp_path_factory.mktemp("toy")
    (root / "config").mkdir()
    (root / "config/toy.yaml").write_text(SCALE)
    scale = scales.load(root / "config/toy.yaml")
    write_traces(scale, root)
    write_rankings(scale, root)
    write_table(root / "data")
    return root


@pytest.fixture(scope="session")
def only_digits(tmp_path_factory) -> Path:
    """Root of a project with config/digits.yaml, whose only benchmark is the shipped one."""
    root = tmp_path_factory.mktemp("digits")
    (root / "config").mkdir()
    (root / "config/digits.yaml").write_text(ONLY_DIGITS)
    scale = scales.load(root / "config/digits.yaml")
    write_traces(scale, root)
    write_rankings(scale, root)
    return root


@pytest.fixture
def digits_inputs_of(only_digits):
    """Function from the name of a result to its inputs at the scale of the shipped benchmark."""
    scale = scales.load(only_digits / "config/digits.yaml")
    return lambda name: Inputs(scale, results(scale)[name], only_digits)


@pytest.fixture(scope="session")
def scale(toy):
    return scales.load(toy / "config/toy.yaml")


@pytest.fixture
def inputs_of(toy, scale, monkeypatch):
    """Function from the name of a result to its inputs."""
    monkeypatch.delenv("DAGNAS_DATA", raising=False)
    return lambda name: Inputs(scale, results(scale)[name], toy)
