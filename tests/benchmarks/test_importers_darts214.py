"""Genotypes with their real trainings: read, checked, opened as a table of the DARTS space."""

import csv

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.tables import fetch
from dagnas.tables.importers import darts214
from dagnas.tables.sources import SOURCES, Source, SourceFile

SPACE = SPACES.get("darts")
COLUMNS = ("index", "best_test_accuracy", "last_epoch_test_accuracy", "params_c36_l20_computed")


def lines(count=5):
    """Made-up rows of the file."""
    cells = SPACE.sample(count, np.random.default_rng(0))
    params = SPACE.size(cells).params
    texts = SPACE.to_str(cells)
    return [[i, 97.5, 97.0 - i / 10, int(params[i]), texts[i]] for i in range(count)]


def write(path, rows, columns=(*COLUMNS, "genotype")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def test_the_last_accuracy_and_the_size_are_read(tmp_path):
    table, emulated = darts214.read(write(tmp_path / "a.csv", lines()), 5)
    assert table["cifar10/test/600/mean"].to_pylist() == pytest.approx([97, 96.9, 96.8, 96.7, 96.6])
    assert table["params"].to_pylist() == [row[3] for row in lines()]
    texts = SPACE.to_str(SPACE.unpack(table["code"].to_numpy()))
    assert texts == [row[4] for row in lines()]
    assert emulated == ("cifar10/evaluations/600/mean",)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (2, "high", "line 3: could not convert"),
        (2, 970, "970.0 in row 1, not an accuracy"),
        (3, 1, "line 3: 1 parameters, but the genotype has"),
        (4, "Genotype()", "line 3: .* is no genotype"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, column, value, message):
    rows = lines()
    rows[1][column] = value
    with pytest.raises(DagnasError, match=message):
        darts214.read(write(tmp_path / "a.csv", rows), 5)


def test_missing_lines_and_columns_are_told(tmp_path):
    with pytest.raises(DagnasError, match="holds 4 cells; expected 5"):
        darts214.read(write(tmp_path / "a.csv", lines()[:4]), 5)
    with pytest.raises(DagnasError, match="expected the columns index, best_test"):
        darts214.read(write(tmp_path / "a.csv", lines(), (*COLUMNS, "cell")), 5)


def test_the_table_is_one_of_the_darts_space(tmp_path, monkeypatch):
    write(tmp_path / "darts214.csv", lines())
    monkeypatch.setitem(SOURCES, "darts214", (Source("compact", (SourceFile("darts214.csv"),)),))
    monkeypatch.setattr(darts214.read, "__defaults__", (5,))
    fetch.fetch("darts214", tmp_path / "data", [str(tmp_path)])
    opened = BENCHMARKS.get("darts214").open(tmp_path / "data")
    assert opened.space.name == "darts"
    found = opened.query(lines()[2][4], "goal")
    assert (found["signal"], found["test"]) == pytest.approx((96.8, 96.8))


def curves(path, ends, shape=(5, 600)):
    """Made-up curves, each from 1 on in steps of a hundredth, with these ends."""
    values = np.tile(1 + np.arange(shape[1]) / 100, (shape[0], 1))
    values[:, -1] = ends
    np.save(path, values)
    return path


def test_accuracies_after_single_epochs_are_read(tmp_path):
    path = write(tmp_path / "a.csv", lines())
    table, _ = darts214.read(path, 5, curves=curves(tmp_path / "a.npy", np.arange(97, 96.55, -0.1)))
    assert table["cifar10/test/1/mean"].to_pylist() == [1] * 5
    assert table["cifar10/test/120/mean"].to_pylist() == pytest.approx([1 + 1.19] * 5)
    assert table["cifar10/test/600/mean"].to_pylist()[1] == 96.9
    assert "cifar10/test/11/mean" not in table.column_names


def test_curves_that_do_not_belong_to_the_genotypes_are_told(tmp_path):
    path = write(tmp_path / "a.csv", lines())
    with pytest.raises(DagnasError, match=r"curve 1 ends at 97\.0 %, but its genotype has 96\.9"):
        darts214.read(path, 5, curves=curves(tmp_path / "a.npy", 97))
    with pytest.raises(DagnasError, match=r"shape \(5, 599\); expected floats of shape \(5, 600\)"):
        darts214.read(path, 5, curves=curves(tmp_path / "a.npy", 97, (5, 599)))
    (tmp_path / "a.npy").write_bytes(b"no array")
    with pytest.raises(DagnasError, match="is no array of curves"):
        darts214.read(path, 5, curves=tmp_path / "a.npy")
