"""WeakNAS: weak predictors, each trained where the one before saw the best cells."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from dagnas.search.method import Trial, method
from dagnas.search.models.mutants import offspring, vary
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, concatenate

#: Cells of a space that are all ranked; of a larger one a pool is.
LISTED = 20_000


@method(label="WeakNAS", colour="#BBBB11", per_space={"nasbench201": {"initial": 10}})
def weaknas(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    initial: PositiveInt = 100,
    k: PositiveInt = 10,
    top: PositiveInt = 100,
    predictor: Literal["mlp", "gbdt"] = "mlp",
    width: PositiveInt = 250,
    iterations: PositiveInt = 100,
    trees: PositiveInt = 1000,
    pool: PositiveInt = 2000,
    changes: PositiveFloat = 2.0,
    sameness: Sameness = "class",
) -> Trial:
    """Evaluate some of the cells that a predictor ranks highest, train the next one, and so on.

    Algorithm 1 of Wu et al. (2021) with the settings of the authors' public code. The first
    predictor is trained on random cells. Each one after it is trained on all evaluated cells, more
    and more of which are near the best.

    Parameters
    ----------
    initial : int
        Random cells evaluated first: 10 on NAS-Bench-201, 100 on NAS-Bench-101.
    k : int
        Evaluations between two predictors, drawn uniformly from the ``top`` cells that are new;
        where these are too few, the next best ones as well.
    top : int
        N, cells of the highest predictions, evaluated ones among them.
    predictor : {"mlp", "gbdt"}
        Perceptron of four layers, or gradient boosted trees.
    width : int
        Units of a layer of the perceptron.
    iterations : int
        Epochs of its training at most.
    trees : int
        Boosted trees.
    pool : int
        Cells that are ranked where a space has more than 20,000: half of them mutants of the
        best cells, half random.
    changes : float
        Mean number of variables that a mutation changes; only such a pool has mutants.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are evaluated.
    """
    listed = _listed(space, sameness)
    mutate = partial(vary, space, changes=changes, rng=rng)
    seen = Seen(space, sameness)
    cells = sample_new(space, initial, rng, seen)
    signals = yield cells
    while True:
        model = _model(predictor, width, iterations, trees, int(rng.integers(2**31)))
        targets = (signals - signals.mean()) / (signals.std() or 1.0)
        with warnings.catch_warnings():
            # So few epochs are meant: the predictor is weak.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(one_hot(space, cells), targets)
        if listed is None:
            mutants, _ = offspring(
                space, cells, signals, seen, rng, wanted=pool // 2, litter=100, mutate=mutate
            )
            known = seen.copy()
            known.add(mutants)
            drawn = sample_new(space, pool - len(mutants), rng, known)
            ranked = concatenate([cells, mutants, drawn])
        else:
            ranked = listed
        order = np.argsort(-model.predict(one_hot(space, ranked)), kind="stable")
        chosen = _choose(ranked[order], seen, top, k, rng)
        if not len(chosen):
            return
        seen.add(chosen)
        gained = yield chosen
        cells = concatenate([cells, chosen])
        signals = np.concatenate([signals, gained])


def one_hot(space: CellSpace, cells: Cells) -> NDArray[np.float32]:
    """One-hot values of all variables of cells, shape (B, sum of their sizes)."""
    values = space.to_values(cells)
    columns = [
        np.eye(size, dtype=np.float32)[column]
        for size, column in zip(space.sizes, values.T, strict=True)
    ]
    return np.concatenate(columns, axis=1)


def _listed(space: CellSpace, sameness: Sameness) -> Cells | None:
    """All cells of a space, or one of each class; none if they are too many."""
    if math.prod(space.sizes.tolist()) > LISTED:
        return None
    return space.unpack(space.representatives()) if sameness == "class" else space.enumerate()


def _model(
    predictor: str, width: int, iterations: int, trees: int, seed: int
) -> MLPRegressor | GradientBoostingRegressor:
    if predictor == "gbdt":
        return GradientBoostingRegressor(n_estimators=trees, random_state=seed)
    return MLPRegressor(hidden_layer_sizes=(width,) * 4, max_iter=iterations, random_state=seed)


def _choose(ranked: Cells, seen: Seen, top: int, k: int, rng: np.random.Generator) -> Cells:
    """Up to ``k`` new cells: random ones of the first ``top``, then the next in their order."""
    new = seen.new(ranked)
    within = rng.permutation(new[new < top])[:k]
    beyond = new[new >= top][: k - len(within)]
    return ranked[np.concatenate([within, beyond])]
