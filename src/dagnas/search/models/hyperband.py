"""Hyperband: brackets of successive halving, whoever proposes what they begin with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagnas.search.method import Proposal, Trial
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.vectors import VectorSpace

#: Epochs of a training; None where nothing is said of them.
Epochs = int | None
#: Architectures and epochs of each rung, the shortest first.
Bracket = list[tuple[int, Epochs]]


def rungs(fidelities: Sequence[int], eta: int) -> tuple[Epochs, ...]:
    """Epochs of the rungs of the longest bracket, ascending.

    The longest training divided by 1, eta, eta^2, ... while that is no less than the shortest;
    of each, the training at hand that is nearest in ratio. None, the only one, if it is not said
    what is at hand. A signal that names no epochs, or is of an untrained network, has 0, which is
    a rung only where it is alone.
    """
    fidelities = [epochs for epochs in fidelities if epochs > 0] or fidelities
    if len(fidelities) < 2:
        return (*fidelities,) or (None,)
    wanted = itertools.takewhile(
        lambda epochs: epochs >= fidelities[0], (fidelities[-1] / eta**k for k in itertools.count())
    )
    apart = np.abs(np.log(np.divide.outer(list(wanted), fidelities)))
    return tuple(fidelities[i] for i in np.unique(apart.argmin(axis=1)))


def bracket(number: int, rungs: Sequence[Epochs], eta: int) -> Bracket:
    """Architectures and epochs of each rung of a bracket (Falkner et al. 2018, algorithm 1).

    The first bracket has all rungs, each next one starts a rung later, and after the one of a
    single rung they begin anew. With K rungs in all, one of s + 1 rungs starts with
    floor(K / (s + 1)) eta^s architectures.
    """
    s = len(rungs) - 1 - number % len(rungs)
    first = len(rungs) // (s + 1) * eta**s
    return [(first // eta**i, epochs) for i, epochs in enumerate(rungs[-s - 1 :])]


class Results:
    """Results of one length of training: values of the architectures, and their signals.

    Parameters
    ----------
    variables : int
        Variables of the space, d.

    Attributes
    ----------
    values : ndarray, shape (n, d)
        Values of cells, or vectors themselves.
    signals : ndarray, shape (n,)
    """

    def __init__(self, variables: int) -> None:
        self.values: NDArray[Any] = np.empty((0, variables), dtype=np.int64)
        self.signals = np.empty(0)

    def add(self, values: NDArray[Any], signals: NDArray[np.float64]) -> None:
        """Note results; values of shape (B, d), signals of shape (B,)."""
        self.values = np.concatenate([self.values, values])
        self.signals = np.concatenate([self.signals, signals])

    def best_of_last(self, size: int, kept: int) -> NDArray[Any]:
        """Values of the ``kept`` best of the last ``size`` results, in the order they came."""
        best = np.argsort(-self.signals[-size:], kind="stable")[:kept]
        return self.values[-size:][np.sort(best)]


def variables(space: CellSpace | VectorSpace) -> int:
    """Number of variables of a space, d."""
    return len(space.dimensions) if isinstance(space, VectorSpace) else len(space.sizes)


def halve(
    space: CellSpace | VectorSpace,
    brackets: Iterable[Bracket],
    results: Mapping[Epochs, Results],
    propose: Callable[[Epochs], Any],
) -> Trial:
    """Evaluate brackets: of each rung the best are trained for the epochs of the next.

    Parameters
    ----------
    space : CellSpace or VectorSpace
    brackets : iterable of Bracket
    results : mapping of int to Results
        By epochs; what is found is noted here.
    propose : callable
        Returns an architecture, a batch of one, for the first rung of a bracket, given its epochs.
    """

    def values(batch: Any) -> NDArray[Any]:
        return batch if isinstance(space, VectorSpace) else space.to_values(batch)

    for (size, epochs), *later in brackets:
        for _ in range(size):
            batch = propose(epochs)
            signals = yield Proposal(batch, epochs=epochs)
            results[epochs].add(values(batch), signals)
        for kept, longer in later:
            best = results[epochs].best_of_last(size, kept)
            batch = best if isinstance(space, VectorSpace) else space.from_values(best)
            signals = yield Proposal(batch, epochs=longer)
            results[longer].add(best, signals)
            size, epochs = kept, longer
