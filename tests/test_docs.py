"""Tutorials: their Python code runs, block by block, as a reader would run it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dagnas import plugins

DOCS = Path(__file__).parents[1] / "docs"
TUTORIALS = sorted(DOCS.glob("tutorial_*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (\w+)\.py\n")


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Empty working folder; registries and imported modules are as before, afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for registry in plugins.REGISTRIES:
        monkeypatch.setattr(registry, "_added", dict(registry._added))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if (tmp_path / f"{name}.py").exists():
            del sys.modules[name]


def test_there_are_tutorials():
    assert {page.stem for page in TUTORIALS} >= {
        "tutorial_plugin",
        "tutorial_predictor",
        "tutorial_decisions",
    }


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_code_of_a_tutorial_runs(page, folder):
    found = blocks(page)
    assert found
    tests, names = [], {}
    for code in found:
        file = FILE.match(code)
        if file is None:
            # Fewer evaluations than a reader would wait for.
            exec(code.replace("budget_evaluations=300", "budget_evaluations=20"), names)
            continue
        path = folder / f"{file[1]}.py"
        path.write_text(code)
        if file[1].startswith("test_"):
            tests.append(path)
        else:
            plugins.load([file[1]])
    if tests:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        run = subprocess.run(
            [*command, *map(str, tests)], cwd=folder, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert re.search(r"^\d+ passed", run.stdout, re.MULTILINE)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorials_import_from_the_front_door_alone(page):
    deeper = re.findall(r"(?:from|import) (dagnas\.[\w.]+)", page.read_text())
    assert set(deeper) <= {"dagnas.testing"}


def test_the_look_of_the_tutorials_method(folder):
    import dagnas

    (code,) = (code for code in blocks(DOCS / "tutorial_plugin.md") if "# my_method.py" in code)
    (folder / "my_method.py").write_text(code)
    plugins.load(["my_method"])
    chosen = dagnas.METHODS.get("local_search")
    trace = dagnas.run(chosen, "digits201", trials=1, budget_evaluations=9)
    (look,) = dagnas.compare(trace).looks.values()
    assert (look.label, look.colour) == ("Local search", "#6A3D9A")


def test_columns_of_traces_are_documented():
    from dagnas.analysis.traces import ABOUT
    from dagnas.search.runner import TRACE

    text = (DOCS / "traces.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert rows[: len(TRACE.names)] == TRACE.names
    assert set(ABOUT) <= set(rows)
