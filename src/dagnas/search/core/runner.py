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
from tqdm import tqdm

from dagnas import __version__
from dagnas.benchmarks.core.benchmark import Benchmark, find_policy
from dagnas.closure import digest
from dagnas.errors import DagnasError
from dagnas.files import atomic_path, read_parquet, write_parquet, write_text
from dagnas.predictors import PREDICTORS
from dagnas.search.core.method import Method, Proposal
from dagnas.seeds import stream

TRACE = pa.schema(
    [
        ("trial", pa.int32()),
        ("step", pa.int32()),
        ("cell", pa.string()),
        ("code", pa.int64()),
        ("parent", pa.int32()),
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
    device : str
        ``cpu`` or ``cuda``, for methods that compute on one.
    study : str
        Random streams derive from (study, method, trial).

    Raises
    ------
    DagnasError
        A setting or budget is out of range, the policy is unknown, or there is no budget.
    """

    benchmark: Benchmark
    method: Method
    given: Mapping[str, Any] = field(default_factory=dict)
    policy: str = "goal"
    budget_seconds: float | None = None
    budget_evaluations: int | None = None
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
            "dagnas.device": self.device if self.method.uses_device else "cpu",
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
    space, rules = search.benchmark.space, find_policy(search.benchmark, search.policy)
    names = (search.study, search.method.name, trial)
    chance = stream(*names, "evaluations")
    proposals = search.method.start(
        space, stream(*names), search.device, {**search.settings, **extra}
    )
    limit = np.inf if search.budget_seconds is None else search.budget_seconds
    most = np.inf if search.budget_evaluations is None else search.budget_evaluations
    emulated = " ".join(search.benchmark.emulated(rules))
    batches: list[pa.Table] = []
    clock, done = 0.0, 0
    answer = None
    while True:
        try:
            proposal = next(proposals) if answer is None else proposals.send(answer)
        except StopIteration:
            break
        cells, parents = (
            proposal if isinstance(proposal, Proposal) else (proposal, np.full(len(proposal), -1))
        )
        if not len(cells):
            raise DagnasError(f"method {search.method.name!r} proposed a batch of no cells")
        result = search.benchmark.evaluate(cells, rules, chance)
        if not (result.seconds > 0).all():
            raise DagnasError(
                f"{search.benchmark.name}: {rules.seconds!r} is not positive for a cell evaluated"
            )
        seconds = clock + np.cumsum(result.seconds)
        kept = int(min((seconds <= limit).sum(), most - done))
        batches.append(
            pa.table(
                {
                    "trial": np.full(kept, trial),
                    "step": np.arange(done, done + kept),
                    "cell": space.to_str(cells[:kept]),
                    "code": space.pack(cells[:kept]),
                    "parent": parents[:kept],
                    "signal": result.signal[:kept],
                    "seconds": seconds[:kept],
                    "valid": result.valid[:kept],
                    "test": result.test[:kept],
                    "emulated": [emulated] * kept,
                }
            ).cast(TRACE)
        )
        done += kept
        clock = float(seconds[-1])
        progress(min(1.0, max(clock / limit, done / most)))
        if kept < len(cells) or done >= most:
            break
        answer = result.signal
    proposals.close()
    return pa.concat_tables(batches)


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
