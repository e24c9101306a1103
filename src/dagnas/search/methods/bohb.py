"""BOHB: Hyperband whose cells are drawn from densities of good and bad ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from dagnas.search.method import Proposal, Trial, method
from dagnas.spaces.cell_space import CellSpace

#: Lower bound on a density.
_FLOOR = 1e-32


@method(per_space={"nasbench201": {"samples": 4, "random_fraction": 0.0}})
def bohb(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    fidelities: tuple[int, ...] = (),
    eta: Annotated[int, Field(ge=2)] = 3,
    samples: PositiveInt = 64,
    random_fraction: Annotated[float, Field(ge=0, le=1)] = 0.33,
    top_percent: Annotated[int, Field(ge=1, le=50)] = 15,
    min_bandwidth: Annotated[float, Field(gt=0, le=1)] = 0.3,
) -> Trial:
    """Successive halving in brackets, of cells that a density model favours (Falkner et al. 2018).

    Computed as in ``hpbandster`` 0.7.4, which the public scripts of NAS-Bench-101 and
    NAS-Bench-201 run; the defaults are theirs. Their bandwidth factor is left out, since it
    concerns continuous variables only. A cell may be evaluated more than once.

    Parameters
    ----------
    fidelities : tuple of int
        Epochs that an evaluation can train, ascending: all that the table has. Of the official
        full file of NAS-Bench-101 these are 4, 12, 36 and 108, as in its public script. With one
        number, as of the public table of 108 epochs alone, or none, every bracket is one cell.
    eta : int
        Ratio of the epochs of successive rungs, and of the cells tried to the cells kept.
    samples : int
        Cells drawn from the density of good ones, of which the most promising is evaluated: 64,
        and 4 on NAS-Bench-201.
    random_fraction : float
        Fraction of cells drawn uniformly all the same: 0.33, and none on NAS-Bench-201.
    top_percent : int
        Percentage of cells that count as good.
    min_bandwidth : float
        Least bandwidth of a kernel.

    Notes
    -----
    Every cell in the first rung of a bracket is drawn with the model of the longest training that
    has one: that has 2 (d + 1) results, where d is the number of variables.

    The NAS-Bench-201 script has rungs although its evaluations are all the same, and so evaluates
    the cells that it keeps again; here a table of one length of training has one rung.

    The NAS-Bench-101 script gives cells that are not valid an error of 1 at no cost, and so shows
    them to the model. Here only valid ones are drawn: the model's choice is among the valid
    samples, and a cell is drawn uniformly from the space if there are none.
    """
    rungs = _rungs(fidelities, eta)
    seen = {epochs: _Seen(len(space.sizes)) for epochs in rungs}
    for number in itertools.count():
        (size, epochs), *later = _bracket(number, rungs, eta)
        for _ in range(size):
            enough = [results for results in seen.values() if results.suffice]
            cell = space.sample(0, rng)
            if enough and rng.random() >= random_fraction:
                good, bad = (
                    _Density(data, min_bandwidth) for data in enough[-1].split(top_percent)
                )
                drawn = space.from_values(good.sample(samples, space.sizes, rng))
                drawn = drawn[space.is_valid(drawn)]
                values = space.to_values(drawn)
                cell = drawn[_choose(good(values), bad(values))]
            if not len(cell):
                cell = space.sample(1, rng)
            signals = yield Proposal(cell, epochs=epochs)
            seen[epochs].add(space.to_values(cell), signals)
        for kept, longer in later:
            cells = space.from_values(seen[epochs].best_of_last(size, kept))
            signals = yield Proposal(cells, epochs=longer)
            seen[longer].add(space.to_values(cells), signals)
            size, epochs = kept, longer


class _Seen:
    """Results of one length of training: values of the cells, and their signals.

    Parameters
    ----------
    variables : int
        Variables of the space, d.
    """

    def __init__(self, variables: int) -> None:
        self.values = np.empty((0, variables), dtype=np.int64)
        self.signals = np.empty(0)
        self._fewest = variables + 1

    def add(self, values: NDArray[np.int64], signals: NDArray[np.float64]) -> None:
        """Note results; values of shape (B, d), signals of shape (B,)."""
        self.values = np.concatenate([self.values, values])
        self.signals = np.concatenate([self.signals, signals])

    @property
    def suffice(self) -> bool:
        """Whether good ones and bad ones each are more than the variables."""
        return len(self.signals) >= 2 * self._fewest

    def split(self, top_percent: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Values of the good cells and of the bad ones, best first (Falkner et al., equation 3).

        As both numbers are rounded down, the very worst cell may be in neither.
        """
        best_first = self.values[np.argsort(-self.signals, kind="stable")]
        good = max(self._fewest, top_percent * len(best_first) // 100)
        bad = max(self._fewest, (100 - top_percent) * len(best_first) // 100)
        return best_first[:good], best_first[good : good + bad]

    def best_of_last(self, size: int, kept: int) -> NDArray[np.int64]:
        """Values of the ``kept`` best of the last ``size`` results, in the order they came."""
        best = np.argsort(-self.signals[-size:], kind="stable")[:kept]
        return self.values[-size:][np.sort(best)]


# Hyperband


def _rungs(fidelities: Sequence[int], eta: int) -> tuple[int | None, ...]:
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


def _bracket(number: int, rungs: Sequence[int | None], eta: int) -> list[tuple[int, int | None]]:
    """Cells and epochs of each rung of a bracket (Falkner et al., algorithm 1).

    The first bracket has all rungs, each next one starts a rung later, and after the one of a
    single rung they begin anew. With K rungs in all, one of s + 1 rungs starts with
    floor(K / (s + 1)) eta^s cells.
    """
    s = len(rungs) - 1 - number % len(rungs)
    first = len(rungs) // (s + 1) * eta**s
    return [(first // eta**i, epochs) for i, epochs in enumerate(rungs[-s - 1 :])]


# Kernel densities


class _Density:
    """Mean over cells of a product of Aitchison-Aitken kernels, one for each variable.

    That of ``statsmodels`` (``KDEMultivariate``) as ``hpbandster`` uses it, also where it does not
    befit variables without an order, since the published results are of it. The bandwidth is the
    normal reference rule's for the values' numbers, which may be over 1 and make densities
    negative. A variable counts as having the values in the data only, so that the kernel is
    infinite at others where all cells agree.

    Parameters
    ----------
    data : ndarray of int, shape (n, d)
        Values of the cells.
    min_bandwidth : float
        Least bandwidth.

    Attributes
    ----------
    bandwidth : ndarray, shape (d,)
        1.06 sigma n^(-1 / (4 + d)), or the least; sigma is the standard deviation.
    """

    def __init__(self, data: NDArray[np.int64], min_bandwidth: float) -> None:
        self.data = data
        n, d = data.shape
        self.bandwidth = np.maximum(1.06 * data.std(axis=0) * n ** (-1 / (4 + d)), min_bandwidth)
        levels = 1 + (np.diff(np.sort(data, axis=0), axis=0) > 0).sum(axis=0)
        with np.errstate(divide="ignore"):
            other = self.bandwidth / (levels - 1)
        self._same, self._other = 1 - self.bandwidth, other

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.float64]:
        """Density at values of shape (m, d); shape (m,)."""
        # Shape (d, highest value + 1, n): there are fewer values than cells to compare.
        everything = np.arange(max(values.max(initial=0), self.data.max()) + 1)
        same = everything[:, None] == self.data.T[:, None]
        kernels = np.where(same, self._same[:, None, None], self._other[:, None, None])
        product = np.ones((len(values), len(self.data)))
        # Infinite kernels may meet negative ones, to add up to no number.
        with np.errstate(invalid="ignore"):
            for kernel, value in zip(kernels, values.T, strict=True):
                product *= kernel[value]
            return np.asarray(product.sum(axis=1) / len(self.data))

    def sample(
        self, m: int, sizes: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Values of ``m`` cells, shape (m, d), each made from one of the data, drawn uniformly.

        With the bandwidth as probability, a value is replaced by one of all drawn uniformly.
        """
        values = self.data[rng.integers(len(self.data), size=m)]
        keep = rng.random(values.shape) < self._same
        return np.where(keep, values, rng.integers(sizes, size=values.shape))


def _choose(good: NDArray[np.float64], bad: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the first sample with the least ratio of densities, bad over good.

    Shape (1,), or (0,) if no ratio is a number. A sample at which only the bad ones' density is
    infinite, since it has a value that no bad cell has, goes before all others.
    """
    with np.errstate(invalid="ignore"):
        ratio = np.fmax(bad, _FLOOR) / np.maximum(good, _FLOOR)
    unseen = np.flatnonzero(np.isinf(ratio) & np.isfinite(good))
    finite = np.flatnonzero(np.isfinite(ratio))
    best_first = finite[np.argsort(ratio[finite], kind="stable")]
    return np.concatenate([unseen, best_first])[:1]
