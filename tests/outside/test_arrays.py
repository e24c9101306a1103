"""Arrays, tensors and columns from outside: headers are checked before anything is read."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dagnas.errors import DagnasError
from dagnas.files import read_parquet
from dagnas.outside import parquet
from dagnas.outside.array import read_array
from dagnas.outside.arrays import read_arrays
from dagnas.outside.tensors import read_tensors


def npy(header, body=b"", version=b"\1\0"):
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + size + header + body


def header(descr="'|u1'", fortran="False", shape="(3,)"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()


def packed(path, compressed=False, **members):
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_those_that_numpy_reads(save, tmp_path):
    arrays = {
        "a": np.arange(24, dtype=">i8").reshape(2, 3, 4),
        "b": np.asfortranarray(np.random.default_rng(0).random((5, 7))),
        "c": np.array([], np.uint8),
        "d": np.array(3.5),
        "e": np.array([True, False]),
    }
    save(tmp_path / "x.npz", **arrays, other=np.zeros(3))
    found = read_arrays(tmp_path / "x.npz", dict.fromkeys(arrays, range(4)))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert (found[name] == array).all()
        assert found[name].flags.writeable


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(header(), b"abc" * 9), "has not the size that it tells"),
        (npy(header(shape="(2000000000000,)"), b"abc"), "has not the size that it tells"),
        (npy(header(shape="(-3,)"), b"abc"), "impossible shape"),
        (npy(header(shape="(3.0,)"), b"abc"), "impossible shape"),
        (npy(header(shape="((3,),)"), b"abc"), "NumPy would not write"),
        (npy(header(descr="'|O'"), b"abc"), "numbers are expected, and no pickled objects"),
        (npy(header(descr="[('a', '|u1')]"), b"abc"), "NumPy would not write"),
        (npy(b"(" * 3000), "NumPy would not write"),
        (npy(b" " * 5000), "the header of an array is too long"),
        (npy(header(), b"abc", b"\7\0"), "a member is no array"),
        (npy(header(shape="(3, 1)"), b"abc"), "has 2 dimensions, not 1"),
        (pickle.dumps([]), "a member is no array"),
    ],
)
def test_headers_that_are_refused(content, message, tmp_path):
    path = packed(tmp_path / "x.npz", a=content)
    with pytest.raises(DagnasError, match=rf"x\.npz is not a readable .npz file.*{message}"):
        read_arrays(path, {"a": (1,)})


def test_arrays_that_expand_are_refused_before_they_are_read(tmp_path):
    count = 2**28 + 1
    whole = npy(header(shape=f"({count},)")) + bytes(count)
    path = packed(tmp_path / "x.npz", True, a=whole)
    assert path.stat().st_size < 2**20
    with pytest.raises(DagnasError, match="would take 268,435,457 bytes of memory, more than"):
        read_arrays(path, {"a": (1,)})


@pytest.mark.parametrize(
    "array",
    [np.arange(6, dtype=">i8").reshape(2, 3), np.asfortranarray(np.ones((5, 7))), np.eye(1)],
)
def test_an_array_is_that_which_numpy_reads(array, tmp_path):
    np.save(tmp_path / "x.npy", array)
    found = read_array(tmp_path / "x.npy", (2,))
    assert found.dtype == array.dtype
    assert (found == np.load(tmp_path / "x.npy")).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(header(), b"abc" * 9), "has not the size that it tells"),
        (npy(header(), b"ab"), "has not the size that it tells"),
        (npy(header(shape="(3, 1)"), b"abc"), "the array has 2 dimensions, not 1"),
        (npy(header(descr="'|O'"), b"abc"), "numbers are expected, and no pickled objects"),
        # What NumPy's own reader parses as a program that does not end.
        (npy(header()[:-4]), "NumPy would not write"),
        (pickle.dumps([]), "is no array"),
    ],
)
def test_single_arrays_that_are_refused(content, message, tmp_path):
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(DagnasError, match=rf"x\.npy is not a readable .npy file.*{message}"):
        read_array(path, (1,))
    with pytest.raises(DagnasError, match="no such file"):
        read_array(tmp_path / "none.npy", (1,))


# Tensors.


def saved(path, value):
    torch.save(value, path)
    return path


def changed(path, old, new):
    """File with other bytes in its pickle."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in members if name.endswith("data.pkl")]
    assert old in members[name]
    members[name] = members[name].replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return path


