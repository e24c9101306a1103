"""Pickled sources: the official NAS-Bench-201 file and NATS-Bench's folder."""

import bz2
import io
import os
import pickle
import random
import shutil
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dagnas.errors import DagnasError
from dagnas.outside import pickles
from dagnas.spaces import SPACES
from dagnas.tables.importers import import_table, large_pickle, nasbench201_pth, nats
from tests.benchmarks import official

CELLS = 24  # So many that the file has more objects than are remembered.


@pytest.fixture(scope="module")
def content():
    return official.content_201(CELLS)


@pytest.fixture(scope="module", params=["legacy", "zip"])
def pth(request, content, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pth") / f"{request.param}.pth"
    return official.write_pth(path, content, request.param == "legacy")


def test_pth_agrees_with_the_official_interface(content, pth):
    from nas_201_api import NASBench201API

    table = nasbench201_pth.read(pth, CELLS)
    api = NASBench201API(content, verbose=False)
    for row in range(0, CELLS, 8):
        for epochs in (12, 200):
            for name, (dataset, split) in {
                "cifar10/valid": ("cifar10-valid", "x-valid"),
                "cifar10/train": ("cifar10-valid", "train"),
                "cifar10/test": ("cifar10", "ori-test"),
                "cifar100/valid": ("cifar100", "x-valid"),
                "cifar100/test": ("cifar100", "x-test"),
                "cifar100/both": ("cifar100", "ori-test"),
                "imagenet16/test": ("ImageNet16-120", "x-test"),
            }.items():
                record = api.query_meta_info_by_index(row, str(epochs))
                mean = record.get_metrics(dataset, split)["accuracy"]
                assert table[f"{name}/{epochs}/mean"][row].as_py() == pytest.approx(mean, abs=1e-12)
                for repeat, seed in enumerate(record.get_dataset_seeds(dataset)):
                    single = record.get_metrics(dataset, split, is_random=seed)["accuracy"]
                    assert table[f"{name}/{epochs}/s{repeat}"][row].as_py() == single
            cost = record.get_metrics("cifar10-valid", "train")["all_time"]
            seconds = table[f"cifar10/seconds/{epochs}/mean"][row].as_py()
            assert seconds == pytest.approx(cost, rel=1e-12)
    assert table["code"].to_pylist() == list(range(CELLS))


def test_pth_streams_all_there_is(content, pth):
    items = dict(large_pickle.stream(nasbench201_pth._start(pth), "arch2infos", lambda size: None))
    rest = items.pop(None)
    assert items == content["arch2infos"]
    assert rest["meta_archs"] == content["meta_archs"]
    assert rest["evaluated_indexes"] == content["evaluated_indexes"]


def test_objects_used_late_are_remembered(tmp_path):
    shared = ("shared", "object")
    cells = {i: {"a": [str(i) for i in range(70_000)], "b": shared} for i in range(4)}
    path = tmp_path / "late"
    path.write_bytes(pickle.dumps({"large": cells, "again": shared}, protocol=2))
    items = dict(large_pickle.stream(lambda: path.open("rb"), "large", lambda size: None))
    assert items.pop(None)["again"] == shared
    assert items == cells


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 1001, 2001])
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_every_item_of_the_large_dict_is_yielded(tmp_path, count, kind):
    """Picklers write a single item in another way than many, and a single rest so, too."""
    shared = {"again": 0.5}
    large = kind((i, [{"a": i, "b": {}}, {"c": 1}, shared, None][i % 4]) for i in range(count))
    path = tmp_path / "items"
    path.write_bytes(pickle.dumps({"x": 1, "large": large, "y": {2: 3}}, protocol=2))
    items = dict(large_pickle.stream(lambda: path.open("rb"), "large", lambda size: None))
    rest = items.pop(None)
    assert (rest["x"], list(rest["large"]), rest["y"]) == (1, list(large), {2: 3})
    assert items == large


#: One value for each instruction that the reader knows, and for each length that it treats apart.
VALUES = {
    "numbers": [0, 255, 256, 65_535, 65_536, -1, -(2**31), 2**31, 2**40, -(2**70), 0.5, -1e300],
    "constants": [None, True, False],
    "strings": ["", "x", "y" * 39, "z" * 255, "a" * 256, "b" * 3000, "\u00e9\u4e2d", "\ud800"],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((1,), ((),))],
    "lists": [[], [1], [1, 2], [[], [[]]]],
    "dicts": [{}, {1: 2}, {1: 2, "a": {}}, {i: i / 8 for i in range(300)}],
    "curves": [{f"k{i}@{j}": i / 8 for j in range(5)} for i in range(3)],
    "others": [{1, 2}, set(), OrderedDict(a=1.5), b"bytes"],
}


