"""Spread of single trainings about the mean of a cell's trainings, and emulation of it.

The constants are fitted on public values by ``python -m studies.training_noise``;
docs/emulation.md states the data and the quality in cross-validation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dagnas.seeds import stream

Floats = NDArray[np.float64]

#: Realisations of the emulated noise that a table holds, numbered from 1.
REALISATIONS = 5


@dataclass(frozen=True)
class ScaleMixture:
    """Normal deviations, of one of two scales for each cell: heavier tails than a normal's.

    Attributes
    ----------
    narrow, wide : float or ndarray, shape (B,)
        Standard deviations between trainings of one cell; the same for all cells or one each.
    share : float
        Fraction of cells with the wide one.
    """

    narrow: float | Floats
    wide: float | Floats
    share: float

    @property
    def rms(self) -> float | Floats:
        """Standard deviation over both scales."""
        return np.sqrt((1 - self.share) * self.narrow**2 + self.share * self.wide**2)

    def scales(self, count: int, rng: np.random.Generator) -> Floats:
        """Standard deviation of each of ``count`` cells, shape (count,)."""
        return np.where(rng.random(count) < self.share, self.wide, self.narrow)


#: NAS-Bench-101 at 108 epochs, in units of sqrt(p(1 - p)) at accuracy p.
NASBENCH101 = ScaleMixture(narrow=0.0075, wide=0.0187, share=0.55)

#: NAS-Bench-201 on CIFAR-10 at 12 epochs: mean validation accuracies, %, and both standard
#: deviations of one training there, in points; between them they are linear.
ACCURACIES_201 = (10.0, 50.0, 65.0, 75.0, 78.0, 81.0, 84.5)
_NARROW_201 = (0.00, 0.58, 0.58, 0.54, 0.79, 0.52, 0.37)
_WIDE_201 = (4.78, 1.17, 3.35, 2.35, 1.49, 0.52, 0.37)
_SHARE_201 = 0.131
#: Cells below guess, %: all their trainings do.
GUESSING_201 = 11.0


def spread_201(mean: Floats) -> ScaleMixture:
    """Spread of a training of 12 epochs on NAS-Bench-201.

    Parameters
    ----------
    mean : ndarray, shape (B,)
        Mean validation accuracy on CIFAR-10, %.

    Returns
    -------
    ScaleMixture
        Points, for each cell; 0 for cells that only guess.
    """
    scales = (np.interp(mean, ACCURACIES_201, known) for known in (_NARROW_201, _WIDE_201))
    narrow, wide = (np.where(mean < GUESSING_201, 0.0, scale) for scale in scales)
    return ScaleMixture(narrow, wide, _SHARE_201)


def realised(quantity: str, number: int) -> str:
    """Name of a realisation of an emulated quantity: ``cifar10/valid-2/108`` is the second."""
    dataset, split, epochs = quantity.split("/")
    return f"{dataset}/{split}-{number}/{epochs}"


def nasbench201_pair(mean: Floats, realisation: int) -> tuple[Floats, Floats]:
    """Emulate the two trainings of 12 epochs of which NAS-Bench-201's compact table has the mean.

    Parameters
    ----------
    mean : ndarray, shape (B,)
        Mean validation accuracy on CIFAR-10, %.
    realisation : int
        Number of the random stream.

    Returns
    -------
    first, second : ndarray, shape (B,)
        Their mean is ``mean``.
    """
    rng = stream("emulation", "nasbench201", "pair", realisation)
    # Half the difference of two trainings varies less than one does, by the square root of two.
    scale = spread_201(mean).scales(len(mean), rng) / np.sqrt(2)
    half = scale * rng.standard_normal(len(mean))
    return mean + half, mean - half