def test_tensors_are_those_that_torch_reads(tmp_path):
    kinds = [torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool]
    value = {str(kind): torch.arange(6).reshape(2, 3).to(kind) for kind in kinds}
    value |= {"turned": torch.arange(6.0).reshape(2, 3).T, "part": torch.arange(9.0)[2:5]}
    value |= {"none": torch.zeros(0, 3), "scalar": torch.tensor(2.5), "plain": [1, (2.5, None)]}
    model = torch.nn.Linear(2, 3)
    value |= {"state": model.state_dict(), "steps": torch.optim.Adam([model.weight]).state_dict()}
    path = saved(tmp_path / "x.pt", value)
    found, expected = read_tensors(path), torch.load(path, weights_only=True)
    assert list(found) == list(expected)
    for name in found:
        if isinstance(found[name], np.ndarray):
            assert torch.equal(torch.from_numpy(found[name]), expected[name])
    assert found["plain"] == value["plain"]
    assert (found["state"]["weight"] == model.weight.detach().numpy()).all()
    assert found["steps"]["param_groups"][0]["lr"] == 1e-3


def test_tensors_beyond_their_storage_are_refused(tmp_path):
    path = tmp_path / "x.pt"
    three = b"K\x03\x85"
    for old, new, message in [
        (three, b"K\x04\x85", "reaches beyond its storage"),
        (b"K\x01\x85", b"K\x02\x85", "reaches beyond its storage"),
        (three, b"J\xff\xff\xff\xff\x85", "impossible shape"),
        (three, b"M\xff\xff\x85", "reaches beyond its storage"),
        (b"FloatStorage", b"DoubleStorage", "not the size"),
        (b"FloatStorage", b"QuickStorage", r"asks for torch\.QuickStorage"),
        (b"storage", b"storagf", "what is no storage"),
    ]:
        changed(saved(path, torch.arange(3.0)), old, new)
        with pytest.raises(DagnasError, match=message):
            read_tensors(path)
    # A thousand tensors of one storage would be a thousand copies.
    with pytest.raises(DagnasError, match="reaches beyond its storage"):
        read_tensors(saved(path, [torch.zeros(10_000).view(100, 100)] + [
            shared[i:] for shared in [torch.zeros(10_000)] for i in range(50)
        ]))  # fmt: skip


def test_code_in_files_of_tensors_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    with pytest.raises(DagnasError, match=r"asks for (__builtin__|builtins)\.print"):
        read_tensors(saved(tmp_path / "x.pt", {"a": Evil()}))


# Columns.


def test_columns_are_those_that_arrow_reads(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["a", None, "b" * 99, "a"]),
            "large": pa.array(["x", "y", "x", None], pa.large_string()),
            "bytes": pa.array([b"\xff", b"", None, b"1"]),
            "number": pa.array([1.5, None, 2, 3]),
            "kind": pa.array(["u", "v", "u", "u"]).dictionary_encode(),
        }
    ).replace_schema_metadata({"a": "b"})
    pq.write_table(table, tmp_path / "x.parquet")
    found = read_parquet(tmp_path / "x.parquet")
    assert found.equals(table, check_metadata=True)
    assert read_parquet(tmp_path / "x.parquet", ["number", "text"]).column_names == [
        "number",
        "text",
    ]


@pytest.mark.parametrize("kind", ["rows", "texts", "nulls"])
def test_columns_that_expand_are_refused(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_ANYWAY", 2**22)
    monkeypatch.setattr(parquet, "_RATIO", 1)
    rows = 10**6
    column = {
        "rows": pa.array(np.zeros(rows)),
        "nulls": pa.nulls(rows, pa.int64()),
        "texts": pa.array(["x" * 1000] * 10_000),
    }[kind]
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": column, "b": pa.array(range(len(column)))}), path)
    with pytest.raises(DagnasError, match=r"x\.parquet would take [\d,]+ bytes of memory"):
        read_parquet(path, ["a"])


def test_damage_of_any_kind_has_one_message(tmp_path):
    out = io.BytesIO()
    pq.write_table(pa.table({"a": ["x"] * 9, "b": range(9)}), out, write_page_checksum=True)
    whole, path = out.getvalue(), tmp_path / "x.parquet"
    words = []
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            read_parquet(path)
        except DagnasError as error:
            words.append(str(error))
    assert len(words) > len(whole) // 8
    assert all("x.parquet" in text for text in words)
