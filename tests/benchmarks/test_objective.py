"""Objectives on spaces of decisions, and the two artificial tasks."""

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS, toys
from dagnas.benchmarks.benchmark import find_policy
from dagnas.benchmarks.objective import ObjectiveBenchmark
from dagnas.errors import DagnasError
from dagnas.spaces.decisions import DecisionSpace


def rewards(name, texts):
    bench = BENCHMARKS.get(name).open(None)
    walks = bench.space.from_str(texts)
    policy = find_policy(bench, "reward")
    return bench.evaluate(walks, policy, np.random.default_rng(0)).signal.tolist()


def test_an_objective_judges_decisions_by_name():
    space = DecisionSpace.chain("rates", {"rate": ["0.1", "0.01"], "decay": ["0", "0.5"]})
    bench = ObjectiveBenchmark("rates", space, lambda taken: float(dict(taken)["rate"]))
    found = bench.evaluate([(0, 1), (1, 0)], bench.policies["reward"], np.random.default_rng(0))
    assert found.signal.tolist() == found.test.tolist() == [0.1, 0.01]
    assert found.seconds.tolist() == [1, 1]
    with pytest.raises(DagnasError, match="valid: reward"):
        find_policy(bench, "goal")


def test_stack_layers_rewards_ten_layers():
    graph = [" > ".join(["add"] * n + ["stop"]) for n in (0, 1, 10, 12, 30)]
    assert rewards("stack_layers", graph) == pytest.approx([0, 0.19, 1, 0.96, 0])


def test_in_the_chain_what_follows_the_first_stop_has_no_effect():
    ten = ["add"] * 10
    texts = [
        " > ".join([*ten, *["stop"] * 10]),
        " > ".join([*ten, "stop", *["add"] * 9]),
        " > ".join(["stop", *["add"] * 19]),
        " > ".join(["add"] * 20),
    ]
    assert rewards("stack_layers_linear", texts) == pytest.approx([1, 1, 0, 0])


@pytest.mark.parametrize(
    ("values", "reward"),
    [
        ((50, 50, 50, 50), 1),
        # M = 4: its own error alone.
        ((50, 50, 50, 60), 1 - 100 / 1e4),
        # M = 2: its own error, and 50^2 for each of the two after it, whatever they are.
        ((50, 49, 50, 50), 1 - (1 + 2 * 2500) / 1e4),
        # The worst: 50 from it, and three more.
        ((100, 1, 1, 1), 0),
    ],
)
def test_select_optimizer_rewards_the_first_right_parameters(values, reward):
    numbers = " > ".join(map(str, values))
    assert rewards("select_optimizer_2", [f"o2 > {numbers}"]) == pytest.approx([reward])
    others = " > ".join(["7"] * 4)
    chain = rewards("select_optimizer_2_linear", [f"o2 > {others} > {numbers}"])
    assert chain == pytest.approx([reward])


@pytest.mark.parametrize("branches", [2, 4])
def test_the_chain_decides_on_all_optimizers(branches):
    graph, chain = toys.select_optimizer_graph(branches), toys.select_optimizer_chain(branches)
    assert graph.space.count() == branches * 100**4
    assert chain.space.count() == branches * 100 ** (4 * branches)
    assert (graph.space.cap, len(graph.space.states)) == (1 + 4 * branches, 1 + 4 * branches)
    lengths = {len(walk) for walk in graph.space.sample(5, np.random.default_rng(0))}
    assert lengths == {5}
