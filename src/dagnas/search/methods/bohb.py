"""BOHB: Hyperband whose cells or vectors are drawn from densities of good and bad ones."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from dagnas.search.method import Trial, method
from dagnas.search.models.hyperband import Results, bracket, halve, rungs, variables
from dagnas.search.models.kernel_density import NormalDensity
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.vectors import Vectors, VectorSpace

#: Lower bound on a density.
_FLOOR = 1e-32


@method(
    space=(CellSpace, VectorSpace),
    per_space={
        "nasbench201": {"samples": 4, "random_fraction": 0.0},
        "nago": {"eta": 2},
        "nago_code": {"eta": 2},
    },
)
def bohb(
    space: CellSpace | VectorSpace,
    rng: np.random.Generator,
    *,
    fidelities: tuple[int, ...] = (),
    eta: Annotated[int, Field(ge=2)] = 3,
    samples: PositiveInt = 64,
    random_fraction: Annotated[float, Field(ge=0, le=1)] = 0.33,
    top_percent: Annotated[int, Field(ge=1, le=50)] = 15,
    min_bandwidth: Annotated[float, Field(gt=0, le=1)] = 0.3,
) -> Trial:
    """Successive halving in brackets, of what a density model favours (Falkner et al. 2018).

    Computed as in ``hpbandster`` 0.7.4, which the public scripts of NAS-Bench-101 and
    NAS-Bench-201 run; the defaults are theirs. A cell may be evaluated more than once.

    Of vectors, densities are of points of the unit cube, whole numbers among them: these are
    ordered (`dagnas.search.models.kernel_density`).

    Parameters
    ----------
    fidelities : tuple of int
        Epochs that an evaluation can train, ascending: all that the table has. Of the official
        full file of NAS-Bench-101 these are 4, 12, 36 and 108, as in its public script. With one
        number, as of the public table of 108 epochs alone, or none, every bracket is one cell.
    eta : int
        Ratio of the epochs of successive rungs, and of the cells tried to the cells kept: 3, and 2
        in NAGO's released settings.
    samples : int
        Cells drawn from the density of good ones, of which the most promising is evaluated: 64,
        and 4 on NAS-Bench-201.
    random_fraction : float
        Fraction of cells drawn uniformly all the same: 0.33, and none on NAS-Bench-201.
    top_percent : int
        Percentage of cells that count as good.
    min_bandwidth : float
        Least bandwidth of a kernel of cells. On vectors it is the package's own, 0.001, since
        0.3 would be a third of each range.

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
    lengths = rungs(fidelities, eta)
    seen = {epochs: _Seen(variables(space)) for epochs in lengths}

    def propose(epochs: int | None) -> Any:
        enough = [results for results in seen.values() if results.suffice]
        batch: Any = space.sample(0, rng)
        if enough and rng.random() >= random_fraction:
            good, bad = enough[-1].split(top_percent)
            if isinstance(space, VectorSpace):
                batch = _promising_vector(space, rng, good, bad, samples)
            else:
                batch = _promising_cell(space, rng, good, bad, samples, min_bandwidth)
        return batch if len(batch) else space.sample(1, rng)

    brackets = (bracket(number, lengths, eta) for number in itertools.count())
    yield from halve(space, brackets, seen, propose)


def _promising_cell(
    space: CellSpace,
    rng: np.random.Generator,
    good: NDArray[np.int64],
    bad: NDArray[np.int64],
    samples: int,
    min_bandwidth: float,
) -> Cells:
    """The most promising of some valid cells drawn; none if there is no such cell."""
    densities = [_Density(values, min_bandwidth) for values in (good, bad)]
    drawn = space.from_values(densities[0].sample(samples, space.sizes, rng))
    drawn = drawn[space.is_valid(drawn)]
    values = space.to_values(drawn)
    return drawn[_choose(*(density(values) for density in densities))]


def _promising_vector(
    space: VectorSpace,
    rng: np.random.Generator,
    good: Vectors,
    bad: Vectors,
    samples: int,
) -> Vectors:
    """The most promising of some vectors drawn; its density is that before rounding."""
    densities = [NormalDensity(space.encode(vectors)) for vectors in (good, bad)]
    points = densities[0].sample(samples, rng)
    return space.decode(points[_choose(*(density(points) for density in densities))])


class _Seen(Results):
    """Results of one length of training, split into good and bad ones."""

    def __init__(self, variables: int) -> None:
        super().__init__(variables)
        self._fewest = variables + 1

    @property
    def suffice(self) -> bool:
        """Whether good ones and bad ones each are more than the variables."""
        return len(self.signals) >= 2 * self._fewest

    def split(self, top_percent: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Values of the good ones and of the bad ones, best first (Falkner et al., equation 3).

        As both numbers are rounded down, the very worst may be in neither.
        """
        best_first = self.values[np.argsort(-self.signals, kind="stable")]
        good = max(self._fewest, top_percent * len(best_first) // 100)
        bad = max(self._fewest, (100 - top_percent) * len(best_first) // 100)
        return best_first[:good], best_first[good : good + bad]


# Kernel densities of cells


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
