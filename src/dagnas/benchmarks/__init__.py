"""What an evaluation gives: a space and a table, under a named policy."""

from dagnas.benchmarks.core.benchmark import BenchmarkEntry
from dagnas.registry import Registry

BENCHMARKS: Registry[BenchmarkEntry] = Registry("benchmark", "dagnas.benchmarks", BenchmarkEntry)
