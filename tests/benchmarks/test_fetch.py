"""`dagnas fetch`: mirrors, digests, downloads, and that nothing half-written is left."""

import errno
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.locks import writing
from dagnas.tables import fetch as module
from dagnas.tables.fetch import fetch, split_mirrors, without_password
from dagnas.tables.importers import Imported
from dagnas.tables.sources import SOURCES, Source, SourceFile
from dagnas.tables.table import Table
from tests.benchmarks import official

CONTENT = bytes(range(256)) * 4096 + b"end"  # 1 MiB and a little: more than one block.
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT as /table.bin, with faults that a test asks for."""

    etag: str | None = '"one"'
    ranges = True
    cut: list[int] = []  # noqa: RUF012 - bytes after which the next replies break off
    content = CONTENT
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012

    def do_GET(self):
        cls = type(self)
        cls.asked.append((self.path, self.headers["Range"]))
        if not self.path.endswith("/table.bin"):
            self.send_error(404)
            return
        body, start = cls.content, 0
        asked = self.headers["Range"]
        if asked and cls.ranges and self.headers["If-Range"] in (None, cls.etag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        if cls.etag:
            self.send_header("ETag", cls.etag)
        self.end_headers()
        end = start + cls.cut.pop(0) if cls.cut else len(body)
        self.wfile.write(body[start:end])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    """A server of this process, and its address."""
    handler = type("Handler", (Server,), {"cut": [], "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        handler.address = f"http://127.0.0.1:{running.server_port}/files"
        yield handler
        running.shutdown()


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """A table ``t`` whose source is CONTENT, and no waiting."""

    def import_(name, paths):
        assert paths[0].read_bytes() == CONTENT
        return Imported(pa.table({"code": [1, 2]}), ("x",))

    monkeypatch.setattr(module, "import_table", import_)
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    monkeypatch.setitem(SOURCES, "t", (Source("official", (SourceFile("table.bin", DIGEST),)),))


@pytest.fixture
def data(tmp_path) -> Path:
    return tmp_path / "data"


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# Local mirrors.


def test_local_file_is_read_in_place(tmp_path, data):
    (tmp_path / "empty").mkdir()
    (tmp_path / "table.bin").write_bytes(CONTENT)
    mirrors = [str(tmp_path / "empty"), str(tmp_path)]
    assert "2 cells" in fetch("t", data, mirrors)
    assert files(data) == ["t.parquet"]
    table = Table(data / "t.parquet")
    assert table.provenance == {
        "schema": "1",
        "space": "t",
        "source": "table.bin",
        "sha256": DIGEST,
        "emulated": '["x"]',
    }
    before = (data / "t.parquet").stat().st_mtime_ns
    assert "up to date" in fetch("t", data, mirrors)
    assert (data / "t.parquet").stat().st_mtime_ns == before
    assert "2 cells" in fetch("t", data, mirrors, force=True)


def test_another_version_of_the_emulation_makes_the_table_again(tmp_path, data, monkeypatch):
    (tmp_path / "table.bin").write_bytes(CONTENT)
    for version in ("", "1", "2"):
        source = Source("compact", (SourceFile("table.bin", DIGEST, emulation=version),))
        monkeypatch.setitem(SOURCES, "t", (source,))
        assert "2 cells" in fetch("t", data, [str(tmp_path)])
        assert "up to date" in fetch("t", data, [str(tmp_path)])
        assert Table(data / "t.parquet").provenance.get("emulation", "") == version


def test_a_damaged_table_is_not_up_to_date(tmp_path, data):
    (tmp_path / "table.bin").write_bytes(CONTENT)
    fetch("t", data, [str(tmp_path)])
    table = data / "t.parquet"
    table.write_bytes(table.read_bytes()[:-5])
    assert "2 cells" in fetch("t", data, [str(tmp_path)])
    assert "up to date" in fetch("t", data, [str(tmp_path)])


def test_another_source_is_imported_anew(tmp_path, data, monkeypatch):
    (tmp_path / "table.bin").write_bytes(CONTENT)
    (tmp_path / "other.bin").write_bytes(CONTENT)
    fetch("t", data, [str(tmp_path)])
    assert "2 cells" in fetch("t", data, source=str(tmp_path / "other.bin"))


def test_wrong_checksum_of_a_local_file(tmp_path, data):
    (tmp_path / "table.bin").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(DagnasError, match=f"SHA-256 is [0-9a-f]{{64}}, expected {DIGEST}"):
        fetch("t", data, [str(tmp_path)])
    assert not data.exists()
    assert (tmp_path / "table.bin").exists()


def test_md5_in_the_name(tmp_path, data, monkeypatch):
    ending = hashlib.md5(CONTENT).hexdigest()[-6:]
    for name, good in ((f"N-v1-{ending}.pth", True), ("N-v1-000000.pth", False)):
        monkeypatch.setitem(SOURCES, "t", (Source("official", (SourceFile(name),)),))
        (tmp_path / name).write_bytes(CONTENT)
        if good:
            fetch("t", data, [str(tmp_path)])
        else:
            with pytest.raises(DagnasError, match=r"MD5 is .*, expected \.\.\.000000"):
                fetch("t", data, [str(tmp_path)])


def test_nothing_found(data, tmp_path, server):
    for name, kind in (("nasbench201", "pth"), ("nasbench101", "parquet")):
        with pytest.raises(DagnasError) as caught:
            fetch(
                name,
                data,
                [str(tmp_path), f"{server.address}/none"],
                source=None if kind == "pth" else "compact",
            )
        text = str(caught.value)
        assert f"no source of {name} found" in text
        assert str(tmp_path / f"{name}.parquet") in text
        assert f"{server.address}/none/{name}.parquet: 404" in text
        if kind == "pth":
            assert "https://drive.google.com/" in text
    assert not data.exists() or files(data) == []


def test_wrong_names(data):
    with pytest.raises(DagnasError, match=r"unknown table 'nasbench301'.*nasbench101, nasbench201"):
        fetch("nasbench301", data)
    with pytest.raises(DagnasError, match=r"no source 'newest' of t; valid: official, compact"):
        fetch("t", data, source="newest")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", []),
        ("/a", ["/a"]),
        ("/a:b/c", ["/a", "b/c"]),
        ("http://h:80/x:/a:https://i/y", ["http://h:80/x", "/a", "https://i/y"]),
        ("http://h:/a", ["http://h", "/a"]),
        ("http://u:p@h:1/x:/a", ["http://u:p@h:1/x", "/a"]),
        ("http://h:https://u:p@i/y", ["http://h", "https://u:p@i/y"]),
        ("http://[::1]:80/x:/a", ["http://[::1]:80/x", "/a"]),
        ("/a:https://u:p@[fe80::1]:b", ["/a", "https://u:p@[fe80::1]", "b"]),
    ],
)
@pytest.mark.skipif(os.pathsep != ":", reason="texts are written for POSIX")
def test_split_mirrors(text, places):
    assert split_mirrors(text) == places


def test_a_mirror_of_no_user_is_one_without_the_file(data):
    with pytest.raises(DagnasError, match=r"~nobody-of-that-name/x/table\.bin: no such file"):
        fetch("t", data, ["~nobody-of-that-name/x"])


# Downloads.


def test_passwords_stand_in_no_message(data, server):
    place = server.address.replace("://", "://user:secret@")
    with pytest.raises(DagnasError) as fault:
        fetch("nasbench201", data, [place, place.replace("http:", "https:")], source="compact")
    assert "404" in str(fault.value)
    assert "attempts" in str(fault.value)
    assert "secret" not in str(fault.value)
    assert without_password("at https://u:p@h/x, a@b") == "at https://h/x, a@b"


def test_a_second_download_is_refused_and_leaves_the_first_alone(data, server):
    with writing(data / "sources/table.bin", by="fetch"):
        (data / "sources/table.bin.part").write_bytes(CONTENT[:9])
        with pytest.raises(DagnasError, match=r"another fetch is writing .*sources/table\.bin"):
            fetch("t", data, [server.address])
        assert (data / "sources/table.bin.part").read_bytes() == CONTENT[:9]
        assert not server.asked


def test_a_part_that_is_longer_than_the_file_is_begun_anew(data, server):
    """Two writers of one part, by an older version, leave such a one."""
    (data / "sources").mkdir(parents=True)
    (data / "sources/table.bin.part").write_bytes(CONTENT + b"more")
    known = {"size": len(CONTENT), "validator": server.etag}
    (data / "sources/table.bin.part.json").write_text(json.dumps(known))
    fetch("t", data, [server.address])
    assert server.asked == [("/files/table.bin", None)]
    assert files(data) == ["sources/table.bin", "t.parquet"]


def test_download(data, server):
    assert "2 cells" in fetch("t", data, [server.address])
    assert files(data) == ["sources/table.bin", "t.parquet"]
    assert "up to date" in fetch("t", data, [server.address])
    assert server.asked == [("/files/table.bin", None)]


def test_truncated_transfer_is_resumed(data, server):
    server.cut += [100_000, 500_000]
    fetch("t", data, [server.address])
    assert server.asked == [
        ("/files/table.bin", None),
        ("/files/table.bin", "bytes=65536-"),
        ("/files/table.bin", "bytes=524288-"),
    ]
    assert (data / "sources" / "table.bin").read_bytes() == CONTENT


def test_resume_in_a_later_run(data, server, monkeypatch):
    monkeypatch.setattr(module, "_ATTEMPTS", 1)
    server.cut += [100_000]
    with pytest.raises(DagnasError, match=r"table\.bin: .*attempts"):
        fetch("t", data, [server.address])
    assert files(data) == ["sources/table.bin.part", "sources/table.bin.part.json"]
    fetch("t", data, [server.address])
    assert server.asked[-1] == ("/files/table.bin", "bytes=65536-")
    assert files(data) == ["sources/table.bin", "t.parquet"]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": '"two"'}, {"etag": None}])
def test_restart_where_a_range_would_be_wrong(data, server, change, monkeypatch):
    """The server ignores ranges, has another version now, or names no version."""
    monkeypatch.setattr(module, "_ATTEMPTS", 1)
    server.cut += [100_000]
    server.content = b"?" * len(CONTENT)
    if "etag" in change and change["etag"] is None:
        server.etag = None
    with pytest.raises(DagnasError):
        fetch("t", data, [server.address])
    for name, value in change.items():
        setattr(server, name, value)
    server.content = CONTENT
    fetch("t", data, [server.address])
    assert (data / "sources" / "table.bin").read_bytes() == CONTENT


def test_a_complete_part_is_not_asked_for_again(data, server):
    folder = data / "sources"
    folder.mkdir(parents=True)
    (folder / "table.bin.part").write_bytes(CONTENT)
    note = {"size": len(CONTENT), "validator": '"one"'}
    (folder / "table.bin.part.json").write_text(json.dumps(note))
    fetch("t", data, [server.address])
    assert server.asked == []


def test_wrong_checksum_of_a_download(data, server):
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(DagnasError, match=rf"expected {DIGEST} \(downloaded from http.*; removed"):
        fetch("t", data, [server.address])
    assert files(data) == []


def test_next_mirror_after_a_missing_file_or_server(data, server):
    mirrors = ["http://127.0.0.1:9/gone", f"{server.address}/none/", server.address]
    server_path = server.address.removeprefix("http://").partition("/")[2]
    assert "2 cells" in fetch("t", data, mirrors[:1] + mirrors[2:])
    assert server.asked == [(f"/{server_path}/table.bin", None)]


def test_official_address_comes_last(data, server, monkeypatch, tmp_path):
    file = SourceFile("table.bin", DIGEST, url=f"{server.address}/table.bin")
    monkeypatch.setitem(SOURCES, "t", (Source("official", (file,)),))
    (tmp_path / "table.bin").write_bytes(CONTENT)
    fetch("t", data, [str(tmp_path)])
    assert server.asked == []
    fetch("t", data, [], force=True)
    assert len(server.asked) == 1


# Faults of the disk.


def test_full_disk_while_downloading(data, server, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, chunk):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = Path.open

    def open_(self, mode="r", *arguments, **named):
        file = real(self, mode, *arguments, **named)
        return Full(file) if mode == "ab" else file

    monkeypatch.setattr(Path, "open", open_)
    with pytest.raises(DagnasError, match=r"cannot write .*table\.bin\.part: No space left"):
        fetch("t", data, [server.address])
    assert "t.parquet" not in files(data)
    monkeypatch.undo()


def test_full_disk_while_writing_the_table(tmp_path, data, monkeypatch):
    (tmp_path / "table.bin").write_bytes(CONTENT)

    def full(*arguments, **named):
        Path(arguments[1]).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(DagnasError, match=r"cannot write .*t\.parquet: No space left"):
        fetch("t", data, [str(tmp_path)])
    assert files(data) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a small tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_small_disk(small_disk, tmp_path, server, monkeypatch):
    with pytest.raises(DagnasError, match="No space left"):
        fetch("t", small_disk, [server.address])
    assert "sources/table.bin" not in files(small_disk)
    shutil.rmtree(small_disk / "sources")
    noise = pa.table({"code": np.random.default_rng(0).integers(0, 2**60, 100_000)})
    monkeypatch.setattr(module, "import_table", lambda name, paths: Imported(noise))
    (tmp_path / "table.bin").write_bytes(CONTENT)
    with pytest.raises(DagnasError, match="No space left"):
        fetch("t", small_disk, [str(tmp_path)])
    assert files(small_disk) == []


def test_folder_that_cannot_be_written(tmp_path, server):
    """A plain file stands where the folder should be: refused to root, too."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    (tmp_path / "table.bin").write_bytes(CONTENT)
    for mirror in (str(tmp_path), server.address):
        with pytest.raises(DagnasError, match="cannot write"):
            fetch("t", blocked / "data", [mirror])
    assert blocked.read_text() == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only folders")
