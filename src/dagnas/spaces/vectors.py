"""Spaces of vectors: a few numbers, continuous or whole, such as hyperparameters of a generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.spaces.base import Space

#: Numbers of architectures, shape (B, d).
Vectors = NDArray[np.float64]


@dataclass(frozen=True)
class Dimension:
    """A number of a vector.

    Attributes
    ----------
    name : str
        An identifier.
    low, high : float
        Range, both ends included.
    whole : bool
        Whether it is a whole number.
    """

    name: str
    low: float
    high: float
    whole: bool = False

    def text(self, value: float) -> str:
        """Value as ``name=value``, which `float` reads back exactly."""
        return f"{self.name}={int(value) if self.whole else float(value)!r}"


class VectorSpace(Space[Vectors]):
    """Architectures as vectors of a few numbers, each in a range of its own.

    Parameters
    ----------
    name : str
    dimensions : sequence of Dimension

    Raises
    ------
    DagnasError
        There are no dimensions, two have one name, or one is no identifier or has no range.

    Examples
    --------
    >>> space = VectorSpace("wiring", [Dimension("nodes", 3, 10, whole=True),
    ...                                Dimension("rewired", 0.1, 1.0)])
    >>> space.to_str(space.from_str(["nodes=4 rewired=0.25"]))
    ['nodes=4 rewired=0.25']
    """

    kind = "vectors"

    def __init__(self, name: str, dimensions: Sequence[Dimension]) -> None:
        self.name = name
        self.dimensions = tuple(dimensions)
        self._check()
        self.names = tuple(each.name for each in self.dimensions)
        #: Ends of the ranges, and which numbers are whole; shape (d,).
        self.low = np.array([each.low for each in self.dimensions], dtype=np.float64)
        self.high = np.array([each.high for each in self.dimensions], dtype=np.float64)
        self.whole = np.array([each.whole for each in self.dimensions], dtype=bool)

    def __repr__(self) -> str:
        return f"<space {self.name}>"

    def _check(self) -> None:
        if not self.dimensions:
            self._refuse("it has no dimensions")
        names = [each.name for each in self.dimensions]
        for each in self.dimensions:
            if not each.name.isidentifier() or names.count(each.name) > 1:
                self._refuse(f"dimension {each.name!r}: expected identifiers, each once")
            ends = (each.low, each.high)
            if not all(map(np.isfinite, ends)) or not each.low <= each.high:
                self._refuse(f"dimension {each.name!r} from {each.low} to {each.high}: no range")
            if each.whole and any(end != int(end) for end in ends):
                self._refuse(f"dimension {each.name!r}: its ends are no whole numbers")

    def _refuse(self, why: str) -> NoReturn:
        raise DagnasError(f"space {self.name!r}: {why}")

    # Vectors, and points of the unit cube.

    def encode(self, batch: Vectors) -> NDArray[np.float64]:
        """Points of the unit cube; shape (B, d).

        Each of n whole numbers has an n-th of the side, and is encoded as the middle of it. A
        dimension of a single value is encoded as 1/2.
        """
        points = (np.asarray(batch, np.float64) - self.low + 0.5 * self.whole) / self._widths
        return np.where(self._widths == 1, np.where(self.high > self.low, points, 0.5), points)

    def decode(self, points: NDArray[np.float64]) -> Vectors:
        """Vectors nearest to points of the unit cube, shape (B, d); those outside are moved in."""
        points = np.clip(points, 0, 1)
        numbers = np.minimum(np.floor(points * self._widths), self._widths - 1)
        values = np.where(self.whole, self.low + numbers, self.low + points * self._spans)
        return np.asarray(np.clip(values, self.low, self.high))

    @property
    def _spans(self) -> NDArray[np.float64]:
        return self.high - self.low

    @property
    def _widths(self) -> NDArray[np.float64]:
        """Numbers of values where these are whole, else lengths of the ranges; 1 for none."""
        widths = self._spans + self.whole
        return np.where(widths > 0, widths, 1.0)

    def sample(self, n: int, rng: np.random.Generator) -> Vectors:
        """Draw ``n`` vectors uniformly."""
        return self.decode(rng.random((n, len(self.dimensions))))

    def mutate(self, batch: Vectors, rng: np.random.Generator) -> Vectors:
        """Vectors of which one number, drawn uniformly among those with a range, is drawn anew."""
        free = np.flatnonzero(self.high > self.low)
        mutants, rows = np.array(batch, np.float64), np.arange(len(batch))
        if not len(free):
            return mutants
        place = free[rng.integers(len(free), size=len(batch))]
        fresh = self.sample(len(batch), rng)
        mutants[rows, place] = fresh[rows, place]
        return mutants

    def near(self, batch: Vectors, rng: np.random.Generator, sd: float = 0.1) -> Vectors:
        """Vectors moved by normal steps of standard deviation ``sd`` in the unit cube."""
        steps = rng.normal(scale=sd, size=(len(batch), len(self.dimensions)))
        return self.decode(self.encode(batch) + steps)

    def is_valid(self, batch: Vectors) -> NDArray[np.bool_]:
        """Whether numbers are in their ranges, and whole where they must be; shape (B,)."""
        inside = (batch >= self.low) & (batch <= self.high)
        return np.asarray((inside & (~self.whole | (batch == np.rint(batch)))).all(axis=1))

    def enumerate(self) -> Vectors:
        """All vectors, if all dimensions are whole.

        Raises
        ------
        DagnasError
            A dimension is continuous, or there are more than a million.
        """
        sides = (self._spans + 1).astype(np.int64)
        if not (self.whole | (self.high == self.low)).all():
            self._refuse("it has continuous dimensions, so its vectors cannot be listed")
        if (count := np.prod(sides.astype(np.float64))) > 1e6:
            self._refuse(f"it has {count:,.0f} vectors, too many to list; sample them instead")
        places = np.unravel_index(np.arange(int(count)), tuple(sides.tolist()))
        return self.low + np.stack(places, axis=1).astype(np.float64)

    # Text.

    def pack(self, batch: Vectors) -> NDArray[np.object_]:
        """Texts of vectors, shape (B,)."""
        return np.array(self.to_str(batch), dtype=object)

    def unpack(self, codes: NDArray[np.object_]) -> Vectors:
        """Vectors of the texts that ``pack`` gives."""
        return self.from_str(codes.tolist())

    def to_str(self, batch: Vectors) -> list[str]:
        """Names and values, such as ``nodes=4 rewired=0.25``."""
        return [
            " ".join(each.text(value) for each, value in zip(self.dimensions, row, strict=True))
            for row in batch
        ]

    def from_str(self, texts: list[str]) -> Vectors:
        """Vectors from names and values, in any order."""
        rows = np.array([self._read(text) for text in texts], dtype=np.float64)
        return rows.reshape(len(texts), len(self.dimensions))

    def _read(self, text: str) -> list[float]:
        given: dict[str, float] = {}
        for word in text.split():
            name, equals, number = word.partition("=")
            if not equals or name not in self.names or name in given:
                self._refuse(f"{text!r:.200}: expected each of {', '.join(self.names)} once")
            try:
                given[name] = float(number)
            except ValueError:
                self._refuse(f"{text!r:.200}: {number!r:.50} is no number")
        if missing := [name for name in self.names if name not in given]:
            self._refuse(f"{text!r:.200} lacks {', '.join(missing)}")
        for each in self.dimensions:
            value = given[each.name]
            if not each.low <= value <= each.high or (each.whole and value != int(value)):
                kind = "a whole number" if each.whole else "a number"
                self._refuse(
                    f"{text!r:.200}: {each.name} is {value:g}; expected {kind} from {each.low:g} "
                    f"to {each.high:g}"
                )
        return [given[name] for name in self.names]
