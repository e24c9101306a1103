"""Compact files, and the checks that every reader's table goes through."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.tables.importers import assemble, compact, import_table
from dagnas.tables.importers.bits import cells_from_bits
from tests.benchmarks import official


@pytest.fixture(scope="module")
def columns():
    return official.compact_201()


def test_nasbench201(columns, tmp_path):
    table, emulated = compact.read_nasbench201(
        official.write_parquet(tmp_path / "x.parquet", columns)
    )
    assert table["code"].to_pylist() == list(range(5**6))
    for ours, theirs in {
        "cifar10/valid/12/mean": "cifar10_valid_12ep",
        "cifar10/valid/200/s1": "cifar10_valid_200ep_s1",
        "cifar10/test/200/mean": "cifar10_test_200ep_mean",
        "cifar100/both/200/s2": "cifar100_valid_and_test_200ep_s2",
        "imagenet16/test/12/s0": "imagenet16_120_test_12ep",
        "imagenet16/valid/200/mean": "imagenet16_120_valid_200ep_mean",
    }.items():
        assert table[ours].type == pa.float64()
        np.testing.assert_array_equal(table[ours].to_numpy(), np.float64(columns[theirs]))
    for epochs in (12, 200):
        expected = epochs * np.float64(columns["cifar10_valid_split_train_seconds_per_epoch"])
        np.testing.assert_array_equal(table[f"cifar10/seconds/{epochs}/mean"], expected)
    # The 12-epoch validation accuracy is a mean of two trainings: no single one is known, and those
    # that are emulated have names of their own.
    assert "cifar10/valid/12/s0" not in table.column_names
    assert set(emulated) == {
        f"cifar10/valid-{number}/12/s{i}" for number in range(1, 6) for i in range(2)
    }
    mean = table["cifar10/valid/12/mean"].to_numpy()
    for number in range(1, 6):
        first, second = (table[f"cifar10/valid-{number}/12/s{i}"].to_numpy() for i in range(2))
        np.testing.assert_allclose((first + second) / 2, mean, atol=1e-12)
        # Cells that only guess do so in every training.
        assert ((first != second) == (mean >= 11)).all()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("cifar10_valid_200ep_s0", np.nan, "cifar10/valid/200/s0 is nan in row 7"),
        ("cifar10_valid_12ep", np.nan, "cifar10/valid/12/mean is nan in row 7"),
        ("cifar10_test_200ep_mean", 100.5, "cifar10/test/200/mean is 100.5 in row 7"),
        ("cifar100_test_12ep", -1.0, "cifar100/test/12/s0 is -1.0 in row 7"),
        ("cifar10_valid_200ep_mean", 95.0, "its repeats have the mean"),
        ("cifar10_valid_200ep_s2", np.nan, "its repeats have the mean"),
        ("cifar100_train_seconds_per_epoch", 0.0, "cifar100/seconds/12/mean is 0.0 in row 7"),
        ("cifar100_train_seconds_per_epoch", np.inf, "cifar100/seconds/12/mean is inf in row 7"),
        ("cifar10_params_millions", np.nan, "params is nan in row 7"),
        ("e12", 4, "disagree in row 7"),
    ],
)
def test_impossible_values_name_column_and_row(columns, tmp_path, column, value, message):
    changed = {**columns, column: columns[column].copy()}
    changed[column][7] = value
    with pytest.raises(DagnasError, match=message):
        compact.read_nasbench201(official.write_parquet(tmp_path / "x.parquet", changed))


def test_missing_and_double_cells(columns, tmp_path):
    path = tmp_path / "x.parquet"
    official.write_parquet(path, {name: values[:-1] for name, values in columns.items()})
    with pytest.raises(DagnasError, match="holds 15624 cells; expected 15625"):
        compact.read_nasbench201(path)
    changed = {name: values.copy() for name, values in columns.items()}
    for name in ("arch_str", "e01", "e02", "e12", "e03", "e13", "e23"):
        changed[name][9] = changed[name][7]
    official.write_parquet(path, changed)
    with pytest.raises(DagnasError, match="the cell of row 7 occurs more than once"):
        compact.read_nasbench201(path)
    changed["arch_str"][9] = "|none~0|"
    official.write_parquet(path, changed)
    with pytest.raises(DagnasError, match=r"\|none~0\|"):
        compact.read_nasbench201(path)


def test_missing_column(columns, tmp_path):
    fewer = {name: values for name, values in columns.items() if name != "cifar10_test_12ep"}
    path = official.write_parquet(tmp_path / "x.parquet", fewer)
    with pytest.raises(DagnasError, match="lacks the columns cifar10_test_12ep"):
        compact.read_nasbench201(path)


def test_damaged_files(columns, tmp_path):
    path = official.write_parquet(tmp_path / "x.parquet", columns)
    whole = path.read_bytes()
    for damaged in (whole[:-10], whole[: len(whole) // 2], b"", b"no parquet" * 100):
        path.write_bytes(damaged)
        for name in ("nasbench201", "nasbench101"):
            with pytest.raises(DagnasError, match=r"x\.parquet"):
                import_table(name, [path, path])
    pq.write_table(pa.table(columns), path, write_page_checksum=True, compression="none")
    flipped = bytearray(path.read_bytes())
    flipped[len(flipped) // 2] ^= 16
    path.write_bytes(flipped)
    with pytest.raises(DagnasError, match=r"x\.parquet"):
        import_table("nasbench201", [path])


def test_wrong_kind_of_source(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b")
    for name in ("nasbench201", "nasbench101"):
        with pytest.raises(DagnasError, match=r"x\.csv is no source of .*\.parquet"):
            import_table(name, [path])
    with pytest.raises(DagnasError, match=r"cannot read .*none\.pth"):
        import_table("nasbench201", [tmp_path / "none.pth"])


def test_assemble_keeps_rows_and_sorts_columns(tmp_path):
    columns = {"params": np.array([1.0, 2.0]), "cifar10/valid/12/s1": np.array([np.nan, 5.0])}
    table = assemble(tmp_path, np.array([9, 4]), columns, 2)
    assert table.column_names == ["code", "cifar10/valid/12/s1", "params"]
    assert table["code"].to_pylist() == [9, 4]


@pytest.mark.parametrize("column", ["cifar10/valid/12/s0", "cifar10/valid-2/12/s0"])
def test_accuracies_of_any_realisation_are_in_percent(tmp_path, column):
    assemble(tmp_path, np.array([1, 2]), {column: np.array([0.0, 100.0])}, 2)
    with pytest.raises(DagnasError, match=f"{column} is 100.5 in row 1, not an accuracy"):
        assemble(tmp_path, np.array([1, 2]), {column: np.array([50.0, 100.5])}, 2)


def test_cells_of_101_from_bits():
    """Both ends of the numbering: edges of small cells are moved to the seventh vertex."""
    space = SPACES.get("nasbench101")
    for adjacency, operations in official.cells_101():
        size = 1 + operations.count(",")
        bits = sum(
            1 << (x + y * (y - 1) // 2)
            for x in range(size)
            for y in range(size)
            if adjacency[x * size + y] == "1"
        )
        inside = operations.split(",")[1:-1]
        code = sum(official.OPERATIONS_101.index(op) * 3**i for i, op in enumerate(inside))
        cells = cells_from_bits(*(np.array([n]) for n in (size, bits, code)))
        assert space.key(cells) == [official.hash_101(adjacency, operations)]


def test_wrong_cells_of_101(tmp_path):
    good = {
        "num_vertices": np.array([3, 2], np.uint8),
        "edge_bits": np.array([0b101, 0b1], np.int32),
        "op_code": np.array([2, 0], np.uint8),
        "params": np.array([10, 20], np.int32),
        "test_correct_of_29952": np.array([20_000, 10_000], np.uint16),
    }
    path = tmp_path / "x.parquet"
    for name, value in (("num_vertices", 8), ("edge_bits", 0b1000), ("edge_bits", 0)):
        bad = {**good, name: good[name].copy()}
        bad[name][1] = value
        official.write_parquet(path, bad)
        with pytest.raises(DagnasError, match="row 1 holds no cell"):
            compact.read_nasbench101(path, path)
    official.write_parquet(path, good)
    with pytest.raises(DagnasError, match="holds 2 cells; expected 423624"):
        compact.read_nasbench101(path, path)


def test_real_nasbench201(mirror):
    path = mirror / "nasbench201.parquet"
    table = import_table("nasbench201", [path]).table
    raw = pq.read_table(path)
    space = SPACES.get("nasbench201")
    assert space.to_str(space.unpack(table["code"].to_numpy())) == raw["arch_str"].to_pylist()
    assert max(table["cifar10/valid/200/mean"].to_pylist()) == pytest.approx(91.607, abs=1e-3)
    assert max(table["cifar10/test/200/mean"].to_pylist()) == pytest.approx(94.373, abs=1e-3)


@pytest.mark.slow
def test_real_nasbench101(mirror):
    path = mirror / "nasbench101.parquet"
    table, emulated = import_table(
        "nasbench101", [path, path.with_name("nasbench101_curves_subset.parquet")]
    )
    mean = table["cifar10/test/108/mean"].to_numpy()
    assert mean.max() == pytest.approx(94.3176, abs=1e-4)
    assert mean.mean() == pytest.approx(89.68, abs=5e-3)
    assert set(emulated) == set(table.column_names) - {"code", "params", "cifar10/test/108/mean"}
    # Rows are in the order of the official hashes.
    space = SPACES.get("nasbench101")
    keys = space.key(space.unpack(table["code"].to_numpy()[::4000]))
    assert keys == sorted(keys)
