"""Contract tests: whatever the package holds passes them, and what breaks them is told."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

import dagnas
from dagnas.benchmarks.benchmark import Evaluations
from dagnas.spaces.nasbench101 import NASBench101Space
from dagnas.testing import benchmark_checks, method_checks, space_checks

SPACES = [dagnas.SPACES.get(name) for name in dagnas.SPACES.names()]
#: Benchmarks that need no table to be fetched, and train nothing.
OPEN = [
    dagnas.open(name)
    for name in dagnas.BENCHMARKS.names()
    if not dagnas.BENCHMARKS.get(name).tables and not name.startswith(("layers_", "nago_"))
]


@pytest.mark.parametrize(
    ("space", "check"),
    [
        pytest.param(space, check, id=f"{space.name}-{check.name}")
        for space in [*SPACES, *{bench.space.name: bench.space for bench in OPEN}.values()]
        for check in space_checks(space)
    ],
)
def test_spaces(space, check):
    check()


@pytest.mark.parametrize(
    ("bench", "check"),
    [
        pytest.param(bench, check, id=f"{bench.name}-{check.name}")
        for bench in OPEN
        for check in benchmark_checks(bench)
    ],
)
def test_benchmarks(bench, check):
    check()


def test_a_fetched_table(data):
    for check in benchmark_checks(dagnas.open("nasbench201", data)):
        check()


def test_checks_have_names_for_pytest():
    checks = space_checks(SPACES[0])
    assert len({check.name for check in checks}) == len(checks) > 10
    assert all(check.__name__ == check.name == repr(check) for check in checks)


def broken(checks):
    """Names and messages of the checks that fail."""
    found = {}
    for check in checks:
        try:
            check()
        except AssertionError as error:
            found[check.name] = str(error)
    return found


# Methods.


def test_a_method_that_draws_from_global_state():
    @dagnas.method()
    def careless(space, rng):
        while True:
            yield space.sample(1, np.random.default_rng(np.random.randint(1 << 30)))  # noqa: NPY002

    found = broken(method_checks(careless))
    assert "global state of numpy" in found["a_trial_repeats_whatever_the_global_state"]


def test_a_method_whose_trials_differ_from_run_to_run():
    runs = iter(range(100))

    @dagnas.method()
    def forgetful(space, rng):
        rng = np.random.default_rng(next(runs))
        while True:
            yield space.sample(1, rng)

    found = broken(method_checks(forgetful))
    assert found == {
        "a_trial_repeats_whatever_the_global_state": "two runs of one trial of forgetful differ"
    }


def test_a_method_without_random_numbers_of_the_trial():
    @dagnas.method()
    def fixed(space, rng):
        yield space.sample(40, np.random.default_rng(0))

    assert list(broken(method_checks(fixed))) == ["trials_differ"]


def test_a_method_that_ends_early_and_one_with_parents_to_come():
    @dagnas.method()
    def short(space, rng):
        yield space.sample(10, rng)

    @dagnas.method()
    def ahead(space, rng):
        while True:
            yield dagnas.Proposal(space.sample(2, rng), np.array([50, 50]))

    assert broken(method_checks(short)) == {
        "the_budget_is_spent": "short ended after 10 of 30 evaluations"
    }
    assert list(broken(method_checks(ahead))) == ["parents_were_evaluated_before"]


def test_a_method_that_leaves_the_space():
    class Lax(NASBench101Space):
        def is_valid(self, cells):
            return np.zeros(len(cells), dtype=bool)

        def sample(self, n, rng):
            return dagnas.SPACES.get("nasbench101").sample(n, rng)

    class Table:
        name, space = "lax", Lax()
        policies: ClassVar = {"goal": dagnas.Policy("valid", "mean", "seconds", "valid", "test")}

        def emulated(self, policy):
            return ()

        def evaluate(self, cells, policy, rng):
            values = self.space.pack(cells) % 97 + 1.0
            return Evaluations(values, values, values, values)

        def digest(self):
            return "1"

    found = broken(method_checks(dagnas.METHODS.get("random_search"), Table()))
    assert list(found) == ["proposals_belong_to_the_space"]
    assert "is no nasbench101 cell" in found["proposals_belong_to_the_space"]


def test_a_batched_method_whose_trials_meet():
    chosen = dagnas.METHODS.get("controller_reinforce")
    assert broken(method_checks(chosen)) == {}

    def meeting(space, rngs):
        while True:
            yield [space.sample(1, rngs[-1])[0] for _ in rngs]

    meddling = replace(chosen, function=meeting, name="meddling", per_space={})
    found = broken(method_checks(meddling))
    assert list(found) == ["a_trial_does_not_depend_on_those_beside_it"]


# Spaces.


class Chain(dagnas.CellSpace):
    """The tutorial's space; its parts can be broken one by one."""

    def __init__(self):
        edges = np.zeros((5, 5, 3), dtype=bool)
        edges[np.arange(4), np.arange(1, 5)] = True
        super().__init__("chain", ("state",), ("a", "b", "c"), np.ones((5, 1), dtype=bool), edges)

    def to_str(self, cells):
        return ["".join("abc"[v] for v in values) for values in self.to_values(cells)]

    def from_str(self, texts):
        return self.from_values(np.array([["abc".index(letter) for letter in t] for t in texts]))

    def canonical(self, cells):
        return self.pack(cells)

    def key(self, cells):
        return self.to_str(cells)

    def enumerate(self):
        return self.unpack(np.arange(3**4))


