"""LaNAS: latent action neural architecture search (Wang et al. 2019, arXiv 1906.06832)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveInt

from dagnas.search.method import Trial, method
from dagnas.search.models.tree import Node, back_up, ucb
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

_ATTEMPTS = 100


@method()
def lanas(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    initial: PositiveInt = 10,
    height: PositiveInt = 5,
    selects: PositiveInt = 20,
    exploration: NonNegativeFloat = 0.1,
    pool: PositiveInt = 10_000,
    sameness: Sameness = "class",
) -> Trial:
    """Learn a tree of good and bad regions of the space, and search in it.

    Each round learns the tree from all evaluated cells: a linear regression of accuracy on the
    one-hot cell splits every region at its mean accuracy (a latent action). Then cells are
    evaluated one by one: along upper confidence bounds from the root to a leaf, where any new
    cell of its region is evaluated; its accuracy counts for all regions passed.

    Settings are those of the released code for NAS-Bench-101. It lists the whole space instead of
    drawing a pool, fits by gradient steps, and sends evaluated cells left or right by their own
    accuracies; here each is in the region that holds it.

    Parameters
    ----------
    initial : int
        Random cells evaluated first.
    height : int
        Levels of the tree, the root's and the leaves' included.
    selects : int
        Cells evaluated in each round.
    exploration : float
        c of `ucb`, for accuracies in [0, 1].
    pool : int
        Random cells that stand for the space in each round: those of a leaf's region are drawn
        uniformly from it. A region without new ones is passed by.
    sameness : {"cell", "class"}
        Whether a cell is new if this very cell was not evaluated, or only if no cell isomorphic
        to it was.
    """
    seen = Seen(space, sameness)
    cells = sample_new(space, initial, rng, seen)
    accuracies = (yield cells) / 100
    while True:
        fresh = _draw_new(space, pool, rng, seen)
        if not len(fresh):
            return
        root = _learn(_encode(space, cells), accuracies, height)
        _fill(root, _encode(space, fresh), np.arange(len(fresh)))
        for _ in range(min(selects, len(fresh))):
            path = _select(root, exploration)
            for region in path:
                region.left -= 1
            cell = fresh[path[-1].pool[path[-1].left]]
            seen.add(cell)
            accuracy = (yield cell) / 100
            back_up(path, accuracy[0])
            cells = concatenate([cells, cell])
            accuracies = np.concatenate([accuracies, accuracy])


@dataclass(slots=True, eq=False)
class _Region(Node):
    """Part of the space: a node of the tree.

    Attributes
    ----------
    children : tuple of _Region
        The good part and the bad one; none for a leaf.
    weights, threshold : ndarray of shape (D,), float
        A one-hot cell x is in the good part if ``weights @ x >= threshold``.
    pool : ndarray of int
        Numbers of the round's new cells that lie in the region, in random order.
    left : int
        How many of these, from the first, are not evaluated yet.
    """

    children: tuple[_Region, ...] = ()
    weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    threshold: float = 0.0
    pool: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    left: int = 0

    def is_good(self, codes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each cell's predicted accuracy is the region's mean or more; shape (B,)."""
        return np.asarray(codes @ self.weights >= self.threshold)


def _encode(space: CellSpace, cells: Cells) -> NDArray[np.float64]:
    """One-hot values of all variables of pruned cells, side by side; shape (B, D)."""
    values = space.to_values(space.prune(cells))
    variable = np.repeat(np.arange(len(space.sizes)), space.sizes)
    value = np.concatenate([np.arange(size) for size in space.sizes])
    return np.asarray((values[:, variable] == value).astype(np.float64))


def _learn(codes: NDArray[np.float64], accuracies: NDArray[np.float64], height: int) -> _Region:
    """Tree of ``height`` levels over evaluated cells; a region without any is not split.

    Parameters
    ----------
    codes : ndarray, shape (B, D)
        One-hot cells.
    accuracies : ndarray, shape (B,)
        In [0, 1].
    height : int
    """
    if not len(codes):
        return _Region()
    region = _Region(len(codes), float(accuracies.mean()))
    if height > 1:
        # The one-hots of a variable add up to one: of the many solutions the smallest is taken.
        centre = codes.mean(axis=0)
        solution = np.linalg.lstsq(codes - centre, accuracies - region.mean)[0]
        region.weights, region.threshold = solution, float(centre @ solution)
        good = region.is_good(codes)
        region.children = tuple(
            _learn(codes[part], accuracies[part], height - 1) for part in (good, ~good)
        )
    return region


def _fill(region: _Region, codes: NDArray[np.float64], pool: NDArray[np.int64]) -> None:
    """Send the cells numbered ``pool`` down to the leaves."""
    region.pool, region.left = pool, len(pool)
    if region.children:
        good = region.is_good(codes[pool])
        for child, part in zip(region.children, (good, ~good), strict=True):
            _fill(child, codes, pool[part])


def _select(root: _Region, exploration: float) -> list[_Region]:
    """Regions from the root to a leaf that has new cells left."""
    path = [root]
    while path[-1].children:
        parent = path[-1]
        open_ = [child for child in parent.children if child.left]
        path.append(max(open_, key=lambda child: ucb(child, parent, exploration)))
    return path


def _draw_new(space: CellSpace, n: int, rng: np.random.Generator, seen: Seen) -> Cells:
    """New cells among ``n`` random ones; none only if there are none in a hundred such draws."""
    for _ in range(_ATTEMPTS):
        drawn = space.sample(n, rng)
        new = seen.new(drawn)
        if len(new):
            break
    return drawn[new]
