"""Kernels: one set of arithmetic for all x86-64 machines, so that they give equal bytes.

NumPy, torch and numba, and MKL, OpenBLAS and oneDNN below them, choose among compiled variants of
their inner loops by the CPU that they find, and by the number of threads. Variants add in other
orders, so that results differ in their last bits, and a search takes another turn. Portable
kernels are those of one level, x86-64-v3 (AVX2, FMA), in one thread. The libraries read their
choice from the environment as they are loaded, so it must be made before they are imported.
"""

from __future__ import annotations

import os
import platform
import sys
import warnings
from pathlib import Path

from dagnas.errors import DagnasError

#: Environment of portable kernels.
PORTABLE = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    # MKL has other kernels for Intel's AVX2 than for AMD's; these alone are one for both.
    "MKL_CBWR": "COMPATIBLE",
    # NumPy knows some of these, by its version, and does not mind the others.
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL "
    "AVX512_ICL AVX512_SPR",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt",
}
#: What a CPU must have for them, by the names of Linux.
NEEDED = frozenset({"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"})
#: Variable that tells which kernels a process was started with.
CHOSEN = "DAGNAS_KERNELS"


def choose(fast: bool = False) -> None:
    """Choose the kernels of this process and of those that it starts.

    Portable ones cannot be had on another kind of CPU, which is warned of, nor once a library that
    they are for is loaded. Both are noted in what is made, as `kernels_used` tells.

    Parameters
    ----------
    fast : bool
        Take what the libraries choose for this machine, still in one thread.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if _are_portable() and not fast:
        return
    os.environ.pop(CHOSEN, None)
    if fast or {"numpy", "torch", "numba"} & sys.modules.keys():
        return
    lacking = ", ".join(sorted(NEEDED - _features()))
    if lacking:
        warnings.warn(
            f"this CPU lacks {lacking}: results are repeatable here, and may differ elsewhere",
            stacklevel=2,
        )
        return
    os.environ.update(PORTABLE, **{CHOSEN: "portable"})


def kernels_used() -> str:
    """Name of this process's kernels, for the metadata of what is made with them.

    Returns
    -------
    str
        ``portable`` and the level, or ``fast`` and the machine, whose results are its own.

    Raises
    ------
    DagnasError
        Portable kernels were chosen and a library runs others.
    """
    if not _are_portable():
        return f"fast: {machine()}"
    torch = sys.modules.get("torch")
    if torch is not None and torch.backends.cpu.get_cpu_capability() != "AVX2":
        raise DagnasError(
            f"torch runs kernels of {torch.backends.cpu.get_cpu_capability()}, not the portable "
            "ones of AVX2; --fast takes what this machine has"
        )
    return "portable: x86-64-v3"


def machine() -> str:
    """System, architecture and CPU of this machine."""
    return " ".join([platform.system(), platform.machine(), _cpuinfo("model name")]).strip()


def _are_portable() -> bool:
    expected = {**PORTABLE, CHOSEN: "portable"}
    return all(os.environ.get(variable) == value for variable, value in expected.items())


def _features() -> frozenset[str]:
    return frozenset(_cpuinfo("flags").split())


def _cpuinfo(key: str) -> str:
    """First value of a key in Linux's description of the CPUs; "" elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for found, _, value in pairs if found.strip() == key), "")
