"""Base class of search spaces: sampling, and compact and readable forms of architectures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError

Batch = TypeVar("Batch")


class TooMany(DagnasError):
    """Refusal to list all architectures of a space, since there are too many.

    Parameters
    ----------
    name : str
        Name of the space.
    count : int
        Number of its architectures.
    kind : str
        Kind of these, as `Space.kind`.
    """

    def __init__(self, name: str, count: int, kind: str) -> None:
        super().__init__(f"{name} has {count:,} {kind}, too many to list; sample them instead")


class Space(ABC, Generic[Batch]):
    """Set of architectures, handled in batches: `CellSpace`, `DecisionSpace`.

    A batch has a length, and its slices are batches.

    Attributes
    ----------
    name : str
    kind : str
        Kind of its architectures: "cells", "walks".
    """

    name: str
    kind: ClassVar[str]

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> Batch:
        """Draw ``n`` architectures."""

    def drawing(self, draw: str) -> Self:
        """Same space with another way of drawing in `sample`, a `dagnas.spaces.draws.Draw`.

        Raises
        ------
        DagnasError
            It cannot draw so.
        """
        raise DagnasError(f"{self.name} draws {self.kind} in one way alone: no draw is {draw!r}")

    @abstractmethod
    def enumerate(self) -> Batch:
        """All architectures of the space, each once.

        Raises
        ------
        TooMany
            There are too many to list.
        """

    @abstractmethod
    def pack(self, batch: Batch) -> NDArray[Any]:
        """Compact codes of architectures, numbers or texts; shape (B,)."""

    @abstractmethod
    def unpack(self, codes: NDArray[Any]) -> Batch:
        """Architectures from the codes that ``pack`` gives."""

    @abstractmethod
    def to_str(self, batch: Batch) -> list[str]:
        """Text of every architecture; ``from_str`` reads it back."""

    @abstractmethod
    def from_str(self, texts: list[str]) -> Batch:
        """Architectures from their texts.

        Raises
        ------
        DagnasError
            A text is not an architecture of this space.
        """
