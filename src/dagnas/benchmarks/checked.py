"""Benchmarks from outside the package, checked before they are searched."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import Benchmark, BenchmarkEntry
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.spaces.base import Space

#: What the runner asks of a benchmark, in words that begin with the attribute.
_EXPECTED: dict[str, Callable[[Any], object]] = {
    "name, a text": lambda it: isinstance(it.name, str),
    "policies, a mapping of names to Policy, one at least": lambda it: (
        isinstance(it.policies, Mapping)
        and it.policies
        and all(isinstance(policy, Policy) for policy in it.policies.values())
    ),
    "space, a Space": lambda it: isinstance(it.space, Space),
    "emulated, a function of a policy": lambda it: callable(it.emulated),
    "evaluate, a function of cells, policy and generator": lambda it: callable(it.evaluate),
    "digest, a function that gives a text": lambda it: isinstance(it.digest(), str),
}


def open_benchmark(entry: BenchmarkEntry, data: Path) -> Benchmark:
    """Open a benchmark; one from outside the package is checked.

    Raises
    ------
    DagnasError
        A function of a plug-in cannot be called with the folder of tables, or what it gives is no
        benchmark.
    """
    if not BENCHMARKS.added(entry.name):
        return entry.open(data)
    try:
        inspect.signature(entry.open).bind(data)
    except TypeError as error:
        raise DagnasError(
            f"the benchmark {entry.name!r} of {entry.module}: {error}; its function has one "
            "argument, the folder of tables"
        ) from None
    return checked(entry.open(data), f"the benchmark {entry.name!r} of {entry.module}")


def checked(benchmark: Any, whose: str) -> Benchmark:
    """Benchmark that has all that the runner asks of it (`dagnas.benchmarks.benchmark.Benchmark`).

    Raises
    ------
    DagnasError
        Something is missing or of another type.
    """
    for words, holds in _EXPECTED.items():
        if not hasattr(benchmark, words.partition(",")[0]) or not holds(benchmark):
            raise DagnasError(f"{whose} lacks {words}; it is {benchmark!r:.60}")
    found: Benchmark = benchmark
    return found
