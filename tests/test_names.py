"""Names that become paths and words of the shell are refused at once, or are plain."""

import re
import sys
from importlib.metadata import EntryPoint

import pytest

from dagnas import plugins, registry
from dagnas.benchmarks.built import find_benchmark
from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.names import check_name
from dagnas.papers.result import all_results
from dagnas.pipeline.kinds import KINDS
from dagnas.pipeline.scales import parse
from dagnas.search import METHODS

BAD = [
    "", "a b", "a\n", "it's", 'a"', "$(touch x)", "`x`", "a;b", "a&b", "../a", "a/b", ".", "-a",
    "é", "\udce9", "x" * 101, "x" * 250,
]  # fmt: skip


@pytest.mark.parametrize("name", ["goal", "my-method", "_x1", "A", "0", "x" * 100])
def test_plain_names_are_taken(name):
    assert check_name("method", name) == name


@pytest.mark.parametrize("name", BAD)
def test_other_names_are_refused_in_one_line(name, tmp_path):
    with pytest.raises(DagnasError, match="cannot be the name of a method") as fault:
        METHODS.add(name, METHODS.get("goal"))
    assert len(str(fault.value).splitlines()) == 1
    assert len(str(fault.value)) < 250
    assert name not in METHODS.names()
    with pytest.raises(DagnasError, match="cannot be the name of a benchmark"):
        find_benchmark(name, tmp_path)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("place", ["scale", "study", "variant"])
def test_other_names_are_refused_in_scale_files(name, place):
    raw = {"scale": "mine", "trials": 1, "papers": []}
    study = {"benchmark": "digits201", "methods": ["goal"], "budget_evaluations": 5}
    raw |= {
        "scale": {"scale": name},
        "study": {"studies": {name: study}},
        "variant": {"variants": {name: {"method": "goal"}}},
    }[place]
    with pytest.raises(DagnasError, match=r"should match pattern|cannot be the name|valid string"):
        parse(raw, "mine.yaml")


def test_entry_points_of_other_names_are_refused(monkeypatch):
    point = EntryPoint("a b", "dagnas.search.methods.goal:goal", METHODS.group)
    monkeypatch.setattr(registry, "_installed", lambda: [point])
    for ask in (METHODS.get, METHODS.module):
        with pytest.raises(DagnasError, match="'a b' cannot be the name of a method"):
            ask("a b")


def test_all_names_of_the_package_are_plain():
    for found in [*plugins.REGISTRIES, KINDS]:
        for name in found.names():
            check_name(found.kind, name)
    for name in all_results():
        paper, result = name.split("/")
        assert check_name("paper", paper) + check_name("result", result)


def test_words_that_are_no_text_are_refused(capsys):
    assert main(["show", "caf\udce9.parquet"]) == 2
    assert "'caf\\udce9.parquet' is no valid text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.py", r"missing\.py: no such file; .*its file, such as folder/my_method\.py"),
        ("./my_method", r"\./my_method: no such file"),
        ("plugins/my_method", "plugins/my_method: no such file"),
        ("my-method", "not 'my-method'"),
        (".my_method", "not '.my_method'"),
        ("", "not ''"),
        ("random", "'random' has a name of Python's own"),
        ("numpy", r"'numpy' defines no space, benchmark, .*; it is .*numpy"),
    ],
)
def test_names_that_are_no_plug_ins_are_told_in_one_line(
    name, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for file in ("my_method.py", "random.py"):
        (tmp_path / file).write_text("raise RuntimeError('it was run')")
    assert main(["list", "methods", "--plugin", name]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1


def test_a_table_that_no_benchmark_could_be_named_after_is_not_built(tmp_path, capsys):
    build = ["build-table", "--space", "nasbench201", "--images", "digits", "--out"]
    assert main([*build, str(tmp_path / "my table.parquet")]) == 2
    assert "'my table' cannot be the name of a benchmark" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
