"""Ranks and ties, against values worked out by hand."""

import numpy as np
import pytest

from dagnas.analysis.ranks import class_means, mean_of_best, percent_ranks, rounded, spearman

#: Equal as numbers of right answers, different as floats.
LOW, HIGH = 0.3, 0.1 + 0.2


def test_means_of_the_same_counts_are_equal():
    assert LOW != HIGH
    assert len(np.unique(rounded(np.array([LOW, HIGH])))) == 1


def test_spearman_gives_ties_equal_ranks():
    # Ranks 1.5, 1.5, 3 and 1, 2, 3: their correlation is sqrt(3) / 2.
    assert spearman(np.array([LOW, HIGH, 1.0]), np.array([5.0, 6.0, 7.0])) == pytest.approx(
        np.sqrt(3) / 2
    )
    assert spearman(np.array([HIGH, LOW, 1.0]), np.array([5.0, 6.0, 7.0])) == pytest.approx(
        np.sqrt(3) / 2
    )
    assert spearman(np.arange(4.0), -np.arange(4.0)) == pytest.approx(-1)


def test_percent_ranks_count_from_the_best():
    assert percent_ranks(np.array([1.0, 4.0, 3.0, 2.0])).tolist() == [100, 25, 50, 75]
    assert percent_ranks(np.array([1.0, LOW, HIGH, 0.0])).tolist() == [25, 62.5, 62.5, 100]


def test_a_class_has_the_mean_of_its_cells():
    assert class_means(np.array([7, 2, 7, 2, 9]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])).tolist() == [
        3.0,
        2.0,
        5.0,
    ]


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, 10.0),
        # The second place is shared by two that are worth 2 and 4.
        (2, (10 + 3) / 2),
        (3, (10 + 2 + 4) / 3),
        (4, (10 + 2 + 4 + 8) / 4),
    ],
)
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_the_last_places_are_shared_by_all_that_tie(k, expected, order):
    by, of = np.array([1.0, LOW, HIGH, 0.0]), np.array([10.0, 2.0, 4.0, 8.0])
    assert mean_of_best(by[order], of[order], k) == pytest.approx(expected)
