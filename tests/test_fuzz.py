"""Hostile inputs: what the fuzz script calls a fault, and a minute of it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dagnas.errors import DagnasError
from tests import fuzz

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory by /proc")


def refuse(path):
    raise DagnasError("no")


def fail(path):
    raise ValueError("odd")


def crash(path):
    os.kill(os.getpid(), signal.SIGSEGV)


def take_memory(path):
    np.ones(2**28)


def never_end(path):
    while True:
        pass


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (Path.read_bytes, None),
        (refuse, None),
        (fail, "ValueError: odd"),
        (crash, "ended by SIGSEGV"),
        (take_memory, "out of memory"),
        (never_end, "ended by SIGXCPU|ended by SIGKILL"),
        (lambda path: fuzz._main(["config", "check", "none.yaml"]), None),
        (lambda path: fuzz._main(["--version"]), None),
    ],
)
def test_faults_are_told_from_refusals(read, fault, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "SECONDS", 1 if read is never_end else 60)
    kind = fuzz.Kind(read, "x", lambda rng: iter(()))
    found = fuzz.attempt(kind, b"content", tmp_path / "input")
    assert (found is None) == (fault is None)
    assert fault is None or re.search(fault, found)


def test_equal_seeds_give_equal_inputs(tmp_path):
    import random

    kind = fuzz.KINDS["tfrecord"](tmp_path)
    one, same, other = (kind.inputs(random.Random(seed)) for seed in (1, 1, 2))
    firsts = [[next(inputs) for _ in range(20)] for inputs in (one, same, other)]
    assert firsts[0] == firsts[1] != firsts[2]


@pytest.mark.slow
def test_a_minute_of_everything():
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "60"]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.partition("kind,tried,read,refused,broken\n")[2].splitlines()
    counts = {name: [*map(int, rest)] for name, *rest in (line.split(",") for line in lines)}
    print(time.monotonic() - begun, counts)
    assert list(counts) == list(fuzz.KINDS)
    assert not any(broken for _, _, _, broken in counts.values())
    # Of a cache of trainings a damaged line is passed over, since a stopped run may leave one.
    refused = {name for name, (_, _, refused, _) in counts.items() if refused}
    assert refused == set(fuzz.KINDS) - {"trainings"}
