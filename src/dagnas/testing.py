"""Contract tests: what a method, a space or a benchmark must do, as checks for a test suite.

The checks need no pytest, but are made for it:

.. code-block:: python

    import dagnas.testing
    import pytest

    @pytest.mark.parametrize("check", dagnas.testing.method_checks(my_method))
    def test_my_method(check):
        check()

A check raises `AssertionError` with a sentence that says what is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import Benchmark, TabularBenchmark
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.search.guard import Guard, ParentError, ProposalError
from dagnas.search.method import Method
from dagnas.search.runner import Search, run_side_by_side, run_trial
from dagnas.spaces.base import Space
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate
from dagnas.spaces.decisions import DecisionSpace
from dagnas.spaces.vectors import VectorSpace


@dataclass(frozen=True)
class Check:
    """A named check; call it.

    Attributes
    ----------
    name : str
        Sentence that the check makes sure of, with underscores.
    function : callable
    """

    name: str
    function: Callable[[], None]

    def __call__(self) -> None:
        """Check; raises AssertionError if the contract is broken."""
        try:
            self.function()
        except (ProposalError, ParentError) as error:
            # It ends every trial, and so every check; the one that is about it tells.
            if self.name == _ABOUT[type(error)]:
                raise AssertionError(str(error)) from error
        except DagnasError as error:
            raise AssertionError(f"{self.name}: {error}") from error

    def __repr__(self) -> str:
        return self.name

    @property
    def __name__(self) -> str:
        """Name by which pytest calls a test of this check."""
        return self.name


def _checks(functions: list[Callable[..., None]], *subject: Any) -> list[Check]:
    return [
        Check(function.__name__.removeprefix("_"), partial(function, *subject))
        for function in functions
    ]


def _expect(held: Any, sentence: str) -> None:
    # `assert` would be left out by `python -O`.
    if not held:
        raise AssertionError(sentence)


# Methods.

#: Checks that are about faults at which the runner ends a trial.
_ABOUT: dict[type[DagnasError], str] = {
    ProposalError: "proposals_belong_to_the_space",
    ParentError: "parents_were_evaluated_before",
}


class _Trials:
    """Trials of a method, each run once whatever number of checks looks at it."""

    def __init__(self, make: Callable[[], Search]) -> None:
        self._make = make
        self.trace = cache(self._trace)
        #: Global random streams that the last trial drew from.
        self.drawn_from: list[str] = []

    @cached_property
    def search(self) -> Search:
        """Search whose trials they are."""
        return self._make()

    def _trace(self, trial: int, noise: int = 0) -> pa.Table:
        """Trace of a trial, run with other global random states for each ``noise``."""
        import torch

        random.seed(noise)
        np.random.seed(noise)  # noqa: NPY002
        torch.manual_seed(noise)
        before = _global_states()
        trace = run_trial(self.search, trial)
        self.drawn_from = [n for n, state in _global_states().items() if state != before[n]]
        return trace


def _global_states() -> dict[str, Any]:
    """State of every global random stream, in a form that can be compared."""
    import torch

    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "random": random.getstate(),
        "numpy": (kind, bytes(keys), rest),  # type: ignore[arg-type]
        "torch": torch.get_rng_state().numpy().tobytes(),
    }


def method_checks(
    method: Method,
    benchmark: Benchmark | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    policy: str | None = None,
    evaluations: int = 30,
) -> list[Check]:
    """Checks of a search method.

    Parameters
    ----------
    method : Method
    benchmark : Benchmark, optional
        Where trials run; by default ``digits201`` for methods on cells, and ``select_optimizer_2``
        for those on walks.
    settings : mapping, optional
        Settings with which a trial soon comes to what matters.
    policy : str, optional
        Evaluation policy; by default the benchmark's first.
    evaluations : int
        Length of a trial.

    Examples
    --------
    >>> from dagnas import METHODS
    >>> for check in method_checks(METHODS.get("random_search"), evaluations=10):
    ...     check()
    """

    def make() -> Search:
        where = _usual_benchmark(method) if benchmark is None else benchmark
        return Search(
            benchmark=where,
            method=method,
            given=dict(settings or {}),
            policy=policy or next(iter(where.policies)),
            budget_evaluations=evaluations,
        )

    functions: list[Callable[..., None]] = [
        _a_trial_repeats_whatever_the_global_state,
        _trials_differ,
        _the_budget_is_spent,
        _proposals_belong_to_the_space,
        _parents_were_evaluated_before,
    ]
    if method.batched:
        functions.append(_a_trial_does_not_depend_on_those_beside_it)
    return _checks(functions, _Trials(make))


_VECTORS = "width_and_depth"


def _usual_benchmark(method: Method) -> Benchmark:
    """Benchmark of the kind that a method searches; it needs no folder of tables."""
    # What has several objectives needs costs, which only the last of these gives.
    tasks = {CellSpace: "digits201", DecisionSpace: "select_optimizer_2", VectorSpace: _VECTORS}
    suited = [name for kind, name in tasks.items() if issubclass(kind, method.space)]
    return BENCHMARKS.get(_VECTORS if method.takes("objectives") else suited[0]).open(Path("data"))


def _a_trial_repeats_whatever_the_global_state(trials: _Trials) -> None:
    name = trials.search.method.name
    one, two = trials.trace(0, 1), trials.trace(0, 2)
    # Libraries that the first run imported may have drawn numbers; the second imports none.
    streams = ", ".join(trials.drawn_from)
    _expect(not streams, f"{name} draws from the global state of {streams}, not from `rng`")
    _expect(one.equals(two), f"two runs of one trial of {name} differ")


def _trials_differ(trials: _Trials) -> None:
    # Signals may differ by the trainings that were drawn, whatever the method does.
    for column in ("cell", "signal"):
        _expect(
            trials.trace(0, 1)[column] != trials.trace(1, 1)[column],
            f"two trials of {trials.search.method.name} are equal: random numbers come from `rng`",
        )


def _the_budget_is_spent(trials: _Trials) -> None:
    rows, budget = trials.trace(0, 1).num_rows, trials.search.terms.budget_evaluations
    _expect(
        rows == budget,
        f"{trials.search.method.name} ended after {rows} of {budget} evaluations",
    )


def _proposals_belong_to_the_space(trials: _Trials) -> None:
    space, texts = trials.search.benchmark.space, trials.trace(0, 1)["cell"].to_pylist()
    proposed = space.from_str(texts)
    _expect(space.to_str(proposed) == texts, f"a proposal is none of {space.name}")
    if isinstance(space, CellSpace):
        _expect(space.is_valid(proposed).all(), f"a proposal is no valid cell of {space.name}")


def _parents_were_evaluated_before(trials: _Trials) -> None:
    trace = trials.trace(0, 1)
    parents, steps = trace["parent"].to_numpy(), trace["step"].to_numpy()
    _expect(
        ((parents >= -1) & (parents < steps)).all(),
        "`parents` are numbers of evaluations before the proposal's, -1 for none",
    )


def _a_trial_does_not_depend_on_those_beside_it(trials: _Trials) -> None:
    together = run_side_by_side(trials.search, [0, 1])
    alone = [trials.trace(trial, 1) for trial in (0, 1)]
    _expect(
        all(one.equals(other) for one, other in zip(together, alone, strict=True)),
        f"a trial of {trials.search.method.name} differs when another runs beside it",
    )


# Spaces.


def space_checks(space: Space[Any], seed: int = 0) -> list[Check]:
    """Checks of a space of cells or of decisions.

    Parameters
    ----------
    space : CellSpace or DecisionSpace
    seed : int
        Seed of the architectures that are looked at.

    Examples
    --------
    >>> from dagnas import SPACES
    >>> for check in space_checks(SPACES.get("nasbench201")):
    ...     check()
    """
    functions: list[Callable[..., None]] = [
        _samples_repeat,
        _texts_read_back,
        _packed_architectures_read_back,
    ]
    if isinstance(space, CellSpace):
        functions += [
            _batches_are_indexed_like_arrays,
            _samples_are_valid,
            _samples_do_not_depend_on_how_many_are_asked_for,
            _values_read_back,
            _relaxed_cells_project_back,
            _projections_are_valid,
            _a_mutation_changes_one_variable_and_stays_valid,
            _mutations_reach_every_neighbour,
            _edges_go_forward,
            _canonical_cells_are_their_own_class,
            _keys_and_canonical_numbers_agree,
        ]
    if isinstance(space, DecisionSpace):
        functions += [_walks_end_within_the_cap]
    return _checks(functions, space, seed)


def _drawn(space: Space[Any], seed: int, n: int = 40) -> Any:
    return space.sample(n, np.random.default_rng(seed))


def _samples_repeat(space: Space[Any], seed: int) -> None:
    one, two = (space.to_str(_drawn(space, seed)) for _ in range(2))
    _expect(one == two, f"{space.name}: samples from equal streams differ")


def _texts_read_back(space: Space[Any], seed: int) -> None:
    texts = space.to_str(_drawn(space, seed))
    again = space.to_str(space.from_str(texts))
    _expect(again == texts, f"{space.name}: `from_str` does not read what `to_str` writes")


def _packed_architectures_read_back(space: Space[Any], seed: int) -> None:
    drawn = _drawn(space, seed)
    again = space.to_str(space.unpack(space.pack(drawn)))
    _expect(again == space.to_str(drawn), f"{space.name}: `unpack` is not the inverse of `pack`")


def _batches_are_indexed_like_arrays(space: CellSpace, seed: int) -> None:
    cells = _drawn(space, seed, 5)
    single = len(cells[2]) == 1 and cells[-1].same(cells[4]).all()
    _expect(single and concatenate(cells).same(cells).all(), f"{space.name}: batches are no Cells")
    try:
        cells[5]
    except IndexError:
        return
    raise AssertionError(f"{space.name}: a batch of 5 has a sixth cell")


def _samples_are_valid(space: CellSpace, seed: int) -> None:
    _expect(space.is_valid(_drawn(space, seed, 500)).all(), f"{space.name}: a sample is not valid")


def _samples_do_not_depend_on_how_many_are_asked_for(space: CellSpace, seed: int) -> None:
    few, many = _drawn(space, seed, 3), _drawn(space, seed, 100)
    _expect(few.same(many[:3]).all(), f"{space.name}: the first samples of 3 and of 100 differ")


def _values_read_back(space: CellSpace, seed: int) -> None:
    cells = _drawn(space, seed)
    again = space.from_values(space.to_values(cells))
    _expect(again.same(cells).all(), f"{space.name}: `from_values` does not invert `to_values`")


def _relaxed_cells_project_back(space: CellSpace, seed: int) -> None:
    cells = _drawn(space, seed)
    again = space.project(space.to_graph(cells))
    _expect(again.same(cells).all(), f"{space.name}: a cell's one-hot form projects to another")


def _projections_are_valid(space: CellSpace, seed: int) -> None:
    rng, graphs = np.random.default_rng(seed), space.to_graph(_drawn(space, seed))
    relaxed = graphs._replace(
        nodes=graphs.nodes + rng.normal(size=graphs.nodes.shape),
        edges=graphs.edges + rng.normal(size=graphs.edges.shape),
    )
    _expect(space.is_valid(space.project(relaxed)).all(), f"{space.name}: a projection is invalid")


def _a_mutation_changes_one_variable_and_stays_valid(space: CellSpace, seed: int) -> None:
    cells = _drawn(space, seed)
    mutants = space.mutate(cells, np.random.default_rng(seed))
    _expect(space.is_valid(mutants).all(), f"{space.name}: a mutant is not valid")
    changed = space.differences(cells, mutants)
    _expect((changed == 1).all(), f"{space.name}: a mutation changes other than one variable")


def _mutations_reach_every_neighbour(space: CellSpace, seed: int) -> None:
    cell = _drawn(space, seed, 1)
    near = set(space.pack(space.neighbours(cell)).tolist())
    many = Cells(np.repeat(cell.nodes, 4000, 0), np.repeat(cell.edges, 4000, 0))
    reached = set(space.pack(space.mutate(many, np.random.default_rng(seed))).tolist())
    _expect(reached == near, f"{space.name}: mutations and `neighbours` give different cells")
    _expect(
        len(near) == len(space.neighbours(cell)), f"{space.name}: `neighbours` gives a cell twice"
    )


def _edges_go_forward(space: CellSpace, seed: int) -> None:
    lower = np.tril(np.ones((space.num_nodes, space.num_nodes), dtype=bool))
    _expect(not space.edge_mask[lower].any(), f"{space.name}: the mask allows edges backward")
    graph = space.to_graph(_drawn(space, seed))
    typed = (graph.nodes.sum(axis=2) == space.node_mask.any(axis=1)).all()
    typed &= (graph.edges.sum(axis=3) == space.edge_mask.any(axis=2)).all()
    _expect(typed, f"{space.name}: a place has several types, or none of those it may have")


def _canonical_cells_are_their_own_class(space: CellSpace, seed: int) -> None:
    codes = space.canonical(_drawn(space, seed))
    again = space.canonical(space.unpack(codes))
    _expect((again == codes).all(), f"{space.name}: a representative is of another class")


def _keys_and_canonical_numbers_agree(space: CellSpace, seed: int) -> None:
    cells = _drawn(space, seed)
    # Representatives are isomorphic to the cells and seldom equal to them.
    both = concatenate([cells, space.unpack(space.canonical(cells))])
    codes, keys = space.canonical(both).tolist(), space.key(both)
    pairs = len(set(zip(codes, keys, strict=True)))
    _expect(
        pairs == len(set(codes)) == len(set(keys)),
        f"{space.name}: `key` and `canonical` disagree on which cells are isomorphic",
    )


def _walks_end_within_the_cap(space: DecisionSpace, seed: int) -> None:
    walks = _drawn(space, seed)
    _expect(max(map(len, walks)) <= space.cap, f"{space.name}: a walk is longer than the cap")
    ends = {int(space.targets[space.visited(walk)[-1], walk[-1]]) for walk in walks}
    _expect(ends == {len(space.states)}, f"{space.name}: a walk does not reach the end")


# Benchmarks.


def benchmark_checks(benchmark: Benchmark, seed: int = 0) -> list[Check]:
    """Checks of a benchmark that is open.

    Parameters
    ----------
    benchmark : Benchmark
    seed : int
        Seed of the architectures that are evaluated.

    Examples
    --------
    >>> import dagnas
    >>> for check in benchmark_checks(dagnas.open("digits201")):
    ...     check()
    """
    return _checks(
        [
            _policies_are_named,
            _emulated_quantities_are_of_an_evaluation,
            _evaluations_have_a_number_for_each_architecture,
            _evaluations_cost_time,
            _evaluations_are_in_the_range_of_their_unit,
            _evaluations_repeat,
            _evaluations_leave_global_states_alone,
            _the_digest_is_a_text_that_stays,
        ],
        benchmark,
        seed,
    )


def _policies_are_named(benchmark: Benchmark, seed: int) -> None:
    named = all(isinstance(policy, Policy) for policy in benchmark.policies.values())
    _expect(benchmark.policies and named, f"{benchmark.name} has no `policies` of type Policy")


def _emulated_quantities_are_of_an_evaluation(benchmark: Benchmark, seed: int) -> None:
    for name, policy in benchmark.policies.items():
        strange = set(benchmark.emulated(policy)) - {"signal", "seconds", "valid", "test"}
        _expect(not strange, f"{benchmark.name}: `emulated` of policy {name} lists {strange}")


def _some(benchmark: Benchmark, seed: int, n: int = 8) -> Any:
    """Architectures that a benchmark can evaluate; a table need not hold all of its space."""
    if isinstance(benchmark, TabularBenchmark):
        rows = np.random.default_rng(seed).integers(len(benchmark), size=n)
        return benchmark.space.unpack(benchmark.table["code"][rows])
    return benchmark.space.sample(n, np.random.default_rng(seed))


def _evaluate(benchmark: Benchmark, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """What each policy gives of some architectures."""
    some = _some(benchmark, seed)
    found = {}
    for name, policy in benchmark.policies.items():
        answer = benchmark.evaluate(some, policy, np.random.default_rng(seed))._asdict()
        costs = answer.pop("costs")
        found[name] = answer | {cost: costs[cost] for cost in policy.costs}
    return found


def _evaluations_have_a_number_for_each_architecture(benchmark: Benchmark, seed: int) -> None:
    size = len(_some(benchmark, seed))
    for policy, found in _evaluate(benchmark, seed).items():
        for name, values in found.items():
            right = np.shape(values) == (size,) and np.isfinite(values).all()
            _expect(
                right, f"{benchmark.name}, policy {policy}: {name} is no number for each of {size}"
            )


def _evaluations_cost_time(benchmark: Benchmark, seed: int) -> None:
    for policy, found in _evaluate(benchmark, seed).items():
        positive = (found["seconds"] > 0).all()
        _expect(positive, f"{benchmark.name}, policy {policy}: seconds are not positive")


def _evaluations_are_in_the_range_of_their_unit(benchmark: Benchmark, seed: int) -> None:
    # Of as many architectures as tell fractions from percentages.
    some = _some(benchmark, seed, 40)
    for policy in benchmark.policies.values():
        found = benchmark.evaluate(some, policy, np.random.default_rng(seed))
        Guard("", benchmark, policy.costs).evaluations(some, found)


def _evaluations_repeat(benchmark: Benchmark, seed: int) -> None:
    one, two = _evaluate(benchmark, seed), _evaluate(benchmark, seed)
    for policy, found in one.items():
        same = all(np.array_equal(found[name], two[policy][name]) for name in found)
        _expect(same, f"{benchmark.name}, policy {policy}: equal streams give different results")


def _evaluations_leave_global_states_alone(benchmark: Benchmark, seed: int) -> None:
    # Libraries that are imported by then may have drawn numbers.
    _evaluate(benchmark, seed)
    before = _global_states()
    _evaluate(benchmark, seed)
    for name, state in _global_states().items():
        _expect(state == before[name], f"{benchmark.name} draws from the global state of {name}")


def _the_digest_is_a_text_that_stays(benchmark: Benchmark, seed: int) -> None:
    first = benchmark.digest()
    _evaluate(benchmark, seed)
    stays = isinstance(first, str) and benchmark.digest() == first
    _expect(stays, f"{benchmark.name}: `digest` is no text, or changes")
