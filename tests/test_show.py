"""`dagnas show`: trials counted rightly, cells whole, failed signals without a traceback."""

import os
import subprocess
import sys

import pyarrow as pa
import pytest

from dagnas.cli import main
from dagnas.files import write_parquet
from dagnas.search.runner import TRACE

SIGNS = "é±…中\xd7"
LONG = "|nor_conv_3x3~0|" * 30


def write(path, rows, **said):
    """Trace of (trial, step, cell, signal) at ten seconds an evaluation."""
    full = [(t, s, c, 1, -1, 12, v, 10.0 * (s + 1), 90.0, 80.0, "") for t, s, c, v in rows]
    columns = list(zip(*full, strict=True)) or [[]] * len(TRACE.names)
    table = pa.table(dict(zip(TRACE.names, map(list, columns), strict=True))).cast(TRACE)
    about = {"method": "goal", "benchmark": "bench", "policy": "goal", **said}
    write_parquet(table, path, {f"dagnas.{key}": value for key, value in about.items()})
    return path


def shown(capsys, *paths):
    assert main(["show", *map(str, paths)]) == 0
    return capsys.readouterr().out


def last(text):
    """Cells of the last line, by the names above."""
    lines = text.splitlines()
    return lines[-1].split()


def test_the_best_cell_is_whole(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    path = write(tmp_path / "a.parquet", [(0, 0, "x", 50.0), (0, 1, LONG, 60.0), (0, 2, "y", 9.0)])
    assert last(shown(capsys, path)) == ["0", "3", "30", "60.00", "90.00", "80.00", LONG]


def test_evaluations_are_counted_where_improvements_alone_are_kept(tmp_path, capsys):
    rows = [(0, 0, "a", 1.0), (0, 40, "b", 2.0), (0, 122, "c", 3.0), (1, 6, "d", 2.0)]
    text = shown(capsys, write(tmp_path / "a.parquet", rows, until_best="true"))
    counts = [line.split()[:2] for line in text.splitlines()[-2:]]
    assert counts == [["0", "123"], ["1", "7"]]
    assert "until_best         true" in text


def test_what_a_search_was_limited_to(tmp_path, capsys):
    said = {"objectives": '["latency"]', "constraints": '["latency<20"]', "prior": "small"}
    lines = shown(capsys, write(tmp_path / "a.parquet", [(0, 0, "a", 1.0)], **said)).splitlines()
    for name, text in said.items():
        assert f"{name:18} {text}" in lines


def test_failed_signals(tmp_path, capsys):
    nan = float("nan")
    path = write(tmp_path / "a.parquet", [(0, 0, "a", nan), (0, 1, "b", 3.0), (0, 2, "c", nan)])
    assert last(shown(capsys, path)) == ["0", "3", "30", "3.00", "90.00", "80.00", "b"]
    path = write(tmp_path / "b.parquet", [(0, 0, "a", nan), (0, 1, "b", nan)])
    assert last(shown(capsys, path)) == ["0", "2", "20", "-", "-", "-", "-"]
    path = write(tmp_path / "c.parquet", [(0, 0, "a", 1.0), (1, 0, "b", nan)])
    assert last(shown(capsys, path)) == ["1", "1", "10", "-", "-", "-", "-"]


def test_a_trace_of_no_evaluations(tmp_path, capsys):
    assert shown(capsys, write(tmp_path / "a.parquet", [])).endswith("no evaluations\n")


def test_several_traces_one_after_another(tmp_path, capsys):
    one = write(tmp_path / "one.parquet", [(0, 0, "a", 1.0)])
    two = write(tmp_path / "two.parquet", [(0, 0, "b", 2.0)], method="mine")
    alone = [shown(capsys, path) for path in (one, two)]
    both = shown(capsys, one, two)
    assert both == f"{one}\n{alone[0]}\n{two}\n{alone[1]}"
    assert "method             mine" in both


@pytest.mark.parametrize("kind", ["absent", "nameless", "damaged"])
def test_a_fault_of_one_of_several_is_told_in_one_line(kind, tmp_path, capsys):
    good = write(tmp_path / "good.parquet", [(0, 0, "a", 1.0)])
    bad = tmp_path / f"{kind}.parquet"
    if kind == "nameless":
        write_parquet(TRACE.empty_table(), bad, {})
    elif kind == "damaged":
        bad.write_bytes(good.read_bytes()[:-9])
    assert main(["show", str(good), str(bad)]) == 2
    captured = capsys.readouterr()
    assert str(bad) in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def run(path, stdout, **environment):
    """`dagnas show` as a program of its own."""
    command = [sys.executable, "-m", "dagnas", "show", str(path)]
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", SIGNS.encode()),
        ("latin-1", "é±...?\xd7".encode("latin-1")),
        ("ascii", b"e+/-...?x"),
    ],
)
def test_plain_characters_where_the_encoding_has_no_others(encoding, shown, tmp_path):
    path = write(tmp_path / "a.parquet", [(0, 0, SIGNS, 1.0)])
    done = run(path, subprocess.PIPE, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split()[-1] == shown


def test_a_reader_that_has_gone_is_no_fault(tmp_path):
    path = write(tmp_path / "a.parquet", [(0, 0, "a", 1.0)])
    reading, writing = os.pipe()
    os.close(reading)
    done = run(path, writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_full_disk_behind_the_output_is_told_in_one_line(tmp_path):
    path = write(tmp_path / "a.parquet", [(0, 0, "a", 1.0)])
    with open("/dev/full", "wb") as full:
        done = run(path, full)
    assert (done.returncode, done.stderr) == (2, b"dagnas: No space left on device\n")
