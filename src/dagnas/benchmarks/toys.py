"""Artificial tasks of NAS over a graph search space, each as a graph and as a chain."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from dagnas.benchmarks.benchmark import benchmark
from dagnas.benchmarks.objective import ObjectiveBenchmark
from dagnas.spaces.decisions import DecisionSpace

#: L of section 4.1: layers of the best network.
LAYERS = 10
#: Largest number of layers in the graph, which has no bound in the paper.
MOST_LAYERS = 100
#: Section 4.2.
PARAMETERS, VALUES, BEST_VALUE = 4, 100, 50

Decisions = list[tuple[str, str]]


def stack_layers_reward(decisions: Decisions) -> float:
    """Reward 1 - (n - L)^2 / L^2 for n layers, but not below 0 (section 4.1).

    The paper normalises -(n - L)^2 to [0, 1] and does not say how; no layer at all gives 0 here.
    Layers count up to the first decision to stop: in the linear space, what comes after it has no
    effect.
    """
    layers = len(list(takewhile(lambda taken: taken[1] == "add", decisions)))
    return max(0.0, 1 - (layers - LAYERS) ** 2 / LAYERS**2)


def stack_layers_graph() -> ObjectiveBenchmark:
    """Benchmark of one state, with an action that returns to it and one that ends (section 4.1)."""
    space = DecisionSpace(
        "stack_layers", {"layer": {"add": "layer", "stop": None}}, cap=MOST_LAYERS + 1
    )
    return _stack_layers(space)


def stack_layers_chain() -> ObjectiveBenchmark:
    """Benchmark of 2 L binary decisions (section 4.1)."""
    decisions = {f"layer {number}": ("add", "stop") for number in range(1, 2 * LAYERS + 1)}
    return _stack_layers(DecisionSpace.chain("stack_layers_linear", decisions))


def _stack_layers(space: DecisionSpace) -> ObjectiveBenchmark:
    source = "NAS over a graph search space, section 4.1"
    return ObjectiveBenchmark(space.name, space, stack_layers_reward, 200, source)


def select_optimizer_reward(decisions: Decisions) -> float:
    """Reward 1 + r / 10^4, with r of section 4.2, for the parameters of the chosen optimizer.

    With M the first parameter that is not 50, r = -(p_M - 50)^2 - sum of 50^2 over the parameters
    after it; its least value is -10^4.
    """
    chosen = dict(decisions)
    values = [
        int(chosen[f"{chosen['optimizer']} p{number}"]) for number in range(1, PARAMETERS + 1)
    ]
    right = len(list(takewhile(lambda value: value == BEST_VALUE, values)))
    if right == PARAMETERS:
        return 1.0
    loss = (values[right] - BEST_VALUE) ** 2 + (PARAMETERS - right - 1) * BEST_VALUE**2
    return 1 - loss / (PARAMETERS * BEST_VALUE**2)


def select_optimizer_graph(branches: int) -> ObjectiveBenchmark:
    """Benchmark with a branch of four parameters for each optimizer (section 4.2, figure 3)."""
    names = _optimizers(branches)
    states: dict[str, dict[str, str | None]] = {"optimizer": {o: f"{o} p1" for o in names}}
    for optimizer in names:
        for number in range(1, PARAMETERS + 1):
            after = f"{optimizer} p{number + 1}" if number < PARAMETERS else None
            states[f"{optimizer} p{number}"] = dict.fromkeys(_values(), after)
    return _select_optimizer(DecisionSpace(f"select_optimizer_{branches}", states))


def select_optimizer_chain(branches: int) -> ObjectiveBenchmark:
    """Benchmark that decides on the optimizer, then on all parameters (section 4.2, figure 3)."""
    names = _optimizers(branches)
    decisions = {"optimizer": names} | {
        f"{optimizer} p{number}": _values()
        for optimizer in names
        for number in range(1, PARAMETERS + 1)
    }
    name = f"select_optimizer_{branches}_linear"
    return _select_optimizer(DecisionSpace.chain(name, decisions))


def _optimizers(branches: int) -> list[str]:
    return [f"o{number}" for number in range(1, branches + 1)]


def _values() -> list[str]:
    return list(map(str, range(1, VALUES + 1)))


def _select_optimizer(space: DecisionSpace) -> ObjectiveBenchmark:
    source = "NAS over a graph search space, section 4.2"
    return ObjectiveBenchmark(space.name, space, select_optimizer_reward, None, source)


@benchmark()
def stack_layers(data: Path) -> ObjectiveBenchmark:
    """Open the benchmark; ``data`` is not used."""
    return stack_layers_graph()


@benchmark()
def stack_layers_linear(data: Path) -> ObjectiveBenchmark:
    """Open the benchmark; ``data`` is not used."""
    return stack_layers_chain()


@benchmark()
def select_optimizer_2(data: Path) -> ObjectiveBenchmark:
    """Open the benchmark; ``data`` is not used."""
    return select_optimizer_graph(2)


@benchmark()
def select_optimizer_2_linear(data: Path) -> ObjectiveBenchmark:
    """Open the benchmark; ``data`` is not used."""
    return select_optimizer_chain(2)


@benchmark()
def select_optimizer_4(data: Path) -> ObjectiveBenchmark:
    """Open the benchmark; ``data`` is not used."""
    return select_optimizer_graph(4)


@benchmark()
def select_optimizer_4_linear(data: Path) -> ObjectiveBenchmark:
    """Open the benchmark; ``data`` is not used."""
    return select_optimizer_chain(4)
