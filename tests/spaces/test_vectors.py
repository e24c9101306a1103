"""Spaces of vectors: encoding, text, sampling, neighbours and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagnas.errors import DagnasError
from dagnas.spaces.vectors import Dimension, VectorSpace

SPACE = VectorSpace(
    "wiring",
    [
        Dimension("nodes", 3, 10, whole=True),
        Dimension("rewired", 0.1, 1.0),
        Dimension("fixed", 2, 2, whole=True),
    ],
)


def test_samples_are_valid_and_fill_their_ranges():
    drawn = SPACE.sample(4000, np.random.default_rng(0))
    assert SPACE.is_valid(drawn).all()
    assert np.bincount(drawn[:, 0].astype(int))[3:].min() > 400
    assert drawn[:, 1].min() < 0.11
    assert drawn[:, 1].max() > 0.99


@given(st.integers(0, 2**32 - 1))
def test_texts_and_points_lead_back(seed):
    drawn = SPACE.sample(5, np.random.default_rng(seed))
    assert (SPACE.from_str(SPACE.to_str(drawn)) == drawn).all()
    assert (SPACE.unpack(SPACE.pack(drawn)) == drawn).all()
    points = SPACE.encode(drawn)
    assert ((points >= 0) & (points <= 1)).all()
    np.testing.assert_allclose(SPACE.decode(points), drawn, rtol=1e-12)


def test_whole_numbers_have_equal_parts_of_the_cube():
    # Eight numbers of nodes: each is the middle of an eighth.
    points = SPACE.encode(SPACE.from_str([f"nodes={n} rewired=0.1 fixed=2" for n in range(3, 11)]))
    np.testing.assert_allclose(points[:, 0], (np.arange(8) + 0.5) / 8)
    np.testing.assert_allclose(points[:, 2], 0.5)


def test_moves_stay_within_the_space():
    rng = np.random.default_rng(0)
    drawn = SPACE.sample(500, rng)
    mutants, moved = SPACE.mutate(drawn, rng), SPACE.near(drawn, rng)
    assert SPACE.is_valid(mutants).all()
    assert SPACE.is_valid(moved).all()
    assert ((mutants != drawn).sum(axis=1) <= 1).all()


def test_whole_spaces_are_listed():
    space = VectorSpace("small", [Dimension("a", 0, 2, whole=True), Dimension("b", 1, 1)])
    assert space.enumerate().tolist() == [[0, 1], [1, 1], [2, 1]]
    with pytest.raises(DagnasError, match="continuous"):
        SPACE.enumerate()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nodes=3", "lacks rewired, fixed"),
        ("nodes=3 rewired=0.1 fixed=2 k=1", "expected each of nodes, rewired, fixed once"),
        ("nodes=3 nodes=4 rewired=0.1 fixed=2", "once"),
        ("nodes=3.5 rewired=0.1 fixed=2", "nodes is 3.5; expected a whole number from 3 to 10"),
        ("nodes=3 rewired=nan fixed=2", "rewired is nan"),
        ("nodes=3 rewired=x fixed=2", "'x' is no number"),
    ],
)
def test_texts_of_no_vector_are_refused(text, words):
    with pytest.raises(DagnasError, match=words):
        SPACE.from_str([text])


@pytest.mark.parametrize(
    ("dimensions", "words"),
    [
        ([], "no dimensions"),
        ([Dimension("a", 1, 0)], "no range"),
        ([Dimension("a", 0, float("inf"))], "no range"),
        ([Dimension("a", 0, 1), Dimension("a", 0, 1)], "each once"),
        ([Dimension("a b", 0, 1)], "identifiers"),
        ([Dimension("a", 0, 1.5, whole=True)], "no whole numbers"),
    ],
)
def test_declarations_without_sense_are_refused(dimensions, words):
    with pytest.raises(DagnasError, match=words):
        VectorSpace("bad", dimensions)
