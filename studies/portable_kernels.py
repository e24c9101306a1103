"""Portable kernels on other machines: ``python -m studies.portable_kernels [METHOD ...]``.

Runs a short search of each method on digits201 as it is, then with the kernels of other machines
asked for by the environment, and in emulated CPUs (QEMU's user mode, 8 or newer: earlier ones
compute some AVX2 instructions wrongly). Every trace must have the same bytes. With --fast, searches
take what they are given, which shows what portable kernels are for. Seconds are of processor time.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from dagnas import kernels
from dagnas.errors import DagnasError, unknown
from dagnas.search import METHODS
from perf.common import command_line, run

#: Environments that ask for other kernels or threads.
RESTRICTIONS: dict[str, dict[str, str]] = {
    "torch": {"ATEN_CPU_CAPABILITY": "default"},
    "MKL": {"MKL_CBWR": "SSE4_2"},
    "oneDNN": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "OpenBLAS": {"OPENBLAS_CORETYPE": "Nehalem"},
    "NumPy": {"NPY_DISABLE_CPU_FEATURES": "X86_V3 AVX2 FMA3"},
    "numba": {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse4.2"},
    "2 threads": dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "2"
    ),
}
#: Emulated CPUs: one of Intel, two of AMD.
CPUS = ("Haswell", "EPYC", "EPYC-Rome")
#: Settings with which every method fits models within `EVALUATIONS`.
SMALL: dict[str, dict[str, object]] = {
    "bonas": {"initial": 10, "batch": 10, "epochs": 10, "pool": 100},
    "dvae_bo": {"initial": 20, "unlabelled": 30, "epochs": 2, "batch": 5, "candidates": 100},
    "nao": {"initial": 20, "proposals": 5, "seeds": 5, "steps": 10},
    "ngae": {"initial": 20, "unlabelled": 30, "epochs": 2, "proposals": 5, "points": 50},
    "npnas": {"samples": 20, "epochs": 20},
}
EVALUATIONS = 40


def command(method: str, out: Path, fast: bool) -> list[str]:
    """Command of a short search."""
    family = METHODS.get(method)
    small = next((SMALL[name] for name in SMALL if method.startswith(name)), {})
    given = [f"{key}={value}" for key, value in small.items() if family.takes(key)]
    words = ["search", "--benchmark", "digits201", "--method", method, "--trials", "0:1"]
    words += ["--budget-evaluations", str(EVALUATIONS), "--out", str(out)]
    words += [word for pair in given for word in ("--set", pair)] + ["--fast"] * fast
    return [sys.executable, "-m", "dagnas", *words]


def digest(words: Sequence[str], out: Path, environment: Mapping[str, str]) -> str:
    """Digest of the trace that a command makes.

    Raises
    ------
    DagnasError
        The command fails.
    """
    ours = {*kernels.PORTABLE, kernels.CHOSEN}
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(words, env={**clean, **environment}, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or f"status {done.returncode}").rpartition("\n")[2]
        raise DagnasError(last)
    return hashlib.sha256(out.read_bytes()).hexdigest()[:8]


def seconds() -> float:
    """Processor time of all processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print a line for each method, and whether all its traces are equal."""
    parser = command_line("studies.portable_kernels", __doc__, "--emulator qemu-x86_64 lanas bonas")
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="methods (all)")
    parser.add_argument("--emulator", metavar="COMMAND", help="QEMU's user mode, if there is one")
    parser.add_argument("--fast", action="store_true", help="without portable kernels")
    options = parser.parse_args()
    if options.emulator and not shutil.which(options.emulator):
        raise DagnasError(f"--emulator {options.emulator}: no such command")
    for name in options.methods:
        if name not in METHODS.names():
            raise unknown("method", name, METHODS.names())
    names = options.methods or (["lanas"] if options.smallest else METHODS.names())
    restrictions = dict(list(RESTRICTIONS.items())[:1]) if options.smallest else RESTRICTIONS
    places: dict[str, tuple[list[str], dict[str, str]]] = {
        "here": ([], {}),
        **{name: ([], asked) for name, asked in restrictions.items()},
    }
    if options.emulator:
        places |= {cpu: ([options.emulator, "-cpu", cpu], {}) for cpu in CPUS}
    print(f"{kernels.machine()}; {EVALUATIONS} evaluations on digits201")
    print(f"{'method':24}{'digest':10}{'CPU s':>6}  differ")
    with TemporaryDirectory() as folder:
        for name in names:
            found: dict[str, str] = {}
            for place, (prefix, asked) in places.items():
                out, before = Path(folder, f"{name}.parquet"), seconds()
                words = [*prefix, *command(name, out, options.fast)]
                try:
                    found[place] = digest(words, out, asked)
                except DagnasError as error:
                    found[place] = f"failed: {error}"
                out.unlink(missing_ok=True)
                if place == "here":
                    taken = seconds() - before
            wrong = [place for place, it in found.items() if it != found["here"]]
            failed = [f"{place} {it}" for place, it in found.items() if it.startswith("failed")]
            shown = ", ".join(failed or wrong) or f"none of {len(found) - 1}"
            print(f"{name:24}{found['here'][:8]:10}{taken:6.1f}  {shown}", flush=True)


if __name__ == "__main__":
    run(main)
