"""Commands of one run of the pipeline, forked from a process that has loaded the libraries.

Loading them takes a command seconds, and the pipeline runs hundreds of commands. So a server loads
them once and forks for each. What a job's shell calls in place of ``dagnas`` is a small client: it
hands over its arguments, folder, environment and open files, and ends with the command's status.
Without a server it becomes the command itself. It is run as a file, and imports little.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

#: Variable that names the server's socket.
SOCKET = "DAGNAS_FORKS"
#: Commands that run by themselves before the libraries are loaded: for so few it does not pay.
FIRST = 3
#: What most commands load; the last of them is loaded by any optimizer of PyTorch.
_MODULES = (
    "PIL.BmpImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.PpmImagePlugin",
    "dagnas.benchmarks.digits201",
    "dagnas.cli.draw",
    "dagnas.cli.jobs",
    "dagnas.cli.tabulate",
    "dagnas.drawing.style",
    "dagnas.papers.make",
    "dagnas.papers.panels",
    "dagnas.search.models.surrogate",
    "dagnas.search.runner",
    "filelock",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "networkx",
    "numba",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "scipy.optimize",
    "scipy.stats",
    "torch",
    "torch._dynamo",
)
#: First answers to a client: that it shall run its command itself, or hand it over.
_YOURSELF, _HAND_OVER = b"\0", b"\1"
_LENGTH = 8


# The client.


def run(words: Sequence[str]) -> int:
    """Run ``dagnas`` with these arguments, by the server or in place of this process."""
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(os.environ.get(SOCKET, ""))
            answer = server.recv(1)
        except OSError:
            answer = _YOURSELF
        # The libraries of a fork have their kernels already.
        if answer != _HAND_OVER or "--fast" in words:
            os.execvp("dagnas", ["dagnas", *words])
        request = {"words": list(words), "folder": os.getcwd(), "environment": dict(os.environ)}
        message = json.dumps(request).encode()
        socket.send_fds(server, [len(message).to_bytes(_LENGTH, "big")], [0, 1, 2])
        server.sendall(message)
        status = server.recv(1)
    # A server that was killed tells no status.
    return status[0] if status else 1


# The server.


def start(digests: Path) -> None:
    """Start a server for the children of this process; it ends with it.

    There is none where the system cannot tell of a process's end as of a file's.

    Parameters
    ----------
    digests : Path
        File of `dagnas.closure.remember`: what is there no fork reads anew.
    """
    import subprocess
    import tempfile

    if not hasattr(os, "pidfd_open"):
        return
    path = os.path.join(tempfile.mkdtemp(prefix="dagnas-"), "forks")
    subprocess.Popen(
        [sys.executable, "-m", "dagnas.cli.forks", path, str(os.getpid()), str(digests)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
    )
    os.environ[SOCKET] = path


def serve(path: str, parent: int, digests: str) -> list[str] | None:
    """Fork for clients, until a process has ended.

    Parameters
    ----------
    path : str
        Socket to make, in a folder of its own, which is removed at the end.
    parent : int
        Number of the process.
    digests : str
        As for `start`.

    Returns
    -------
    list of str or None
        In a fork, the arguments of its command, whose folder, environment and files it has. None
        in the server, at the end.
    """
    import shutil
    from contextlib import suppress

    # An interrupt reaches all processes of a terminal; the server ends with the pipeline, and forks
    # with their clients. Who waits for no child need not reap any.
    own = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGCHLD)}
    for one in own:
        signal.signal(one, signal.SIG_IGN)
    asked = 0
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(128)
        ended = os.pidfd_open(parent)
        while ended not in select.select([listening.fileno(), ended], [], [])[0]:
            client, _ = listening.accept()
            with client:
                asked += 1
                if asked <= FIRST:
                    # It may have gone.
                    with suppress(OSError):
                        client.sendall(_YOURSELF)
                    continue
                if asked == FIRST + 1:
                    _load(digests)
                if os.fork():
                    continue
                listening.close()
                for one, handler in own.items():
                    signal.signal(one, handler)
                return _keep(client)
    shutil.rmtree(os.path.dirname(path), ignore_errors=True)
    return None


def _load(digests: str) -> None:
    import gc
    import importlib
    from pathlib import Path

    from dagnas import closure, kernels

    # Before the libraries, which read what it sets.
    kernels.choose()
    for name in _MODULES:
        importlib.import_module(name)
    from dagnas.pipeline.kinds import all_kinds

    all_kinds()
    closure.recall(Path(digests))
    # What is here stays, so that forks need not look at it, and copy it by that.
    gc.freeze()


def _keep(client: socket.socket) -> list[str]:
    """Fork for a client's command and tell how it ends; returns in the fork alone."""
    try:
        client.sendall(_HAND_OVER)
        head, files, _, _ = socket.recv_fds(client, _LENGTH, 3)
        request = json.loads(_received(client, int.from_bytes(head, "big")))
    except (OSError, ValueError):
        # The client has gone, or runs its command itself.
        os._exit(0)
    job = os.fork()
    if not job:
        client.close()
        return _taken_up(request, files)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(job)
    if ended not in select.select([ended, client.fileno()], [], [])[0]:
        # The client has gone: the pipeline ends its jobs.
        os.kill(job, signal.SIGTERM)
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    try:
        # Shells tell of a signal by 128 more.
        client.sendall(bytes([status if status >= 0 else 128 - status]))
    finally:
        os._exit(0)


def _received(client: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = client.recv(min(size - len(parts), 1 << 16))
        if not part:
            raise ConnectionResetError
        parts += part
    return bytes(parts)


def _taken_up(request: dict[str, Any], files: Sequence[int]) -> list[str]:
    """Arguments of a request, once folder, environment and files are those of this process."""
    from dagnas.kernels import CHOSEN, PORTABLE

    for number, (file, name) in enumerate(zip(files, ("stdin", "stdout", "stderr"), strict=True)):
        os.dup2(file, number)
        os.close(file)
        before = getattr(sys, name)
        lines = 1 if name == "stderr" or os.isatty(number) else -1
        about = (before.mode, lines, before.encoding, before.errors)
        setattr(sys, name, os.fdopen(number, *about, closefd=False))
    os.chdir(request["folder"])
    # Of what chooses kernels, the libraries have read what this process had.
    kept = {n: os.environ[n] for n in (CHOSEN, *PORTABLE) if n in os.environ}
    os.environ.clear()
    os.environ.update(request["environment"], **kept)
    words: list[str] = request["words"]
    return words


def _main() -> None:
    path, parent, digests = sys.argv[1:]
    words = serve(path, int(parent), digests)
    if words is None:
        return
    import atexit
    import shutil

    from dagnas.cli import main

    # A command that starts itself again, as for several devices, looks here for what it is.
    sys.argv = [shutil.which("dagnas") or "dagnas", *words]
    sys.modules["__main__"].__spec__ = None
    status = 1

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    # To take down all that was loaded takes most of a second; it runs after what the command adds.
    atexit.register(leave)
    try:
        status = main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1


if __name__ == "__main__":
    # As a module it serves; as a file, which Python runs without this package, it is the client.
    if __spec__ is None:
        sys.exit(run(sys.argv[1:]))
    _main()
