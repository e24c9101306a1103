"""What spaces of every kind have in common: what a search needs to record what it evaluates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Batch = TypeVar("Batch")


class Space(ABC, Generic[Batch]):
    """A set of architectures that come in batches: `CellSpace`, `DecisionSpace`.

    A batch has a length, and slices of it are batches.

    Attributes
    ----------
    name : str
    kind : str
        What its architectures are: "cells", "walks".
    """

    name: str
    kind: ClassVar[str]

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> Batch:
        """Draw ``n`` architectures."""

    @abstractmethod
    def enumerate(self) -> Batch:
        """All architectures of the space, each one once."""

    @abstractmethod
    def pack(self, batch: Batch) -> NDArray[Any]:
        """Architectures in as little memory as they need: numbers or texts, shape (B,)."""

    @abstractmethod
    def unpack(self, codes: NDArray[Any]) -> Batch:
        """Architectures of what ``pack`` gives."""

    @abstractmethod
    def to_str(self, batch: Batch) -> list[str]:
        """Text of every architecture; ``from_str`` reads it back."""

    @abstractmethod
    def from_str(self, texts: list[str]) -> Batch:
        """Architectures from their texts.

        Raises
        ------
        DagnasError
            A text is none of this space's.
        """
