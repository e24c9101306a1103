"""What methods and benchmarks give the runner: checked, copied, and refused in one sentence."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import dagnas
from dagnas import Cells, Evaluations, Policy, Proposal, method
from dagnas.benchmarks import BENCHMARKS
from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.search.guard import FRACTIONS
from dagnas.search.runner import Search, run_side_by_side, run_trial
from dagnas.search.terms import LAST, MOST_TRIALS, check_trials

DIGITS = BENCHMARKS.get("digits201").open(Path("nowhere"))
WALKS = BENCHMARKS.get("select_optimizer_2").open(Path("nowhere"))


def untyped(value):
    """Value that a checker of types takes for anything."""
    return value


def trial(chosen, bench=DIGITS, **options):
    policy = next(iter(bench.policies))
    options = {"policy": policy, "budget_evaluations": 20, **options}
    return run_trial(Search(bench, chosen, **options), 0)


def yielding(make, **options):
    """Method that yields what ``make(space, rng)`` gives, again and again."""

    @method(space=dagnas.DecisionSpace if options.get("walks") else dagnas.CellSpace)
    def faulty(space, rng):
        while True:
            yield make(space, rng)

    return faulty


# Proposals


def changed(space, rng, **arrays):
    cells = space.sample(2, rng)
    return Cells(**{"nodes": cells.nodes, "edges": cells.edges, **arrays})


def typed(number, tail=0, head=1, dtype=np.int8):
    def make(space, rng):
        edges = space.sample(2, rng).edges.astype(dtype)
        edges[1, tail, head] = number
        return changed(space, rng, edges=edges)

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (typed(7), r"type 7 at edge 0 -> 1 of nasbench201; valid: 0 \(none\), 1 \(skip_connect\)"),
        (typed(-1), "type -1 at edge 0 -> 1"),
        (typed(256, dtype=np.int64), "type 256 at edge 0 -> 1"),
        (typed(3, 3, 0), "type 3 at the edge 3 -> 0; edges go from lower to higher"),
        (typed(0.4, dtype=np.float64), "cells whose edges are float64; types are integers"),
        (
            lambda space, rng: changed(space, rng, nodes=np.ones((2, 4), dtype=np.int8)),
            "type 1 at vertex 0",
        ),
        (
            lambda space, rng: Cells(np.zeros((2, 5), np.int8), np.zeros((2, 5, 5), np.int8)),
            r"nodes have shape \(2, 5\); those of B cells of nasbench201 have shape \(B, 4\)",
        ),
        (
            lambda space, rng: changed(space, rng, edges=np.zeros((3, 4, 4), np.int8)),
            r"edges have shape \(3, 4, 4\)",
        ),
        (
            lambda space, rng: changed(space, rng, nodes=[[0] * 4] * 2),
            "cells whose nodes are list",
        ),
        (lambda space, rng: None, "yielded None; it yields Cells of nasbench201"),
        (lambda space, rng: space.to_str(space.sample(2, rng)), "yielded a list"),
        (lambda space, rng: rng.integers(9, size=3), "yielded a ndarray"),
        (lambda space, rng: (space.sample(2, rng), None), "yielded a tuple"),
        (lambda space, rng: space.sample(0, rng), "a batch of no cells"),
        (
            lambda space, rng: Proposal(space.sample(1, rng), epochs=untyped([3])),
            r"of \[3\] epochs",
        ),
    ],
)
def test_a_batch_that_is_none_of_the_space_is_refused(make, message):
    with pytest.raises(DagnasError, match=f"^method 'faulty' .*{message}"):
        trial(yielding(make))


@pytest.mark.parametrize(
    ("parents", "message"),
    [
        ([0], r"shape \(1,\) and type int64 for 4 cells"),
        ([[0, 0, 0, 0]], r"shape \(1, 4\)"),
        ([0.0, 0.0, 0.0, 0.0], "type float64"),
        ([-1, 4, 5, 1_000_000], "gave 1000000 as a parent"),
        ([-1, -2, 0, 0], "gave -2 as a parent"),
        ([3, 3, 4, 7], r"gave 7 as a parent; .*\(4 so far\)"),
    ],
)
def test_parents_that_were_not_evaluated_are_refused(parents, message):
    @method()
    def faulty(space, rng):
        yield space.sample(4, rng)
        yield Proposal(space.sample(4, rng), np.array(parents))

    with pytest.raises(DagnasError, match=message):
        trial(faulty)


def test_parents_and_integers_of_any_width_are_taken():
    @method()
    def wide(space, rng):
        cells = space.sample(4, rng)
        parents = np.array([-1, 0, 1, 2], dtype=np.int8)
        yield Proposal(Cells(cells.nodes.astype(np.int64), cells.edges.astype(np.uint16)), parents)

    @method()
    def narrow(space, rng):
        yield Proposal(space.sample(4, rng), [-1, 0, 1, 2])

    one, two = (trial(chosen, study="same").to_pandas() for chosen in (wide, narrow))
    assert one["parent"].tolist() == two["parent"].tolist() == [-1, 0, 1, 2]
    assert len(one) == 4


@pytest.mark.parametrize(
    ("walk", "message"),
    [
        ((0, 10**6), "has the actions 0 to .*, not 1000000"),
        ((0, -1), "not -1"),
        ((), "does not end within"),
        ((0.5,), "action 0.5, no number"),
        ("0", "proposed a str; a walk is a tuple of numbers"),
    ],
)
def test_walks_that_are_none_are_refused(walk, message):
    with pytest.raises(DagnasError, match=message):
        trial(yielding(lambda space, rng: [walk], walks=True), WALKS)
    good = WALKS.space.sample(1, np.random.default_rng(0))[0]
    with pytest.raises(DagnasError, match="goes on after the end"):
        trial(yielding(lambda space, rng: [(*good, 0)], walks=True), WALKS)


@pytest.mark.parametrize(
    ("batch", "message"), [(None, "yielded a NoneType; of 2"), ([()] * 3, "yielded a list of 3")]
)
def test_a_batched_method_yields_a_walk_for_each_trial(batch, message):
    @method(space=dagnas.DecisionSpace, batched=True)
    def together(space, rngs):
        while True:
            yield batch

    search = Search(WALKS, together, policy="reward", budget_evaluations=3)
    with pytest.raises(DagnasError, match=message):
        run_side_by_side(search, [0, 1])


def test_a_function_that_is_no_generator_or_takes_other_arguments_is_refused():
    @method()
    def returning(space, rng):
        return space.sample(4, rng)

    @method()
    def silent(space, rng):
        return

    @method()
    def alone(space):
        yield space

    for chosen, message in [
        (returning, "'returning' returns a Cells; a method is a generator function"),
        (silent, "'silent' returns None"),
        (alone, r"'alone' is not called as \(space, rng"),
    ]:
        with pytest.raises(DagnasError, match=message):
            trial(chosen)


# Evaluations


class Bench:
    """Benchmark that answers what a function of (cells, accuracies) gives."""

    name, space = "made_up", DIGITS.space
    policies: ClassVar = {"goal": Policy("x/valid/3", "mean", "x/seconds/3", "x/valid/3", "x/t/3")}

    def __init__(self, answer):
        self._answer = answer

    def emulated(self, policy):
        return ()

    def evaluate(self, cells, policy, rng):
        return self._answer(cells, 50 + self.space.pack(cells) % 40 + 0.5)

    def digest(self):
        return "1"


def with_one(**values):
    """Answer whose second cell has other values."""

    def answer(cells, accuracies):
        columns = {name: accuracies.copy() for name in Evaluations._fields}
        for name, value in values.items():
            columns[name][1] = value
        return Evaluations(**columns)

    return answer


@pytest.mark.parametrize("name", ["signal", "valid", "test", "seconds"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 184.0])
def test_values_beyond_their_range_name_benchmark_and_cell(name, value):
    cells = []

    @method()
    def two(space, rng):
        cells.append(space.sample(2, rng))
        yield cells[0]

    bench = Bench(with_one(**{name: value}))
    if (name, value) == ("seconds", 184.0):
        assert len(trial(two, bench)) == 2
        return
    with pytest.raises(DagnasError) as error:
        trial(two, bench)
    text = bench.space.to_str(cells[0])[1]
    assert str(error.value).startswith(f"made_up gives {text} a {name!r} of {value:g}; ")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda c, a: Evaluations(a[:1], a, a, a), r"a 'signal' of shape \(1,\) for 8 cells"),
        (lambda c, a: Evaluations(a, a, a[:, None], a), r"a 'valid' of shape \(8, 1\)"),
        (lambda c, a: Evaluations(a, untyped(1.0), a, a), r"a 'seconds' of shape \(\)"),
        (
            lambda c, a: Evaluations(a, a, a, untyped(["?"] * 8)),
            "a 'test' that is no array of numbers",
        ),
        (lambda c, a: Evaluations(untyped([None] * 8), a, a, a), "a 'signal' of nan"),
        (lambda c, a: None, "answers None, not Evaluations"),
        (lambda c, a: (a, a, a, a), "answers a tuple, not Evaluations"),
    ],
)
def test_answers_of_another_shape_are_refused(answer, message):
    with pytest.raises(DagnasError, match=f"^made_up .*{message}"):
        trial(dagnas.METHODS.get("random_search"), Bench(answer))


def test_fractions_are_told_from_percentages():
    def fractions(cells, accuracies):
        return Evaluations(*[accuracies / 100] * 4)

    with pytest.raises(DagnasError, match=r"made_up: all accuracies .* at most 1; .*0\.83 is 83"):
        trial(dagnas.METHODS.get("random_search"), Bench(fractions))

    # Cells that learn nothing may have 0.5 %, however many there are of them.
    def poor(cells, accuracies):
        return Evaluations(np.full(len(cells), 0.5), accuracies, *[np.full(len(cells), 0.5)] * 2)

    assert len(trial(dagnas.METHODS.get("random_search"), Bench(poor))) == 20 > FRACTIONS

    def rarely(cells, accuracies):
        found = accuracies / 100
        found[0] = 12.0
        return Evaluations(*[found] * 4)

    assert len(trial(dagnas.METHODS.get("random_search"), Bench(rarely))) == 20


def test_rewards_of_walks_may_be_any_finite_number():
    bench = dagnas.ObjectiveBenchmark("wild", WALKS.space, lambda taken: -1e9 + len(taken[0][1]))
    controller = dagnas.METHODS.get("controller_reinforce")
    assert trial(controller, bench)["signal"].to_numpy().max() < -1e8
    for reward, message in {
        None: "wild: the reward of .* is None, which is no number",
        "high": "is 'high', which is no number",
        float("nan"): "wild gives .* a 'signal' of nan; rewards are finite",
    }.items():
        bench.objective = lambda taken, reward=reward: reward
        with pytest.raises(DagnasError, match=message):
            trial(controller, bench)


# Copies


def test_a_method_that_changes_its_signals_and_cells_changes_no_trace():
    def climb(standardise):
        @method()
        def hill(space, rng):
            best = space.sample(1, rng)
            while True:
                near = space.neighbours(best)
                signals = yield near
                best = near[int(signals.argmax())]
                standardise(signals)
                near.edges[:] = 0

        return hill

    def in_place(signals):
        signals -= signals.mean()

    one, two = (trial(climb(f), budget_evaluations=60) for f in (np.copy, in_place))
    assert one.equals(two)
    rows = DIGITS.rows(DIGITS.space.from_str(two["cell"].to_pylist()))
    known = np.stack([DIGITS.table[f"digits/valid/3/s{repeat}"][rows] for repeat in range(2)])
    assert (known == two["signal"].to_numpy()).any(axis=0).all()


def test_a_benchmark_that_changes_its_cells_and_reuses_its_arrays_changes_no_trace():
    buffer = np.empty(1)

    def careless(cells, accuracies):
        buffer[:] = accuracies
        cells.edges[:] = 0
        return Evaluations(buffer, buffer, buffer, buffer)

    def careful(cells, accuracies):
        return Evaluations(*[accuracies] * 4)

    @method()
    def single(space, rng):
        while True:
            yield space.sample(1, rng)

    one, two = (trial(single, Bench(answer)) for answer in (careless, careful))
    assert one.equals(two)
    assert len(set(one["cell"].to_pylist())) > 10


def test_settings_and_priors_are_copies():
    seen = []

    @method()
    def greedy(space, rng, *, rates: list[float] = [1.0], prior=None):  # noqa: B006
        seen.append((list(rates), prior.signals.copy()))
        rates.append(2.0)
        prior.signals[:] = 0
        yield space.sample(1, rng)

    search = Search(DIGITS, greedy, {"rates": [3.0]}, prior=DIGITS, budget_evaluations=1)
    before = search.metadata()
    for number in range(2):
        run_trial(search, number)
    assert [rates for rates, _ in seen] == [[3.0], [3.0]]
    assert (seen[0][1] == seen[1][1]).all()
    assert search.metadata() == before


# Budgets and numbers of trials


def test_a_budget_below_one_evaluation_names_its_cost(tmp_path, capsys):
    out = tmp_path / "e.parquet"
    command = ["search", "--benchmark", "digits201", "--method", "random_search", "--trials", "0:2"]
    assert main([*command, "--budget-seconds", "0.1", "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert "no evaluation fits into a budget of 0.1 simulated seconds; the first of" in message
    first = dagnas.run("random_search", "digits201", 1, 1)["seconds"][0]
    assert f"costs {first:g}" in message
    assert not out.exists()


def test_a_method_that_proposes_nothing_is_refused():
    @method()
    def idle(space, rng):
        yield from ()

    with pytest.raises(DagnasError, match="'idle' ended without proposing any cells of nasbench"):
        trial(idle)


@pytest.mark.parametrize(
    "words", ["3000000000:3000000001", "0:10000000000", f"{10**30}:{10**30 + 1}", "0:200000"]
)
def test_trials_beyond_range_are_refused_before_the_first(words, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    command = ["search", "--benchmark", "digits201", "--method", "random_search"]
    assert main([*command, "--trials", words, "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert "--trials" in message
    assert f"from 0 to {LAST}" in message or f"expected {MOST_TRIALS:,} at most" in message
    first, last = map(int, words.split(":"))
    with pytest.raises(DagnasError):
        dagnas.run("random_search", "digits201", range(first, last), 1)
    with pytest.raises(DagnasError):
        check_trials(range(first, last))


def test_the_last_number_that_fits_is_taken():
    trace = dagnas.run("random_search", "digits201", range(LAST, LAST + 1), 1)
    assert trace["trial"].tolist() == [LAST]
    with pytest.raises(DagnasError, match="2147483648"):
        run_trial(Search(DIGITS, dagnas.METHODS.get("random_search")), LAST + 1)
    with pytest.raises(DagnasError, match="less than or equal to 2147483647"):
        Search(DIGITS, dagnas.METHODS.get("random_search"), budget_evaluations=LAST + 1)
    with pytest.raises(DagnasError, match="finite"):
        Search(DIGITS, dagnas.METHODS.get("random_search"), budget_seconds=float("inf"))
