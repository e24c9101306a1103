"""Code that results are made by, for digests; see `dagnas.closure`."""

from __future__ import annotations

from collections.abc import Sequence

from dagnas.benchmarks import BENCHMARKS
from dagnas.papers.result import Result
from dagnas.pipeline.kinds import all_kinds

#: Code that checks claims and writes the ledger.
LEDGER = [f"dagnas.papers.claims.{name}" for name in ("reader", "check", "page")]


def table_roots(result: Result, plugins: Sequence[str]) -> list[str]:
    """Code that tabulates a result: its own, the readers of its artifacts, its benchmarks."""
    readers = [
        f"{kind.module}:{kind.read.__name__}"
        for kind in all_kinds()
        if set(kind.sections) & set(result.reads)
    ]
    opened = [BENCHMARKS.module(name) for name in result.benchmarks]
    shared = ["dagnas.papers.make:write_table", "dagnas.papers.inputs:Inputs"]
    return [f"{result.module}:tabulate", *shared, *readers, *opened, *plugins]


def picture_roots(result: Result, plugins: Sequence[str]) -> list[str]:
    """Code that draws a result's table and writes its caption."""
    own = [f"{result.module}:{name}" for name in ("RESULT", "draw", "caption")]
    return [*own, "dagnas.papers.make:read_table", "dagnas.papers.make:draw", *plugins]
