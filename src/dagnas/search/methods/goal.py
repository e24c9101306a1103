"""GOAL: graph optimized neural architecture learning."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from dagnas.search.method import Proposal, Trial, method
from dagnas.search.models.surrogate import Surrogate
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs, concatenate

#: When members of the pool stop stepping.
Until = Literal["each", "enough"]


@method(per_space={"nasbench101": {"initial": 64}})
def goal(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    device: str = "cpu",
    initial: PositiveInt = 32,
    proposals: PositiveInt = 5,
    step_size: PositiveFloat = 1.0,
    epochs: PositiveInt = 25,
    predictor: str = "ecc",
    restart: bool = False,
    sameness: Sameness = "class",
    until: Until = "each",
    max_steps: PositiveInt = 10,
    observe: Callable[[Surrogate], None] | None = None,
) -> Trial:
    """Alternate training of a surrogate with proximal gradient steps (GOAL, algorithm 1).

    Parameters
    ----------
    initial : int
        N, random cells in the first pool: 32, and 64 on NAS-Bench-101 (section 6.3).
    proposals : int
        K, cells evaluated in each round.
    step_size : float
        mu of equation 4.
    epochs : int
        Training epochs of the surrogate in each round.
    predictor : str
        Name of the surrogate's model.
    restart : bool
        Whether each round trains a new model instead of continuing with the last one.
    sameness : {"cell", "class"}
        Whether a candidate is skipped if this very cell was evaluated, or also if a cell
        isomorphic to it was.
    until : {"each", "enough"}
        Whether the members of the pool step by equation 4 until each has reached a new cell, or
        until K new cells are reached in all.
    max_steps : int
        Steps of equation 4 that a member takes at most.
    observe : callable, optional
        Told the surrogate before its first training, for callers who want to keep it.
    """
    seen = Seen(space, sameness)
    cells = sample_new(space, initial, rng, seen)
    points = space.to_graph(cells)
    surrogate = Surrogate(space, predictor, rng, device, restart)
    if observe is not None:
        observe(surrogate)
    signals = yield cells
    while True:
        surrogate.fit(cells, signals, epochs)
        wanted = proposals if until == "enough" else math.inf
        candidates, relaxed, parents = _descend(
            space, surrogate, cells, points, seen, step_size, wanted, max_steps
        )
        best = np.argsort(surrogate.score(candidates), kind="stable")[:proposals]
        new, relaxed, parents = candidates[best], _take(relaxed, best), parents[best]
        seen.add(new)
        # Where gradients lead to too few new cells, random ones are added.
        fill = sample_new(space, proposals - len(new), rng, seen)
        new = concatenate([new, fill])
        if not len(new):
            return
        parents = np.concatenate([parents, np.full(len(fill), -1)])
        gained = yield Proposal(new, parents)
        cells = concatenate([cells, new])
        points = _join(points, relaxed, space.to_graph(fill))
        signals = np.concatenate([signals, gained])


def _descend(
    space: CellSpace,
    surrogate: Surrogate,
    cells: Cells,
    points: Graphs,
    seen: Seen,
    step_size: float,
    wanted: float,
    max_steps: int,
) -> tuple[Cells, Graphs, np.ndarray]:
    """Lazy proximal steps from every member of the pool (GOAL, equation 4).

    The gradient is taken at the projected cell and moves the relaxed point. One step is taken
    from every point; while fewer than ``wanted`` new cells are reached in all, the points that
    only reached known ones take further steps.

    Returns
    -------
    candidates : Cells
        New cells, each once.
    relaxed : Graphs
        Their relaxed points.
    parents : ndarray of int
        Member of the pool that each started from.
    """
    found, found_points, found_parents = [cells[:0]], [_take(points, slice(0))], [np.arange(0)]
    origin = np.arange(len(cells))
    known = Seen(space, seen.sameness)
    for _ in range(max_steps):
        gradient = surrogate.gradient(cells)
        points = Graphs(
            points.nodes - step_size * gradient.nodes, points.edges - step_size * gradient.edges
        )
        cells = space.project(points)
        new = np.intersect1d(seen.new(cells), known.new(cells))
        found.append(cells[new])
        found_points.append(_take(points, new))
        found_parents.append(origin[new])
        known.add(cells[new])
        if sum(map(len, found)) >= wanted:
            break
        rest = np.setdiff1d(np.arange(len(cells)), new)
        cells, points, origin = cells[rest], _take(points, rest), origin[rest]
        if not len(rest):
            break
    return concatenate(found), _join(*found_points), np.concatenate(found_parents)


def _take(graphs: Graphs, index: np.ndarray | slice) -> Graphs:
    return Graphs(graphs.nodes[index], graphs.edges[index])


def _join(*graphs: Graphs) -> Graphs:
    return Graphs(
        np.concatenate([part.nodes for part in graphs]),
        np.concatenate([part.edges for part in graphs]),
    )


#: GOAL with a multilayer perceptron in place of the graph network (GOAL, section 6.3).
goal_mlp = goal.variant("goal_mlp", __name__, predictor="mlp")
