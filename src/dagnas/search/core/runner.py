"""Who runs a method: budget, clock, trace, progress, seeds and resuming."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas import __version__
from dagnas.benchmarks.core.benchmark import (
    Benchmark,
    Evaluations,
    TabularBenchmark,
    find_policy,
)
from dagnas.closure import digest
from dagnas.errors import DagnasError
from dagnas.files import atomic_path, read_parquet, write_parquet, write_text
from dagnas.predictors import PREDICTORS
from dagnas.search.core.method import Evaluated, Method, Proposal
from dagnas.seeds import stream
from dagnas.spaces.core.space import CellSpace

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


@dataclass(frozen=True)
class Search:
    """A method on a benchmark under a policy: all that a trial depends on but its number.

    Parameters
    ----------
    benchmark : Benchmark
    method : Method
    given : mapping
        Settings that differ from the method's defaults.
    policy : str
        Name of a policy of the benchmark.
    budget_seconds, budget_evaluations : float, int or None
        Budget of a trial; the policy's if both are None. An evaluation counts if it ends within
        the simulated seconds.
    until_best : bool
        Whether a trial ends with the best cell of the benchmark (BONAS, section 4.2). Its trace
        then holds only evaluations that beat all before them, and the last one.
    prior : Benchmark, optional
        Benchmark on a similar space, of which the method is told all evaluations beforehand.
    device : str
        ``cpu`` or ``cuda``, for methods that compute on one.
    study : str
        Random streams derive from (study, method, trial).

    Raises
    ------
    DagnasError
        A setting or budget is out of range, the policy is unknown, there is no budget, the best
        cell is not known, or the method makes no use of a prior.
    """

    benchmark: Benchmark
    method: Method
    given: Mapping[str, Any] = field(default_factory=dict)
    policy: str = "goal"
    budget_seconds: float | None = None
    budget_evaluations: int | None = None
    until_best: bool = False
    prior: TabularBenchmark | None = None
    device: str = "cpu"
    study: str = ""

    def __post_init__(self) -> None:
        rules = find_policy(self.benchmark, self.policy)
        if self.budget_seconds is None and self.budget_evaluations is None:
            object.__setattr__(self, "budget_seconds", rules.budget_seconds)
            object.__setattr__(self, "budget_evaluations", rules.budget_evaluations)
        for name in ("budget_seconds", "budget_evaluations"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise DagnasError(f"{name} is {value}; it must be positive")
        if self.budget_seconds is None and self.budget_evaluations is None:
            raise DagnasError(
                f"policy {self.policy!r} of {self.benchmark.name} has no budget of its own: "
                "give budget_seconds or budget_evaluations"
            )
        if self.until_best and not isinstance(self.benchmark, TabularBenchmark):
            raise DagnasError(f"{self.benchmark.name} is no table: its best cell is not known")
        if self.prior is not None and not self.method.takes("prior"):
            raise DagnasError(f"method {self.method.name!r} makes no use of a prior")
        object.__setattr__(self, "study", self.study or self.benchmark.name)
        object.__setattr__(
            self, "settings", self.method.settings(self.benchmark.space.name, self.given)
        )

    settings: dict[str, Any] = field(init=False)

    def metadata(self) -> dict[str, str]:
        """What every trace of this search says of itself."""
        rules = find_policy(self.benchmark, self.policy)
        return {
            "dagnas.study": self.study,
            "dagnas.method": self.method.name,
            "dagnas.settings": json.dumps(self.settings, sort_keys=True),
            "dagnas.benchmark": self.benchmark.name,
            "dagnas.table": self.benchmark.digest(),
            "dagnas.policy": self.policy,
            "dagnas.rules": json.dumps(asdict(rules), sort_keys=True),
            "dagnas.budget_seconds": json.dumps(self.budget_seconds),
            "dagnas.budget_evaluations": json.dumps(self.budget_evaluations),
            "dagnas.until_best": json.dumps(self.until_best),
            "dagnas.prior": self.prior.name if self.prior else "",
            "dagnas.device": self.device if self.method.takes("device") else "cpu",
            "dagnas.emulated": json.dumps(self.benchmark.emulated(rules)),
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
    benchmark, space = search.benchmark, search.benchmark.space
    rules = find_policy(benchmark, search.policy)
    names = (search.study, search.method.name, trial)
    chance = stream(*names, "evaluations")
    fidelities: tuple[int, ...] = (rules.epochs,)
    best = np.inf
    if isinstance(benchmark, TabularBenchmark):
        fidelities = benchmark.fidelities(rules)
        best = benchmark.best_signal(rules) if search.until_best else np.inf
    proposals = search.method.start(
        space,
        stream(*names),
        search.settings,
        device=search.device,
        fidelities=fidelities,
        prior=_evaluated(search.prior, search.policy) if search.prior else None,
        **extra,
    )
    limit = np.inf if search.budget_seconds is None else search.budget_seconds
    most = np.inf if search.budget_evaluations is None else search.budget_evaluations
    record = _Record(space, trial, rules.epochs, only_better=search.until_best)
    answer = None
    while True:
        try:
            proposal = next(proposals) if answer is None else proposals.send(answer)
        except StopIteration:
            break
        if not isinstance(proposal, Proposal):
            proposal = Proposal(proposal)
        epochs = rules.epochs if proposal.epochs is None else proposal.epochs
        if not len(proposal.cells):
            raise DagnasError(f"method {search.method.name!r} proposed a batch of no cells")
        if epochs not in fidelities:
            raise DagnasError(
                f"method {search.method.name!r} asked for a training of {epochs} epochs; "
                f"{benchmark.name} has {', '.join(map(str, fidelities))}"
            )
        full = epochs == rules.epochs
        result = benchmark.evaluate(proposal.cells, rules if full else rules.at(epochs), chance)
        if not (result.seconds > 0).all():
            raise DagnasError(
                f"{benchmark.name}: {rules.seconds!r} is not positive for a cell evaluated"
            )
        seconds = record.clock + np.cumsum(result.seconds)
        found = np.flatnonzero(full & (result.signal >= best))[:1] + 1
        kept = int(min((seconds <= limit).sum(), most - record.done, *found))
        record.add(proposal, epochs, result, seconds, kept)
        progress(min(1.0, max(record.clock / limit, record.done / most)))
        if kept < len(proposal.cells) or record.done >= most or len(found):
            break
        answer = result.signal
    proposals.close()
    return record.table(" ".join(benchmark.emulated(rules)))


def _evaluated(benchmark: TabularBenchmark, policy: str) -> Evaluated:
    """All cells of a table and their mean signals."""
    return Evaluated(benchmark.cells, benchmark.values(find_policy(benchmark, policy).signal))


class _Record:
    """Evaluations of a trial, as they come; a table at its end."""

    def __init__(self, space: CellSpace, trial: int, epochs: int, only_better: bool) -> None:
        self._space, self._trial, self._epochs = space, trial, epochs
        self._only_better, self._best = only_better, -np.inf
        self._parts: list[dict[str, NDArray[Any]]] = []
        self._last: dict[str, NDArray[Any]] = {}
        self.done, self.clock = 0, 0.0

    def add(
        self,
        proposal: Proposal,
        epochs: int,
        result: Evaluations,
        seconds: NDArray[np.float64],
        kept: int,
    ) -> None:
        """Note the first ``kept`` evaluations of a batch."""
        if not kept:
            return
        parents = np.full(kept, -1) if proposal.parents is None else proposal.parents[:kept]
        rows = {
            "step": np.arange(self.done, self.done + kept),
            "code": self._space.pack(proposal.cells[:kept]),
            "parent": parents,
            "epochs": np.full(kept, epochs),
            "signal": result.signal[:kept],
            "seconds": seconds[:kept],
            "valid": result.valid[:kept],
            "test": result.test[:kept],
        }
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
        if not parts:
            return TRACE.empty_table()
        columns: dict[str, Any] = {
            name: np.concatenate([part[name] for part in parts]) for name in parts[0]
        }
        size = len(columns["code"])
        columns["trial"] = np.full(size, self._trial)
        columns["cell"] = self._space.to_str(self._space.unpack(columns["code"]))
        columns["emulated"] = [emulated] * size
        return pa.table({name: columns[name] for name in TRACE.names}).cast(TRACE)


def run(search: Search, trials: range, out: Path, show: bool = True) -> None:
    """Run trials and write their trace to ``out``, wall-clock seconds beside it.

    Every finished trial is kept in a hidden folder beside ``out`` until all are done, so that an
    interrupted run goes on where it stopped: with the trial that it was in, from its start.

    Raises
    ------
    DagnasError
        ``out`` cannot be written, or an evaluation fails.
    """
    roots = [__name__, search.method.module, type(search.benchmark).__module__]
    if "predictor" in search.settings:
        roots.append(PREDICTORS.module(search.settings["predictor"]))
    identity = {**search.metadata(), "dagnas.code": digest(roots)}
    parts = out.parent / f".{out.name}.partial"
    pending = [trial for trial in trials if not _is_part(parts / f"{trial}.parquet", identity)]
    # A folder that cannot be written is told of now, not after the first trial.
    with atomic_path(parts / "started") as probe:
        probe.write_text("")
    with tqdm(
        total=len(trials),
        initial=len(trials) - len(pending),
        desc=f"{search.study} {search.method.name}",
        unit="trial",
        bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.1f}/{total} [{elapsed}<{remaining}]",
        disable=None if show else True,
    ) as bar:
        for trial in pending:
            began, before = time.perf_counter(), bar.n

            def advance(fraction: float, before: float = before) -> None:
                bar.update(before + fraction - bar.n)

            table = run_trial(search, trial, advance)
            wall = {"dagnas.wall": f"{time.perf_counter() - began:.3f}"}
            write_parquet(table, parts / f"{trial}.parquet", {**identity, **wall})
            advance(1.0)
    tables = [read_parquet(parts / f"{trial}.parquet") for trial in trials]
    walls = [table.schema.metadata[b"dagnas.wall"].decode() for table in tables]
    rows = [f"{trial},{wall}\n" for trial, wall in zip(trials, walls, strict=True)]
    write_text("trial,seconds\n" + "".join(rows), out.with_suffix(".wall.csv"))
    whole = pa.concat_tables(table.replace_schema_metadata() for table in tables)
    write_parquet(whole, out, search.metadata())
    for part in parts.iterdir():
        part.unlink()
    parts.rmdir()


def _is_part(path: Path, identity: Mapping[str, str]) -> bool:
    """Whether ``path`` holds a finished trial of this very search, by this very code."""
    try:
        stored = pq.read_schema(path).metadata or {}
    except (OSError, ValueError):
        return False
    return all(stored.get(k.encode(), b"").decode() == v for k, v in identity.items())
