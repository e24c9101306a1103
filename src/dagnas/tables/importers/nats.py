"""Importer of NATS-Bench's folder of the topology space (= NAS-Bench-201), one file per cell.

The functions that make a row of the table from the record of a cell serve the .pth file too.
"""

from __future__ import annotations

import bz2
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.tables.importers import REPEATS, ROWS, assemble, with_means
from dagnas.tables.importers.restricted import DAMAGE, load

#: Largest size of an unpacked file; a real one has 0.4 MB.
_LARGEST = 2**26

#: Training set and evaluated images as the files name them, by our dataset and split.
_ACCURACIES = {
    "cifar10/train": ("cifar10-valid", "train"),
    "cifar10/valid": ("cifar10-valid", "x-valid"),
    "cifar10/test": ("cifar10", "ori-test"),
    "cifar100/train": ("cifar100", "train"),
    "cifar100/valid": ("cifar100", "x-valid"),
    "cifar100/test": ("cifar100", "x-test"),
    "cifar100/both": ("cifar100", "ori-test"),
    "imagenet16/train": ("ImageNet16-120", "train"),
    "imagenet16/valid": ("ImageNet16-120", "x-valid"),
    "imagenet16/test": ("ImageNet16-120", "x-test"),
    "imagenet16/both": ("ImageNet16-120", "ori-test"),
}
_SECONDS = {"cifar10": "cifar10-valid", "cifar100": "cifar100", "imagenet16": "ImageNet16-120"}
_EPOCHS = (12, 200)

#: Columns of a row, in this order; means of accuracies are added at the end.
COLUMNS = (
    *(f"{name}/{epochs}/{r}" for name in _ACCURACIES for epochs in _EPOCHS for r in REPEATS),
    *(f"{dataset}/seconds/{epochs}/mean" for dataset in _SECONDS for epochs in _EPOCHS),
    "params",
    "madds",
)


def row(states: Mapping[int, dict[str, Any]]) -> NDArray[np.float64]:
    """Values of `COLUMNS` for one cell; NaN where its record has none.

    Accuracies are those of the last epoch, repeats in the order of their seeds. Seconds are those
    of the whole training, the mean over repeats.

    Parameters
    ----------
    states : mapping of int to dict
        For 12 and 200 epochs, the state of a ``nas_201_api.ArchResults``.
    """
    from nas_201_api import ArchResults

    values: dict[str, float] = {}
    for epochs, state in states.items():
        record = ArchResults.create_from_state_dict(state)
        trainings = {
            dataset: [record.query(dataset, seed) for seed in sorted(seeds)]
            for dataset, seeds in record.dataset_seed.items()
        }
        for name, (dataset, split) in _ACCURACIES.items():
            for repeat, training in enumerate(trainings.get(dataset, [])):
                if split == "train":
                    values[f"{name}/{epochs}/s{repeat}"] = training.get_train()["accuracy"]
                elif split in training.get_eval_set():
                    values[f"{name}/{epochs}/s{repeat}"] = training.get_eval(split)["accuracy"]
        for name, dataset in _SECONDS.items():
            seconds = [training.get_train()["all_time"] for training in trainings.get(dataset, [])]
            if seconds and None not in seconds:
                values[f"{name}/seconds/{epochs}/mean"] = float(np.mean(seconds))
        for training in trainings.get("cifar10-valid", []):
            # The files hold millions.
            values |= {"params": round(1e6 * training.params), "madds": round(1e6 * training.flop)}
    if extra := values.keys() - set(COLUMNS):
        raise DagnasError(f"more repeats than {len(REPEATS)}: {min(extra)}")
    return np.array([values.get(column, np.nan) for column in COLUMNS], dtype=np.float64)


def table(
    source: Path,
    names: Mapping[int, str],
    rows: Mapping[int, NDArray[np.float64]],
    expected: int = ROWS["nasbench201"],
) -> pa.Table:
    """Table of cells from their official strings and rows, both by official number.

    A column without any value is left out (the oldest file lacks some).

    Raises
    ------
    DagnasError
        See `assemble`.
    """
    order = sorted(rows)
    space = SPACES.get("nasbench201")
    codes = space.pack(space.from_str([names[index] for index in order]))
    values = np.array([rows[index] for index in order]).reshape(len(order), len(COLUMNS))
    columns = {
        name: column
        for name, column in zip(COLUMNS, values.T, strict=True)
        if not np.isnan(column).all()
    }
    return assemble(source, codes, with_means(columns), expected)


def read(folder: Path) -> pa.Table:
    """Table of NAS-Bench-201 from the folder ``NATS-tss-v1_0-3ffb9-simple``.

    Raises
    ------
    DagnasError
        Cells are missing from the folder, or a file is damaged or asks to run code; see also
        `assemble`.
    """
    total = len(_names(folder))
    missing = [i for i in range(total) if not _file(folder, i).exists()]
    if missing:
        some = ", ".join(f"{i:06d}" for i in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DagnasError(f"{folder} lacks {len(missing):,} of {total:,} cells: {some}")
    return read_cells(folder, range(total))


def read_cells(folder: Path, indices: range | list[int] | None = None) -> pa.Table:
    """Table of some cells of the folder, by default of all present, in the official order.

    Raises
    ------
    DagnasError
        As `read`.
    """
    names = _names(folder)
    if indices is None:
        indices = [i for i in range(len(names)) if _file(folder, i).exists()]
    rows = {}
    for index in tqdm(indices, desc=folder.name, unit="cell", disable=None):
        path = _file(folder, index)
        record = _load(path)
        try:
            states = {epochs: record[str(epochs)] for epochs in _EPOCHS}
            rows[index] = row(states)
            same = {states[epochs]["arch_str"] for epochs in _EPOCHS} == {names[index]}
        except (*DAMAGE, DagnasError) as error:
            raise DagnasError(f"{path} holds no results of a cell: {error!r}") from error
        if not same:
            raise DagnasError(f"{path} is of another cell than {names[index]}")
    return table(folder, dict(enumerate(names)), rows, len(indices))


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.pickle.pbz2"


def _names(folder: Path) -> list[str]:
    """Official strings of all cells."""
    path = folder / "meta.pickle.pbz2"
    try:
        return list(_load(path)["meta_archs"])
    except (KeyError, TypeError) as error:
        raise DagnasError(f"{path} lists no cells: {error!r}") from error


def _load(path: Path) -> Any:
    try:
        with bz2.open(path) as file:
            packed = iter(partial(file.read, 2**20), b"")
            whole = bytearray()
            for block in packed:
                whole += block
                if len(whole) > _LARGEST:
                    raise DagnasError(f"more than {_LARGEST:,} bytes")
        return load(whole)
    except (OSError, EOFError, DagnasError) as error:
        raise DagnasError(f"cannot read {path}: {error}") from error
