"""Costs beside the signal: in traces, as objectives, and under limits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

import dagnas
from dagnas.analysis.traces import incumbents, read
from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.search.method import method
from dagnas.search.methods.random_search import random_search
from dagnas.search.runner import Search, run
from dagnas.spaces.vectors import Dimension, VectorSpace

SPACE = VectorSpace("plane", [Dimension("x", 0, 1), Dimension("y", 0, 1)])


def _policies(*costs):
    rules = Policy("x", "s0", "evaluations", "x", "x", budget_evaluations=20, costs=costs)
    return {"both": rules}


@dataclass
class Plane:
    """The signal is x in percent; the costs are y, and a tenth of it."""

    name: str = "plane"
    space: VectorSpace = SPACE
    policies: dict = field(default_factory=lambda: _policies("memory", "time"))

    def emulated(self, policy):
        return ()

    def evaluate(self, batch, policy, rng):
        x, y = 100 * batch[:, 0], batch[:, 1]
        return Evaluations(x, np.ones(len(batch)), x, x, {"memory": y, "time": y / 10})

    def digest(self):
        return ""


@method(space=VectorSpace)
def seeing_all(space, rng, *, objectives=()):
    """Yield vectors, and check what comes back."""
    while True:
        batch = space.sample(4, rng)
        found = yield batch
        columns = {"memory": batch[:, 1], "time": batch[:, 1] / 10}
        expected = [100 * batch[:, 0], *(columns[name] for name in objectives)]
        np.testing.assert_array_equal(found, np.stack(expected, axis=1))


def test_traces_hold_costs(tmp_path):
    search = Search(Plane(), random_search, policy="both")
    run(search, range(2), tmp_path / "a.parquet", show=False)
    trace = read(tmp_path / "a.parquet")
    vectors = SPACE.from_str(trace["cell"].tolist())
    np.testing.assert_array_equal(trace["cost_memory"], vectors[:, 1])
    np.testing.assert_array_equal(trace["cost_time"], vectors[:, 1] / 10)
    assert "feasible" not in trace


@pytest.mark.parametrize(
    ("asked", "given"),
    [([], ("memory", "time")), (["time"], ("time",)), (["x", "time"], ("time",))],
)
def test_methods_of_several_objectives_are_sent_them(asked, given):
    bench = Plane()
    bench.policies["both"] = _policies("memory", "time")["both"]
    rules = Policy("a/x/1", "s0", "b", "x", "x", budget_evaluations=20, costs=("memory", "time"))
    bench.policies["both"] = rules
    search = Search(bench, seeing_all, policy="both", objectives=asked)
    assert search.objectives == given
    run_all = dagnas.run(seeing_all, bench, policy="both")
    assert len(run_all) == 40


def test_limits_shrink_signals_and_keep_cells_from_being_reported(tmp_path):
    search = Search(Plane(), random_search, policy="both", constraints=["memory<0.5", "time<=0.02"])
    run(search, range(3), tmp_path / "a.parquet", show=False)
    trace = read(tmp_path / "a.parquet")
    x, y = SPACE.from_str(trace["cell"].tolist()).T
    shrunk = 100 * x * np.where(y < 0.5, 1, 0.5 / y)
    shrunk = shrunk * np.where(y / 10 <= 0.02, 1, 0.02 / (y / 10))
    np.testing.assert_allclose(trace["signal"], shrunk, rtol=1e-12)
    np.testing.assert_allclose(trace["valid"], 100 * x)
    assert (trace["feasible"] == (y <= 0.2)).all()
    last = incumbents(trace, "valid").groupby("trial")["value"].last()
    for trial, value in last.items():
        own = trace[(trace["trial"] == trial) & trace["feasible"]]
        assert value == own["valid"].max()


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"constraints": ["latency<2"]}, "latency.*valid: memory, time"),
        ({"constraints": ["memory"]}, "expected COST<NUMBER"),
        ({"constraints": ["memory<-1"]}, "the number positive"),
        ({"objectives": ["memory"]}, "has one objective, the signal"),
    ],
)
def test_bad_terms_are_refused(terms, words):
    with pytest.raises(DagnasError, match=words):
        Search(Plane(), random_search, policy="both", **terms)


def test_several_objectives_need_costs():
    with pytest.raises(DagnasError, match="gives the signal alone"):
        Search(Plane(policies=_policies()), seeing_all, policy="both")


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ({"memory": np.zeros(4)}, "no cost 'time'"),
        ({"memory": np.zeros(4), "time": np.zeros(3)}, "a 'time' of shape"),
        ({"memory": np.zeros(4), "time": -np.ones(4)}, "costs are finite and not negative"),
        ({"memory": np.zeros(4), "time": np.full(4, np.nan)}, "a 'time' of nan"),
    ],
)
def test_wrong_costs_end_the_search(costs, words):
    bench = Plane()
    bench.evaluate = lambda batch, policy, rng: Evaluations(*[np.ones(4)] * 4, costs)
    with pytest.raises(DagnasError, match=words):
        dagnas.run(seeing_all, bench, policy="both", trials=1)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (np.full((1, 2), 2.0), "out of range of plane"),
        (np.zeros((1, 3)), "shape"),
        ([[0.1, 0.2]], "yields arrays of numbers"),
        (np.zeros((0, 2)), "no vectors"),
    ],
)
def test_wrong_vectors_end_the_search(batch, words):
    @method(space=VectorSpace)
    def wrong(space, rng):
        yield batch

    with pytest.raises(DagnasError, match=words):
        dagnas.run(wrong, Plane(), policy="both", trials=1)
