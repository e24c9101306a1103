"""Losses: the ranking one against the double loop, BONAS's against their formulas."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dagnas.predictors.losses import WEIGHTS, pairwise_ranking, weighted_square

numbers = st.floats(-50, 50)
# Few different targets, so that ties are common.
pairs = st.lists(st.tuples(numbers, st.integers(0, 3)), min_size=1, max_size=8)


def double_loop(scores, targets):
    total = 0.0
    for i in range(len(scores)):
        for j in range(len(scores)):
            if i != j and targets[i] != targets[j]:
                sign = 1 if targets[i] > targets[j] else -1
                total += math.log1p(math.exp(-(scores[i] - scores[j]) * sign))
    return total


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_equals_the_double_loop(pairs):
    scores, targets = zip(*pairs, strict=True)
    loss = pairwise_ranking(
        torch.tensor(scores, dtype=torch.float64), torch.tensor(targets, dtype=torch.float64)
    )
    assert float(loss) == pytest.approx(double_loop(scores, targets), rel=1e-9, abs=1e-9)


def test_ties_are_the_only_difference_from_equation_3():
    loss = pairwise_ranking(torch.tensor([3.0, -1.0, 2.0]), torch.tensor([5.0, 5.0, 5.0]))
    assert float(loss) == 0


def test_lower_when_scores_are_ordered_like_targets():
    targets = torch.tensor([1.0, 2.0, 3.0])
    assert pairwise_ranking(targets, targets) < pairwise_ranking(-targets, targets)


def test_stays_finite_for_huge_scores():
    scores = torch.tensor([1e4, -1e4, 0.0], requires_grad=True)
    loss = pairwise_ranking(scores, torch.tensor([0.0, 1.0, 2.0]))
    loss.backward()
    # Two of three unordered pairs are the wrong way round, by 2e4 and 1e4, and count twice.
    assert loss.item() == pytest.approx(2 * (2e4 + 1e4))
    assert scores.grad is not None
    assert scores.grad.tolist() == [4.0, -2.0, -2.0]


#: Formulas of BONAS's equation 6 and section 4.5, from predicted and true accuracies.
FORMULAS = {
    "exponential": lambda n, e, pairs: (
        sum((math.exp(true) - 1) * (guess - true) ** 2 for guess, true in pairs) / (n * (e - 1))
    ),
    "log": lambda n, e, pairs: (
        sum(math.log(true + 1) * (guess - true) ** 2 for guess, true in pairs) / (n * math.log(2))
    ),
    "linear": lambda n, e, pairs: sum(true * (guess - true) ** 2 for guess, true in pairs) / n,
    "mse": lambda n, e, pairs: sum((guess - true) ** 2 for guess, true in pairs) / n,
}
fractions = st.floats(0, 1)


@pytest.mark.parametrize("name", FORMULAS)
@given(st.lists(st.tuples(fractions, fractions), min_size=1, max_size=8))
def test_weighted_squares_are_the_formulas_of_accuracies(name, accuracies):
    guesses, truths = torch.tensor(accuracies, dtype=torch.float64).T
    loss = weighted_square(name)(1 - guesses, 1 - truths)
    expected = FORMULAS[name](len(accuracies), math.e, accuracies)
    assert float(loss) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_weighted_squares_by_hand():
    # Two cells of accuracies 1 and 0.5, predicted as 0.9 and 0.8: squares 0.01 and 0.09.
    errors, truths = torch.tensor([0.1, 0.2]), torch.tensor([0.0, 0.5])
    expected = {"exponential": 0.0219893, "log": 0.0313233, "linear": 0.0275, "mse": 0.05}
    for name, value in expected.items():
        assert float(weighted_square(name)(errors, truths)) == pytest.approx(value, rel=1e-4)


def test_a_perfect_cell_weighs_one_and_worse_ones_weigh_less():
    accuracies = torch.linspace(0, 1, 11, dtype=torch.float64)
    for name, weight in WEIGHTS.items():
        weights = weight(accuracies)
        assert float(weights[-1]) == pytest.approx(1)
        assert (weights.diff() > 0).all() or name == "mse"
    # Figure 5(a): the exponential falls fastest from there, then the line, then the logarithm.
    inside = accuracies[1:-1]
    assert (WEIGHTS["exponential"](inside) < inside).all()
    assert (inside < WEIGHTS["log"](inside)).all()
