"""ENAS macro cells: the file of D-VAE, its table and its split."""

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.spaces import SPACES
from dagnas.spaces.sizes.enas import enas_size
from dagnas.tables.fetch import fetch
from dagnas.tables.importers import enas, import_table

SPACE = SPACES.get("enas")
CELLS = SPACE.sample(12, np.random.default_rng(0))
LINES = [f"{text}, {0.7 + i / 1000:.4f}" for i, text in enumerate(SPACE.to_str(CELLS))]


def written(folder, lines):
    path = folder / "enas6_final_structures6.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_columns_are_those_of_the_lines_after_the_first(tmp_path):
    table, emulated = enas.read(written(tmp_path, LINES), expected=10, burn_in=2)
    assert SPACE.unpack(table["code"].to_numpy()).same(CELLS[2:]).all()
    accuracies = 70 + np.arange(2, 12) / 10
    np.testing.assert_allclose(table["cifar10/valid/0/mean"].to_numpy(), accuracies)
    size = enas_size(CELLS[2:])
    assert table["params"].to_pylist() == size.params.tolist()
    assert table["madds"].to_pylist() == size.total_madds().tolist()
    assert emulated == (enas.COST,)
    assert set(table[enas.COST].to_pylist()) == {1.0}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "line 3: "),
        ("[[1]], 0.7", "line 3: .*1 rows; a cell has 6"),
        (LINES[2].replace("0.7", "x.7"), "line 3: could not convert"),
        (LINES[2].replace("0.7", "1.7"), "line 3: 1.7020 is no fraction"),
        (LINES[2].replace("0.7020", "nan"), "line 3: nan is no fraction"),
        (LINES[2].replace("0.7020", "-0.1"), "line 3: -0.1 is no fraction"),
        (LINES[2].rpartition(",")[0], "line 3: "),
        (LINES[2] + ", 0.7", "line 3: .*is no enas cell"),
    ],
)
@pytest.mark.parametrize("burn_in", [0, 5])
def test_a_wrong_line_is_named_by_its_number(tmp_path, line, why, burn_in):
    path = written(tmp_path, [*LINES[:2], line, *LINES[3:]])
    with pytest.raises(DagnasError, match=rf"enas6_final_structures6\.txt: {why}"):
        enas.read(path, expected=12 - burn_in, burn_in=burn_in)


def test_missing_lines_and_other_files(tmp_path):
    with pytest.raises(DagnasError, match="holds 0 cells; expected 19020"):
        import_table("enas", [written(tmp_path, LINES)])
    path = tmp_path / "x.txt"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DagnasError, match=r"x\.txt is no text file"):
        import_table("enas", [path])
    with pytest.raises(DagnasError, match=r"x\.csv is no source of enas.*a \.txt file"):
        import_table("enas", [tmp_path / "x.csv"])
    with pytest.raises(DagnasError, match=r"cannot read .*none\.txt"):
        import_table("enas", [tmp_path / "none.txt"])


def test_a_cell_that_stands_twice_is_looked_up_in_its_first_row(tmp_path):
    lines = [*LINES, LINES[4].replace("0.7", "0.8")]
    table, emulated = enas.read(written(tmp_path, lines), expected=13, burn_in=0)
    notes = {"dagnas.schema": "1", "dagnas.space": "enas", "dagnas.emulated": f'["{emulated[0]}"]'}
    write_parquet(table, tmp_path / "enas.parquet", notes)
    bench = BENCHMARKS.get("enas").open(tmp_path)
    assert len(bench) == 13
    assert bench.rows(bench.cells).tolist() == [*range(12), 4]
    policy = bench.policies["ngae"]
    # No training, no seconds: an evaluation counts as 1, and is marked as no measurement.
    assert bench.emulated(policy) == ("seconds",)
    result = bench.evaluate(CELLS, policy, np.random.default_rng(0))
    assert set(result.seconds) == {1.0}
    np.testing.assert_allclose(result.signal, 70 + np.arange(12) / 10)
    assert bench.fidelities(policy) == (0,)


def test_real_file(mirror, tmp_path):
    assert "19,020 cells" in fetch("enas", tmp_path, [str(mirror)])
    bench = BENCHMARKS.get("enas").open(tmp_path)
    assert len(np.unique(bench.table["code"])) == 19_015
    values = bench.values("cifar10/valid/0")
    assert (values.min(), values.max()) == pytest.approx((70.2, 75.02))
    # Cells that stand twice have the same accuracy in both rows, so which is looked up is the same.
    assert (values[bench.rows(bench.cells)] == values).all()