def test_read_only_folder(tmp_path, data):
    (tmp_path / "table.bin").write_bytes(CONTENT)
    data.mkdir(mode=0o555)
    with pytest.raises(DagnasError, match=r"cannot write .*: Permission denied"):
        fetch("t", data, [str(tmp_path)])
    assert files(data) == []


# From end to end.


@pytest.fixture
def real_import(monkeypatch):
    from dagnas.tables.importers import import_table

    monkeypatch.setattr(module, "import_table", import_table)


def test_failed_import_leaves_the_old_table(tmp_path, data, real_import):
    columns = official.compact_201()
    good = official.write_parquet(tmp_path / "good.parquet", columns)
    assert "15,625 cells" in fetch("nasbench201", data, source=str(good))
    before = (data / "nasbench201.parquet").read_bytes()
    columns["cifar10_valid_12ep"][3] = np.nan
    bad = official.write_parquet(tmp_path / "bad.parquet", columns)
    with pytest.raises(DagnasError, match="cifar10/valid/12/mean is nan in row 3"):
        fetch("nasbench201", data, source=str(bad))
    assert (data / "nasbench201.parquet").read_bytes() == before
    assert files(data) == ["nasbench201.parquet"]


def test_command_line(tmp_path, data, capsys, monkeypatch):
    monkeypatch.delenv("DAGNAS_MIRROR", raising=False)
    (tmp_path / "table.bin").write_bytes(CONTENT)
    assert main(["fetch", "t", "--data", str(data), "--mirror", str(tmp_path)]) == 0
    assert "2 cells" in capsys.readouterr().out
    monkeypatch.setenv("DAGNAS_MIRROR", f"{tmp_path / 'none'}{os.pathsep}{tmp_path}")
    assert main(["fetch", "t", "--data", str(data)]) == 0
    assert "up to date" in capsys.readouterr().out
    assert main(["fetch", "t2", "--data", str(data)]) == 2
    message = capsys.readouterr().err
    assert "unknown table 't2'" in message
    assert "Traceback" not in message
    assert main(["fetch", "--source", str(tmp_path / "table.bin"), "--data", str(data)]) == 2
    assert "needs the name of one table" in capsys.readouterr().err


