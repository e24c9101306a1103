"""Rankings of cells by predictors."""

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.pipeline import scales
from dagnas.pipeline.kinds.ranking import UniformRanking
from dagnas.search import METHODS, ranking
from dagnas.search.models.surrogate import Surrogate
from dagnas.search.ranking import (
    RANKING,
    Training,
    rank_after_search,
    rank_shares,
    rank_uniform,
    unique_rows,
)
from dagnas.search.runner import Search
from dagnas.seeds import stream

TWO = Training(epochs=2)
SQUARES = Training(loss="mse", batch_size=128, lr=1e-3, weight_decay=0.0, epochs=3)


@pytest.fixture(scope="module")
def bench(data):
    return BENCHMARKS.get("nasbench201").open(data)


def test_there_is_one_row_of_each_class(bench):
    rows = unique_rows(bench)
    assert len(rows) == len(set(bench.space.canonical(bench.cells[rows]))) == 6_466


def test_predictors_are_asked_about_the_same_cells_held_out(bench):
    table = rank_uniform("r", bench, "cifar10/valid/200", ["ecc", "mlp"], [20, 40], 100, TWO, 1)
    assert table.schema == RANKING
    asked = table.to_pandas().groupby(["predictor", "train_size"])["code"].apply(tuple)
    assert len(asked) == 4
    assert asked.nunique() == 1
    with pytest.raises(DagnasError, match="6400 test cells and 100 training cells are more than"):
        rank_uniform("r", bench, "cifar10/valid/200", ["mlp"], [100], 6400, TWO, 1)


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


def test_by_default_predictors_are_trained_as_the_surrogates_of_searches(bench):
    table = rank_uniform("r", bench, "cifar10/valid/200", ["mlp"], [40], 300, TWO, 1).to_pandas()
    rows = stream("r", 0).permutation(unique_rows(bench))
    test, train = np.sort(rows[:300]), rows[300:340]
    surrogate = Surrogate(bench.space, "mlp", stream("r", "mlp", 40, 0))
    surrogate.fit(bench.cells[train], bench.values("cifar10/valid/200")[train], 2)
    assert (table["score"] == surrogate.score(bench.cells[test])).all()


def split(bench, predictors=("lstm", "gcn"), shares=(0.02, 0.01), training=SQUARES, trials=1):
    return rank_shares("r", bench, "cifar10/test/200", predictors, shares, training, trials)


def test_a_table_is_split_into_three_parts(bench, monkeypatch):
    asked = []
    inputs = ranking._Model.inputs

    def watched(self, cells):
        asked.append(bench.space.pack(cells))
        return inputs(self, cells)

    monkeypatch.setattr(ranking._Model, "inputs", watched)
    table = split(bench, shares=(0.02, 0.01), training=Training(epochs=1, loss="mse"), trials=2)
    assert table.schema == RANKING
    # Training, validation and test cells of two predictors in each of two trials.
    assert [len(codes) for codes in asked] == 4 * [312, 156, 15625 - 468]
    for first in range(0, 12, 3):
        assert len(np.unique(np.concatenate(asked[first : first + 3]))) == 15625
    for part in range(3):
        assert (asked[part] == asked[3 + part]).all()
        assert (asked[part] != asked[6 + part]).any()
    frame = table.to_pandas()
    truth = dict(zip(bench.space.pack(bench.cells), bench.values("cifar10/test/200"), strict=True))
    assert (frame["code"].map(truth) == frame["target"]).all()
    assert (frame["train_size"] == 312).all()


