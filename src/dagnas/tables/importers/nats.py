"""Importer of NATS-Bench's folder of the topology space (= NAS-Bench-201), one file per cell.

The functions that make a row of the table from the record of a cell serve the .pth file too.
"""

from __future__ import annotations

import bz2
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas.errors import DagnasError
from dagnas.outside.pickles import DAMAGE, USUAL, load
from dagnas.spaces import SPACES
from dagnas.tables.importers import REPEATS, ROWS, assemble, with_means

#: Most epochs of a training.
_LONGEST = 1000

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


class _Training(NamedTuple):
    """Results of one training of a cell, as ``nas_201_api.ResultsCount`` would tell them.

    Attributes
    ----------
    train : float
        Accuracy on the training images after the last epoch, %.
    evaluated : mapping of str to float
        Accuracies after the last epoch by evaluated images, %.
    seconds : float or None
        Seconds of all epochs, if known.
    params, madds : float
        Millions.
    """

    train: float
    evaluated: Mapping[str, float]
    seconds: float | None
    params: float
    madds: float


def part(record: Any, key: Any, kind: type | UnionType = dict) -> Any:
    """Value of a record, which must be of that type.

    The classes of nas_201_api would take a text for the path of a file and open that. So nothing
    but plain values of the expected types is read here.

    Raises
    ------
    DagnasError
        The record is no dict, lacks the key, or has a value of another type there.
    """
    if not isinstance(record, dict) or key not in record:
        raise DagnasError(f"no results of a cell: {key!r} is missing")
    value = record[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DagnasError(f"no results of a cell: {key!r} is of type {type(value).__name__}")
    return value


_NUMBER = int | float


def _training(record: Any) -> _Training:
    epochs = part(record, "epochs", int)
    if not 1 <= epochs <= _LONGEST:
        raise DagnasError(f"no results of a cell: a training of {epochs:.0f} epochs")
    last, times = epochs - 1, part(record, "train_times", dict | NoneType)
    names, evaluations = part(record, "eval_names", list), part(record, "eval_acc1es")
    known = {name for _, name in _ACCURACIES.values()}.intersection(
        name for name in names if isinstance(name, str)
    )
    return _Training(
        part(part(record, "train_acc1es"), last, _NUMBER),
        {name: part(evaluations, f"{name}@{last}", _NUMBER) for name in known},
        None if times is None else sum(part(times, epoch, _NUMBER) for epoch in range(epochs)),
        part(record, "params", _NUMBER),
        part(record, "flop", _NUMBER),
    )


def _trainings(state: Any) -> dict[str, list[_Training]]:
    """Trainings of a cell by data set, in the order of their seeds."""
    results = part(state, "all_results")
    seeds = part(state, "dataset_seed")
    known = {dataset for dataset, _ in _ACCURACIES.values()}.intersection(seeds)
    found = {}
    for dataset in known:
        listed = part(seeds, dataset, list)
        if not all(type(seed) is int for seed in listed):
            raise DagnasError("no results of a cell: a seed is no whole number")
        if len(listed) > len(REPEATS):
            raise DagnasError(f"more repeats than {len(REPEATS)}: {len(listed)} of {dataset}")
        found[dataset] = [_training(part(results, (dataset, seed))) for seed in sorted(listed)]
    return found


def row(states: Mapping[int, Any]) -> tuple[NDArray[np.float64], str]:
    """Values of `COLUMNS` for one cell, NaN where its record has none; and its string.

    Accuracies are those of the last epoch, repeats in the order of their seeds. Seconds are those
    of the whole training, the mean over repeats.

    Parameters
    ----------
    states : mapping of int to object
        For 12 and 200 epochs, the state of a ``nas_201_api.ArchResults``.

    Raises
    ------
    DagnasError
        A state lacks something, or has it in another type; or the states are of two cells.
    """
    values: dict[str, float] = {}
    for epochs, state in states.items():
        trainings = _trainings(state)
        for name, (dataset, split) in _ACCURACIES.items():
            for repeat, training in enumerate(trainings.get(dataset, [])):
                if split == "train":
                    values[f"{name}/{epochs}/s{repeat}"] = training.train
                elif split in training.evaluated:
                    values[f"{name}/{epochs}/s{repeat}"] = training.evaluated[split]
        for name, dataset in _SECONDS.items():
            seconds = [training.seconds for training in trainings.get(dataset, [])]
            known = [value for value in seconds if value is not None]
            if known and len(known) == len(seconds):
                values[f"{name}/seconds/{epochs}/mean"] = float(np.mean(known))
        for training in trainings.get("cifar10-valid", []):
            # The files hold millions.
            values |= {"params": round(1e6 * training.params), "madds": round(1e6 * training.madds)}
    first, *others = (part(state, "arch_str", str) for state in states.values())
    if any(text != first for text in others):
        raise DagnasError("a cell has two strings")
    numbers = [values.get(column, np.nan) for column in COLUMNS]
    return np.array(numbers, dtype=np.float64), first


def names_of(record: Any) -> list[str]:
    """Official strings of all cells, from the record that lists them.

    Raises
    ------
    DagnasError
        It does not.
    """
    names: list[str] = part(record, "meta_archs", list)
    if not all(isinstance(name, str) for name in names):
        raise DagnasError("its list of cells holds something else than texts")
    return names


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
            rows[index], text = row({epochs: part(record, str(epochs)) for epochs in _EPOCHS})
        except (*DAMAGE, DagnasError) as error:
            raise DagnasError(f"{path}: {error}") from error
        if text != names[index]:
            raise DagnasError(f"{path} is of another cell than {names[index]}")
    return table(folder, dict(enumerate(names)), rows, len(indices))


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.pickle.pbz2"


def _names(folder: Path) -> list[str]:
    """Official strings of all cells."""
    path = folder / "meta.pickle.pbz2"
    try:
        return names_of(_load(path))
    except DagnasError as error:
        raise DagnasError(f"{path}: {error}") from error


def _load(path: Path) -> Any:
    try:
        with bz2.open(path) as file:
            packed = iter(partial(file.read, 2**20), b"")
            whole = bytearray()
            for block in packed:
                whole += block
                if len(whole) > USUAL.size:
                    raise DagnasError(f"more than {USUAL.size:,} bytes")
        return load(whole)
    except (OSError, EOFError, DagnasError) as error:
        raise DagnasError(f"cannot read {path}: {error}") from error
