"""Pareto fronts and hypervolumes, against brute force."""

from itertools import product

import numpy as np
import pytest

from dagnas.benchmarks.absent import ABSENT
from dagnas.errors import DagnasError
from dagnas.search.models.pareto import Frame, front, hypervolume, hypervolume_curve, present


def dominates(one, other):
    better = [one[0] >= other[0], *(a <= b for a, b in zip(one[1:], other[1:], strict=True))]
    return all(better) and any(a != b for a, b in zip(one, other, strict=True))


def rows_of(seed, costs, size=40):
    """Objectives with ties and equal rows."""
    return np.random.default_rng(seed).integers(8, size=(size, 1 + costs)).astype(float)


@pytest.mark.parametrize("costs", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_no_row_dominates(seed, costs):
    rows = rows_of(seed, costs)
    expected = [n for n, row in enumerate(rows) if not any(dominates(o, row) for o in rows)]
    assert front(rows).tolist() == expected


def test_of_equal_rows_all_are_in_the_front():
    assert front(np.array([[1.0, 2.0], [0.0, 3.0], [1.0, 2.0]])).tolist() == [0, 2]
    assert front(np.empty((0, 2))).tolist() == []


def boxes(rows, frame):
    """Volume, by the boxes between all coordinates: a box counts if a row dominates it."""
    low = np.array([-frame.best[0], *frame.best[1:]])
    high = np.array([-frame.worst[0], *frame.worst[1:]])
    losses = (np.c_[-rows[:, :1], rows[:, 1:]] - low) / (high - low)
    edges = [np.unique(np.append(column[column < 1], 1.0)) for column in losses.T]
    total = 0.0
    for place in product(*(range(len(edge) - 1) for edge in edges)):
        corner = np.array([edge[i] for edge, i in zip(edges, place, strict=True)])
        if (losses <= corner).all(axis=1).any():
            sides = [edge[i + 1] - edge[i] for edge, i in zip(edges, place, strict=True)]
            total += np.prod(sides)
    return total


@pytest.mark.parametrize("costs", [0, 1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_hypervolume_is_the_sum_of_dominated_boxes(seed, costs):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(12, 1 + costs))
    # Some rows are beyond either corner.
    best, worst = np.full(1 + costs, -1.5), np.full(1 + costs, 1.0)
    best[0], worst[0] = 1.5, -1.0
    frame = Frame(best, worst)
    assert hypervolume(rows, frame) == pytest.approx(boxes(rows, frame), rel=1e-9)


def test_hypervolume_of_cases_on_paper():
    frame = Frame(np.array([90.0, 0.0]), np.array([80.0, 2.0]))
    assert hypervolume(np.array([[90.0, 0.0]]), frame) == pytest.approx(1)
    assert hypervolume(np.array([[85.0, 1.0]]), frame) == pytest.approx(0.25)
    # Two rectangles of a quarter by three quarters, less what they share.
    both = np.array([[82.5, 0.5], [87.5, 1.5]])
    assert hypervolume(both, frame) == pytest.approx(2 * 3 / 16 - 1 / 16)
    # Neither the reference point nor what is worse in one objective counts.
    assert hypervolume(np.array([[80.0, 0.0], [95.0, 2.0], [79.0, 0.0]]), frame) == 0
    assert hypervolume(np.empty((0, 2)), frame) == 0


@pytest.mark.parametrize("costs", [0, 1, 2])
def test_the_curve_is_the_hypervolume_of_every_beginning(costs):
    rows = rows_of(3, costs)
    frame = Frame.of(rows_of(4, costs, 10))
    curve = hypervolume_curve(rows, frame)
    expected = [hypervolume(rows[: n + 1], frame) for n in range(len(rows))]
    np.testing.assert_allclose(curve, expected, rtol=1e-12)
    assert (np.diff(curve) >= 0).all()
    assert hypervolume_curve(rows[:0], frame).shape == (0,)


def test_a_frame_of_rows_has_their_extremes():
    frame = Frame.of(np.array([[90.0, 3.0, 7.0], [70.0, 1.0, 7.0]]))
    assert frame.best.tolist() == [90, 1, 7]
    assert frame.worst.tolist() == [70, 3, 8]
    assert frame.normalise(np.array([[80.0, 3.0, 7.5]])).tolist() == [[0.5, 1, 0.5]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: front(np.zeros(3)), r"shape \(3,\)"),
        (lambda: front(np.array([[np.nan, 1.0]])), "NaN"),
        (lambda: Frame.of(np.empty((0, 2))), "no objectives"),
        (lambda: hypervolume(np.zeros((2, 3)), Frame(np.ones(2), np.zeros(2))), "3 objectives"),
        (lambda: hypervolume(np.zeros((2, 2)), Frame(np.zeros(2), np.ones(2))), "larger signal"),
    ],
)
def test_what_is_no_front_is_refused(call, words):
    with pytest.raises(DagnasError, match=words):
        call()


def test_rows_without_costs_are_nowhere():
    rows = np.array([[50.0, 2.0], [99.0, ABSENT], [40.0, 1.0], [0.0, ABSENT]])
    assert present(rows).tolist() == [True, False, True, False]
    assert front(rows).tolist() == [0, 2]
    assert front(rows[1::2]).tolist() == []
    frame = Frame.of(rows)
    assert (frame.best.tolist(), frame.worst.tolist()) == ([50, 1], [40, 2])
    wide = Frame(np.array([100.0, 0.0]), np.array([0.0, 3.0]))
    assert hypervolume(rows, wide) == hypervolume(rows[::2], wide) > 0
    assert hypervolume_curve(rows[1:], wide)[0] == 0
