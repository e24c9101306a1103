"""Portable kernels: the same bytes whatever kernels and threads a machine would choose."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dagnas import kernels
from dagnas.errors import DagnasError

#: What other machines would choose, or a user has set.
OTHERS = (
    {"ATEN_CPU_CAPABILITY": "default"},
    {"MKL_CBWR": "AVX2"},
    {"OPENBLAS_CORETYPE": "Nehalem"},
    {"NPY_DISABLE_CPU_FEATURES": "X86_V3"},
    {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    {"NUMBA_CPU_NAME": "generic"},
    {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
)
able = pytest.mark.skipif(
    bool(kernels.NEEDED - kernels._features()), reason="this CPU has no portable kernels"
)


def environment(**more):
    """Environment as a shell has it, without kernels that were chosen here."""
    ours = {*kernels.PORTABLE, kernels.CHOSEN}
    return {name: value for name, value in os.environ.items() if name not in ours} | more


def python(code, **more):
    """JSON that a fresh interpreter prints."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(**more),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


@able
def test_libraries_run_the_kernels_chosen_before_they_are_loaded():
    code = """
import json
from dagnas import kernels
kernels.choose()
import numpy, scipy.linalg, sklearn, torch, numba, threadpoolctl
pools = threadpoolctl.threadpool_info()
print(json.dumps([
    kernels.kernels_used(), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(),
    sorted({pool["num_threads"] for pool in pools}),
    sorted({pool["architecture"] for pool in pools if pool["internal_api"] == "openblas"}),
    numba.config.CPU_NAME, numba.get_num_threads(),
]))
"""
    expected = ["portable: x86-64-v3", "AVX2", 1, [1], ["Haswell"], "haswell", 1]
    chosen = {name: value for other in OTHERS for name, value in other.items()}
    assert python(code, **chosen) == expected


@able
def test_a_process_started_by_a_portable_one_is_portable():
    code = """
import json, subprocess, sys
from dagnas import kernels
kernels.choose()
inner = "import numpy; from dagnas import kernels; kernels.choose(); print(kernels.kernels_used())"
print(json.dumps(subprocess.check_output([sys.executable, "-c", inner], text=True)))
"""
    assert python(code) == "portable: x86-64-v3\n"


@pytest.mark.parametrize("first", ["import numpy", "import torch", "import numba"])
def test_kernels_of_a_library_that_is_loaded_are_the_machines_own(first):
    code = f"""
import json
{first}
from dagnas import kernels
kernels.choose()
print(json.dumps(kernels.kernels_used()))
"""
    assert python(code) == f"fast: {kernels.machine()}"


def test_fast_leaves_the_choice_to_libraries(monkeypatch):
    for name in (*kernels.PORTABLE, kernels.CHOSEN):
        monkeypatch.delenv(name, raising=False)
    kernels.choose(fast=True)
    set_here = {name for name in (*kernels.PORTABLE, kernels.CHOSEN) if name in os.environ}
    assert set_here == {"OMP_NUM_THREADS"}
    assert kernels.kernels_used() == f"fast: {kernels.machine()}"


def test_a_cpu_without_them_is_told_and_noted():
    code = """
import json, warnings
from dagnas import kernels
kernels.NEEDED = frozenset({"avx2", "no_such_feature"})
with warnings.catch_warnings(record=True) as told:
    kernels.choose()
print(json.dumps([kernels.kernels_used(), [str(one.message) for one in told]]))
"""
    lacking = "no_such_feature" if "avx2" in kernels._features() else "avx2, no_such_feature"
    warning = f"this CPU lacks {lacking}: results are repeatable here, and may differ elsewhere"
    assert python(code) == [f"fast: {kernels.machine()}", [warning]]


def test_another_kernel_than_the_one_noted_is_an_error(monkeypatch):
    import torch

    for name, value in {**kernels.PORTABLE, kernels.CHOSEN: "portable"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    with pytest.raises(DagnasError, match="torch runs kernels of AVX512"):
        kernels.kernels_used()


def search(out, *words, **more):
    """Trace of a short search, and what it says of its kernels."""
    import pyarrow.parquet as pq

    command = [sys.executable, "-m", "dagnas", "search", "--benchmark", "digits201"]
    command += ["--method", "nasbot", "--trials", "0:1", "--budget-evaluations", "14"]
    subprocess.run([*command, *words, "--out", out], env=environment(**more), check=True)
    return out.read_bytes(), pq.read_schema(out).metadata[b"dagnas.kernels"].decode()


@able
def test_searches_are_portable_unless_fast(tmp_path):
    plain = search(tmp_path / "plain.parquet")
    assert plain[1] == "portable: x86-64-v3"
    assert search(tmp_path / "other.parquet", **OTHERS[2]) == plain
    assert search(tmp_path / "fast.parquet", "--fast")[1] == f"fast: {kernels.machine()}"


@able
def test_tests_run_with_portable_kernels():
    assert kernels.kernels_used() == "portable: x86-64-v3"


@pytest.mark.slow
def test_jobs_find_compiled_what_the_environment_was_made_with(tmp_path):
    env = environment(NUMBA_CACHE_DIR=str(tmp_path / "numba"))
    script = Path(__file__).parents[1] / "workflow/scripts/compile.py"
    subprocess.run([sys.executable, script], env=env, check=True)
    compiled = compiled_in(tmp_path)
    assert {name.split("-")[0] for name in compiled} >= {"compiled.train", "sghmc.sample"}
    bonas = "--benchmark digits201 --policy bonas --method bonas --set initial=3"
    mobo = (
        "--benchmark nago_digits_least --policy trained --method mobo --set initial=3"
        " --objective signal --objective memory"
    )
    for words in (bonas, mobo):
        command = ["dagnas", "search", *words.split(), "--trials", "0:1", "--out", "made.parquet"]
        command += ["--overwrite", "--budget-evaluations", "4"]
        subprocess.run(command, env=env, cwd=tmp_path, check=True, capture_output=True)
    assert compiled_in(tmp_path) == compiled


def compiled_in(folder):
    """Names and times of numba's files."""
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nb[ic]")}
