"""SMAC's optimizer: the ``smac`` package, with faster code for what takes most of its time.

Predictions of the forest are equal to the package's. The search for the largest expected
improvement has the same steps, on arrays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ConfigSpace import CategoricalHyperparameter, Configuration, ConfigurationSpace
from numpy.typing import NDArray
from smac import AlgorithmConfigurationFacade, Scenario
from smac.acquisition.maximizer import AbstractAcquisitionMaximizer
from smac.initial_design import RandomInitialDesign
from smac.main.config_selector import ConfigSelector
from smac.model.random_forest import RandomForest

from dagnas.spaces.cell_space import CellSpace

_PLATEAU = 10  # steps of a local search without gain, SMAC's own
_LEAVES = 2**12  # a tree sets aside memory for as many; SMAC's 2**20 would be most of its time

# Without a handler, a library's warnings go to the terminal.
logging.getLogger("smac").addHandler(logging.NullHandler())


class Point(Configuration):
    """Configuration that is compared by its vector, since SMAC compares a great many."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Configuration):
            return NotImplemented
        return self.get_array().tobytes() == other.get_array().tobytes()

    __hash__ = Configuration.__hash__


class Forest(RandomForest):
    """Random forest that predicts without a pool of threads."""

    def _predict(
        self, X: NDArray[np.float64], covariance_type: str | None = "diagonal"
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert self._rf is not None
        rows = X.astype(np.float32)
        each = [tree.tree_.predict(rows)[:, 0] for tree in self._rf.estimators_]
        costs = np.stack(each, axis=1)
        return costs.mean(axis=1, keepdims=True), costs.var(axis=1, keepdims=True)


class Selector(ConfigSelector):
    """Selector that predicts all evaluated cells at once, not one by one."""

    def _get_x_best(self, X: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        assert self._model is not None
        costs = self._model.predict_marginalized(X)[0][:, 0]
        return X[costs.argmin()], float(costs.min())


class Maximizer(AbstractAcquisitionMaximizer):
    """SMAC's search for the largest expected improvement, on arrays.

    Parameters
    ----------
    configspace : ConfigurationSpace
    sizes : ndarray of int, shape (D,)
        Number of values of every variable.
    challengers, local_searches : int
        See `dagnas.search.methods.smac.smac`.
    seed : int
        Of the package's own random numbers.
    rng : numpy Generator
        Source of random points and of ties.
    """

    def __init__(
        self,
        configspace: ConfigurationSpace,
        sizes: NDArray[np.int64],
        challengers: int,
        local_searches: int,
        seed: int,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(configspace, challengers=challengers, seed=seed)
        self._sizes, self._local_searches, self._generator = sizes, local_searches, rng

    def _maximize(
        self, previous_configs: list[Configuration], n_points: int
    ) -> list[tuple[float, Configuration]]:
        function = self._acquisition_function
        assert function is not None
        assert function.model is not None
        known = np.array([config.get_array() for config in previous_configs])
        costs = function.model.predict_marginalized(known)[0][:, 0]
        point, value = maximize(
            lambda points: function._compute(points.astype(np.float64))[:, 0],
            known.astype(np.int64),
            costs,
            self._sizes,
            n_points,
            self._local_searches,
            self._generator,
        )
        return [(value, Point(self._configspace, vector=point.astype(np.float64)))]


def build(
    space: CellSpace,
    rng: np.random.Generator,
    trees: int,
    random_fraction: float,
    repeats: int,
    challengers: int,
    local_searches: int,
) -> AlgorithmConfigurationFacade:
    """SMAC on the variables of a space, with settings of `dagnas.search.methods.smac.smac`."""
    seed = int(rng.integers(2**31))
    configspace = ConfigurationSpace(seed=seed)
    # Variables are kept in the order of their names.
    configspace.add(
        CategoricalHyperparameter(f"{number:05}", range(size))
        for number, size in enumerate(space.sizes)
    )
    facade = AlgorithmConfigurationFacade
    # SMAC writes files when it is built and, told not to save, never again.
    with TemporaryDirectory() as folder:
        scenario = Scenario(configspace, output_directory=Path(folder), n_trials=10**9, seed=seed)
        return facade(
            scenario,
            model=Forest(configspace, n_trees=trees, max_leaf_nodes=_LEAVES, n_jobs=1, seed=seed),
            acquisition_maximizer=Maximizer(
                configspace, space.sizes, challengers, local_searches, seed, rng
            ),
            initial_design=RandomInitialDesign(scenario, n_configs=1),
            random_design=facade.get_random_design(scenario, probability=random_fraction),
            intensifier=facade.get_intensifier(scenario, max_config_calls=repeats),
            config_selector=Selector(scenario, retrain_after=1, max_new_config_tries=1000),
            logging_level=False,
        )


def maximize(
    acquisition: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    known: NDArray[np.int64],
    costs: NDArray[np.float64],
    sizes: NDArray[np.int64],
    challengers: int,
    local_searches: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], float]:
    """Best new point among random ones and the ends of local searches.

    Local searches start from the best random points, and from the known ones of lowest cost.

    Parameters
    ----------
    acquisition : callable
        Values of points, shape (B,) from (B, D).
    known : ndarray of int, shape (N, D)
        Points evaluated before.
    costs : ndarray, shape (N,)
        Predicted costs of the known points.
    sizes : ndarray of int, shape (D,)
        Number of values of every variable.

    Returns
    -------
    point : ndarray of int, shape (D,)
        A known one only if there is no other. Ties are broken at random.
    value : float
    """
    drawn = rng.integers(sizes, size=(challengers, len(sizes)))
    values = acquisition(drawn)
    lowest = np.lexsort([rng.random(len(known)), costs])[:local_searches]
    largest = np.lexsort([rng.random(challengers), -values])[:local_searches]
    ends, end_values = climb(
        acquisition, np.concatenate([known[lowest], drawn[largest]]), sizes, rng
    )
    points, values = np.concatenate([ends, drawn]), np.concatenate([end_values, values])
    radix = np.concatenate([[1], np.cumprod(sizes[:-1])])
    is_known = np.isin(points @ radix, known @ radix)
    best = np.lexsort([rng.random(len(points)), -values, is_known])[0]
    return points[best], float(values[best])


def climb(
    acquisition: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    points: NDArray[np.int64],
    sizes: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Local search from all points at once.

    A step changes one variable: to a random better neighbour or, up to ten times in all, to a
    random equal one.

    Returns
    -------
    points, values : ndarray, shapes (B, D) and (B,)
        Where the searches end.
    """
    points, values = points.copy(), acquisition(points)
    variable = np.repeat(np.arange(len(sizes)), sizes - 1)
    step = np.concatenate([np.arange(1, size) for size in sizes])
    moves = np.arange(len(variable))
    level = np.zeros(len(points), dtype=np.int64)
    active = np.arange(len(points))
    while len(active):
        near = np.repeat(points[active, None], len(moves), axis=1)
        near[:, moves, variable] = (near[:, moves, variable] + step) % sizes[variable]
        near_values = acquisition(near.reshape(-1, len(sizes))).reshape(near.shape[:2])
        gain = np.sign(near_values - values[active, None])
        chosen = (gain + rng.random(gain.shape)).argmax(axis=1)
        rows = np.arange(len(active))
        gain = gain[rows, chosen]
        moved = gain >= 0
        points[active[moved]] = near[rows, chosen][moved]
        values[active[moved]] = near_values[rows, chosen][moved]
        level[active] += gain == 0
        active = active[moved & (level[active] < _PLATEAU)]
    return points, values
