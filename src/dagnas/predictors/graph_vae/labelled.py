"""Cells with their labels: what a graph VAE's predictors are trained on (NGAE, section 5)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.predictors.graph_vae.passing import prepare
from dagnas.predictors.graph_vae.training import Examples
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells


class Split(NamedTuple):
    """Rows of a table to train on and to test on: int64 arrays, shapes (train,) and (test,)."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def dvae_split(rows: int, *, seed: int = 0, shares: Sequence[float] = (0.9, 0.1)) -> Split:
    """Rows shuffled and divided as D-VAE's released code does; NGAE (section 5) states 90 % alone.

    Parameters
    ----------
    rows : int
        Of the table; ENAS's 19,020 give 17,118 and 1,902.
    seed : int
        Of the shuffle, by Python's own generator as in that code.
    shares : sequence of two floats
        Fractions of the rows to train on and to test on; the rest is left out.
    """
    order = list(range(rows))
    random.Random(seed).shuffle(order)
    first, end = int(rows * shares[0]), round(rows * sum(shares))
    return Split(
        np.array(order[:first], dtype=np.int64), np.array(order[first:end], dtype=np.int64)
    )


class Scale(NamedTuple):
    """Multiply-adds that stand for the complexities 0 and 1.

    The paper scales complexities to [0, 1] (NGAE, section 3.2) and does not say how: here the
    least of a set becomes 0 and the greatest 1.
    """

    low: float
    high: float

    @staticmethod
    def of(madds: NDArray[Any]) -> Scale:
        """Scale of a set of multiply-adds, shape (N,)."""
        return Scale(float(madds.min()), float(madds.max()))

    def apply(self, madds: NDArray[Any]) -> NDArray[np.float64]:
        """Complexities; beyond [0, 1] for multiply-adds beyond those of the set."""
        return (np.asarray(madds, dtype=np.float64) - self.low) / ((self.high - self.low) or 1.0)


def label(
    space: CellSpace, cells: Cells, accuracies: NDArray[np.float64], scale: Scale
) -> Examples:
    """Cells as examples.

    Parameters
    ----------
    space : CellSpace
    cells : Cells
    accuracies : ndarray, shape (N,)
        In %; NaN where not known.
    scale : Scale

    Raises
    ------
    DagnasError
        The size of the space's networks is not known.
    """
    complexity = scale.apply(space.madds(cells))
    return Examples(
        prepare(space, cells),
        torch.from_numpy(accuracies / 100).float(),
        torch.from_numpy(complexity).float(),
    )


class Labelled(NamedTuple):
    """A benchmark's cells as a graph VAE is trained and tested on them.

    Attributes
    ----------
    cells : Cells
        Of all rows.
    split : Split
    scale : Scale
        Of the multiply-adds of all rows.
    train, test : Examples
    """

    cells: Cells
    split: Split
    scale: Scale
    train: Examples
    test: Examples


def label_benchmark(
    benchmark: TabularBenchmark, target: str, shares: Sequence[float] = (0.9, 0.1)
) -> Labelled:
    """Rows of a table with their accuracies ``target``, such as ``cifar10/valid/0``."""
    space, cells = benchmark.space, benchmark.cells
    split, scale = dvae_split(len(cells), shares=shares), Scale.of(space.madds(cells))
    accuracies = benchmark.values(target)
    train, test = (label(space, cells[rows], accuracies[rows], scale) for rows in split)
    return Labelled(cells, split, scale, train, test)
