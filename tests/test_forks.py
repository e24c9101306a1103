"""Commands that a run of the pipeline forks: as those that are started, but sooner."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dagnas import kernels
from dagnas.cli import forks

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="this system cannot wait for a process as for a file"
)
CLIENT = [sys.executable, "-IS", forks.__file__]
#: A run of the pipeline: starts a server, and ends when its input does.
RUN = """
import os, sys
from pathlib import Path
from dagnas.cli import forks

forks.start(Path("digests.json"))
print(os.environ[forks.SOCKET], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Process of a run, and the environment of its jobs, once commands are forked."""
    # As a shell has it, without kernels that were chosen for the tests.
    chosen = {*kernels.PORTABLE, kernels.CHOSEN}
    shell = {name: value for name, value in os.environ.items() if name not in chosen}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN],
        env=shell,
        cwd=tmp_path_factory.mktemp("run"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    path = process.stdout.readline().strip()
    environment = {**shell, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", forks.SOCKET: path}
    wait(lambda: Path(path).exists())
    for _ in range(forks.FIRST):
        assert client(environment, "--version").returncode == 0
    yield process, environment
    process.stdin.close()
    process.wait()
    wait(lambda: not Path(path).parent.exists())


def client(environment, *words, command=CLIENT, **options):
    return subprocess.run(
        [*command, *words], env=environment, capture_output=True, text=True, **options
    )


def plain(environment, *words, **options):
    return client(environment, *words, command=["dagnas"], **options)


def wait(condition, seconds=60):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def search(data, out, evaluations=40):
    """Words of a search whose model PyTorch trains."""
    words = f"--benchmark nasbench201 --method goal_mlp --budget-evaluations {evaluations}"
    return ["search", *words.split(), "--trials", "0:1", "--data", str(data), "--out", str(out)]


def writers(out):
    """Numbers of the processes that write a file."""
    mark = out.with_name(f".{out.name}.lock")
    if not mark.exists():
        return []
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return [int(lock[4]) for lock in locks if lock[5].endswith(f":{mark.stat().st_ino}")]


def started(environment, words, out):
    """Client of a command that writes a file already."""
    process = subprocess.Popen([*CLIENT, *words], env=environment)
    wait(lambda: writers(out))
    return process


def test_what_a_command_makes_is_the_same(run, data, tmp_path):
    _, environment = run
    forked, alone = tmp_path / "forked.parquet", tmp_path / "alone.parquet"
    assert client(environment, *search(data, forked)).returncode == 0
    assert plain(environment, *search(data, alone)).returncode == 0
    assert forked.read_bytes() == alone.read_bytes()


def test_folder_environment_output_and_status_are_the_clients(run, tmp_path):
    _, environment = run
    (tmp_path / "claims.csv").write_text("no table", encoding="utf-8")
    for words in (
        ["config", "keys"],
        ["metrics", "claims.csv", "--out", "m"],
        ["search", "--help"],
    ):
        for columns in ("60", "120"):
            own = {**environment, "COLUMNS": columns}
            forked, alone = (one(own, *words, cwd=tmp_path) for one in (client, plain))
            assert forked.returncode == alone.returncode
            assert (forked.stdout, forked.stderr) == (alone.stdout, alone.stderr)


def test_statuses(run, tmp_path):
    _, environment = run
    assert client(environment, "metrics", "none.csv", cwd=tmp_path).returncode == 2
    assert client(environment, "search").returncode == 2
    # More than a socket takes at once.
    long = client(environment, "show", "x" * 100_000)
    assert long.returncode == 2


def test_a_command_ends_with_its_client(run, data, tmp_path):
    _, environment = run
    out = tmp_path / "long.parquet"
    process = started(environment, search(data, out, 10_000), out)
    # Another process does the work.
    assert process.pid not in writers(out)
    process.kill()
    process.wait()
    wait(lambda: not writers(out))


def test_a_killed_command_has_the_status_that_a_shell_tells(run, data, tmp_path):
    _, environment = run
    out = tmp_path / "long.parquet"
    process = started(environment, search(data, out, 10_000), out)
    os.kill(writers(out)[0], signal.SIGKILL)
    assert process.wait() == 128 + signal.SIGKILL


def test_without_a_server_the_client_is_the_command(tmp_path):
    environment = {**os.environ, forks.SOCKET: str(tmp_path / "none")}
    assert client(environment, "--version").stdout == plain(environment, "--version").stdout
    del environment[forks.SOCKET]
    assert client(environment, "metrics", "none.csv", cwd=tmp_path).returncode == 2


def test_a_command_that_wants_fast_kernels_is_started(run, data, tmp_path):
    _, environment = run
    out = tmp_path / "fast.parquet"
    assert client(environment, *search(data, out, 33), "--fast").returncode == 0
    assert pq.read_schema(out).metadata[b"dagnas.kernels"].startswith(b"fast")
