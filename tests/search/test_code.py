"""Digests of the code of scripts, notebooks and what is typed."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

SCRIPT = """
from pathlib import Path
from dagnas import method
from dagnas.benchmarks import BENCHMARKS
from dagnas.search.runner import Search, run
from rates import RATE

@method()
def my_own(space, rng):
    while True:
        yield space.sample(RATE, rng)

bench = BENCHMARKS.get("digits201").open(Path("data"))
search = Search(bench, my_own, budget_evaluations=5)
"""
PRINT = "print(search.code())"
RUN = "run(search, range(2), Path('out.parquet'), show=False)"


def python(folder, *words, **options):
    return subprocess.run(
        [sys.executable, *words], cwd=folder, check=True, text=True, capture_output=True, **options
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rates.py").write_text("RATE = 1\n")
    (tmp_path / "script.py").write_text(f"{SCRIPT}{PRINT}\n{RUN}")
    return tmp_path


def test_a_script_and_what_it_imports_are_its_code(folder):
    first = python(folder, "script.py").stdout
    assert pq.read_table(folder / "out.parquet").num_rows == 10
    script = folder / "script.py"
    script.write_text("# A remark.\n" + script.read_text())
    assert python(folder, "script.py").stdout == first
    (folder / "rates.py").write_text("RATE = 2\n")
    second = python(folder, "script.py").stdout
    assert second != first
    script.write_text(
        script.read_text().replace("yield", "yield space.sample(1, rng)\n        yield")
    )
    assert python(folder, "script.py").stdout not in (first, second)


def test_a_module_that_python_runs_has_its_own_name(folder):
    assert python(folder, "-m", "script").stdout == python(folder, "-c", "import script").stdout


def test_what_is_typed_runs_and_is_never_resumed(folder):
    typed = f"{SCRIPT}{PRINT}\n{PRINT}\n{RUN}"
    # Python 3.13 keeps the source of `python -c` itself.
    done = python(folder, "-c", f"exec(compile({typed!r}, '<typed>', 'exec'))")
    one, two = done.stdout.split()
    assert one != two
    assert "the code of this search cannot be read" in done.stderr
    assert "put it into a module" in done.stderr
    assert pq.read_table(folder / "out.parquet").num_rows == 10


NOTEBOOK = '''
import linecache, sys, types
kernel = types.ModuleType("__main__")
sys.modules["__main__"] = kernel
def cell(number, text):
    """Run a cell as a notebook does: in a module without a file, its source kept."""
    name = f"<cell {number}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), vars(kernel))
helper = "def helper(space, rng):\\n    return space.sample(SIZE, rng)\\n"
cell(1, "from pathlib import Path\\nfrom dagnas import method\\n"
    "from dagnas.benchmarks import BENCHMARKS\\nfrom dagnas.search.runner import Search, run\\n"
    "bench = BENCHMARKS.get('digits201').open(Path('data'))\\nSIZE = 1\\n")
cell(2, helper)
cell(3, "@method()\\ndef my_own(space, rng):\\n"
    "    while True:\\n        yield helper(space, rng)\\n")
ask = "print(Search(bench, my_own, budget_evaluations=5).code())"
edits = "", "SIZE = 2", "SIZE = 1", helper.replace("SIZE", "3"), "other = 1"
for number, text in enumerate(edits):
    cell(10 + number, text)
    cell(20 + number, ask)
cell(30, "run(Search(bench, my_own, budget_evaluations=5), range(2), Path('out.parquet'))")
'''


def test_a_notebook_s_cells_are_their_code(tmp_path):
    done = python(tmp_path, "-c", NOTEBOOK)
    first, size, again, helper, other = done.stdout.split()
    assert first == again != size
    assert helper == other
    assert helper not in (first, size)
    assert "cannot be read" not in done.stderr
    assert pq.read_table(Path(tmp_path) / "out.parquet").num_rows == 10
