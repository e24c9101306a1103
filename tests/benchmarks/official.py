"""Small files in the official formats, made with the packages' own classes where there are any."""

from __future__ import annotations

import base64
import bz2
import json
import pickle
import random
import struct
from pathlib import Path

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dagnas.spaces import SPACES

SEEDS = {12: (111,), 200: (777, 888, 999)}
DATASETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}
OPERATIONS_101 = ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]


def strings_201(count: int) -> list[str]:
    """Strings of the first cells."""
    space = SPACES.get("nasbench201")
    return space.to_str(space.unpack(np.arange(count)))


def training(dataset: str, seed: int, epochs: int, text: str, rng: random.Random):
    """A ResultsCount with full learning curves."""
    from nas_201_api import ResultsCount

    def curve(low: float, high: float) -> dict[int, float]:
        return {epoch: rng.uniform(low, high) for epoch in range(epochs)}

    config = {"channel": 16, "num_cells": 5, "arch_str": text, "class_num": 10}
    cost = (np.float64(rng.uniform(0.1, 1.5)), rng.uniform(10, 200))
    accuracy, loss = curve(10, 90), curve(0, 3)
    result = ResultsCount(dataset, None, accuracy, loss, *cost, config, seed, epochs, None)
    result.update_train_info(accuracy, curve(50, 99), loss, None)
    result.reset_pseudo_train_times(rng.uniform(3, 9))
    for split in DATASETS[dataset]:
        names = {epoch: f"{split}@{epoch}" for epoch in range(epochs)}
        result.update_eval(
            *({names[e]: value for e, value in curve(1, 90).items()} for _ in range(3))
        )
    result.update_latency([np.float64(0.01)])
    return result


def states_201(index: int, text: str, seeds: dict[int, tuple[int, ...]] = SEEDS) -> dict[int, dict]:
    """States of the ArchResults of a cell after 12 and 200 epochs."""
    from nas_201_api import ArchResults

    rng = random.Random(index)
    states = {}
    for epochs in (12, 200):
        record = ArchResults(index, text)
        for dataset in DATASETS:
            for seed in seeds[epochs]:
                record.update(dataset, seed, training(dataset, seed, epochs, text, rng))
        record.clear_params()
        states[epochs] = record.state_dict()
    return states


def content_201(count: int, **settings) -> dict:
    """Content of the official NAS-Bench-201 file, for so many cells."""
    names = strings_201(count)
    cells = {}
    for index, text in enumerate(names):
        states = states_201(index, text, **settings)
        cells[index] = {"full": states[200], "less": states[12]}
    return {
        "meta_archs": names,
        "total_archs": count,
        "arch2infos": cells,
        "evaluated_indexes": set(range(count)),
    }


def write_pth(path: Path, content: object, legacy: bool) -> Path:
    """Save as `torch.save` does in either of its formats."""
    import torch

    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def write_nats(folder: Path, count: int, meta: int) -> Path:
    """A NATS-Bench folder that lists ``meta`` cells and holds the first ``count``."""
    folder.mkdir()
    names = strings_201(meta)
    packed = {"meta": {"meta_archs": names, "total_archs": meta, "arch2infos": None}}
    for index in range(count):
        states = states_201(index, names[index])
        packed[f"{index:06d}"] = {str(epochs): state for epochs, state in states.items()}
    for name, content in packed.items():
        with bz2.open(folder / f"{name}.pickle.pbz2", "wb") as file:
            pickle.dump(content, file)
    return folder


def cells_101() -> list[tuple[str, str]]:
    """Adjacency and operations of a few cells of NAS-Bench-101, of 2 to 7 vertices."""
    chain = "input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3,output"
    return [
        ("0100", "input,output"),
        ("011001000", "input,conv1x1-bn-relu,output"),
        ("0110000100010000", "input,conv3x3-bn-relu,maxpool3x3,output"),
        ("".join("0" * i + "01" + "0" * (5 - i) for i in range(6)) + "0" * 7, chain),
    ]


def hash_101(adjacency: str, operations: str) -> str:
    """Official hash, by nasbench_pytorch."""
    from nasbench_pytorch.model.graph_util import hash_module

    names = operations.split(",")
    matrix = np.array(list(adjacency), dtype=int).reshape(len(names), len(names))
    return hash_module(matrix, [-1, *map(OPERATIONS_101.index, names[1:-1]), -2])


