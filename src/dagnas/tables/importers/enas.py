"""Importer of D-VAE's text file of ENAS macro cells, a list and an accuracy in each line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.spaces.sizes.enas import enas_size
from dagnas.tables.importers import ROWS, Imported, assemble

#: Lines from the first steps of the search behind the file, which D-VAE and NGAE leave out.
BURN_IN = 1_000
#: The file has no times. For budgets, this column counts each evaluation as 1.
COST = "cifar10/evaluations/0/mean"


def read(path: Path, expected: int = ROWS["enas"], burn_in: int = BURN_IN) -> Imported:
    """Table of ENAS macro cells from ``enas6_final_structures6.txt``.

    Parameters
    ----------
    path : Path
        Lines of a cell as `dagnas.spaces.enas` writes it, a comma, and the fraction of validation
        images that the shared weights classify correctly.
    expected : int
        Expected number of rows after the first lines.
    burn_in : int
        Number of first lines, which are checked and left out.

    Returns
    -------
    Imported
        Rows in the order of the file. The file holds some cells twice, and so does the table. The
        cost of an evaluation, which is not in the file, is 1 and marked as emulated.

    Raises
    ------
    DagnasError
        A line is not a cell and an accuracy (the message has its number), or the number of lines
        is wrong.
    """
    space = SPACES.get("enas")
    texts, accuracies = [], []
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError as error:
        raise DagnasError(f"{path} is no text file: {error}") from error
    for number, line in enumerate(lines, start=1):
        text, _, accuracy = line.rpartition(",")
        try:
            space.from_str([text])
            accuracies.append(100 * float(accuracy))
        except (DagnasError, ValueError) as error:
            raise DagnasError(f"{path}: line {number}: {error}") from error
        if not 0 <= accuracies[-1] <= 100:
            raise DagnasError(f"{path}: line {number}: {accuracy.strip()} is no fraction in 0..1")
        texts.append(text)
    cells = space.from_str(texts[burn_in:])
    size = enas_size(cells)
    columns = {
        "cifar10/valid/0/mean": np.array(accuracies[burn_in:]),
        COST: np.ones(len(cells)),
        "params": size.params.astype(np.float64),
        "madds": size.total_madds().astype(np.float64),
    }
    table: pa.Table = assemble(path, space.pack(cells), columns, expected, distinct=False)
    return Imported(table, (COST,))
