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
#: Files that code and commands of a tutorial read, by their names in the first line.
YAML = re.compile(r"^```yaml\n# (\w+\.yaml)\n(.*?)^```", re.DOTALL | re.MULTILINE)


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
    for name, text in YAML.findall(page.read_text()):
        (folder / name).write_text(text)
    tests, names = [], {}
    for code in found:
        file = FILE.match(code)
        if file is None:
            # Fewer evaluations and trials than a reader would wait for.
            code = code.replace("budget_evaluations=300", "budget_evaluations=20")
            exec(code.replace("trials=10", "trials=2"), names)
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


# The README, and the pages of the papers.

ROOT = DOCS.parent
README = (ROOT / "README.md").read_text()


def test_the_readme_is_short_and_begins_with_two_commands():
    assert len(README.split()) <= 700
    (first, *_) = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    assert [line.split()[:2] for line in first.splitlines()] == [
        ["$", "pip"],
        ["$", "snakemake"],
    ]
    assert README.index(first) < README.index("![")


def test_the_readme_has_a_row_for_every_paper():
    from dagnas.papers import PAPERS

    for paper in PAPERS:
        assert re.search(rf"^\| \[.*\]\(docs/(papers/)?{paper}\.md\)", README, re.MULTILINE)


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("papers/*.md"))],
    ids=lambda page: page.name,
)
def test_links_into_the_repository_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_method_of_the_readme_runs(folder):
    import dagnas

    (code,) = (code for code in blocks(ROOT / "README.md") if "@method" in code)
    (folder / "my_method.py").write_text(code)
    plugins.load(["my_method"])
    trace = dagnas.run(
        dagnas.METHODS.get("hill_climbing"), "digits201", trials=1, budget_evaluations=60
    )
    # It climbs: what it starts from later is a neighbour of the best cell of the batch before.
    assert len(trace) == 60
    assert trace["signal"][24:].max() > trace["signal"][:24].max()


def test_pages_of_papers_show_what_was_made():
    """Figures, captions and claims between the marks are those that git has."""
    from website import gallery

    assert {str(page): "`python -m website.gallery`" for page in gallery.changed()} == {}


def test_a_gallery_has_a_figure_per_result_of_the_desk():
    from website import gallery
    from website.committed import shown

    results = shown()
    page = gallery.PAGES / "nago.md"
    counts = {"nago": {status: 1 for status in gallery.STATUSES}}
    text = gallery.gallery("nago", results, counts, page)
    mine = [one for one in results.values() if one.paper == "nago"]
    assert [one.scale for one in mine] == ["desk"] * len(mine) != []
    for one in mine:
        for kind in ("csv", "svg", "png", "md"):
            assert f"(../../{one.file(kind)})" in text
        assert one.text in text
        assert f"`{one.target}`" in text
    assert text.startswith("\n4 [claims](../../results/desk/claims.md): 1 reproduced, 1 undecided")
    row = "| [A](docs/papers/nago.md): b | not judged yet |\n"
    assert gallery.counted(row, counts) == "| [A](docs/papers/nago.md): b | 1 / 1 / 1 / 1 |\n"
    assert gallery.filled(f"a\n{gallery.BEGIN}\nold\n{gallery.END}\n", "new\n") == (
        f"a\n{gallery.BEGIN}\nnew\n{gallery.END}\n"
    )
