"""Committed results of the desk: each figure and caption follows from its table alone."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from dagnas.errors import DagnasError
from dagnas.papers.make import draw, read_table
from dagnas.papers.result import all_results, load

ROOT = Path(__file__).parents[2]
DESK = ROOT / "results/desk"
NAMES = sorted(str(path.relative_to(DESK).with_suffix("")) for path in DESK.glob("*/*.csv"))
#: Drawn in every run of the tests; the others take a second or two each.
QUICK = ("goal/fig2", "goal/fig7", "ngae/table1")
#: The last sentences of a caption are of the scale, not of the table.
NOTE = re.compile(r"(The scale desk lacks [\w, ]+\. )?Scale: desk\.\n")


def committed(name):
    """Declaration, table, and the last sentences of the caption of a committed result."""
    result = all_results()[name]
    text = (DESK / f"{name}.md").read_text(encoding="utf-8")
    found = NOTE.search(text)
    assert found, text
    return result, read_table(DESK / f"{name}.csv"), found.group().rstrip("\n")


def same_matplotlib():
    """Whether the installed matplotlib is that of constraints.txt, which drew what is committed."""
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    return f"matplotlib=={importlib.metadata.version('matplotlib')}" in pins


def test_the_desk_has_results_of_all_papers():
    papers = {name.partition("/")[0] for name in all_results()}
    assert {name.partition("/")[0] for name in NAMES} == papers
    assert set(QUICK) <= set(NAMES) <= set(all_results())
    for name in NAMES:
        assert all((DESK / f"{name}.{kind}").is_file() for kind in ("svg", "png", "md")), name


@pytest.mark.parametrize("name", NAMES)
def test_captions_follow_from_tables(name):
    result, table, note = committed(name)
    text = f"**{result.place}. {result.title}.** {load(result).caption(table)} {note}\n"
    assert text == (DESK / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in NAMES]
)
def test_figures_follow_from_tables(name, tmp_path):
    result, table, note = committed(name)
    before = table.copy()
    paths = draw(result, table, tmp_path / "figure", note)
    assert [path.name for path in paths] == ["figure.svg", "figure.png", "figure.md"]
    assert table.equals(before)
    svg, png, md = (path.read_bytes() for path in paths)
    assert md == (DESK / f"{name}.md").read_bytes()
    assert png.startswith(b"\x89PNG")
    if same_matplotlib():
        assert svg == (DESK / f"{name}.svg").read_bytes()


def test_tables_are_small():
    sizes = {name: (DESK / f"{name}.csv").stat().st_size for name in NAMES}
    assert max(sizes.values()) < 1_000_000, sizes


def test_a_style_sheet_goes_over_the_style_of_the_project(tmp_path):
    result, table, _ = committed("goal/fig2")
    sheet = tmp_path / "mine.mplstyle"
    sheet.write_text("figure.facecolor: 123456\n")
    (tmp_path / "plain").mkdir()
    (plain, _), (mine, _) = (
        draw(result, table, tmp_path / stem, None, style)
        for stem, style in (("plain/f", None), ("f", sheet))
    )
    assert "#123456" in mine.read_text()
    assert "#123456" not in plain.read_text()
    # Without last sentences there is no caption.
    assert not list(tmp_path.rglob("*.md"))


def test_a_table_that_lacks_a_column_is_refused(tmp_path):
    result, table, note = committed("goal/fig2")
    with pytest.raises(DagnasError, match="the table of goal/fig2 has no column 'best'"):
        draw(result, table.drop(columns="best"), tmp_path / "f", note)
    assert not list(tmp_path.iterdir())
