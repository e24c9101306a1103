"""Importers of compact Parquet files: values of NAS-Bench-201 and -101 from public repositories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.files import read_parquet
from dagnas.spaces import SPACES
from dagnas.tables.importers import REPEATS, ROWS, Imported, assemble, with_means
from dagnas.tables.importers.bits import cells_from_bits
from dagnas.tables.noise import REALISATIONS, nasbench201_pair, realised

#: Test images of three trainings, of which the file counts the correct ones: 3 x 9,984.
_TEST_IMAGES = 29_952
_DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "imagenet16_120"}
_SECONDS = {
    "cifar10": "cifar10_valid_split_train_seconds_per_epoch",
    "cifar100": "cifar100_train_seconds_per_epoch",
    "imagenet16": "imagenet16_120_train_seconds_per_epoch",
}


def _columns_201() -> dict[str, str]:
    """Names of the file's accuracy columns, by ours."""
    names = {f"cifar10/valid/200/{r}": f"cifar10_valid_200ep_{r}" for r in (*REPEATS, "mean")}
    names["cifar10/test/200/mean"] = "cifar10_test_200ep_mean"
    # Two trainings of 12 epochs gave the validation accuracy; the file has their mean only.
    names["cifar10/valid/12/mean"] = "cifar10_valid_12ep"
    names["cifar10/test/12/s0"] = "cifar10_test_12ep"
    for ours, theirs in list(_DATASETS.items())[1:]:
        for split in ("valid", "test"):
            names[f"{ours}/{split}/200/mean"] = f"{theirs}_{split}_200ep_mean"
            names[f"{ours}/{split}/12/s0"] = f"{theirs}_{split}_12ep"
        for repeat in REPEATS:
            names[f"{ours}/both/200/{repeat}"] = f"{theirs}_valid_and_test_200ep_{repeat}"
    return names


def read_nasbench201(path: Path) -> Imported:
    """Table of NAS-Bench-201 from ``nasbench201.parquet``.

    Of the two trainings of 12 epochs on CIFAR-10 the file has only the mean. Beside it, single ones
    are emulated under names of their own (docs/emulation.md).

    Parameters
    ----------
    path : Path
        File with one row per cell, in the official order, and float32 values.

    Raises
    ------
    DagnasError
        See `assemble`; also if columns are missing, or string and edges of a cell disagree.
    """
    names = _columns_201()
    edges = ["e01", "e02", "e12", "e03", "e13", "e23"]
    needed = ["arch_str", *edges, "cifar10_params_millions", *_SECONDS.values(), *names.values()]
    raw = read_parquet(path, needed)
    check_columns(path, raw, ROWS["nasbench201"], texts=("arch_str",), whole=edges)
    space = SPACES.get("nasbench201")
    codes = space.pack(space.from_str(raw["arch_str"].to_pylist()))
    columns = {ours: _floats(raw, theirs) for ours, theirs in names.items()}
    for ours, theirs in _SECONDS.items():
        for epochs in (12, 200):
            columns[f"{ours}/seconds/{epochs}/mean"] = epochs * _floats(raw, theirs)
    # The count is a whole number, stored as millions in float32 and so off by up to 0.1.
    columns["params"] = np.rint(1e6 * _floats(raw, "cifar10_params_millions"))
    numbered = sum(5**i * raw[edge].to_numpy().astype(np.int64) for i, edge in enumerate(edges))
    if (differ := numbered != codes).any():
        row = int(differ.argmax())
        raise DagnasError(f"{path}: arch_str and the edges e01..e23 disagree in row {row}")
    facts = with_means(columns)
    # Checked before anything is emulated from them.
    assemble(path, codes, facts, ROWS["nasbench201"])
    emulated = _emulated_201(facts["cifar10/valid/12/mean"])
    table = assemble(path, codes, {**facts, **emulated}, ROWS["nasbench201"])
    return Imported(table, tuple(sorted(emulated)))


def _emulated_201(mean: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Columns of emulated single trainings of 12 epochs, by name."""
    return {
        f"{realised('cifar10/valid/12', number)}/{repeat}": values
        for number in range(1, REALISATIONS + 1)
        for repeat, values in zip(REPEATS, nasbench201_pair(mean, number), strict=False)
    }


def read_nasbench101(path: Path, curves: Path) -> Imported:
    """Table of NAS-Bench-101 from its compact file, with the missing values emulated.

    Mean test accuracy and parameter counts are real; validation accuracy, single trainings and
    seconds come from a model fitted on the cells of ``curves`` (docs/emulation.md).

    Parameters
    ----------
    path : Path
        ``nasbench101.parquet``: one row per class of cells, in the order of the official hashes.
    curves : Path
        ``nasbench101_curves_subset.parquet``: real learning curves of some of the cells.

    Raises
    ------
    DagnasError
        See `assemble`; also if columns are missing, or a row is not a cell of the space.
    """
    from dagnas.tables.emulation import emulate

    whole = ["num_vertices", "edge_bits", "op_code"]
    raw = read_parquet(path, [*whole, "params", "test_correct_of_29952"])
    check_columns(path, raw, ROWS["nasbench101"], whole=whole)
    vertices, bits, operations = (raw[name].to_numpy().astype(np.int64) for name in whole)
    space = SPACES.get("nasbench101")
    cells = cells_from_bits(vertices, bits, operations)
    valid = (vertices >= 2) & (vertices <= 7) & (bits >> vertices * (vertices - 1) // 2 == 0)
    if not (valid := valid & space.is_valid(cells)).all():
        raise DagnasError(f"{path}: row {int(valid.argmin())} holds no cell of NAS-Bench-101")
    facts = {
        "params": _floats(raw, "params"),
        "cifar10/test/108/mean": 100 * _floats(raw, "test_correct_of_29952") / _TEST_IMAGES,
    }
    # Checked before the models are fitted to them.
    assemble(path, codes := space.canonical(cells), facts, ROWS["nasbench101"])
    emulated = emulate(raw, read_parquet(curves))
    table = assemble(path, codes, {**emulated, **facts}, ROWS["nasbench101"])
    return Imported(table, tuple(sorted(emulated.keys() - facts.keys())))


def check_columns(
    path: Path, table: pa.Table, rows: int, texts: Sequence[str] = (), whole: Sequence[str] = ()
) -> None:
    """Check types and number of rows: some columns of texts, some of whole numbers, else numbers.

    Raises
    ------
    DagnasError
        There are others, or texts or whole numbers are missing.
    """
    # `assemble` tells of missing ones; more would take their time before it does.
    if len(table) > rows:
        raise DagnasError(f"{path} holds {len(table)} cells; expected {rows}")
    for field in table.schema:
        kind = field.type
        number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
        exact = pa.types.is_integer(kind) and field.name in whole
        text = kind in (pa.string(), pa.large_string()) and field.name in texts
        if not (text or exact or (number and field.name not in (*texts, *whole))):
            raise DagnasError(f"{path}: the column {field.name} is of type {kind}")
        if (text or exact) and table[field.name].null_count:
            raise DagnasError(f"{path}: a value of {field.name} is missing")


def _floats(table: pa.Table, column: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = table[column].to_numpy().astype(np.float64)
    return values