def streamed(pickled: bytes, section: str = "large") -> dict:
    return dict(large_pickle.stream(lambda: io.BytesIO(pickled), section, lambda size: None))


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("place", ["outer", "cell"])
def test_every_kind_of_value_is_streamed(name, place):
    values = {"values": VALUES[name], "again": VALUES[name][-1]}
    whole = {"large": {0: {"a": 0.5}, 1: {"b": 1}}, "last": 0}
    if place == "outer":
        whole |= values
    else:
        whole["large"] |= {2: values, 3: {"c": 2}}
    pickled = pickle.dumps(whole, protocol=2)
    found = streamed(pickled)
    rest = found.pop(None)
    # Texts of values tell True from 1; the order in which cells are complete is not theirs.
    assert repr(sorted(found.items())) == repr(sorted(whole["large"].items()))
    assert list(rest.pop("large")) == list(whole.pop("large"))
    assert repr(rest) == repr(whole)
    assert repr(pickles.load(pickled)) == repr(pickle.loads(pickled))


@pytest.mark.parametrize("value", [np.float64(2.5), np.float32(0.25), np.int32(-7), np.bool_(1)])
def test_numbers_of_numpy_become_plain_ones(value):
    pickled = pickle.dumps({"large": {0: {"a": value, "b": [value]}}, "last": value}, protocol=2)
    plain = value.item()
    rest = streamed(pickled)[None]
    found = streamed(pickled)[0]
    assert repr((found, rest["last"])) == repr(({"a": plain, "b": [plain]}, plain))


def test_the_name_of_the_section_may_stand_elsewhere():
    """It may be a value, or one of several keys of another dict."""
    whole = {
        "name": "large",
        "other": {"large": {1: 2, 3: 4}, "b": ["large", {5: 6, 7: 8}]},
        "large": {0: {"large": {5: 6, 7: 8}, "c": 1}, "large": {"large": 9, "d": 2}},
    }
    found = streamed(pickle.dumps(whole, protocol=2))
    rest = found.pop(None)
    assert found == whole["large"]
    assert (rest["name"], rest["other"]) == (whole["name"], whole["other"])


def test_no_part_of_a_stream_passes_for_the_whole():
    whole = pickle.dumps({"large": {0: {"a": 0.5}, 1: {"b": 1}}, "x": (1, 2, 3)}, protocol=2)
    for size in range(len(whole)):
        with pytest.raises(DagnasError, match="its pickle is damaged"):
            streamed(whole[:size])


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"\x80\x02}q\x01.", "object 1 is remembered after -1"),
        (b"\x80\x02h\x07.", "KeyError.7"),
        (b"\x80\x02K\x01\x86.", "a tuple of 2 needs more objects"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "instruction b''"),
        (b"\x80\x02i__builtin__\nset\n.", "instruction b'i'"),
        (b"\x80\x02}u.", "IndexError"),
        (b"\x80\x02ccollections\nOrderedDict\n)R)R.", "TypeError"),
    ],
)
def test_programs_that_no_pickler_writes_are_refused(pickled, message):
    with pytest.raises(DagnasError, match=f"its pickle is damaged: .*{message}"):
        streamed(pickled)


def test_late_objects_of_one_dict_are_read_at_once_with_recent_ones(tmp_path):
    """Keys of a run of items are partly new, partly recent, partly of long ago."""
    keys = [f"key {i}" for i in range(20)]
    recent = [f"recent {i}" for i in range(20)]
    cells = {
        0: dict.fromkeys(keys, 0.25),
        1: {"filler": [str(i) for i in range(200_000)]},
        2: dict.fromkeys(recent, 0.5),
        3: dict.fromkeys([*keys[:10], *recent[:10], *keys[10:]], 0.75),
    }
    found = streamed(pickle.dumps({"large": cells, "last": 0}, protocol=2))
    found.pop(None)
    assert found == cells


