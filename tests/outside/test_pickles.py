"""Pickles from outside: limits of size, depth and time, and records by their types."""

import bz2
import pickle
import struct
import zipfile

import pytest

from dagnas.errors import DagnasError
from dagnas.outside import pickles
from dagnas.outside.pickles import Limits, load
from dagnas.tables.importers import large_pickle, nasbench201_pth, nats
from tests.benchmarks import official

LARGER = "larger than any of a benchmark"
SET = b"c__builtin__\nset\nq\0"
#: A list of 20,000 numbers, remembered as the first object after a set.
NUMBERS = b"](" + b"".join(b"J" + struct.pack("<i", i) for i in range(20_000)) + b"e\x85q\1"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b")" + b"\x85" * 100_000 + b".", "tuples within tuples without end"),
        (b"}" + b")" + b"\x85" * 400 + b"K\1s.", "a key of a kind that no benchmark has"),
        # A tuple of twice a tuple and so on, 40 times: to hash it would take hours.
        (b")" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(40)) + b".", "without end"),
        (b"](" + b"}" * 3_000_000 + b"e.", LARGER),
        (b"](" + b"]" * 100_000 + b"e.", LARGER),
        (b"(" * 100_000, LARGER),
        (b"N" * 2_000_000 + b".", LARGER),
        (b"X" + struct.pack("<I", 10**8) + b"x" * 10**7, "more than 8,388,608 bytes"),
        (b"Nr" + struct.pack("<I", 2**28) + b".", "is remembered after -1"),
        (SET + NUMBERS + b"(" + b"h\0h\1R" * 50 + b"t.", LARGER),
        (b"}(" + b"".join(b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") + b"N"
                          for i in range(1, 1000)) + b"u.", "a key of a kind"),
        (b"}G" + bytes(8) + b"Ns.", "a key of a kind"),
        (b"}]Ns.", "a key of a kind"),
        (b"]K\1K\2s.", "items are set of what is no dict"),
        (b"}K\1a.", "appended to what is no list"),
        (b"K\1)R.", "a call of what is no global"),
        (b"K\1}b.", "a state is set of what has none"),
        (b"ccollections\nOrderedDict\nq\0](](]K\1ee\x85R.", "TypeError|ValueError"),
    ],
)  # fmt: skip
def test_programs_that_take_too_much_are_refused_at_once(program, message):
    with pytest.raises(DagnasError, match=message):
        load(b"\x80\x02" + program)


def test_words_of_damage_are_short():
    """They quote little of what the pickle holds: printing it could take as long as it likes."""
    key = b"X" + struct.pack("<I", 100_000) + b"x" * 100_000
    with pytest.raises(DagnasError) as fault:
        load(b"\x80\x02" + key + b"h\7.")
    assert len(str(fault.value)) < 400


def test_limits_leave_room_for_real_files(monkeypatch):
    """What real ones need is far below: a tenth of the limits reads a cell."""
    cell = {str(epochs): state for epochs, state in official.states_201(0, "x").items()}
    small = Limits(*(limit // 10 for limit in pickles.USUAL))
    assert load(pickle.dumps(cell), limits=small) == cell
    with pytest.raises(DagnasError, match=LARGER):
        load(pickle.dumps(cell), limits=small._replace(steps=100))
    with pytest.raises(DagnasError, match=LARGER):
        load(pickle.dumps(cell), limits=small._replace(containers=100))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_of_today_is_read(protocol):
    value = {"a": [1, -1, 2**40, 0.5, None, True], "b": ("x", b"y", (1, 2, 3)), "c": {1, 2}}
    value["d"] = {f"k{i}": i / 8 for i in range(300)} | {i: 0.5 for i in range(300)}
    value["again"] = [value["d"], "x" * 300, "é"]
    assert load(pickle.dumps(value, protocol)) == value


def test_a_stream_ends_where_an_item_takes_too_much(monkeypatch):
    import io

    def read(items):
        whole = pickle.dumps({"large": items, "x": 0}, protocol=2)
        return dict(large_pickle.stream(lambda: io.BytesIO(whole), "large", lambda size: None))

    flood = [{} for _ in range(100_000)]
    # Every cell has the limits anew.
    assert len(read({i: flood[:40_000] for i in range(3)})) == 4
    with pytest.raises(DagnasError, match=LARGER):
        read({0: {"a": 1}, 1: flood})
    with pytest.raises(DagnasError, match=f"an item of its pickle is {LARGER}"):
        read({0: {"a": 1, "b": 2}, 1: {"a": 1, "b": ["y" * 4000 + str(i) for i in range(3000)]}})


def test_numbers_of_objects_cannot_run_ahead_of_the_file():
    import io

    program = b"\x80\x02" + b"".join(b"Nr" + struct.pack("<I", i * 2**16) for i in range(1, 3000))
    with pytest.raises(DagnasError, match="is remembered early"):
        dict(large_pickle.stream(lambda: io.BytesIO(program), "x", lambda size: None))


def change(content, place, value):
    """Put a value at a place of a record, a list of keys."""
    for key in place[:-1]:
        content = content[key]
    content[place[-1]] = value


TRAINING = ["all_results", ("cifar10-valid", 777)]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ([], None, "'full' is of type str"),
        (["all_results"], None, "'all_results' is of type str"),
        (TRAINING, None, "('cifar10-valid', 777) is of type str"),
        ([*TRAINING, "eval_acc1es"], None, "'eval_acc1es' is of type str"),
        ([*TRAINING, "epochs"], 10**12, "a training of 1000000000000 epochs"),
        ([*TRAINING, "epochs"], True, "'epochs' is of type bool"),
        ([*TRAINING, "params"], "1", "'params' is of type str"),
        ([*TRAINING, "train_times"], None, "'train_times' is of type str"),
        (["dataset_seed", "cifar10-valid"], [777, "888"], "a seed is no whole number"),
        (["dataset_seed", "cifar10-valid"], [1, 2, 3, 4], "more repeats than 3: 4"),
        (["arch_str"], 7, "'arch_str' is of type int"),
    ],
)
@pytest.mark.parametrize("kind", ["pth", "nats"])
def test_no_value_of_a_record_is_opened_as_a_path(kind, place, value, message, tmp_path):
    """The classes of nas-bench-201 would open a text as a path and run what the file holds."""
    import re

    trap = tmp_path / "trap"
    trap.write_bytes(b"")
    message = re.escape(message)
    if kind == "pth":
        content = official.content_201(1)
        change(content["arch2infos"][0], ["full", *place], str(trap) if value is None else value)
        path = official.write_pth(tmp_path / "x.pth", content, False)
        with pytest.raises(DagnasError, match=message):
            nasbench201_pth.read(path, 1)
    else:
        folder = official.write_nats(tmp_path / "nats", 1, 1)
        path = folder / "000000.pickle.pbz2"
        content = pickle.loads(bz2.decompress(path.read_bytes()))
        change(content, ["200", *place], str(trap) if value is None else value)
        path.write_bytes(bz2.compress(pickle.dumps(content)))
        with pytest.raises(DagnasError, match=message.replace("'full'", "'200'")):
            nats.read_cells(folder)


def test_compressed_pth_files_are_refused(tmp_path):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"N0" * 10**6)
    with pytest.raises(DagnasError, match=r"x\.pth: .*its pickle is compressed"):
        nasbench201_pth.read(path)
