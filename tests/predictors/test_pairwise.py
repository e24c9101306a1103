"""Ridge regression on pairs of choices."""

from itertools import combinations

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.predictors.graph_vae.labelled import dvae_split
from dagnas.predictors.pairwise import PairwiseRidge
from dagnas.spaces import SPACES
from dagnas.tables.fetch import fetch

SPACE = SPACES.get("nasbench201")


def test_pairs_of_choices_are_found_and_triples_are_not():
    rng = np.random.default_rng(0)
    cells = SPACE.sample(3000, rng)
    values = SPACE.to_values(cells)
    single = rng.normal(size=(6, 5))
    double = rng.normal(size=(6, 6, 5, 5))
    accuracies = 90 + sum(single[i][values[:, i]] for i in range(6))
    accuracies += sum(
        double[i, j][values[:, i], values[:, j]] for i, j in combinations(range(6), 2)
    )
    triple = 5.0 * ((values[:, :3] == 1).sum(axis=1) % 2)
    for extra, low, high in ((0, 0, 0.2), (triple, 0.5, 3)):
        truth = accuracies + extra
        model = PairwiseRidge(SPACE, cells[:2000], truth[:2000], penalty=0.1)
        error = np.sqrt(np.mean((model.predict(cells[2000:]) - truth[2000:]) ** 2))
        assert low <= error < high


def test_a_large_penalty_gives_the_mean():
    cells = SPACE.sample(50, np.random.default_rng(0))
    accuracies = np.linspace(50, 60, 50)
    np.testing.assert_allclose(
        PairwiseRidge(SPACE, cells, accuracies, penalty=1e9).predict(cells), 55, atol=1e-4
    )


def test_error_on_the_enas_set(mirror, tmp_path):
    fetch("enas", tmp_path, [str(mirror)])
    bench = BENCHMARKS.get("enas").open(tmp_path)
    accuracies = bench.values("cifar10/valid/0")
    train, test = dvae_split(len(bench))
    model = PairwiseRidge(bench.space, bench.cells[train], accuracies[train])
    error = model.predict(bench.cells[test]) - accuracies[test]
    assert np.sqrt(np.mean(error**2)) == pytest.approx(0.15, abs=0.005)
    assert accuracies.std() == pytest.approx(0.61, abs=0.005)
