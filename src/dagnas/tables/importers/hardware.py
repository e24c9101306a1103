"""Importer of HW-NAS-Bench on NAS-Bench-201: latency and energy on six devices (Li et al. 2021)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.files import read_parquet
from dagnas.spaces import SPACES
from dagnas.tables.importers import ROWS, Imported, assemble
from dagnas.tables.importers.compact import check_columns

#: Image sets by our names, and as the file names them.
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "ImageNet16-120"}
#: Columns of the file: latencies in ms, energies in mJ.
COSTS = (
    *("edgegpu_latency", "edgegpu_energy", "raspi4_latency", "pixel3_latency"),
    *("eyeriss_latency", "eyeriss_energy", "fpga_latency", "fpga_energy"),
)
#: The Edge TPU could not run some of the cells, whose latency is told as -1.
PARTIAL = "edgetpu_latency"
_LACKING = -1.0
#: Number of our operation by theirs, which are skip_connect, none, nor_conv_3x3, nor_conv_1x1 and
#: avg_pool_3x3, and their place of each of our edges: theirs are 0->1, 0->2, 0->3, 1->2, 1->3,
#: 2->3. docs/hardware.md tells how this was found; tests hold it against the latencies.
OPERATIONS = np.array([1, 0, 3, 2, 4])
PLACES = np.array([0, 1, 3, 2, 4, 5])


def read(path: Path) -> Imported:
    """Table of latencies and energies from ``hw_nasbench201.parquet``.

    Parameters
    ----------
    path : Path
        A row for each image set and cell; ``net`` has the operations of the six edges.

    Returns
    -------
    Imported
        A row a cell, in the order of their numbers, with columns such as
        ``cifar10/raspi4_latency/0/mean``. Those of the Edge TPU are NaN where it gave no number.

    Raises
    ------
    DagnasError
        Columns or cells are missing, a cell is none or occurs twice, a cost is not positive.
    """
    raw = read_parquet(path, ["dataset", "net", *COSTS, PARTIAL])
    check_columns(path, raw, len(DATASETS) * ROWS["hw_nasbench201"], texts=("dataset", "net"))
    codes = np.arange(ROWS["hw_nasbench201"])
    columns: dict[str, NDArray[np.float64]] = {}
    partial: dict[str, NDArray[np.float64]] = {}
    for images, theirs in DATASETS.items():
        rows = raw.filter(pc.equal(raw["dataset"], theirs))
        found = _codes(path, rows["net"].to_pylist())
        values = {name: rows[name].to_numpy().astype(np.float64) for name in (*COSTS, PARTIAL)}
        # Each image set is checked alone, so that its cells are all there and distinct.
        assemble(path, found, {name: values[name] for name in COSTS}, ROWS["hw_nasbench201"])
        order = np.argsort(found)
        columns |= {f"{images}/{name}/0/mean": values[name][order] for name in COSTS}
        partial[f"{images}/{PARTIAL}/0/mean"] = _partial(path, values[PARTIAL])[order]
    table: pa.Table = assemble(path, codes, columns, ROWS["hw_nasbench201"])
    for name, numbers in partial.items():
        table = table.append_column(name, pa.array(numbers, pa.float64()))
    return Imported(table)


def _codes(path: Path, texts: list[str]) -> NDArray[np.int64]:
    """Packed numbers of cells written as ``(4, 3, 3, 0, 0, 0)``."""
    cell = re.compile(r"\({}\)".format(", ".join(["([0-4])"] * 6)))
    values = np.empty((len(texts), 6), dtype=np.int64)
    for row, text in zip(values, texts, strict=True):
        match = cell.fullmatch(text)
        if match is None:
            raise DagnasError(f"{path}: net is {text!r:.50}; expected six numbers from 0 to 4")
        row[:] = [int(number) for number in match.groups()]
    space = SPACES.get("nasbench201")
    packed: NDArray[np.int64] = space.pack(space.from_values(OPERATIONS[values][:, PLACES]))
    return packed


def _partial(path: Path, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Latencies of the Edge TPU, NaN where it has none."""
    lacking = values == _LACKING
    wrong = ~(lacking | ((values > 0) & np.isfinite(values)))
    if wrong.any():
        row = int(wrong.argmax())
        raise DagnasError(
            f"{path}: {PARTIAL} is {values[row]} in row {row}, not a positive number or -1"
        )
    return np.where(lacking, np.nan, values)
