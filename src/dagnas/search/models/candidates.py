"""Candidates of Bayesian optimisation: all cells of a space, or a pool by mutation.

A candidate is what the features tell apart. Cells of equal features, such as isomorphic ones, are
one candidate: the model cannot prefer one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.search.models.matern import Array, Blocks, distances
from dagnas.search.models.path_features import path_features, place_features, size_features
from dagnas.search.pool import Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate
from dagnas.spaces.vectors import VectorSpace

#: Cells that are evaluated besides one of each class of isomorphic ones.
Sameness = Literal["cell", "class", "auto"]

#: Lists of more candidates than this hold single precision, and `SHORT` of them are looked at.
MANY, SHORT = 20_000, 16_384
#: Rows whose distances set the scale of a block, and random cells that do where none are listed.
ROWS = 500
#: Evaluated architectures, the best, that are mutated; steps of a mutation at most.
PARENTS, MOVES = 10, 3


class Scale(NamedTuple):
    """Affine map of each block to mean 0, variance 1 a feature, and median distance 1.

    Attributes
    ----------
    means, units : list of ndarray, shape (d_b,)
        Infinite units for features that are constant, which so vanish.
    """

    means: list[NDArray[np.float64]]
    units: list[NDArray[np.float64]]

    @staticmethod
    def of(blocks: Blocks) -> Scale:
        """Scale by some architectures; distances are those of evenly spaced ones."""
        means, units = [], []
        for block in blocks:
            mean, sd = block.mean(axis=0), block.std(axis=0)
            unit = np.where(sd > 1e-9, sd, np.inf)
            some = np.linspace(0, len(block) - 1, min(ROWS, len(block))).astype(np.int64)
            rows = (block[some] - mean) / unit
            gaps = distances(rows, rows)
            gaps = gaps[gaps > 1e-6]
            means.append(mean)
            units.append(unit * (np.median(gaps) if len(gaps) else 1.0))
        return Scale(means, units)

    def apply(self, blocks: Blocks) -> list[Array]:
        """Blocks in this scale."""
        return [
            (block - mean) / unit
            for block, mean, unit in zip(blocks, self.means, self.units, strict=True)
        ]


def cell_blocks(space: CellSpace, cells: Cells, places: bool) -> list[NDArray[np.float64]]:
    """Blocks of features of class representatives: paths, sizes where known, places if asked."""
    blocks = [path_features(space, cells), size_features(space, cells)]
    if places:
        blocks.append(place_features(space, cells))
    return [block for block in blocks if block.shape[1]]


def fixed_places(space: CellSpace) -> bool:
    """Whether places mean something by themselves, as in a chain: no two cells are isomorphic."""
    # Any cells would tell; that they are always the same makes this a property of the space.
    # Drawn by variables: drawn by classes they would stand for these, and so be canonical.
    some = space.drawing("variables").sample(256, np.random.default_rng(0))
    return bool((space.canonical(some) == space.pack(some)).all())


class Listing(NamedTuple):
    """All cells of a space, and their features, each row once.

    Attributes
    ----------
    codes : ndarray of int, shape (N,)
        Packed numbers, ascending.
    classes : ndarray of int, shape (N,)
        Number of each cell's class of isomorphic cells.
    rows : ndarray of int, shape (N,)
        Row of each cell's features.
    blocks : list of ndarray, shape (R, d_b)
        Scaled features.
    """

    codes: NDArray[np.int64]
    classes: NDArray[np.int64]
    rows: NDArray[np.int64]
    blocks: list[Array]


@lru_cache(maxsize=2)
def listing(space: CellSpace) -> Listing:
    """List a space; kept, so that the trials of a process share it.

    Raises
    ------
    TooMany
        It has too many cells.
    """
    codes = np.sort(space.pack(space.enumerate()))
    representatives, classes = np.unique(space.canonical(space.unpack(codes)), return_inverse=True)
    blocks = cell_blocks(space, space.unpack(representatives), fixed_places(space))
    # One number a row: the same for equal rows, and far quicker to sort than rows.
    table = np.hstack(blocks).round(6)
    numbers = (table * np.random.default_rng(0).normal(size=table.shape[1])).sum(axis=1)
    _, first, rows = np.unique(numbers, return_index=True, return_inverse=True)
    precision = np.float32 if len(first) > MANY else np.float64
    scaled = Scale.of(blocks).apply([block[first] for block in blocks])
    return Listing(codes, classes, rows[classes], [block.astype(precision) for block in scaled])


class Listed:
    """All cells of a space as candidates, in trials that evaluate each cell once at most.

    Parameters
    ----------
    space : CellSpace
    sameness : {"cell", "class", "auto"}
        Whether isomorphic cells are evaluated: all, one of them, or, "auto", all until two of them
        show that a class shares its trainings.

    Attributes
    ----------
    fresh : bool
        Whether `shortlist` gives other candidates each time.
    """

    fresh = False

    def __init__(self, space: CellSpace, sameness: Sameness) -> None:
        self._space, self._sameness = space, sameness
        self._all = listing(space)
        self._free = np.ones(len(self._all.codes), dtype=bool)
        self._taken = np.empty(0, dtype=np.int64)
        self._short = np.arange(len(self._all.blocks[0]))

    @property
    def known(self) -> list[Array]:
        """Features of what was evaluated, shape (n, d_b) each."""
        return [block[self._all.rows[self._taken]] for block in self._all.blocks]

    def sample(self, n: int, rng: np.random.Generator) -> Cells:
        """Draw up to ``n`` cells as the space draws."""
        return sample_new(self._space, n, rng, Seen(self._space, "class"))

    def take(self, cells: Cells, signals: NDArray[np.float64]) -> None:
        """Note evaluated cells; with the signals, shape (n,), of all that were evaluated."""
        self._taken = np.append(self._taken, self._find(cells))
        self._free[self._taken] = False
        of = self._all.classes[self._taken]
        if self._sameness == "auto" and shares_trainings(of, signals):
            self._sameness = "class"
        if self._sameness == "class":
            self._free &= ~np.isin(self._all.classes, of)

    def _find(self, cells: Cells) -> NDArray[np.int64]:
        """Numbers of cells in the list, or of their representatives where these stand for them."""
        codes, listed = self._space.pack(cells), self._all.codes
        place = np.minimum(np.searchsorted(listed, codes), len(listed) - 1)
        stand_in = np.searchsorted(listed, self._space.canonical(cells))
        return np.where(listed[place] == codes, place, stand_in)

    def shortlist(self, mean: Callable[[Blocks], NDArray[np.float64]]) -> list[Array]:
        """Features of the candidates worth a closer look.

        These are all; of many those of the largest means.

        Parameters
        ----------
        mean : callable
            Posterior mean at points given by their features.
        """
        blocks = self._all.blocks
        if len(blocks[0]) > MANY:
            means = np.where(self._open(), mean(blocks), -np.inf)
            self._short = np.sort(np.argpartition(-means, SHORT)[:SHORT])
        return [block[self._short] for block in blocks]

    def _open(self) -> NDArray[np.bool_]:
        """Candidates of which a cell is left, shape (R,)."""
        return np.bincount(self._all.rows[self._free], minlength=len(self._all.blocks[0])) > 0

    def best(self, scores: NDArray[np.float64], rng: np.random.Generator) -> Cells:
        """Draw a cell left of the candidate of the largest score; none if all were evaluated.

        Parameters
        ----------
        scores : ndarray, shape (R',)
            Of the candidates of the last shortlist.
        """
        left = np.where(self._open()[self._short], scores, -np.inf)
        if not len(left) or np.isneginf(left.max()):
            return self._space.unpack(self._all.codes[:0])
        row = self._short[left.argmax()]
        cells = np.flatnonzero(self._free & (self._all.rows == row))
        return self._space.unpack(self._all.codes[[rng.choice(cells)]])


def shares_trainings(classes: NDArray[np.int64], signals: NDArray[np.float64]) -> bool:
    """Whether two isomorphic cells, both above the median, have one signal to the last digit.

    Below the median, cells that do not learn have one accuracy however they are trained.

    Parameters
    ----------
    classes, signals : ndarray, shape (n,)
        Class and signal of each evaluation.
    """
    good = signals > np.median(signals)
    pairs = np.stack([classes[good], signals[good]])
    return bool(np.unique(pairs, axis=1).shape[1] < good.sum())


class Pool:
    """Candidates drawn for each evaluation: mutants of the best, and random ones.

    For spaces that cannot be listed, and for spaces of vectors.

    Parameters
    ----------
    space : CellSpace or VectorSpace
    size : int
        Candidates at a time.
    rng : numpy Generator
    """

    fresh = True

    def __init__(self, space: CellSpace | VectorSpace, size: int, rng: np.random.Generator) -> None:
        self._space, self._size, self._rng = space, size, rng
        some = space.sample(ROWS, rng)
        self._scale = Scale.of(self._features(some))
        self._evaluated: Any = space.sample(0, rng)
        self._signals = np.empty(0)
        self._candidates: Any = self._evaluated

    def _features(self, batch: Any) -> list[NDArray[np.float64]]:
        if isinstance(self._space, VectorSpace):
            return [self._space.encode(batch)]
        representatives = self._space.unpack(self._space.canonical(batch))
        return cell_blocks(self._space, representatives, places=True)

    @property
    def known(self) -> list[Array]:
        """Features of what was evaluated, shape (n, d_b) each."""
        return self._scale.apply(self._features(self._evaluated))

    def sample(self, n: int, rng: np.random.Generator) -> Any:
        """Draw up to ``n`` architectures, no two of them equal."""
        drawn = self._space.sample(n, rng)
        return drawn[self._new(drawn)]

    def take(self, batch: Any, signals: NDArray[np.float64]) -> None:
        """Note evaluated ones; with the signals, shape (n,), of all that were evaluated."""
        self._evaluated, self._signals = _join([self._evaluated, batch]), signals

    def shortlist(self, mean: Callable[[Blocks], NDArray[np.float64]]) -> list[Array]:
        """Features of a new pool; ``mean`` is not asked."""
        rng, parents = self._rng, np.argsort(-self._signals, kind="stable")[:PARENTS]
        quarter = -(-self._size // 4)
        parts = [self._space.sample(quarter, rng)]
        moved = self._evaluated[rng.choice(parents, quarter)]
        for _ in range(MOVES):
            moved = self._space.mutate(moved, rng)
            parts.append(moved)
        if isinstance(self._space, VectorSpace):
            parts.append(self._space.near(self._evaluated[rng.choice(parents, quarter)], rng))
        pool = _join(parts)
        self._candidates = pool[self._new(pool)]
        return self._scale.apply(self._features(self._candidates))

    def _new(self, batch: Any) -> NDArray[np.int64]:
        """Indices, ascending, of those not evaluated; the first of each that is the same."""
        if isinstance(self._space, VectorSpace):
            code: Callable[[Any], NDArray[Any]] = self._space.pack
        else:
            code = self._space.canonical
        codes, first = np.unique(code(batch), return_index=True)
        return np.sort(first[~np.isin(codes, code(self._evaluated))])

    def best(self, scores: NDArray[np.float64], rng: np.random.Generator) -> Any:
        """Candidate of the largest score, a batch of one; none if there is none."""
        return self._candidates[[int(np.argmax(scores))]] if len(scores) else self._candidates


def _join(batches: list[Any]) -> Any:
    """One batch of cells or of vectors."""
    if isinstance(batches[0], Cells):
        return concatenate(batches)
    return np.concatenate(batches)
