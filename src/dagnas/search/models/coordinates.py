"""Architectures as rows of numbers, and the points of a cube that models of many objectives see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.vectors import Vectors, VectorSpace

Array = NDArray[np.float64]


class VectorCoordinates:
    """Vectors as they are; points of the unit cube, as `VectorSpace.encode` gives them.

    Parameters
    ----------
    space : VectorSpace
    """

    #: Numbers of values of each variable of NSGA-II, which here are points of the cube.
    sizes: None = None

    def __init__(self, space: VectorSpace) -> None:
        self._space = space

    def sample(self, n: int, rng: np.random.Generator) -> Vectors:
        """Draw ``n`` vectors, shape (n, d)."""
        return self._space.sample(n, rng)

    def architectures(self, rows: Vectors) -> Vectors:
        """Vectors to evaluate."""
        return rows

    def points(self, rows: Vectors) -> Array:
        """Points that models see, shape (B, d)."""
        return self._space.encode(rows)

    def rows(self, asked: Array) -> Vectors:
        """Vectors of the variables of NSGA-II."""
        return self._space.decode(asked)

    def is_valid(self, rows: Vectors) -> NDArray[np.bool_]:
        """Whether vectors are of the space; shape (B,)."""
        return self._space.is_valid(rows)

    def beginning(self, known: Vectors, population: int, rng: np.random.Generator) -> Array:
        """First population: points near known vectors, as many as random points beside them."""
        drawn = known[rng.integers(len(known), size=population // 2)]
        near = self._space.encode(self._space.near(drawn, rng))
        return np.concatenate([near, rng.random((population - len(near), near.shape[1]))])


class CellCoordinates:
    """Cells as the values of their variables; points are one-hot, a group of sides a variable.

    Values are names without an order, so that any two of a variable are as far apart.

    Parameters
    ----------
    space : CellSpace
    """

    def __init__(self, space: CellSpace) -> None:
        self._space = space
        #: Number of values of each variable.
        self.sizes = space.sizes
        self._first = np.concatenate([[0], np.cumsum(space.sizes)[:-1]])

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw the values of ``n`` cells, shape (n, number of variables)."""
        return self._values(self._space.sample(n, rng))

    def architectures(self, rows: Array) -> Cells:
        """Cells to evaluate."""
        return self._space.from_values(rows.astype(np.int64))

    def points(self, rows: Array) -> Array:
        """Points that models see, shape (B, sum of the numbers of values)."""
        points = np.zeros((len(rows), int(self.sizes.sum())))
        points[np.arange(len(rows))[:, None], self._first + rows.astype(np.int64)] = 1
        return points

    def rows(self, asked: Array) -> Array:
        """Values of the variables of NSGA-II, which are these."""
        return asked

    def is_valid(self, rows: Array) -> NDArray[np.bool_]:
        """Whether cells are of the space; shape (B,)."""
        return self._space.is_valid(self.architectures(rows))

    def beginning(self, known: Array, population: int, rng: np.random.Generator) -> Array:
        """First population: mutants of known cells, as many as random cells beside them."""
        drawn = known[rng.integers(len(known), size=population // 2)]
        near = self._values(self._space.mutate(self.architectures(drawn), rng))
        return np.concatenate([near, self.sample(population - len(near), rng)])

    def _values(self, cells: Cells) -> Array:
        return self._space.to_values(cells).astype(np.float64)
