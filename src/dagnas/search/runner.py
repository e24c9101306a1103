"""Runner of searches: budget, clock, trace, progress, random streams and resuming."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas import __version__
from dagnas.benchmarks.benchmark import (
    Benchmark,
    Evaluations,
    TabularBenchmark,
    find_policy,
)
from dagnas.errors import DagnasError, unknown
from dagnas.files import write_parquet, write_text
from dagnas.kernels import kernels_used
from dagnas.parts import Parts
from dagnas.predictors import PREDICTORS
from dagnas.search.code import code_digest
from dagnas.search.guard import Guard
from dagnas.search.method import Evaluated, Method
from dagnas.search.terms import Limit, Terms, check_trials
from dagnas.seeds import stream
from dagnas.settings import parsed
from dagnas.spaces.base import Space

TRACE = pa.schema(
    [
        ("trial", pa.int32()),
        ("step", pa.int32()),
        ("cell", pa.string()),
        ("code", pa.int64()),
        ("parent", pa.int32()),
        ("epochs", pa.int32()),
        ("signal", pa.float64()),
        ("seconds", pa.float64()),
        ("valid", pa.float64()),
        ("test", pa.float64()),
        ("emulated", pa.string()),
    ]
)


#: Beginning of the names of columns of costs, where the policy lists some.
COST = "cost_"
#: Column that tells whether costs keep to the limits, where there are some.
FEASIBLE = "feasible"


def trace_schema(names: Collection[str]) -> pa.Schema:
    """Schema of a trace that has columns of these names: `TRACE`, costs, and feasibility."""
    costs = [pa.field(name, pa.float64()) for name in names if name.startswith(COST)]
    feasible = [pa.field(FEASIBLE, pa.bool_())] if FEASIBLE in names else []
    return pa.schema([*TRACE, *costs, *feasible])


class Search:
    """A method on a benchmark under some terms: all that a trial depends on but its number.

    Parameters
    ----------
    benchmark : Benchmark
    method : Method
    given : mapping, optional
        Settings that differ from the method's defaults.
    prior : Benchmark, optional
        Benchmark on a similar space, of which the method is told all evaluations beforehand.
    device : str
        ``cpu`` or ``cuda``, for methods that compute on one.
    study : str, optional
        Random streams derive from (study, method, trial); the benchmark's name by default.
    **terms
        Fields of `Terms`. An evaluation counts if it ends within the simulated seconds.

    Raises
    ------
    DagnasError
        The method searches spaces of another kind, a setting or budget is out of range, the policy
        is unknown, there is no budget, the best cell is not known, the method makes no use of a
        prior, or is batched and has a budget in seconds.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        method: Method,
        given: Mapping[str, Any] | None = None,
        *,
        prior: TabularBenchmark | None = None,
        device: str = "cpu",
        study: str = "",
        **terms: Any,
    ) -> None:
        self.benchmark, self.method, self.prior = benchmark, method, prior
        self.device = device if method.takes("device") else "cpu"
        self.study = study or benchmark.name
        wanted, space = method.space, benchmark.space
        if not isinstance(space, wanted):
            raise DagnasError(
                f"method {method.name!r} searches {method.kinds()}; "
                f"{benchmark.name} is a space of {space.kind}"
            )
        self.terms = parsed(Terms, terms)
        self.policy = find_policy(benchmark, self.terms.policy)
        budget = {"budget_seconds": self.terms.budget_seconds}
        budget["budget_evaluations"] = self.terms.budget_evaluations
        draw = self.terms.draw or self.policy.draw
        self.space = benchmark.space if draw is None else benchmark.space.drawing(draw)
        self.terms = self.terms.model_copy(update={"draw": draw})
        if not any(budget.values()):
            budget = {name: getattr(self.policy, name) for name in budget}
            self.terms = self.terms.model_copy(update=budget)
        if not any(budget.values()):
            raise DagnasError(
                f"policy {self.terms.policy!r} of {benchmark.name} has no budget of its own: "
                "give budget_seconds or budget_evaluations"
            )
        if method.batched and self.terms.budget_seconds is not None:
            raise DagnasError(
                f"method {method.name!r} runs its trials side by side, evaluation by "
                "evaluation: give budget_evaluations, not budget_seconds"
            )
        if self.terms.until_best and not isinstance(benchmark, TabularBenchmark):
            raise DagnasError(f"{benchmark.name} is no table: its best cell is not known")
        if prior is not None and not method.takes("prior"):
            raise DagnasError(f"method {method.name!r} makes no use of a prior")
        self.limits = self.terms.limits()
        self._check_costs([limit.cost for limit in self.limits])
        self.objectives = self._objectives()
        self.settings = method.settings(space.name, given)

    def _objectives(self) -> tuple[str, ...]:
        """Costs that the method minimises beside the signal."""
        if not self.method.takes("objectives"):
            if self.terms.objectives:
                raise DagnasError(f"method {self.method.name!r} has one objective, the signal")
            return ()
        # The signal is always an objective, and may be named.
        own = ("signal", *self.policy.signal.split("/")[-2:-1])
        given = [name for name in self.terms.objectives if name not in own]
        self._check_costs(given)
        if not self.policy.costs:
            raise DagnasError(
                f"method {self.method.name!r} has several objectives; policy "
                f"{self.terms.policy!r} of {self.benchmark.name} gives the signal alone"
            )
        return tuple(given or self.policy.costs)

    def _check_costs(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.policy.costs:
                where = f"cost of policy {self.terms.policy!r} of {self.benchmark.name}"
                raise unknown(where, name, self.policy.costs)

    def code(self) -> str:
        """Digest of the code of runner, method, benchmark and predictor; see `code_digest`."""
        objective = getattr(self.benchmark, "objective", None)
        things = [self.method.function, type(self.benchmark), *([objective] if objective else [])]
        modules = [__name__]
        if predictor := self.settings.get("predictor"):
            modules.append(PREDICTORS.module(predictor))
        return code_digest(modules, things)

    def metadata(self) -> dict[str, str]:
        """Everything that decides about a trace of this search, as the trace's metadata."""
        terms = self.terms.model_dump()
        for name in ("objectives", "constraints"):
            if not terms[name]:
                del terms[name]
        return {
            "dagnas.study": self.study,
            "dagnas.method": self.method.name,
            "dagnas.settings": json.dumps(self.settings, sort_keys=True),
            "dagnas.benchmark": self.benchmark.name,
            "dagnas.table": self.benchmark.digest(),
            "dagnas.policy": terms.pop("policy"),
            "dagnas.rules": json.dumps(self.policy.rules(), sort_keys=True),
            **{f"dagnas.{name}": json.dumps(value) for name, value in terms.items()},
            "dagnas.prior": self.prior.name if self.prior else "",
            "dagnas.device": self.device,
            "dagnas.kernels": kernels_used(),
            "dagnas.emulated": json.dumps(self.benchmark.emulated(self.policy)),
            "dagnas.version": __version__,
        }


def run_trial(
    search: Search,
    trial: int,
    progress: Callable[[float], None] = lambda fraction: None,
    **extra: Any,
) -> pa.Table:
    """Run one trial until its budget is spent, or the method has nothing left to propose.

    Parameters
    ----------
    search : Search
    trial : int
        Number of the trial; it names the random streams.
    progress : callable
        Told the spent fraction of the budget after every batch.
    **extra
        Further arguments of the method that are no settings, such as ``observe``.

    Returns
    -------
    pyarrow.Table
        Columns of `TRACE`, one row an evaluation.
    """
    if search.method.batched:
        return run_side_by_side(search, [trial], progress)[0]
    check_trials(range(trial, trial + 1))
    evaluator = _Evaluator(search, trial)
    proposals = search.method.start(
        search.space,
        stream(*evaluator.names),
        search.settings,
        device=search.device,
        fidelities=evaluator.fidelities,
        objectives=search.objectives,
        prior=_evaluated(search.prior, search.terms.policy) if search.prior else None,
        **extra,
    )
    signals: NDArray[np.float64] | None = None
    while True:
        try:
            proposal = proposals.send(signals)
        except StopIteration:  # It has no more to propose.
            break
        signals = evaluator.evaluate(proposal)
        progress(evaluator.spent)
        if signals is None:
            break
    proposals.close()
    return evaluator.table()


def run_side_by_side(
    search: Search,
    trials: Sequence[int],
    progress: Callable[[float], None] = lambda fraction: None,
) -> list[pa.Table]:
    """Run several trials of a batched method, all of one number of evaluations.

    Parameters
    ----------
    search : Search
    trials : sequence of int
        Numbers of the trials; each names its random streams.
    progress : callable
        Told the spent fraction of the budget after every evaluation of all.

    Returns
    -------
    list of pyarrow.Table
        As `run_trial` gives them.
    """
    for trial in trials:
        check_trials(range(trial, trial + 1))
    evaluators = [_Evaluator(search, trial) for trial in trials]
    proposals = search.method.start(
        search.space,
        [stream(*evaluator.names) for evaluator in evaluators],
        search.settings,
        device=search.device,
    )
    signals: NDArray[np.float64] | None = None
    while True:
        try:
            batch = proposals.send(signals)
        except StopIteration:  # It has no more to propose.
            break
        evaluators[0].guard.walks(batch, len(trials))
        answers = [
            evaluator.evaluate(batch[number : number + 1])
            for number, evaluator in enumerate(evaluators)
        ]
        progress(evaluators[0].spent)
        going = [answer for answer in answers if answer is not None]
        if len(going) < len(answers):
            break
        signals = np.concatenate(going)
    proposals.close()
    return [evaluator.table() for evaluator in evaluators]


class _Evaluator:
    """Evaluations of one trial: random stream, clock, budget and record."""

    def __init__(self, search: Search, trial: int) -> None:
        self._search, self._benchmark = search, search.benchmark
        self._rules, terms = search.policy, search.terms
        self.names = (search.study, search.method.name, trial)
        self.guard = Guard(search.method.name, search.benchmark, self._rules.costs)
        self._rng = stream(*self.names, "evaluations")
        #: Epochs, ascending and the policy's last, that an evaluation can train.
        self.fidelities: tuple[int, ...] = (self._rules.epochs,)
        self._best = np.inf
        if fidelities := getattr(self._benchmark, "fidelities", None):
            self.fidelities = fidelities(self._rules)
        if isinstance(self._benchmark, TabularBenchmark):
            self._best = self._benchmark.best_signal(self._rules) if terms.until_best else np.inf
        seconds, evaluations = terms.budget_seconds, terms.budget_evaluations
        self._limit = np.inf if seconds is None else seconds
        self._most = np.inf if evaluations is None else evaluations
        self._record = _Record(
            self._benchmark.space,
            trial,
            self._rules.epochs,
            only_better=terms.until_best,
            limits=search.limits,
        )

    @property
    def spent(self) -> float:
        """Fraction of the budget that is spent."""
        record = self._record
        return min(1.0, max(record.clock / self._limit, record.done / self._most))

    def evaluate(self, proposal: Any) -> NDArray[np.float64] | None:
        """Evaluate and record a batch; a copy of its signals, or None if the trial is over."""
        rules, record = self._rules, self._record
        method, benchmark = self._search.method.name, self._benchmark
        cells, parents, epochs = self.guard.proposal(proposal, record.done)
        epochs = rules.epochs if epochs is None else epochs
        if not isinstance(epochs, int | np.integer) or epochs not in self.fidelities:
            raise DagnasError(
                f"method {method!r} asked for a training of {epochs} epochs; "
                f"{benchmark.name} has {', '.join(map(str, self.fidelities))}"
            )
        full = epochs == rules.epochs
        # Before the benchmark sees them, which might change them.
        codes = benchmark.space.pack(cells)
        answer = benchmark.evaluate(cells, rules if full else rules.at(epochs), self._rng)
        result = self._told(self.guard.evaluations(cells, answer))
        seconds = record.clock + np.cumsum(result.seconds)
        found = np.flatnonzero(full & (result.signal >= self._best))[:1] + 1
        kept = int(min((seconds <= self._limit).sum(), self._most - record.done, *found))
        if not record.done and not kept:
            raise DagnasError(
                f"{benchmark.name}: no evaluation fits into a budget of {self._limit:g} simulated "
                f"seconds; the first of trial {self.names[-1]} costs {seconds[0]:g}"
            )
        record.add(codes, parents, epochs, result, seconds, kept)
        over = kept < len(codes) or record.done >= self._most or len(found)
        return None if over else self._objectives(result)

    def _told(self, result: Evaluations) -> Evaluations:
        """Evaluations with the signals that the method is told under constraints.

        Beyond a limit, a signal shrinks in the ratio of the limit to the cost, as MnasNet's reward
        does where latency is a hard constraint (Tan et al. 2019, equation 2 with alpha = 0 and
        beta = -1).
        """
        signal = result.signal
        for limit in self._search.limits:
            costs = result.costs[limit.cost]
            signal = np.where(limit.keeps(costs), signal, signal * limit.most / costs)
        return result._replace(signal=signal)

    def _objectives(self, result: Evaluations) -> NDArray[np.float64]:
        """What the method is sent: signals, shape (B,), or with costs, shape (B, 1 + costs)."""
        if not self._search.objectives:
            return result.signal.copy()
        columns = [result.signal, *(result.costs[name] for name in self._search.objectives)]
        return np.stack(columns, axis=1)

    def table(self) -> pa.Table:
        """All evaluations, with columns of `TRACE`.

        Raises
        ------
        DagnasError
            There are none.
        """
        if not self._record.done:
            raise DagnasError(
                f"method {self._search.method.name!r} ended without proposing any "
                f"{self._benchmark.space.kind} of {self._benchmark.space.name}"
            )
        return self._record.table(" ".join(self._benchmark.emulated(self._rules)))


def _evaluated(benchmark: TabularBenchmark, policy: str) -> Evaluated:
    """All cells of a table and a copy of their mean signals."""
    signals = benchmark.values(find_policy(benchmark, policy).signal)
    return Evaluated(benchmark.cells, signals.copy())


class _Record:
    """Evaluations of a trial, as they come; a table at its end."""

    def __init__(
        self,
        space: Space[Any],
        trial: int,
        epochs: int,
        only_better: bool,
        limits: Sequence[Limit] = (),
    ) -> None:
        self._space, self._trial, self._epochs = space, trial, epochs
        self._limits = limits
        self._only_better, self._best = only_better, -np.inf
        self._parts: list[dict[str, NDArray[Any]]] = []
        self._last: dict[str, NDArray[Any]] = {}
        self.done, self.clock = 0, 0.0

    def add(
        self,
        codes: NDArray[Any],
        parents: NDArray[np.integer] | None,
        epochs: int,
        result: Evaluations,
        seconds: NDArray[np.float64],
        kept: int,
    ) -> None:
        """Note the first ``kept`` evaluations of a batch."""
        if not kept:
            return
        rows = {
            "step": np.arange(self.done, self.done + kept),
            "code": codes[:kept],
            "parent": np.full(kept, -1) if parents is None else parents[:kept],
            "epochs": np.full(kept, epochs),
            "signal": result.signal[:kept],
            "seconds": seconds[:kept],
            "valid": result.valid[:kept],
            "test": result.test[:kept],
        }
        rows |= {f"{COST}{name}": values[:kept] for name, values in result.costs.items()}
        if self._limits:
            kept_to = [limit.keeps(result.costs[limit.cost]) for limit in self._limits]
            rows[FEASIBLE] = np.all(kept_to, axis=0)[:kept]
        self.done, self.clock = self.done + kept, float(seconds[kept - 1])
        if self._only_better:
            # Short trainings say nothing of who is best.
            signal = rows["signal"] if epochs == self._epochs else np.full(kept, -np.inf)
            before = np.maximum.accumulate(np.concatenate([[self._best], signal]))
            better, self._best = signal > before[:-1], before[-1]
            self._last = {} if better[-1] else {name: rows[name][-1:] for name in rows}
            if not better.any():
                return
            rows = {name: rows[name][better] for name in rows}
        self._parts.append(rows)

    def table(self, emulated: str) -> pa.Table:
        """All that was noted, with columns of `TRACE`."""
        parts = [*self._parts, self._last] if self._last else self._parts
        columns: dict[str, Any] = {
            name: np.concatenate([part[name] for part in parts]) for name in parts[0]
        }
        size = len(columns["code"])
        columns["trial"] = np.full(size, self._trial)
        columns["cell"] = self._space.to_str(self._space.unpack(columns["code"]))
        if columns["code"].dtype == object:
            columns["code"] = [None] * size
        columns["emulated"] = [emulated] * size
        schema = trace_schema(columns)
        return pa.table({name: columns[name] for name in schema.names}).cast(schema)


def run(
    search: Search, trials: range, out: Path, code: str | None = None, show: bool = True
) -> None:
    """Run trials and write their trace to ``out``, wall-clock seconds beside it.

    Every finished trial is kept in a hidden folder beside ``out`` until all are done, so that an
    interrupted run resumes with the trial that it was in, from its start (of a batched method,
    with all trials).

    Parameters
    ----------
    search : Search
    trials : range
    out : Path
    code : str, optional
        Digest of the code that runs; trials that other code finished are run again. By default
        that of `Search.code`.
    show : bool
        Whether to show progress.

    Raises
    ------
    DagnasError
        ``out`` cannot be written, a number of a trial is out of range, or an evaluation fails.
    """
    check_trials(trials)
    identity = {
        **search.metadata(),
        "dagnas.code": search.code() if code is None else code,
    }
    parts = Parts(out, identity)
    pending = [trial for trial in trials if not parts.has(str(trial))]
    with tqdm(
        total=len(trials),
        initial=len(trials) - len(pending),
        desc=f"{search.study} {search.method.name}",
        unit="trial",
        bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.1f}/{total} [{elapsed}<{remaining}]",
        disable=None if show else True,
    ) as bar:
        batched = search.method.batched and pending
        for group in [pending] if batched else [[trial] for trial in pending]:
            began, before, size = time.perf_counter(), bar.n, len(group)

            def advance(fraction: float, before: float = before, size: int = size) -> None:
                bar.update(before + size * fraction - bar.n)

            if batched:
                done = run_side_by_side(search, group, advance)
            else:
                done = [run_trial(search, group[0], advance)]
            wall = {"dagnas.wall": f"{(time.perf_counter() - began) / size:.3f}"}
            for trial, table in zip(group, done, strict=True):
                parts.write(str(trial), table, wall)
            advance(1.0)
    tables = [parts.read(str(trial)) for trial in trials]
    walls = [table.schema.metadata[b"dagnas.wall"].decode() for table in tables]
    rows = [f"{trial},{wall}\n" for trial, wall in zip(trials, walls, strict=True)]
    write_text("trial,seconds\n" + "".join(rows), out.with_suffix(".wall.csv"))
    whole = pa.concat_tables(table.replace_schema_metadata() for table in tables)
    write_parquet(whole, out, search.metadata())
    parts.remove()
