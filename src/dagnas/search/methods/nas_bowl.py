"""NAS-BOWL: Bayesian optimisation with a Gaussian process on a Weisfeiler-Lehman kernel."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from dagnas.search.method import Proposal, Trial, method
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.gaussian_process import (
    GaussianProcess,
    Hyperparameters,
    fit,
    log_marginal_likelihood,
)
from dagnas.search.models.mutants import offspring, vary
from dagnas.search.models.weisfeiler_lehman import Labelling, kernel
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: Smallest and largest variance of the noise, and where its search begins (public code); the
#: kernel itself has no parameter.
NOISE = 1e-5, 1e-2, 1e-3
#: Errors are not less than this, %; their logarithms are predicted.
LEAST = 1e-3


@method(
    label="NAS-BOWL",
    colour="#117733",
    per_space={
        "nasbench101": {"changes": 4.0, "assignment": True},
        "nasbench201": {"changes": 1.2, "mutants": 1.0},
    },
)
def nas_bowl(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    initial: PositiveInt = 10,
    batch: PositiveInt = 5,
    pool: PositiveInt = 200,
    mutants: Annotated[float, Field(ge=0, le=1)] = 0.5,
    parents: PositiveInt = 10,
    changes: PositiveFloat = 2.0,
    iterations: PositiveInt = 2,
    assignment: bool = False,
    sameness: Sameness = "class",
) -> Trial:
    """Evaluate the cells of the largest expected improvement (Ru et al. 2021, algorithm 1).

    Defaults are those of the commands in the authors' public code.

    Parameters
    ----------
    initial : int
        Random cells evaluated first.
    batch : int
        Evaluations between two fits of the process.
    pool : int
        Candidates.
    mutants : float
        Fraction of the candidates that are mutants of the best cells; the rest are random. All are
        mutants on NAS-Bench-201.
    parents : int
        Cells that are mutated, each into an equal share of the mutants.
    changes : float
        Mean number of variables that a mutation changes. On NAS-Bench-101 it is that of the code,
        where each of 21 edges changes with probability 1/7 and each of 5 operations with 1/5; on
        NAS-Bench-201 each of 6 operations with 1/5.
    iterations : int
        h of the kernel is from 1 to this, by marginal likelihood.
    assignment : bool
        Whether the kernel is that of optimal assignment, as in the code on NAS-Bench-101.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are evaluated.
    """
    mutate = partial(vary, space, changes=changes, rng=rng)
    seen = Seen(space, sameness)
    cells = sample_new(space, initial, rng, seen)
    signals = yield cells
    labelling = Labelling(space, iterations)
    wanted = round(mutants * pool)
    litter = max(wanted // parents, 1)
    while True:
        process = Process(labelling, cells, signals, assignment)
        candidates, origins = offspring(
            space, cells, signals, seen, rng, wanted=wanted, litter=litter, mutate=mutate
        )
        known = seen.copy()
        known.add(candidates)
        drawn = sample_new(space, pool - len(candidates), rng, known)
        candidates = concatenate([candidates, drawn])
        origins = np.concatenate([origins, np.full(len(drawn), -1)])
        if not len(candidates):
            return
        improvement = process.improvement(candidates)
        # Of cells that are the same to the kernel one is enough.
        _, first = np.unique(improvement, return_index=True)
        chosen = first[::-1][:batch]
        new = candidates[chosen]
        seen.add(new)
        gained = yield Proposal(new, origins[chosen])
        cells = concatenate([cells, new])
        signals = np.concatenate([signals, gained])


class Process:
    """The Gaussian process of a trial: of minus the logarithm of the error, standardised.

    Attributes
    ----------
    iterations : int
        h, the one of the largest marginal likelihood.
    """

    def __init__(
        self, labelling: Labelling, cells: Cells, signals: NDArray[np.float64], assignment: bool
    ) -> None:
        self._labelling, self._assignment = labelling, assignment
        self._labels = labelling(cells)
        targets = -np.log(np.maximum(100 - signals, LEAST))
        targets = (targets - targets.mean()) / (targets.std() or 1.0)
        low, high, start = (Hyperparameters(n, np.ones(1), np.ones((1, 1))) for n in NOISE)
        likeliest = -np.inf
        for iterations in range(1, labelling.iterations + 1):
            gaps = self._gaps(self._labels, iterations)
            found = fit(gaps, targets, [start], (low, high))
            likelihood, _ = log_marginal_likelihood(found, gaps, targets)
            if likelihood > likeliest:
                likeliest, self.iterations = likelihood, iterations
                self._process = GaussianProcess(found, gaps, targets)
        self._best = targets.max()

    def _gaps(self, labels: NDArray[np.int64], iterations: int) -> NDArray[np.float64]:
        """Minus logarithms of kernels with the known cells, shape (1, 1, n, B)."""
        one, other = (
            self._labelling.counts(part[: iterations + 1]) for part in (self._labels, labels)
        )
        return np.asarray(-np.log(kernel(one, other, self._assignment)))[None, None]

    def predict(self, cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of standardised targets, shapes (B,)."""
        return self._process.predict(self._gaps(self._labelling(cells), self.iterations))

    def improvement(self, cells: Cells) -> NDArray[np.float64]:
        """Expected improvement over the best evaluated cell, shape (B,)."""
        return expected_improvement(*self.predict(cells), self._best)