def test_a_cell_with_fewer_repeats_has_no_number_there(tmp_path):
    content = official.content_201(3)
    content["arch2infos"][1]["full"] = official.states_201(
        1, content["meta_archs"][1], {12: (111,), 200: (777, 888)}
    )[200]
    table = nasbench201_pth.read(official.write_pth(tmp_path / "x.pth", content, False), 3)
    assert np.isnan(table["cifar10/valid/200/s2"].to_numpy()).tolist() == [False, True, False]
    assert not np.isnan(table["cifar10/valid/200/mean"].to_numpy()).any()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: c["arch2infos"].popitem(), "holds 1 cells; expected 2"),
        (lambda c: c["meta_archs"].reverse(), "disagree"),
        (lambda c: c["arch2infos"][0].pop("less"), "no results of cells"),
        (lambda c: c["arch2infos"].update({1: c["arch2infos"][0]}), "disagree"),
        (
            lambda c: c["arch2infos"][1]["full"]["all_results"]["cifar10-valid", 777][
                "eval_acc1es"
            ].update({"x-valid@199": float("nan")}),
            "cifar10/valid/200/s0 is nan in row 1",
        ),
        (
            lambda c: c["arch2infos"][1]["full"]["all_results"]["cifar100", 888][
                "eval_acc1es"
            ].update({"x-test@199": 101.0}),
            "cifar100/test/200/s1 is 101.0 in row 1",
        ),
    ],
)
def test_wrong_content_is_refused(tmp_path, damage, message):
    content = official.content_201(2)
    damage(content)
    path = official.write_pth(tmp_path / "x.pth", content, True)
    with pytest.raises(DagnasError, match=message):
        nasbench201_pth.read(path, 2)


def test_truncated_pth(pth, tmp_path):
    whole = pth.read_bytes()
    for size in (0, 10, 100, len(whole) // 2, len(whole) - 200):
        short = tmp_path / "short.pth"
        short.write_bytes(whole[:size])
        with pytest.raises(DagnasError, match=r"short\.pth"):
            nasbench201_pth.read(short, CELLS)


def test_flipped_bits_never_give_another_error(tmp_path):
    """A flip may hit a digit that nobody reads, but must not break the reader."""
    whole = official.write_pth(tmp_path / "x.pth", official.content_201(1), True).read_bytes()
    rng = random.Random(0)
    path = tmp_path / "flipped.pth"
    refused = 0
    for _ in range(40):
        flipped = bytearray(whole)
        flipped[rng.randrange(2000)] ^= 1 << rng.randrange(8)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            nasbench201_pth.read(path, 1)
        except DagnasError:
            refused += 1
    assert refused > 10


def test_another_format_is_refused(tmp_path):
    for content in (b"PK\x03\x04 no archive", b"{}", pickle.dumps(3), os.urandom(1000)):
        path = tmp_path / "x.pth"
        path.write_bytes(content)
        with pytest.raises(DagnasError, match=r"x\.pth"):
            nasbench201_pth.read(path)


# Malicious pickles: each would leave a file behind if it ran.


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def evils(trace: Path) -> dict[str, tuple[object, str]]:
    import builtins

    command = f"touch {trace}"
    return {
        "system": (Evil(os.system, command), r"posix\.system"),
        "eval": (
            Evil(builtins.eval, f"open({str(trace)!r}, 'w')"),
            r"(builtins|__builtin__)\.eval",
        ),
        "nested": (
            Evil(print, [Evil(os.system, command)]),
            r"(builtins|__builtin__)\.print|posix\.system",
        ),
        "popen": (Evil(subprocess.Popen, ["touch", str(trace)]), r"(subprocess|commands)\.Popen"),
    }


@pytest.mark.parametrize("kind", ["system", "eval", "nested", "popen"])
@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("place", ["top", "cell"])
def test_malicious_pth(tmp_path, kind, legacy, place):
    evil, name = evils(tmp_path / "ran")[kind]
    content = official.content_201(1)
    if place == "top":
        content["extra"] = evil
    else:
        content["arch2infos"][0]["full"]["extra"] = evil
    path = official.write_pth(tmp_path / "x.pth", content, legacy)
    with pytest.raises(DagnasError, match=f"asks for ({name})"):
        nasbench201_pth.read(path, 1)
    assert not (tmp_path / "ran").exists()


def test_malicious_header_of_a_legacy_pth(tmp_path):
    evil, name = evils(tmp_path / "ran")["system"]
    path = tmp_path / "x.pth"
    path.write_bytes(pickle.dumps(evil, protocol=2))
    with pytest.raises(DagnasError, match=f"asks for ({name})"):
        nasbench201_pth.read(path, 1)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["system", "eval", "nested", "popen"])
@pytest.mark.parametrize("file", ["meta", "000000"])
def test_malicious_nats(tmp_path, kind, file):
    evil, name = evils(tmp_path / "ran")[kind]
    folder = official.write_nats(tmp_path / "nats", 1, 1)
    with bz2.open(folder / f"{file}.pickle.pbz2", "wb") as packed:
        pickle.dump({"meta_archs": evil, "12": evil, "200": evil}, packed)
    with pytest.raises(DagnasError, match=f"asks for ({name})"):
        nats.read_cells(folder)
    assert not (tmp_path / "ran").exists()


