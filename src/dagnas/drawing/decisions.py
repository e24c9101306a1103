"""Pictures of spaces of decisions: states as boxes, actions as arrows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from dagnas.spaces.decisions import DecisionSpace

#: Most names of actions that an arrow carries; of more, the first, the last and the number.
_NAMES = 3
# In data units, which are as long as INCHES.
_HEIGHT, _ROW, _GAP, _LETTER = 0.5, 1.3, 1.7, 0.105
INCHES = 0.75


class _Arrow(NamedTuple):
    """All actions from one state to another."""

    tail: int
    head: int
    label: str


def draw_decisions(space: DecisionSpace, ax: Axes | None = None) -> Axes:
    """Draw a space of decisions from left to right, actions with one target as one arrow.

    Parameters
    ----------
    space : DecisionSpace
    ax : Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    Axes
    """
    names = [*space.states, "end"]
    width = 0.4 + _LETTER * max(map(len, names))
    column, row = _grid(space)
    x = {state: (width + _GAP) * number for state, number in column.items()}
    y = {state: _ROW * number for state, number in row.items()}
    sides = (min(x.values()) - width, max(x.values()) + width)
    heights = (min(y.values()) - _ROW, max(y.values()) + (1.6 if space.is_cyclic else 1) * _ROW)
    if ax is None:
        size = (INCHES * (sides[1] - sides[0]), INCHES * (heights[1] - heights[0]))
        ax = Figure(figsize=size, layout="constrained").add_subplot()
    ax.set(xlim=sides, ylim=heights, aspect="equal", anchor="W")
    ax.set_axis_off()
    boxes = {}
    for state, name in enumerate(names):
        is_end, is_start = state == len(space.states), state == 0
        boxes[state] = FancyBboxPatch(
            (x[state] - width / 2, y[state] - _HEIGHT / 2),
            width,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.15",
            facecolor="#222222" if is_end else "#fce5cd" if is_start else "#cfe2f3",
            edgecolor="#222222",
            zorder=3,
        )
        ax.add_patch(boxes[state])
        ink = "white" if is_end else "#222222"
        ax.text(x[state], y[state], name, ha="center", va="center", fontsize=9, zorder=4, color=ink)
    for arrow in _arrows(space):
        start, stop = ((x[state], y[state]) for state in (arrow.tail, arrow.head))
        span = column[arrow.head] - column[arrow.tail]
        _draw_arrow(ax, arrow, np.array(start), np.array(stop), span, boxes)
    return ax


def _arrows(space: DecisionSpace) -> list[_Arrow]:
    arrows = []
    for state, (names, row) in enumerate(zip(space.actions, space.targets, strict=True)):
        targets = row[: len(names)].tolist()
        for target in dict.fromkeys(targets):
            chosen = [name for name, to in zip(names, targets, strict=True) if to == target]
            arrows.append(_Arrow(state, target, _label(chosen)))
    return arrows


def _label(names: list[str]) -> str:
    if len(names) <= _NAMES:
        return ", ".join(names)
    return f"{names[0]} \u2026 {names[-1]} ({len(names)})"


def _grid(space: DecisionSpace) -> tuple[dict[int, int], dict[int, float]]:
    """Column of every state and of the end, by actions from the start; and row, from the middle."""
    end = len(space.states)
    column, waiting = {0: 0}, [0]
    for state in waiting:
        for target in dict.fromkeys(space.targets[state].tolist()):
            if 0 <= target < end and target not in column:
                column[target] = column[state] + 1
                waiting.append(target)
    column[end] = max(column.values()) + 1
    row: dict[int, float] = {}
    for number in set(column.values()):
        members = [state for state, its in column.items() if its == number]
        row |= {state: (len(members) - 1) / 2 - place for place, state in enumerate(members)}
    return column, row


def _draw_arrow(
    ax: Axes,
    arrow: _Arrow,
    start: Any,
    stop: Any,
    span: int,
    boxes: dict[int, FancyBboxPatch],
) -> None:
    """One arrow over ``span`` columns and its label, where the curve is farthest from the line."""
    ends: dict[str, Any] = {"patchA": boxes[arrow.tail], "patchB": boxes[arrow.head]}
    if arrow.tail == arrow.head:
        corner = np.array([0.3, _HEIGHT / 2])
        start, stop, bend, ends = start + corner * [-1, 1], stop + corner, -1.5, {}
    else:
        # An arrow back, or over other columns, goes around them, within the picture's margin.
        far = float(np.hypot(*(stop - start)))
        bend = 0.0 if span == 1 else min(0.4, 3 * _ROW / far) * (-1 if span > 1 else 1)
    ax.add_patch(
        FancyArrowPatch(
            start,
            stop,
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=11,
            color="#555555",
            zorder=2,
            shrinkA=0,
            shrinkB=1,
            **ends,
        )
    )
    along = stop - start
    x, y = (start + stop) / 2 + bend / 2 * np.array([along[1], -along[0]])
    back = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    ax.text(x, y, arrow.label, ha="center", va="center", fontsize=7.5, zorder=2.5, bbox=back)
