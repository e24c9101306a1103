"""The official NAS-Bench-101 file."""

import random
import struct

import google_crc32c
import numpy as np
import pytest

from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.tables.importers import import_table, tfrecord
from tests.benchmarks import official

CELLS = len(official.cells_101())


@pytest.mark.parametrize("epochs", [(108,), (4, 12, 36, 108)])
def test_values_and_order(tmp_path, epochs):
    results = official.trainings_101(epochs)
    shuffled = list(results.items())
    random.Random(1).shuffle(shuffled)
    # Repeats are numbered as they come, so they stay in order within a cell.
    order = {key: i for i, (key, _) in enumerate(shuffled)}
    table = tfrecord.read(official.write_tfrecord(tmp_path / "x.tfrecord", dict(shuffled)), CELLS)
    keys = sorted({key for key, _, _ in results})
    space = SPACES.get("nasbench101")
    assert space.key(space.unpack(table["code"].to_numpy())) == keys
    vertices = {official.hash_101(*c): 1 + c[1].count(",") for c in official.cells_101()}
    assert table["params"].to_pylist() == [1000 + vertices[key] for key in keys]
    for row, key in enumerate(keys):
        for length in epochs:
            came = sorted(range(3), key=lambda r, k=key, e=length: order[k, e, r])
            for quantity, place in {"train": 1, "valid": 2, "test": 3}.items():
                expected = [100 * results[key, length, repeat][place] for repeat in came]
                name = f"cifar10/{quantity}/{length}"
                assert [table[f"{name}/s{r}"][row].as_py() for r in range(3)] == expected
                assert table[f"{name}/mean"][row].as_py() == pytest.approx(np.mean(expected))
            seconds = np.mean([results[key, length, repeat][0] for repeat in range(3)])
            assert table[f"cifar10/seconds/{length}/mean"][row].as_py() == pytest.approx(seconds)
    assert not any("/seconds/" in name and "/s0" in name for name in table.column_names)


def test_fewer_repeats_and_more(tmp_path):
    results = official.trainings_101()
    dropped = dict(list(results.items())[1:])
    table = tfrecord.read(official.write_tfrecord(tmp_path / "x.tfrecord", dropped), CELLS)
    assert np.isnan(table["cifar10/valid/108/s2"].to_numpy()).sum() == 1
    four = official.write_tfrecord(tmp_path / "x.tfrecord", official.trainings_101(repeats=4))
    with pytest.raises(DagnasError, match="more than 3 trainings"):
        tfrecord.read(four, CELLS)


def test_checksum_is_crc32c():
    """Published check value of CRC-32C; TFRecord's rotation and constant worked out by hand."""
    assert google_crc32c.value(b"123456789") == 0xE3069283
    rotated = 0x2507C60D  # 0xE3069283 rotated right by 15 bits.
    assert tfrecord._masked(b"123456789") == (rotated + 0xA282EAD8) % 2**32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "0" * 32}, "the hash of"),
        ({"adjacency": "0110000100010001"}, "upper triangular"),
        ({"adjacency": "011"}, "adjacency 011"),
        ({"operations": "input,conv3x3-bn-relu,conv5x5,output"}, "record 0"),
        ({"operations": "output,conv3x3-bn-relu,maxpool3x3,input"}, "record 0"),
        ({"metrics": "no base64"}, "record 0"),
        ({"metrics": "AAAA"}, "record 0"),
        ({"metrics": official.metrics_101(5, 1.0, 0.5, float("nan"), 0.5)}, "valid/108/s0 is nan"),
        ({"metrics": official.metrics_101(5, 1.0, 0.5, 0.5, 1.5)}, "test/108/s0 is 150"),
        ({"metrics": official.metrics_101(5, 0.0, 0.5, 0.5, 0.5)}, "seconds/108"),
        ({"epochs": "many"}, "record 0"),
    ],
)
def test_wrong_records(tmp_path, change, message):
    adjacency, operations = official.cells_101()[2]
    record = {
        "key": official.hash_101(adjacency, operations),
        "epochs": 108,
        "adjacency": adjacency,
        "operations": operations,
        "metrics": official.metrics_101(5, 1.0, 0.5, 0.5, 0.5),
    }
    path = tmp_path / "x.tfrecord"
    path.write_bytes(official.frame(official.record_101(**record)))
    assert tfrecord.read(path, 1).num_rows == 1
    path.write_bytes(official.frame(official.record_101(**{**record, **change})))
    with pytest.raises(DagnasError, match=message):
        tfrecord.read(path, 1)


def test_disconnected_cell(tmp_path):
    adjacency, operations = "0000" * 4, "input,conv3x3-bn-relu,maxpool3x3,output"
    key = official.hash_101(adjacency, operations)
    packed = official.metrics_101(5, 1.0, 0.5, 0.5, 0.5)
    path = tmp_path / "x.tfrecord"
    path.write_bytes(official.frame(official.record_101(key, 108, adjacency, operations, packed)))
    with pytest.raises(DagnasError, match="no cell of NAS-Bench-101"):
        tfrecord.read(path, 1)


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path):
    path = official.write_tfrecord(tmp_path / "x.tfrecord", official.trainings_101())
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(100):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(DagnasError, match=r"x\.tfrecord"):
            tfrecord.read(path, CELLS)
    for _ in range(20):
        path.write_bytes(whole[: rng.randrange(len(whole))])
        with pytest.raises(DagnasError, match=r"x\.tfrecord"):
            tfrecord.read(path, CELLS)


def test_another_format(tmp_path):
    path = tmp_path / "x.tfrecord"
    for content in (b"PAR1" * 100, b"{}", struct.pack("<Q", 2**60) + bytes(50), b""):
        path.write_bytes(content)
        with pytest.raises(DagnasError, match=r"x\.tfrecord"):
            import_table("nasbench101", [path])
