"""Spaces of decisions: walks, what is declared wrongly, pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagnas.drawing.decisions import draw_decisions
from dagnas.errors import DagnasError
from dagnas.spaces.decisions import DecisionSpace

LAYERS = {
    "kind": {"convolution": "more", "pooling": "more"},
    "more": {"yes": "kind", "no": None},
}
BRANCHES = {
    "optimizer": {"sgd": "momentum", "adam": "beta"},
    "momentum": {"0": None, "0.9": None},
    "beta": {"0.9": "decay", "0.99": "decay"},
    "decay": {"0": None, "1e-4": None, "1e-3": None},
}


def test_a_walk_follows_its_actions():
    space = DecisionSpace("branches", BRANCHES)
    (walk,) = space.from_str(["adam > 0.99 > 1e-4"])
    assert walk == (1, 1, 1)
    assert space.decisions(walk) == [("optimizer", "adam"), ("beta", "0.99"), ("decay", "1e-4")]
    assert space.visited(walk) == [0, 2, 3]


@pytest.mark.parametrize(
    ("states", "cap", "number"),
    # Two momenta, or two betas with three decays; and 2 + 2^2 + 2^3 layers of two kinds.
    [(BRANCHES, None, 8), (LAYERS, 6, 14), (LAYERS, 7, 14), (LAYERS, 2, 2)],
)
def test_walks_are_counted_and_listed(states, cap, number):
    space = DecisionSpace("some", states, cap)
    walks = space.enumerate()
    assert space.count() == number == len(walks) == len(set(walks))
    assert max(map(len, walks)) <= space.cap
    assert space.from_str(space.to_str(walks)) == walks
    assert space.unpack(space.pack(walks)) == walks


def test_too_many_walks_are_not_listed():
    space = DecisionSpace("layers", LAYERS, cap=60)
    assert space.count() == 2**31 - 2
    with pytest.raises(DagnasError, match="2,147,483,646 walks"):
        space.enumerate()


def test_a_chain_makes_every_decision_once():
    space = DecisionSpace.chain("chain", {"a": "xyz", "b": "xy", "c": "x"})
    assert (space.cap, space.count(), space.is_cyclic) == (3, 6, False)
    assert space.decisions((2, 0, 0)) == [("a", "z"), ("b", "x"), ("c", "x")]


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_drawn_walks_end_within_the_cap(seed, cap):
    space = DecisionSpace("layers", LAYERS, cap)
    for walk in space.sample(20, np.random.default_rng(seed)):
        assert len(walk) <= cap
        assert space.decisions(walk)[-1] == ("more", "no")


def test_actions_are_drawn_uniformly():
    space = DecisionSpace("branches", BRANCHES)
    drawn = space.to_str(space.sample(4000, np.random.default_rng(0)))
    # A half for the branch, and a third for the decay.
    assert np.mean([text.startswith("adam") for text in drawn]) == pytest.approx(1 / 2, abs=0.03)
    decays = [text for text in drawn if text.endswith("1e-3")]
    assert len(decays) / len(drawn) == pytest.approx(1 / 6, abs=0.03)


def test_near_the_cap_only_what_ends_in_time_is_open():
    space = DecisionSpace("layers", LAYERS, cap=5)
    assert space.open_actions(5).all()
    # From "more" with two actions left, another layer would take two, and its end one more.
    assert space.open_actions(2).tolist() == [[True, True], [False, True]]
    assert space.open_actions(1).tolist() == [[False, False], [False, True]]


@pytest.mark.parametrize(
    ("states", "cap", "message"),
    [
        ({}, None, "no states"),
        ({"a": {}}, None, "'a' has no actions"),
        ({"a": {"x": "c"}, "b": {"y": None}}, None, "unknown state 'c'.*valid: a, b"),
        ({"a": {"x": "a"}}, 3, "no action ends a walk"),
        ({"a": {"x": None}, "b": {"y": None}}, None, "'a', the start, does not lead to 'b'"),
        ({"a": {"x": None, "y": "b"}, "b": {"z": "b"}}, 5, "no walk ends from 'b'"),
        ({"a": {"x > y": None}}, None, "action 'x > y'"),
        (LAYERS, None, "cycles, so walks need a cap"),
        (LAYERS, 1, "cap is 1; the shortest walk has 2 actions"),
    ],
)
def test_faults_of_a_space_are_named(states, cap, message):
    with pytest.raises(DagnasError, match=message):
        DecisionSpace("faulty", states, cap)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rmsprop", "unknown action of 'optimizer' 'rmsprop'.*valid: adam, sgd"),
        ("adam > 0.9", "stops at 'decay'"),
        ("sgd > 0 > 0", "continues after the end"),
    ],
)
def test_faults_of_a_walk_are_named(text, message):
    with pytest.raises(DagnasError, match=message):
        DecisionSpace("branches", BRANCHES).from_str([text])


def test_a_walk_beyond_the_cap_is_refused():
    with pytest.raises(DagnasError, match="has 4 actions, the cap is 3"):
        DecisionSpace("layers", LAYERS, 3).from_str(["pooling > yes > pooling > no"])


def test_a_cycle_behind_the_start_is_found():
    states = {"a": {"x": "b"}, "b": {"y": "c", "z": None}, "c": {"w": "b"}}
    assert DecisionSpace("late", states, 5).is_cyclic
    assert not DecisionSpace("branches", BRANCHES).is_cyclic


def test_pictures_have_a_box_for_every_state_and_an_arrow_for_every_pair():
    ax = draw_decisions(DecisionSpace("branches", BRANCHES))
    texts = [text.get_text() for text in ax.texts]
    assert texts[:5] == ["optimizer", "momentum", "beta", "decay", "end"]
    assert texts[5:] == ["sgd", "adam", "0, 0.9", "0.9, 0.99", "0, 1e-4, 1e-3"]
    arrows = [patch for patch in ax.patches if type(patch).__name__ == "FancyArrowPatch"]
    assert len(arrows) == 5


def test_many_actions_are_written_short():
    ax = draw_decisions(DecisionSpace.chain("many", {"rate": list(map(str, range(1, 101)))}))
    assert "1 \u2026 100 (100)" in [text.get_text() for text in ax.texts]