def test_tensors_are_refused(tmp_path):
    import torch

    content = {"arch2infos": {}, "weights": torch.zeros(3)}
    for legacy in (True, False):
        path = official.write_pth(tmp_path / "x.pth", content, legacy)
        with pytest.raises(DagnasError, match=r"torch|tensors"):
            nasbench201_pth.read(path, 0)


def test_result_objects_are_read_by_their_state():
    from nas_201_api import ArchResults

    state = pickles.load(pickle.dumps(ArchResults(3, "text"), protocol=4))
    assert state["arch_index"] == 3
    assert state["arch_str"] == "text"


# NATS-Bench.


def test_nats_folder(tmp_path):
    folder = official.write_nats(tmp_path / "nats", 2, 2)
    table = nats.read(folder)
    assert table.num_rows == 2
    content = official.content_201(2)
    path = official.write_pth(tmp_path / "x.pth", content, False)
    assert table.equals(nasbench201_pth.read(path, 2))


def test_nats_lacking_cells(tmp_path):
    folder = official.write_nats(tmp_path / "nats", 1, 8)
    with pytest.raises(DagnasError, match=r"lacks 7 of 8 cells: 000001, .*000005, \.\.\."):
        nats.read(folder)
    assert nats.read_cells(folder).num_rows == 1


def test_damaged_nats(tmp_path):
    folder = official.write_nats(tmp_path / "nats", 1, 1)
    path = folder / "000000.pickle.pbz2"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for damaged in (whole[: len(whole) // 2], bytes(flipped), b"no bzip2", b""):
        path.write_bytes(damaged)
        with pytest.raises(DagnasError, match=r"000000\.pickle"):
            nats.read_cells(folder)
    path.write_bytes(bz2.compress(pickle.dumps({"12": 3, "200": 4})))
    with pytest.raises(DagnasError, match="no results of a cell"):
        nats.read_cells(folder)
    shutil.copy(folder / "meta.pickle.pbz2", path)
    with pytest.raises(DagnasError, match="no results of a cell"):
        nats.read_cells(folder)


def test_real_nats_sample_agrees_with_the_compact_table(mirror):
    folder = mirror / "NATS-tss-v1_0-3ffb9-simple"
    sample = nats.read_cells(folder)
    whole, emulated = import_table("nasbench201", [mirror / "nasbench201.parquet"])
    # What is emulated has no other source.
    compact = whole.drop_columns(list(emulated)).take([0, 11])
    raw = pq.read_table(mirror / "nasbench201.parquet").take([0, 11])
    space = SPACES.get("nasbench201")
    assert space.to_str(space.unpack(sample["code"].to_numpy())) == raw["arch_str"].to_pylist()
    assert set(compact.column_names) <= set(sample.column_names)
    for name in compact.column_names:
        ours, theirs = sample[name].to_numpy(), compact[name].to_numpy()
        np.testing.assert_allclose(ours, theirs, rtol=2e-7, err_msg=name)
    with pytest.raises(DagnasError, match="lacks 15,623 of 15,625 cells"):
        nats.read(folder)


MAKE = """
import sys
from pathlib import Path
from tests.benchmarks import official
path, count = sys.argv[1:]
official.write_pth(Path(path), official.content_201(int(count)), legacy=True)
"""
MEASURE = """
import sys
from pathlib import Path
import nas_201_api
from dagnas.tables.importers import nasbench201_pth, nats

def peak():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1])

nats.SPACES.get("nasbench201")
before = peak()
assert nasbench201_pth.read(Path(sys.argv[1]), int(sys.argv[2])).num_rows == int(sys.argv[2])
print(peak() - before, peak())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_file(tmp_path):
    """Twice the cells, each with full learning curves: the peak grows by less than 20 %.

    Even what the reading itself adds to the process does so.
    """
    root = Path(__file__).parents[2]
    path = str(tmp_path / "x.pth")
    peaks = []
    for count in ("200", "400"):
        command = [sys.executable, "-c", MAKE, path, count]
        subprocess.run(command, check=True, cwd=root)
        command = [sys.executable, "-c", MEASURE, path, count]
        done = subprocess.run(command, check=True, cwd=root, capture_output=True, text=True)
        peaks.append([int(word) for word in done.stdout.split()])
    print("added and whole peak in KiB, of 200 and 400 cells:", peaks)
    (added, whole), (added_twice, whole_twice) = peaks
    assert added > 10_000
    assert added_twice < 1.2 * added
    assert whole_twice < 1.2 * whole
