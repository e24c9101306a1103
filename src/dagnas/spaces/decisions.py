"""Spaces of decisions: walks through a directed multigraph (NAS over a graph search space)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError, unknown
from dagnas.spaces.base import Space

#: Numbers of the actions taken, from the first state on.
Walk = tuple[int, ...]

_ARROW = " > "
_MOST = 1_000_000


class DecisionSpace(Space[list[Walk]]):
    """Architectures as walks: each state is a decision, and each action leads to the next one.

    The states and actions are a directed multigraph (section 2 of the paper): several actions may
    lead to one state, and states may be visited again. A walk starts at the first state and is an
    architecture when it reaches the end. The usual sequence of decisions is the special case of a
    `chain`.

    A cap keeps walks finite where there are cycles: with ``r`` actions left, an action is open only
    if the end can be reached from its target with ``r - 1`` more.

    Parameters
    ----------
    name : str
    states : mapping of str to mapping of str to str or None
        Actions of every state, and the state that each leads to; None for the end. The first state
        is the start.
    cap : int, optional
        Actions of the longest walk; required if there are cycles. By default the number of states,
        which no walk without cycles exceeds.

    Raises
    ------
    DagnasError
        An action leads to a state that does not exist, a state cannot be reached, has no actions,
        or does not lead to the end, nothing ends a walk, or the cap is too small or missing.

    Examples
    --------
    Any number of layers, each of one of two kinds:

    >>> DecisionSpace("layers", {
    ...     "kind": {"convolution": "more", "pooling": "more"},
    ...     "more": {"yes": "kind", "no": None},
    ... }, cap=40)
    <space layers>
    """

    kind = "walks"

    def __init__(
        self, name: str, states: Mapping[str, Mapping[str, str | None]], cap: int | None = None
    ) -> None:
        self.name = name
        #: Names of states, the start first.
        self.states = tuple(states)
        #: Names of the actions of every state.
        self.actions = tuple(tuple(actions) for actions in states.values())
        self._check_names(states)
        end, width = len(states), max(map(len, self.actions))
        number = {state: n for n, state in enumerate(self.states)}
        #: Number of the state that action a of state s leads to at [s, a], S for the end, -1 where
        #: s has no such action; shape (S, A).
        self.targets = np.full((end, width), -1)
        for row, actions in zip(self.targets, states.values(), strict=True):
            row[: len(actions)] = [end if to is None else number[to] for to in actions.values()]
        #: Least number of actions from every state to the end, shape (S + 1,).
        self.distance = self._distances()
        self._check_graph()
        self.cap = self._checked_cap(cap)

    @classmethod
    def chain(cls, name: str, decisions: Mapping[str, Sequence[str]]) -> DecisionSpace:
        """Space in which every decision is taken once, in order: the usual linear space."""
        following = [*decisions, None][1:]
        return cls(
            name,
            {
                decision: dict.fromkeys(actions, after)
                for (decision, actions), after in zip(decisions.items(), following, strict=True)
            },
        )

    def __repr__(self) -> str:
        return f"<space {self.name}>"

    # Checks of the declaration.

    def _refuse(self, why: str) -> DagnasError:
        return DagnasError(f"space {self.name!r}: {why}")

    def _check_names(self, states: Mapping[str, Mapping[str, str | None]]) -> None:
        if not states:
            raise self._refuse("it has no states")
        for state, actions in states.items():
            if not actions:
                raise self._refuse(f"state {state!r} has no actions")
            for action, target in actions.items():
                if not action or _ARROW.strip() in action:
                    raise self._refuse(f"action {action!r} of state {state!r}: no such name")
                if target is not None and target not in states:
                    raise self._refuse(
                        f"action {action!r} of state {state!r} leads to "
                        f"{unknown('state', target, states)} (None ends a walk)"
                    )

    def _distances(self) -> NDArray[np.int64]:
        far = len(self.states) + 1
        distance = np.full(far, far)
        distance[-1] = 0
        # No shortest walk has more actions than there are states.
        for _ in self.states:
            nearest = np.where(self.targets < 0, far, distance[self.targets]).min(axis=1)
            distance[:-1] = np.minimum(distance[:-1], nearest + 1)
        return distance

    def _check_graph(self) -> None:
        end = len(self.states)
        if not (self.targets == end).any():
            raise self._refuse("no action ends a walk: let one lead to None")
        reached, fresh = {0}, {0}
        while fresh:
            fresh = {int(n) for s in fresh for n in self.targets[s] if 0 <= n < end} - reached
            reached |= fresh
        if lost := [self.states[s] for s in range(end) if s not in reached]:
            raise self._refuse(f"{self.states[0]!r}, the start, does not lead to {_listed(lost)}")
        if dead := [self.states[s] for s in range(end) if self.distance[s] > end]:
            raise self._refuse(f"no walk ends from {_listed(dead)}")

    def _checked_cap(self, cap: int | None) -> int:
        if cap is None:
            if self.is_cyclic:
                raise self._refuse("it has cycles, so walks need a cap: the most actions of a walk")
            return len(self.states)
        if cap < self.distance[0]:
            raise self._refuse(f"cap is {cap}; the shortest walk has {self.distance[0]} actions")
        return cap

    @cached_property
    def is_cyclic(self) -> bool:
        """True if a walk can visit a state twice."""
        # Remove states that no other state leads to, again and again; those left are on a cycle or
        # behind one.
        end = len(self.states)
        arrows = np.zeros((end, end), dtype=bool)
        for state, row in enumerate(self.targets):
            arrows[state, row[(row >= 0) & (row < end)]] = True
        left = np.ones(end, dtype=bool)
        while (first := left & ~arrows[left].any(axis=0)).any():
            left &= ~first
        return bool(left.any())

    # Walks.

    def open_actions(self, left: int) -> NDArray[np.bool_]:
        """Actions from whose target the end can be reached; shape (S, A).

        Parameters
        ----------
        left : int
            Actions left before the cap, this one included.
        """
        near: NDArray[np.bool_] = self.distance[self.targets] < left
        return (self.targets >= 0) & near

    def sample(self, n: int, rng: np.random.Generator) -> list[Walk]:
        """Draw ``n`` walks, each action uniformly among those open."""
        return [self._draw(rng) for _ in range(n)]

    def _draw(self, rng: np.random.Generator) -> Walk:
        state, walk = 0, list[int]()
        while state < len(self.states):
            actions = np.flatnonzero(self.open_actions(self.cap - len(walk))[state])
            walk.append(int(rng.choice(actions)))
            state = int(self.targets[state, walk[-1]])
        return tuple(walk)

    def visited(self, walk: Walk) -> list[int]:
        """Numbers of the states in which a walk's actions were taken."""
        states = [0]
        for action in walk[:-1]:
            states.append(int(self.targets[states[-1], action]))
        return states

    def decisions(self, walk: Walk) -> list[tuple[str, str]]:
        """States and actions of a walk, by name, as an objective takes them."""
        return [
            (self.states[state], self.actions[state][action])
            for state, action in zip(self.visited(walk), walk, strict=True)
        ]

    def count(self) -> int:
        """Number of walks."""
        end = len(self.states)
        ways = [0] * end + [1]
        for left in range(1, self.cap + 1):
            is_open = self.open_actions(left)
            ways = [
                sum(ways[target] for target in self.targets[state][is_open[state]])
                for state in range(end)
            ] + [1]
        return ways[0]

    def enumerate(self) -> list[Walk]:
        """All walks.

        Raises
        ------
        DagnasError
            There are more than a million.
        """
        if (number := self.count()) > _MOST:
            raise self._refuse(f"it has {number:,} walks, too many to list")
        return list(self._walks(0, self.cap))

    def _walks(self, state: int, left: int) -> Iterator[Walk]:
        if state == len(self.states):
            yield ()
            return
        for action in np.flatnonzero(self.open_actions(left)[state]).tolist():
            for rest in self._walks(int(self.targets[state, action]), left - 1):
                yield (action, *rest)

    # Text.

    def pack(self, batch: list[Walk]) -> NDArray[np.object_]:
        """Texts of walks, shape (B,)."""
        return np.array(self.to_str(batch), dtype=object)

    def unpack(self, codes: NDArray[np.object_]) -> list[Walk]:
        """Walks of the texts that ``pack`` gives."""
        return self.from_str(codes.tolist())

    def to_str(self, batch: list[Walk]) -> list[str]:
        """Names of the actions, such as ``convolution > yes > pooling > no``."""
        return [_ARROW.join(action for _, action in self.decisions(walk)) for walk in batch]

    def from_str(self, texts: list[str]) -> list[Walk]:
        """Walks from the names of their actions."""
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> Walk:
        state, walk, end = 0, list[int](), len(self.states)
        for name in text.split(_ARROW):
            if state == end:
                raise self._refuse(f"{text!r} continues after the end")
            if name not in self.actions[state]:
                error = unknown(f"action of {self.states[state]!r}", name, self.actions[state])
                raise self._refuse(f"{text!r}: {error}")
            walk.append(self.actions[state].index(name))
            state = int(self.targets[state, walk[-1]])
        if state != end:
            raise self._refuse(f"{text!r} stops at {self.states[state]!r}, before the end")
        if len(walk) > self.cap:
            raise self._refuse(f"{text!r} has {len(walk)} actions, the cap is {self.cap}")
        return tuple(walk)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