def _field(number: int, value: float | int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, float):
        return bytes([number << 3 | 1]) + struct.pack("<d", value)
    if isinstance(value, bytes):
        return bytes([number << 3 | 2]) + _varint(len(value)) + value
    return bytes([number << 3]) + _varint(value)


def _varint(value: int) -> bytes:
    low = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(part | 128 for part in low[:-1]), low[-1]])


def metrics_101(params: int, seconds: float, train: float, valid: float, test: float) -> str:
    """ModelMetrics message in base64: evaluations at the start, half-way and at the end."""
    message = b""
    for part in (0.0, 0.5, 1.0):
        scaled = (part * value for value in (seconds, train, valid, test))
        fields = b"".join(_field(2 + i, value) for i, value in enumerate(scaled))
        message += _field(1, _field(1, 108 * part) + fields + _field(6, b"model.ckpt-1"))
    message += _field(2, params) + _field(3, 2 * seconds)
    return base64.b64encode(message).decode()


def record_101(key: str, epochs: int, adjacency: str, operations: str, metrics: str) -> bytes:
    """Data of one record."""
    return json.dumps([key, epochs, adjacency, operations, metrics]).encode()


def frame(data: bytes) -> bytes:
    """A TFRecord of this data."""

    def masked(text: bytes) -> bytes:
        crc = google_crc32c.value(text)
        rotated = (crc >> 15) | (crc << 17) & 0xFFFFFFFF
        return struct.pack("<I", (rotated + 0xA282EAD8) % 2**32)

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def trainings_101(epochs: tuple[int, ...] = (108,), repeats: int = 3) -> dict:
    """Made-up results: (hash, epochs, repeat) -> (seconds, train, valid, test)."""
    rng = random.Random(0)
    return {
        (hash_101(*cell), length, repeat): tuple(rng.uniform(0.1, 0.9) for _ in range(4))
        for cell in cells_101()
        for length in epochs
        for repeat in range(repeats)
    }


def write_tfrecord(path: Path, results: dict) -> Path:
    """A file of these results, as `trainings_101` gives them; parameters are 1000 + vertices."""
    cells = {hash_101(*cell): cell for cell in cells_101()}
    with path.open("wb") as file:
        for (key, epochs, _), values in results.items():
            adjacency, operations = cells[key]
            packed = metrics_101(1001 + operations.count(","), *values)
            file.write(frame(record_101(key, epochs, adjacency, operations, packed)))
    return path


def compact_201() -> dict[str, np.ndarray | list[str]]:
    """Columns of a compact NAS-Bench-201 file with made-up values, all cells."""
    rows = 5**6
    rng = np.random.default_rng(0)
    codes = np.arange(rows)
    columns: dict[str, np.ndarray | list[str]] = {"arch_str": strings_201(rows)}
    for place, edge in enumerate(("e01", "e02", "e12", "e03", "e13", "e23")):
        columns[edge] = (codes // 5**place % 5).astype(np.int8)

    def some(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, rows).astype(np.float32)

    for dataset in ("cifar10", "cifar100", "imagenet16_120"):
        for split in ("valid", "test"):
            columns[f"{dataset}_{split}_12ep"] = some(10, 90)
            columns[f"{dataset}_{split}_200ep_mean"] = some(10, 90)
        if dataset == "cifar10":
            continue
        columns[f"{dataset}_train_seconds_per_epoch"] = some(5, 50)
        for repeat in range(3):
            columns[f"{dataset}_valid_and_test_200ep_s{repeat}"] = some(10, 90)
    columns["cifar10_valid_split_train_seconds_per_epoch"] = some(5, 50)
    seeds = [some(10, 90) for _ in range(3)]
    columns |= {f"cifar10_valid_200ep_s{i}": values for i, values in enumerate(seeds)}
    columns["cifar10_valid_200ep_mean"] = np.asarray(np.mean(seeds, axis=0, dtype=np.float64))
    columns["cifar10_params_millions"] = some(0.1, 1.5)
    return columns


def write_parquet(path: Path, columns: dict) -> Path:
    """Write columns without ceremony."""
    pq.write_table(pa.table(columns), path)
    return path