def test_an_interrupted_command_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    scale = tmp_path / "tiny.yaml"
    shares = "shares: [0.02, 0.01], loss: mse, epochs: 1"
    names = {"divided": shares, "sized": "train_sizes: [20, 40], test_size: 100, epochs: 1"}
    scale.write_text(
        "scale: tiny\ntrials: 2\npapers: [goal]\nrankings:\n"
        + "".join(
            f"  {name}: {{benchmark: digits201, target: digits/valid/12, predictors: [gcn, mlp], "
            f"{rest}}}\n"
            for name, rest in names.items()
        )
    )
    score, calls = ranking._Model.score, []

    def interrupted(self, inputs):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score(self, inputs)

    for name in names:
        asked = ["rank", *scales.load(scale).jobs("ranking")[name].arguments(), "--out"]
        assert main([*asked, str(tmp_path / f"{name}.parquet")]) == 0
        again = tmp_path / f"{name}-again.parquet"
        calls.clear()
        with monkeypatch.context() as patched:
            patched.setattr(ranking._Model, "score", interrupted)
            assert main([*asked, str(again)]) == 130
            assert not again.exists()
            assert main([*asked, str(again)]) == 0
        # Divided, a predictor is asked twice: after its epoch, and in the end. So one of four was
        # done before the interruption, and of the others three of four.
        assert len(calls) - 4 == {"divided": 2 * 3, "sized": 8 - 3}[name]
        whole = (tmp_path / f"{name}.parquet").read_bytes()
        assert again.read_bytes() == whole
        assert not list(tmp_path.glob(".*.partial"))


def test_weights_of_the_epoch_that_validates_best_are_kept(bench, monkeypatch):
    found = iter([0.1, 0.5, 0.4, 0.1, 0.5])
    monkeypatch.setattr(ranking, "_correlation", lambda *_: next(found))
    three = split(bench, ["gcn"]).to_pandas()["score"]
    two = split(bench, ["gcn"], training=Training({"gcn": 2}, "mse", 128, 1e-3, 0.0))
    assert (three == two.to_pandas()["score"]).all()


def test_squared_errors_are_of_shares_and_fall(bench):
    table = split(bench, ["gcn"], training=Training(60, "mse", 128, 1e-3, 0.0)).to_pandas()
    predicted, actual = 1 - table["score"], table["target"] / 100
    assert predicted.corr(actual) > 0.5
    assert np.mean((predicted - actual) ** 2) < actual.var()


def test_correlations_are_pearsons():
    scores, truth = np.array([0.5, 1.0, 3.0], dtype=np.float32), np.array([60.0, 61.0, 90.0])
    assert ranking._correlation(scores, truth) == pytest.approx(np.corrcoef(scores, truth)[0, 1])
    assert ranking._correlation(np.ones(3), truth) == 0


def test_parts_without_cells_are_refused(bench):
    with pytest.raises(DagnasError, match="of 15625 cells leave a part without any"):
        split(bench, shares=(0.85, 1e-6))


def test_settings_of_a_ranking():
    plain = {"benchmark": "digits201", "target": "digits/valid/12", "predictors": ["gcn", "lstm"]}
    short = UniformRanking(**plain, train_sizes=[8])
    # What a result reads of a scale is what the scale says.
    assert set(short.model_dump(exclude_unset=True)) == {*plain, "train_sizes"}
    given = {"shares": [0.8, 0.1], "loss": "mse", "epochs": {"gcn": 2, "lstm": 1}}
    read = UniformRanking(**plain, **given)
    assert set(read.model_dump(exclude_unset=True)) == {*plain, *given}
    assert UniformRanking(**read.model_dump()) == read
    for wrong, words in (
        ({}, "either train_sizes or shares"),
        ({"train_sizes": [8], "shares": [0.8, 0.1]}, "either train_sizes or shares"),
        ({"shares": [0.8]}, "expected two numbers that leave cells"),
        ({"shares": [0.8, 0.2]}, "expected two numbers that leave cells"),
        ({"shares": [0.8, 1.2]}, "less than 1"),
        ({"shares": [0.8, 0.1], "epochs": {"gcn": 2}}, "one for each of the predictors"),
        ({"shares": [0.8, 0.1], "lr": 0}, "greater than 0"),
    ):
        with pytest.raises(ValueError, match=words):
            UniformRanking(**plain, **wrong)
