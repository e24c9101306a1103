"""REINFORCE against its equations."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from dagnas.search.methods.reinforce import Policy
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES

SIZES = np.array([2, 5, 3])


def policy(learning_rate=0.1, optimizer="sgd", momentum=0.9):
    return Policy(SIZES, learning_rate, optimizer, momentum)


def unequal(made):
    """The same policy with logits that differ."""
    made.logits += np.random.default_rng(0).normal(size=made.logits.shape)
    return made


def log_probability(logits, values):
    odds = np.exp(logits)
    chosen = odds[np.arange(len(values)), values]
    return np.log(chosen / odds.sum(axis=1)).sum()


def test_settings_are_those_of_the_public_script():
    method = METHODS.get("reinforce")
    for space in ("nasbench101", "nasbench201"):
        assert method.settings(space) == {
            "learning_rate": 0.1,
            "optimizer": "sgd",
            "momentum": 0.9,
        }
    with pytest.raises(DagnasError, match="momentum"):
        method.settings("nasbench201", {"momentum": 1})


def test_gradient_is_that_of_the_log_probability():
    made, values, h = unequal(policy()), np.array([1, 3, 0]), 1e-6
    gradient = made.gradient(values)
    for place in zip(*np.nonzero(np.isfinite(made.logits)), strict=True):
        above, below = made.logits.copy(), made.logits.copy()
        above[place] += h
        below[place] -= h
        change = log_probability(above, values) - log_probability(below, values)
        assert gradient[place] == pytest.approx(change / (2 * h), abs=1e-8)
    assert (gradient[np.isinf(made.logits)] == 0).all()


def test_draws_follow_the_softmax():
    made = unequal(policy())
    drawn = made.draw(40_000, np.random.default_rng(1))
    odds = np.exp(made.logits)
    expected = odds / odds.sum(axis=1, keepdims=True)
    for column, row in zip(drawn.T, expected, strict=True):
        fraction = np.bincount(column, minlength=len(row)) / len(column)
        assert fraction == pytest.approx(row, abs=0.01)
        assert (fraction[row == 0] == 0).all()


def test_first_two_steps_by_hand():
    made = policy(learning_rate=0.5)
    made.learn(np.array([0, 0, 0]), 0.8)
    assert np.abs(made.logits[np.isfinite(made.logits)]).max() < 1e-12  # it is its own average
    made.learn(np.array([1, 4, 2]), 0.4)
    advantage = 0.4 - (0.9 * 0.8 + 0.4) / 1.9
    uniform = 1 / SIZES
    for row, value, size, p in zip(made.logits, [1, 4, 2], SIZES, uniform, strict=True):
        expected = np.where(np.arange(size) == value, 1 - p, -p) * 0.5 * advantage
        assert row[:size] == pytest.approx(expected)
    assert made.logits[1, 4] < 0  # worse than average: less likely


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_run_equals_one_by_torch(optimizer):
    made = policy(0.3, optimizer, 0.7)
    logits = [torch.zeros(size, dtype=torch.float64, requires_grad=True) for size in SIZES]
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    descent = kind(logits, lr=0.3)
    rng = np.random.default_rng(2)
    total = weight = 0.0
    for _ in range(60):
        (values,), reward = made.draw(1, rng), rng.random()
        made.learn(values, reward)
        total, weight = 0.7 * total + 0.3 * reward, 0.7 * weight + 0.3
        loss = torch.zeros((), dtype=torch.float64)
        for row, value in zip(logits, values, strict=True):
            loss -= torch.distributions.Categorical(logits=row).log_prob(torch.tensor(value))
        descent.zero_grad()
        (loss * (reward - total / weight)).backward()
        descent.step()
    for row, size, theirs in zip(made.logits, SIZES, logits, strict=True):
        assert np.ptp(row[:size]) > 0.01
        assert row[:size] == pytest.approx(theirs.detach().numpy(), abs=1e-9)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_one_valid_cell_at_a_time(name):
    space, method = SPACES.get(name), METHODS.get("reinforce")
    settings = method.settings(name, {"learning_rate": 5})
    trial = method.start(space, np.random.default_rng(0), settings)
    cells = next(trial)
    for _ in range(300):
        assert len(cells) == 1
        assert space.is_valid(cells).all()
        cells = trial.send(100 * space.to_values(cells).mean(axis=1))


def test_it_learns_the_cell_evaluated_and_its_accuracy_as_a_fraction(monkeypatch):
    taught = []
    monkeypatch.setattr(Policy, "learn", lambda self, *of: taught.append(of))
    space, method = SPACES.get("nasbench101"), METHODS.get("reinforce")
    trial = method.start(space, np.random.default_rng(0), method.settings())
    cells = next(trial)
    for accuracy in range(50, 60):
        after = trial.send(np.array([float(accuracy)]))
        values, reward = taught[-1]
        assert values.tolist() == space.to_values(cells)[0].tolist()
        assert reward == pytest.approx(accuracy / 100)
        cells = after


@pytest.mark.parametrize(
    "given", [{"learning_rate": 0.5}, {"optimizer": "adam", "learning_rate": 0.02}]
)
def test_the_policy_learns_what_is_good(given):
    bench = BENCHMARKS.get("digits201").open(Path("nowhere"))

    def signals(method, given):
        search = Search(bench, METHODS.get(method), given=given, budget_evaluations=400)
        return run_trial(search, 0)["signal"].to_numpy()

    learned = signals("reinforce", given)[-100:].mean()
    assert learned > signals("random_search", {}).mean() + 10
