"""Data of a graph VAE: split, complexities, labels."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.predictors.graph_vae.labelled import Scale, dvae_split, label, label_benchmark
from dagnas.predictors.graph_vae.passing import prepare
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace


def test_split_is_that_of_a_shuffled_list():
    rows = list("abcdefghijklmnopqrstuvwxyz")
    split = dvae_split(len(rows))
    random.Random(0).shuffle(rows)
    assert [chr(ord("a") + row) for row in [*split.train, *split.test]] == rows
    assert len(split.train) == 23
    assert dvae_split(26, seed=1).train.tolist() != split.train.tolist()
    part = dvae_split(len(rows), shares=(0.5, 0.25))
    whole = [*split.train, *split.test]
    assert (part.train.tolist(), part.test.tolist()) == (whole[:13], whole[13:20])


def test_split_of_enas_has_the_sizes_of_the_paper():
    split = dvae_split(19_020)
    assert (len(split.train), len(split.test)) == (17_118, 1_902)


def test_complexities_are_brought_to_the_unit_interval():
    scale = Scale.of(np.array([3, 1, 2]))
    assert scale.apply(np.array([3, 1, 2])).tolist() == [1, 0, 0.5]
    assert scale.apply(np.array([5])).tolist() == [2]
    assert Scale.of(np.array([3, 3])).apply(np.array([3, 3])).tolist() == [0, 0]


def test_labels_are_shares_of_accuracy_and_of_multiply_adds():
    space = SPACES.get("enas")
    cells = space.sample(3, np.random.default_rng(0))
    found = label(space, cells, np.array([70.0, np.nan, 75.0]), Scale(0.0, 1e9))
    assert found.performance[[0, 2]].tolist() == pytest.approx([0.7, 0.75])
    assert found.performance[1].isnan()
    assert found.complexity.numpy() == pytest.approx(space.madds(cells) / 1e9)
    assert torch.equal(found.batch.nodes, prepare(space, cells).nodes)


def test_a_space_without_networks_says_so():
    with pytest.raises(DagnasError, match="size of networks of <odd> is not known"):
        CellSpace.madds(SimpleNamespace(name="<odd>"), None)


def test_benchmarks_rows_are_divided():
    bench = BENCHMARKS.get("digits201").open(None)
    found = label_benchmark(bench, "digits/valid/12", shares=(0.75, 0.25))
    rows = np.concatenate([found.split.train, found.split.test])
    assert sorted(rows) == list(range(len(bench)))
    assert len(found.split.train) == int(0.75 * len(bench))
    for part, examples in zip(found.split, (found.train, found.test), strict=True):
        expected = bench.values("digits/valid/12")[part] / 100
        np.testing.assert_allclose(examples.performance.numpy(), expected, rtol=1e-6)
        complexity = found.scale.apply(bench.space.madds(bench.cells[part]))
        np.testing.assert_allclose(examples.complexity.numpy(), complexity, rtol=1e-6)
