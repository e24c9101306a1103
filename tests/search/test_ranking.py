"""Rankings of cells by predictors."""

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from dagnas.search.core.ranking import RANKING, rank_after_search, rank_uniform, unique_rows
from dagnas.search.core.runner import Search


@pytest.fixture(scope="module")
def bench(data):
    return BENCHMARKS.get("nasbench201").open(data)


def test_there_is_one_row_of_each_class(bench):
    rows = unique_rows(bench)
    assert len(rows) == len(set(bench.space.canonical(bench.cells[rows]))) == 6_466


def test_predictors_are_asked_about_the_same_cells_held_out(bench):
    table = rank_uniform("r", bench, "cifar10/valid/200", ["ecc", "mlp"], [20, 40], 100, 2, 1)
    assert table.schema == RANKING
    asked = table.to_pandas().groupby(["predictor", "train_size"])["code"].apply(tuple)
    assert len(asked) == 4
    assert asked.nunique() == 1
    with pytest.raises(DagnasError, match="6400 test cells and 100 training cells are more than"):
        rank_uniform("r", bench, "cifar10/valid/200", ["mlp"], [100], 6400, 1, 1)


def test_a_search_and_a_uniform_sample_of_its_size(bench):
    given = {"initial": 10, "epochs": 2}
    search = Search(bench, METHODS.get("goal"), given=given, budget_evaluations=20)
    table = rank_after_search("r", search, 1).to_pandas()
    assert table.groupby("source").size().to_dict() == {"search": 6_466, "uniform": 6_466}
    # Trained on 10 cells and then on 15; the last five came after that.
    assert set(table["train_size"]) == {15}
    assert np.isfinite(table["score"]).all()


def test_searches_without_a_trained_surrogate_are_refused(bench):
    short = Search(bench, METHODS.get("goal"), budget_evaluations=5)
    with pytest.raises(DagnasError, match="ends before goal trains its surrogate"):
        rank_after_search("r", short, 1)
    with pytest.raises(DagnasError, match="'random_search' shows no surrogate"):
        rank_after_search("r", Search(bench, METHODS.get("random_search")), 1)
