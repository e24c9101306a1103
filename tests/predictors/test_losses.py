"""The ranking loss against the double loop of equation 3."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dagnas.predictors.core.losses import pairwise_ranking

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
