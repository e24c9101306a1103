"""Importer of 214 random genotypes of the DARTS space, each trained for 600 epochs on CIFAR-10."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.outside.array import read_array
from dagnas.spaces.darts import darts
from dagnas.tables.importers import ROWS, Imported, assemble

#: Columns of the file, in its order; the second is the best of the test accuracies after epochs.
_COLUMNS = (
    *("index", "best_test_accuracy", "last_epoch_test_accuracy"),
    *("params_c36_l20_computed", "genotype"),
)
#: Epochs of the trainings, and those after which accuracies are in the table.
EPOCHS = 600
KEPT = (*range(1, 10), *range(10, EPOCHS + 1, 10))
#: The file of genotypes has two digits after the point.
_ROUNDED = 0.011
#: Nothing is known of the time of the trainings; an evaluation counts as 1.
COST = "cifar10/evaluations/600/mean"


def read(path: Path, expected: int = ROWS["darts214"], *, curves: Path | None = None) -> Imported:
    """Table of the genotypes of Yang, Esperanca and Carlucci (2020).

    Parameters
    ----------
    path : Path
        Lines of number, best and last test accuracy (%), parameters of the network of 36 channels
        and 20 cells, and genotype.
    expected : int
        Expected number of genotypes.
    curves : Path, optional
        NumPy array of the test accuracies (%) after each epoch, shape (genotypes, 600).

    Returns
    -------
    Imported
        ``cifar10/test/600`` is the accuracy after the last epoch; with ``curves`` there are also
        those after the epochs `KEPT`. Parameters are counted anew.

    Raises
    ------
    DagnasError
        A line is no genotype with its accuracies, or its parameters are others than ours; the
        message has its number. Lines are missing. Curves end otherwise.
    """
    texts, accuracies, params = [], [], []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.DictReader(file)
            if tuple(lines.fieldnames or ()) != _COLUMNS:
                raise DagnasError(f"{path}: expected the columns {', '.join(_COLUMNS)}")
            for line in lines:
                try:
                    accuracies.append(float(line["last_epoch_test_accuracy"]))
                    params.append(int(line["params_c36_l20_computed"]))
                    darts.from_str([line["genotype"]])
                except (TypeError, ValueError, DagnasError) as error:
                    raise DagnasError(f"{path}: line {lines.line_num}: {error}") from error
                texts.append(line["genotype"])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DagnasError(f"{path} is no table of genotypes: {error}") from error
    cells = darts.from_str(texts)
    size = darts.size(cells)
    wrong = size.params != np.array(params, dtype=np.int64)
    if wrong.any():
        row = int(wrong.argmax())
        raise DagnasError(
            f"{path}: line {row + 2}: {params[row]} parameters, but the genotype has "
            f"{size.params[row]}"
        )
    columns = {
        **_curves(curves, np.array(accuracies)),
        f"cifar10/test/{EPOCHS}/mean": np.array(accuracies),
        COST: np.ones(len(cells)),
        "params": size.params.astype(np.float64),
        "madds": size.total_madds().astype(np.float64),
    }
    table: pa.Table = assemble(path, darts.pack(cells), columns, expected)
    return Imported(table, (COST,))


def _curves(path: Path | None, last: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Columns of the accuracies after single epochs, none without a file."""
    if path is None:
        return {}
    try:
        found = read_array(path, (2,))
    except DagnasError as error:
        raise DagnasError(f"{path} is no array of curves: {error}") from error
    if found.shape != (len(last), EPOCHS) or found.dtype.kind != "f":
        raise DagnasError(
            f"{path} has {found.dtype} of shape {found.shape}; expected floats of shape "
            f"{(len(last), EPOCHS)}"
        )
    wrong = ~(np.abs(found[:, -1] - last) < _ROUNDED)
    if wrong.any():
        row = int(wrong.argmax())
        raise DagnasError(
            f"{path}: curve {row} ends at {found[row, -1]} %, but its genotype has {last[row]} %"
        )
    return {
        f"cifar10/test/{epoch}/mean": np.array(found[:, epoch - 1], dtype=np.float64)
        for epoch in KEPT
    }
