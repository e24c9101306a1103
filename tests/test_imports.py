"""What starts often stays light: heavy libraries are imported only where they compute."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("pandas", "scipy", "sklearn", "matplotlib", "torch", "numba")
ARRAYS = ("numpy", "pyarrow")
HELP = """
from contextlib import suppress
from dagnas.cli import main
with suppress(SystemExit):
    main([{words}])
"""


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import dagnas", (*HEAVY, *ARRAYS, "pydantic", "yaml")),
        (HELP.format(words="'--help'"), (*HEAVY, *ARRAYS)),
        (HELP.format(words="'search', '--help'"), (*HEAVY, *ARRAYS)),
        (HELP.format(words="'show', '--help'"), (*HEAVY, *ARRAYS, "pydantic")),
        ("from dagnas.pipeline.scales import load; load('config/desk.yaml')", (*HEAVY, *ARRAYS)),
        ("from dagnas.papers.result import all_results; all_results()", HEAVY),
        (
            "from dagnas.benchmarks import BENCHMARKS; [*map(BENCHMARKS.get, BENCHMARKS.names())]",
            HEAVY,
        ),
        (
            "from dagnas.analysis import compare, incumbents, paired, ranks, survival, traces",
            HEAVY,
        ),
        (
            "from dagnas.drawing import cells, decisions, style",
            tuple(name for name in HEAVY if name != "matplotlib"),
        ),
    ],
    ids=lambda value: value.strip().splitlines()[-1].strip() if isinstance(value, str) else "",
)
def test_start_without(code, absent):
    code += f"\nimport sys; print(sorted({set(absent)!r} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"