@pytest.mark.parametrize(
    ("name", "function", "failing"),
    [
        ("from_str", lambda s, t: s.unpack(np.arange(len(t))), "texts_read_back"),
        ("pack", lambda s, c: np.zeros(len(c), dtype=int), "packed_architectures_read_back"),
        ("canonical", lambda s, c: (s.pack(c) + 1) % 81, "canonical_cells_are_their_own_class"),
        ("key", lambda s, c: ["same"] * len(c), "keys_and_canonical_numbers_agree"),
        ("mutate", lambda s, c, rng: c, "a_mutation_changes_one_variable_and_stays_valid"),
        ("neighbours", lambda s, c: c, "mutations_reach_every_neighbour"),
        ("project", lambda s, g: s.unpack(np.zeros(len(g.nodes), dtype=int)), "relaxed_cells"),
        ("is_valid", lambda s, c: np.zeros(len(c), dtype=bool), "samples_are_valid"),
        (
            "sample",
            lambda s, n, rng: s.unpack(rng.integers(20 + 61 * (n > 50), size=n)),
            "do_not_depend",
        ),
        ("sample", lambda s, n, rng: s.unpack(np.random.default_rng().integers(81, size=n)), "rep"),
    ],
)
def test_faults_of_a_space_of_cells(name, function, failing, monkeypatch):
    assert broken(space_checks(Chain())) == {}
    monkeypatch.setattr(Chain, name, function)
    if name == "is_valid":
        # Else drawing goes on for ever.
        draw = lambda s, n, rng: s.unpack(rng.integers(81, size=n))  # noqa: E731
        monkeypatch.setattr(Chain, "sample", draw)
        monkeypatch.setattr(Chain, "mutate", lambda s, c, rng: c)
    assert any(failing in check for check in broken(space_checks(Chain())))


def test_faults_of_a_space_of_decisions(monkeypatch):
    space = dagnas.DecisionSpace("s", {"a": {"x": "b"}, "b": {"y": "b", "z": None}}, cap=4)
    assert broken(space_checks(space)) == {}
    monkeypatch.setattr(dagnas.DecisionSpace, "sample", lambda s, n, rng: [(0, 0)] * n)
    found = broken([c for c in space_checks(space) if c.name == "walks_end_within_the_cap"])
    assert "does not reach the end" in found["walks_end_within_the_cap"]


# Benchmarks.


class Bench:
    """A benchmark whose parts can be broken one by one."""

    name, space = "bench", Chain()
    policies: ClassVar = {"goal": dagnas.Policy("valid", "mean", "seconds", "valid", "test")}

    def emulated(self, policy):
        return ("signal",)

    def evaluate(self, cells, policy, rng):
        values = self.space.pack(cells) + 1.0 + rng.random(len(cells))
        return Evaluations(values, values, values, values)

    def digest(self):
        return "1"


def evaluations(change):
    """Evaluate as `Bench` does, with something else of it."""
    original = Bench.evaluate

    def evaluate(self, cells, policy, rng):
        return change(original(self, cells, policy, rng), cells)

    return evaluate


@pytest.mark.parametrize(
    ("name", "value", "failing"),
    [
        ("policies", {}, "policies_are_named"),
        ("policies", {"goal": "valid"}, "policies_are_named"),
        ("emulated", lambda s, p: ("accuracy",), "emulated_quantities_are_of_an_evaluation"),
        (
            "evaluate",
            evaluations(lambda e, c: e._replace(test=e.test[:1])),
            "evaluations_have_a_number_for_each_architecture",
        ),
        (
            "evaluate",
            evaluations(lambda e, c: e._replace(valid=e.valid * np.nan)),
            "evaluations_have_a_number_for_each_architecture",
        ),
        (
            "evaluate",
            evaluations(lambda e, c: e._replace(seconds=0 * e.seconds)),
            "evaluations_cost_time",
        ),
        (
            "evaluate",
            evaluations(lambda e, c: e._replace(signal=np.random.rand(len(c)))),  # noqa: NPY002
            "evaluations_repeat",
        ),
        (
            "evaluate",
            evaluations(lambda e, c: e._replace(signal=np.random.rand(len(c)))),  # noqa: NPY002
            "evaluations_leave_global_states_alone",
        ),
        ("digest", lambda s: 1, "the_digest_is_a_text_that_stays"),
    ],
)
def test_faults_of_a_benchmark(name, value, failing, monkeypatch):
    assert broken(benchmark_checks(Bench())) == {}
    monkeypatch.setattr(Bench, name, value)
    assert failing in broken([c for c in benchmark_checks(Bench()) if c.name == failing])
