"""dagnas: graph-based neural architecture search, reproduced.

The names that scripts, notebooks and plug-ins need. Each is imported when it is asked for, so that
``import dagnas`` takes no time.

>>> import dagnas
>>> bench = dagnas.open("digits201")
>>> trace = dagnas.run("random_search", bench, trials=2, budget_evaluations=40)
>>> len(trace)
80
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dagnas import testing as testing
    from dagnas.analysis.compare import MethodComparison as MethodComparison
    from dagnas.analysis.compare import compare as compare
    from dagnas.analysis.traces import incumbents as incumbents
    from dagnas.analysis.traces import read as read
    from dagnas.analysis.traces import regret as regret
    from dagnas.api import frame as frame
    from dagnas.api import open as open
    from dagnas.api import run as run
    from dagnas.benchmarks import BENCHMARKS as BENCHMARKS
    from dagnas.benchmarks.benchmark import Benchmark as Benchmark
    from dagnas.benchmarks.benchmark import BenchmarkEntry as BenchmarkEntry
    from dagnas.benchmarks.benchmark import Evaluations as Evaluations
    from dagnas.benchmarks.benchmark import TabularBenchmark as TabularBenchmark
    from dagnas.benchmarks.benchmark import benchmark as benchmark
    from dagnas.benchmarks.generators import GeneratorBenchmark as GeneratorBenchmark
    from dagnas.benchmarks.objective import ObjectiveBenchmark as ObjectiveBenchmark
    from dagnas.benchmarks.policy import Policy as Policy
    from dagnas.drawing.cells import draw_cell as draw_cell
    from dagnas.drawing.decisions import draw_decisions as draw_decisions
    from dagnas.errors import DagnasError as DagnasError
    from dagnas.predictors import PREDICTORS as PREDICTORS
    from dagnas.predictors.predictor import Predictor as Predictor
    from dagnas.predictors.predictor import predictor as predictor
    from dagnas.predictors.pyg import from_pyg as from_pyg
    from dagnas.search import METHODS as METHODS
    from dagnas.search.method import Evaluated as Evaluated
    from dagnas.search.method import Method as Method
    from dagnas.search.method import Proposal as Proposal
    from dagnas.search.method import method as method
    from dagnas.search.pool import Seen as Seen
    from dagnas.search.pool import sample_new as sample_new
    from dagnas.spaces import SPACES as SPACES
    from dagnas.spaces.base import TooMany as TooMany
    from dagnas.spaces.cell_space import CellSpace as CellSpace
    from dagnas.spaces.cells import Cells as Cells
    from dagnas.spaces.cells import Graphs as Graphs
    from dagnas.spaces.cells import concatenate as concatenate
    from dagnas.spaces.decisions import DecisionSpace as DecisionSpace
    from dagnas.spaces.generators import ErdosRenyi as ErdosRenyi
    from dagnas.spaces.generators import GeneratorSpace as GeneratorSpace
    from dagnas.spaces.generators import Hyperparameters as Hyperparameters
    from dagnas.spaces.generators import WattsStrogatz as WattsStrogatz
    from dagnas.spaces.vectors import Dimension as Dimension
    from dagnas.spaces.vectors import VectorSpace as VectorSpace
    from dagnas.training.images import ImageSet as ImageSet
    from dagnas.training.train_recipe import TrainRecipe as TrainRecipe

#: Modules of the names that are imported when they are asked for.
__places__ = {
    "BENCHMARKS": "dagnas.benchmarks",
    "Benchmark": "dagnas.benchmarks.benchmark",
    "BenchmarkEntry": "dagnas.benchmarks.benchmark",
    "CellSpace": "dagnas.spaces.cell_space",
    "Cells": "dagnas.spaces.cells",
    "DagnasError": "dagnas.errors",
    "DecisionSpace": "dagnas.spaces.decisions",
    "Dimension": "dagnas.spaces.vectors",
    "ErdosRenyi": "dagnas.spaces.generators",
    "Evaluated": "dagnas.search.method",
    "Evaluations": "dagnas.benchmarks.benchmark",
    "GeneratorBenchmark": "dagnas.benchmarks.generators",
    "GeneratorSpace": "dagnas.spaces.generators",
    "Graphs": "dagnas.spaces.cells",
    "Hyperparameters": "dagnas.spaces.generators",
    "ImageSet": "dagnas.training.images",
    "METHODS": "dagnas.search",
    "Method": "dagnas.search.method",
    "MethodComparison": "dagnas.analysis.compare",
    "ObjectiveBenchmark": "dagnas.benchmarks.objective",
    "PREDICTORS": "dagnas.predictors",
    "Policy": "dagnas.benchmarks.policy",
    "Predictor": "dagnas.predictors.predictor",
    "Proposal": "dagnas.search.method",
    "SPACES": "dagnas.spaces",
    "Seen": "dagnas.search.pool",
    "TabularBenchmark": "dagnas.benchmarks.benchmark",
    "TooMany": "dagnas.spaces.base",
    "TrainRecipe": "dagnas.training.train_recipe",
    "VectorSpace": "dagnas.spaces.vectors",
    "WattsStrogatz": "dagnas.spaces.generators",
    "benchmark": "dagnas.benchmarks.benchmark",
    "compare": "dagnas.analysis.compare",
    "concatenate": "dagnas.spaces.cells",
    "draw_cell": "dagnas.drawing.cells",
    "draw_decisions": "dagnas.drawing.decisions",
    "frame": "dagnas.api",
    "from_pyg": "dagnas.predictors.pyg",
    "incumbents": "dagnas.analysis.traces",
    "method": "dagnas.search.method",
    "open": "dagnas.api",
    "predictor": "dagnas.predictors.predictor",
    "read": "dagnas.analysis.traces",
    "regret": "dagnas.analysis.traces",
    "run": "dagnas.api",
    "sample_new": "dagnas.search.pool",
}

__all__ = ["__version__", "testing", *__places__]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "testing":
        return import_module("dagnas.testing")
    if name not in __places__:
        raise AttributeError(f"module 'dagnas' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(__places__[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