def test_of_several_tables_the_others_are_made(tmp_path, data, capsys, monkeypatch):
    monkeypatch.delenv("DAGNAS_MIRROR", raising=False)
    absent = (Source("official", (SourceFile("absent.bin", manual="by hand"),)),)
    monkeypatch.setattr("dagnas.tables.sources.BY_NAME", tuple(SOURCES))
    monkeypatch.setitem(SOURCES, "s", absent)
    monkeypatch.setitem(SOURCES, "u", SOURCES["t"])
    (tmp_path / "table.bin").write_bytes(CONTENT)
    command = ["fetch", "--data", str(data), "--mirror", str(tmp_path)]
    assert main([*command, "t", "s", "u"]) == 1
    told = capsys.readouterr()
    assert f"t.parquet: 2 cells from {tmp_path / 'table.bin'}" in told.out
    assert f"u.parquet: 2 cells from {tmp_path / 'table.bin'}" in told.out
    assert told.out.endswith("2 of 3 tables are there; failed: s\n")
    assert f"s: no source of s found. Tried:\n  {tmp_path / 'absent.bin'}: no such file" in told.err
    assert files(data) == ["t.parquet", "u.parquet"]
    assert main([*command, "t", "u"]) == 0
    assert capsys.readouterr().out.endswith("2 of 2 tables are there\n")
    # All that are not fetched by name alone: here s and u.
    assert main(command) == 1
    assert "1 of 2 tables are there; failed: s" in capsys.readouterr().out
    # One by itself, and a name that is none, are faults of the command.
    assert main([*command, "s"]) == 2
    assert main([*command, "t", "t2"]) == 2


@pytest.mark.parametrize(
    "name", ["nasbench201", pytest.param("nasbench101", marks=pytest.mark.slow)]
)
def test_real_tables(mirror, data, name, real_import):
    assert "cells from" in fetch(name, data, [str(mirror)], source="compact")
    table = Table(data / f"{name}.parquet")
    assert len(table["code"]) == {"nasbench201": 15_625, "nasbench101": 423_624}[name]
    first = (data / f"{name}.parquet").read_bytes()
    fetch(name, data, [str(mirror)], source="compact", force=True)
    assert (data / f"{name}.parquet").read_bytes() == first
