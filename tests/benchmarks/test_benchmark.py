"""Tables and policies: what an evaluation gives."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import TabularBenchmark, find_policy
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.spaces import SPACES
from dagnas.spaces.cells import concatenate
from dagnas.tables.table import Table


@pytest.fixture(scope="module")
def bench(data):
    return BENCHMARKS.get("nasbench201").open(data)


def test_every_registered_benchmark_names_its_tables():
    names = BENCHMARKS.names()
    assert {"nasbench101", "nasbench201", "nasbench201_cifar100"} <= set(names)
    # The table of digits201 is part of the package, with costs or without; spaces of decisions have
    # none.
    opened = {n: BENCHMARKS.get(n).open(Path("x")) for n in names if not BENCHMARKS.get(n).tables}
    tabular = [name for name, one in opened.items() if isinstance(one, TabularBenchmark)]
    assert tabular == ["digits201", "digits201_costs"]


def test_rows_find_each_cell_in_any_order(bench):
    order = np.random.default_rng(0).permutation(len(bench))
    assert (bench.rows(bench.cells[order]) == order).all()


def test_an_evaluation_is_what_the_policy_says(bench):
    rows = np.arange(50)
    policy = replace(bench.policies["goal"], repeat="s1", signal="cifar10/valid/200")
    result = bench.evaluate(bench.cells[rows], policy, np.random.default_rng(0))
    assert (result.signal == bench.table["cifar10/valid/200/s1"][rows]).all()
    assert (result.seconds == bench.table["cifar10/seconds/12/mean"][rows]).all()
    assert (result.valid == bench.table["cifar10/valid/200/mean"][rows]).all()
    assert (result.test == bench.table["cifar10/test/200/mean"][rows]).all()
    mean = bench.evaluate(
        bench.cells[rows], replace(policy, repeat="mean"), np.random.default_rng(1)
    )
    assert (mean.signal == result.valid).all()


def test_random_repeats_are_each_drawn_half_the_time(bench):
    policy = bench.policies["goal"]
    assert policy.repeat == "random"
    signal = bench.look_up(np.zeros(4000, dtype=int), policy, np.random.default_rng(0)).signal
    values = [bench.table[f"cifar10/valid/12/s{repeat}"][0] for repeat in range(2)]
    assert set(signal) == set(values)
    assert 0.45 < (signal == values[0]).mean() < 0.55


def test_a_missing_repeat_is_never_drawn(bench, data, tmp_path):
    table = pq.read_table(data / "nasbench201.parquet")
    holes = table["cifar10/valid/12/s0"].to_numpy().copy()
    holes[::2] = np.nan
    index = table.column_names.index("cifar10/valid/12/s0")
    table = table.set_column(index, "cifar10/valid/12/s0", pa.array(holes))
    pq.write_table(table, tmp_path / "nasbench201.parquet")
    other = BENCHMARKS.get("nasbench201").open(tmp_path)
    rows = np.repeat(np.arange(10), 100)
    signal = other.look_up(rows, other.policies["goal"], np.random.default_rng(0)).signal
    assert np.isfinite(signal).all()
    alone = rows % 2 == 0
    assert (signal[alone] == other.table["cifar10/valid/12/s1"][rows[alone]]).all()
    assert len(set(signal[~alone])) == 10


def test_what_is_emulated_is_told(bench):
    goal = bench.policies["goal"]
    assert bench.emulated(goal) == ("seconds",)
    assert bench.emulated(replace(goal, signal="cifar10/valid/200")) == ("signal", "seconds")
    assert bench.emulated(replace(goal, seconds="cifar10/seconds/200")) == ()


def with_columns(data, folder, columns, drop=(), notes=()):
    """NAS-Bench-201 of ``data`` with other columns and notes, opened."""
    table = pq.read_table(data / "nasbench201.parquet").drop_columns(list(drop))
    metadata = {k.decode(): v.decode() for k, v in table.schema.metadata.items()} | dict(notes)
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    write_parquet(table, folder / "nasbench201.parquet", metadata)
    return BENCHMARKS.get("nasbench201").open(folder)


def test_realisations_of_emulated_noise_are_policies(data, bench, tmp_path):
    assert sorted(bench.policies) == ["bonas", "goal"]
    assert bench.policies["goal"].note == ""
    single = ["cifar10/valid/12/s0", "cifar10/valid/12/s1"]
    noise = {
        f"cifar10/valid-{n}/12/s{i}": np.full(5**6, 10.0 * n + i) for n in (1, 2) for i in (0, 1)
    }
    marks = {"dagnas.emulated": json.dumps(sorted(noise)), "dagnas.emulation": "7"}
    other = with_columns(data, tmp_path, noise, single, marks)
    assert sorted(other.policies) == ["bonas", "goal", "goal_noise1", "goal_noise2"]
    goal, second = other.policies["goal"], other.policies["goal_noise2"]
    assert goal.repeat == "mean"
    assert "mean of trainings" in goal.note
    assert other.emulated(goal) == ()
    assert "emulated training, realisation 2" in second.note
    assert other.emulated(second) == ("signal",)
    rows = np.arange(200)
    drawn = other.look_up(rows, second, np.random.default_rng(0))
    assert set(drawn.signal) == {20.0, 21.0}
    # All but the signal is the same as without noise, also the numbers drawn of the stream.
    plain = other.look_up(rows, goal, np.random.default_rng(0))
    for quantity in ("seconds", "valid", "test"):
        assert (getattr(drawn, quantity) == getattr(plain, quantity)).all()
    # Tables of two versions of the emulation are two tables.
    assert other.digest() == f"{bench.digest()} 7"


def test_a_realisation_reports_its_own_validation_accuracy(data, tmp_path):
    """Where that is emulated too, as on NAS-Bench-101; its mean is that of its repeats."""
    noise = {f"cifar10/valid-2/{e}/s{i}": np.full(5**6, e + i) for e in (12, 200) for i in (0, 1)}
    marks = {"dagnas.emulated": json.dumps(sorted(noise))}
    other = with_columns(data, tmp_path, noise, (), marks)
    policy = other.policies["goal_noise2"]
    result = other.look_up(np.arange(9), policy, np.random.default_rng(0))
    assert set(result.valid) == {200.5}
    assert other.emulated(policy) == ("signal", "valid")


def test_a_policy_for_single_repeats_refuses_means(data, tmp_path):
    table = pq.read_table(data / "nasbench201.parquet")
    table = table.drop_columns(["cifar10/valid/12/s0", "cifar10/valid/12/s1"])
    pq.write_table(table, tmp_path / "nasbench201.parquet")
    bench = BENCHMARKS.get("nasbench201").open(tmp_path)
    assert bench.policies["goal"].repeat == "mean"
    policy = replace(bench.policies["goal"], repeat="random")
    with pytest.raises(DagnasError, match="no single repeats of 'cifar10/valid/12'"):
        bench.evaluate(bench.cells[:1], policy, np.random.default_rng(0))


def test_the_policy_of_bonas_is_the_same_on_all_tables(bench):
    expected = Policy(
        signal="cifar10/test/200",
        repeat="mean",
        seconds="cifar10/seconds/200",
        valid="cifar10/valid/200",
        test="cifar10/test/200",
        budget_evaluations=1000,
        source="BONAS, section 4.2: the mean test accuracy is the ground truth",
    )
    assert bench.policies["bonas"] == expected
    digits = BENCHMARKS.get("digits201").open(Path("unused")).policies["bonas"]
    assert (digits.signal, digits.valid) == ("digits/test/12", "digits/valid/12")
    assert (digits.seconds, digits.test) == ("digits/seconds/12", "digits/test/12")
    assert (digits.repeat, digits.budget_evaluations) == ("mean", 1000)


def test_an_unknown_policy_lists_the_valid_ones(bench):
    with pytest.raises(DagnasError, match=r"'gaol' \(did you mean 'goal'\?\); valid: bonas, goal"):
        find_policy(bench, "gaol")


def test_faults_of_a_table(data, tmp_path):
    path = tmp_path / "nasbench201.parquet"
    opened = BENCHMARKS.get("nasbench201").open
    with pytest.raises(DagnasError, match=r"no table .*nasbench201.parquet; `dagnas fetch"):
        opened(tmp_path)
    whole = (data / "nasbench201.parquet").read_bytes()
    for damage in (b"", b"nonsense", whole[:-100], whole[: len(whole) // 2]):
        path.write_bytes(damage)
        with pytest.raises(DagnasError, match="not a readable Parquet file"):
            opened(tmp_path)
    write_parquet(pa.table({"code": [1]}), path)
    with pytest.raises(DagnasError, match=r"no table of this version .*; make it again, by"):
        opened(tmp_path)
    part = {"dagnas.digest": "0" * 64, "dagnas.platform": "invented"}
    write_parquet(pa.table({"code": [1]}), path, part)
    with pytest.raises(DagnasError, match="part of a table: `dagnas build-table --merge`") as told:
        opened(tmp_path)
    assert "fetch" not in str(told.value)
    notes = {"dagnas.schema": "1", "dagnas.space": "nasbench101"}
    write_parquet(pa.table({"code": [1]}), path, notes)
    with pytest.raises(DagnasError, match="is a table of 'nasbench101'"):
        opened(tmp_path)


def test_a_flipped_bit_in_a_column_is_noticed(data, tmp_path):
    whole = bytearray((data / "nasbench201.parquet").read_bytes())
    path = tmp_path / "nasbench201.parquet"
    chunk = pq.ParquetFile(data / "nasbench201.parquet").metadata.row_group(0)
    columns = {chunk.column(i).path_in_schema: chunk.column(i) for i in range(chunk.num_columns)}
    column = columns["cifar10/test/200/mean"]
    whole[column.data_page_offset + column.total_compressed_size // 2] ^= 4
    path.write_bytes(whole)
    with pytest.raises(DagnasError, match="not a readable Parquet file"):
        Table(path)["cifar10/test/200/mean"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_named(data, tmp_path, bad):
    table = pq.read_table(data / "nasbench201.parquet")
    values = table["cifar10/test/200/mean"].to_numpy().copy()
    values[7] = bad
    index = table.column_names.index("cifar10/test/200/mean")
    table = table.set_column(index, "cifar10/test/200/mean", pa.array(values))
    pq.write_table(table, tmp_path / "nasbench201.parquet")
    bench = BENCHMARKS.get("nasbench201").open(tmp_path)
    with pytest.raises(DagnasError, match="'cifar10/test/200/mean' is not a number in row 7"):
        bench.evaluate(bench.cells[:1], bench.policies["goal"], np.random.default_rng(0))


def test_a_cell_that_is_not_in_the_table_is_named(data, tmp_path):
    table = pq.read_table(data / "nasbench201.parquet").slice(0, 100)
    pq.write_table(table, tmp_path / "nasbench201.parquet")
    bench = BENCHMARKS.get("nasbench201").open(tmp_path)
    with pytest.raises(DagnasError, match=r"has no cell \|"):
        bench.rows(bench.space.enumerate()[200])


@pytest.mark.slow
def test_real_tables_hold_the_published_optima(mirror, tmp_path):
    from dagnas.cli import main

    assert main(["fetch", "--mirror", str(mirror), "--data", str(tmp_path)]) == 0
    bench = BENCHMARKS.get("nasbench201").open(tmp_path)
    assert bench.values("cifar10/valid/200").max() == pytest.approx(91.607, abs=5e-4)
    assert bench.values("cifar10/test/200").max() == pytest.approx(94.373, abs=5e-4)
    assert bench.emulated(bench.policies["goal"]) == ()
    bench = BENCHMARKS.get("nasbench101").open(tmp_path)
    assert len(bench) == 423_624
    assert bench.values("cifar10/test/108").max() == pytest.approx(94.3176, abs=5e-4)
    assert bench.emulated(bench.policies["goal"]) == ("signal", "seconds", "valid")
    cells = bench.space.sample(200, np.random.default_rng(0))
    assert (bench.rows(cells) == bench.rows(bench.space.prune(cells))).all()
    # BONAS, section 4.4.2: 62K and 359K.
    for name, size in (("nasbench101_six", 62_010), ("nasbench101_seven", 359_082)):
        part = BENCHMARKS.get(name).open(tmp_path)
        assert len(part) == size
        assert part.best_signal(part.policies["bonas"]) == part.values("cifar10/test/108").max()
    assert part.best_signal(part.policies["bonas"]) == bench.values("cifar10/test/108").max()


def test_columns_are_read_when_they_are_first_needed(data):
    bench = BENCHMARKS.get("nasbench201").open(data)
    assert set(bench.table._read) == {"code"}
    bench.look_up(np.arange(3), bench.policies["goal"], np.random.default_rng(0))
    assert "params" not in bench.table._read


# Lengths of training, and the best cell


def test_lengths_of_training_are_those_with_signal_and_cost_of_the_policy(bench, data, tmp_path):
    assert bench.fidelities(bench.policies["goal"]) == (12,)
    assert bench.fidelities(bench.policies["bonas"]) == (12, 200)
    valid = replace(bench.policies["bonas"], signal="cifar10/valid/200")
    repeats = [replace(valid, repeat=repeat) for repeat in ("mean", "random", "s1")]
    assert [bench.fidelities(policy) for policy in repeats] == [(12, 200)] * 3
    table = pq.read_table(data / "nasbench201.parquet")
    short = {
        "cifar10/valid/12/s0": [(12, 200), (12, 200), (12, 200)],
        "cifar10/valid/12/s1": [(12, 200), (12, 200), (200,)],
        "cifar10/valid/12/mean": [(12, 200), (12, 200), (12, 200)],
        "cifar10/seconds/12/mean": [(200,), (200,), (200,)],
    }
    for column, expected in short.items():
        pq.write_table(table.drop_columns([column]), tmp_path / "nasbench201.parquet")
        other = BENCHMARKS.get("nasbench201").open(tmp_path)
        assert [other.fidelities(policy) for policy in repeats] == expected
        for policy, lengths in zip(repeats, expected, strict=True):
            for length in lengths:
                other.evaluate(other.cells[:2], policy.at(length), np.random.default_rng(0))


def test_lengths_of_training_of_digits201():
    digits = BENCHMARKS.get("digits201").open(Path("nowhere"))
    assert digits.fidelities(digits.policies["goal"]) == (1, 2, 3)
    assert digits.fidelities(digits.policies["bonas"]) == tuple(range(1, 13))
    short = digits.policies["bonas"].at(2)
    assert (short.signal, short.seconds) == ("digits/test/2", "digits/seconds/2")
    assert (short.valid, short.test) == ("digits/valid/12", "digits/test/12")


def test_the_best_signal_is_of_the_policys_repeat_or_mean(bench):
    assert bench.best_signal(bench.policies["bonas"]) == bench.table["cifar10/test/200/mean"].max()
    fixed = replace(bench.policies["goal"], repeat="s1")
    assert bench.best_signal(fixed) == bench.table["cifar10/valid/12/s1"].max()
    with pytest.raises(DagnasError, match="'cifar10/valid/12' is one of several trainings, drawn"):
        bench.best_signal(bench.policies["goal"])


# Parts of tables


def test_a_part_of_a_table_has_the_rows_that_were_chosen(bench, data):
    table = Table(data / "nasbench201.parquet")
    whole = table["params"]
    rows = np.arange(len(whole)) % 5 == 2
    part = table.only(rows)
    assert (part["params"] == whole[rows]).all()
    assert (
        part.quantity("cifar10/valid/12", "random")
        == np.stack([table[f"cifar10/valid/12/s{repeat}"][rows] for repeat in range(2)], axis=1)
    ).all()
    assert len(table["params"]) == len(table["code"]) == len(whole)
    assert (part.path, part.columns, part.provenance) == (
        table.path,
        table.columns,
        table.provenance,
    )


def test_a_part_of_a_part_counts_the_parts_rows(data):
    table = Table(data / "nasbench201.parquet")
    whole = table["params"]
    odd = np.arange(len(whole)) % 2 == 1
    first = np.arange(odd.sum()) < 10
    assert (table.only(odd).only(first)["params"] == whole[odd][:10]).all()


@pytest.fixture(scope="module")
def some101(tmp_path_factory):
    """Folder with an invented table of NAS-Bench-101: some classes of every size."""
    space, rng = SPACES.get("nasbench101"), np.random.default_rng(0)
    small = ["1:", "11|1:maxpool3x3", "111|01|1:maxpool3x3,conv1x1-bn-relu"]
    cells = concatenate([space.sample(300, rng), space.from_str(small)])
    codes = np.unique(space.canonical(cells))
    columns = {"code": codes, "params": np.ones(len(codes))}
    for name in ("valid/108/s0", "valid/108/mean", "test/108/mean", "seconds/108/mean"):
        columns[f"cifar10/{name}"] = rng.random(len(codes))
    notes = {"schema": "1", "space": "nasbench101", "source": "invented", "sha256": "0" * 64}
    folder = tmp_path_factory.mktemp("some101")
    path = folder / "nasbench101.parquet"
    write_parquet(pa.table(columns), path, {f"dagnas.{key}": value for key, value in notes.items()})
    return folder


def test_parts_of_nasbench101_hold_the_cells_of_one_size(some101):
    whole = BENCHMARKS.get("nasbench101").open(some101)
    sizes = np.array([len(names) for _, names in whole.space.to_matrices(whole.cells)])
    assert set(sizes) >= {2, 3, 4, 6, 7}
    for name, size in (("nasbench101_six", 6), ("nasbench101_seven", 7)):
        part = BENCHMARKS.get(name).open(some101)
        assert part.name == name
        assert (part.table["code"] == whole.table["code"][sizes == size]).all()
        assert part.space.is_valid(part.cells).all()
        assert (part.rows(part.cells) == np.arange(len(part))).all()
        found = whole.rows(part.cells)
        assert (part.values("cifar10/test/108") == whole.values("cifar10/test/108")[found]).all()
        for policy in ("goal", "bonas"):
            assert part.fidelities(part.policies[policy]) == (108,)
        with pytest.raises(DagnasError, match="has no cell"):
            part.rows(whole.cells[sizes == 13 - size])
