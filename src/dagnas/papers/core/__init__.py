"""The machinery of results: declarations, inputs, looks, files, claims."""

from dagnas.papers.core.inputs import Inputs
from dagnas.papers.core.result import Result, all_results, find, results

__all__ = ["Inputs", "Result", "all_results", "find", "results"]
