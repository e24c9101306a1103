"""Importer of 214 random genotypes of the DARTS space, each trained for 600 epochs on CIFAR-10."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa

from dagnas.errors import DagnasError
from dagnas.spaces.darts import darts
from dagnas.tables.importers import ROWS, Imported, assemble

#: Columns of the file, in its order; the second is the best of the test accuracies after epochs.
_COLUMNS = (
    *("index", "best_test_accuracy", "last_epoch_test_accuracy"),
    *("params_c36_l20_computed", "genotype"),
)
#: Nothing is known of the time of the trainings; an evaluation counts as 1.
COST = "cifar10/evaluations/600/mean"


def read(path: Path, expected: int = ROWS["darts214"]) -> Imported:
    """Table of the genotypes of Yang, Esperanca and Carlucci (2020).

    Parameters
    ----------
    path : Path
        Lines of number, best and last test accuracy (%), parameters of the network of 36 channels
        and 20 cells, and genotype.
    expected : int
        Expected number of genotypes.

    Returns
    -------
    Imported
        ``cifar10/test/600`` is the accuracy after the last epoch. Parameters are counted anew.

    Raises
    ------
    DagnasError
        A line is no genotype with its accuracies, or its parameters are others than ours; the
        message has its number. Lines are missing.
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
        "cifar10/test/600/mean": np.array(accuracies),
        COST: np.ones(len(cells)),
        "params": size.params.astype(np.float64),
        "madds": size.total_madds().astype(np.float64),
    }
    table: pa.Table = assemble(path, darts.pack(cells), columns, expected)
    return Imported(table, (COST,))
