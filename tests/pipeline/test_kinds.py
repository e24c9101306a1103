"""A kind of artifact in one file outside the package, through the whole pipeline."""

import re
import shutil

import pytest

from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.pipeline.kinds import KINDS
from dagnas.pipeline.scales import load
from dagnas.search import METHODS
from tests.pipeline.test_built import ROOT, run

KIND = '''"""Counts of good cells."""

from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import PositiveInt

from dagnas.benchmarks import BENCHMARKS
from dagnas.files import read_parquet, write_parquet
from dagnas.pipeline.job import Job
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.sections import BenchmarkName, Section


class Counts(Section):
    """Count of the cells of a benchmark that are good."""

    benchmark: BenchmarkName
    """Benchmark whose cells are counted."""
    at_least: PositiveInt
    """Accuracy from which a cell is good, in percent."""


class CountJob(Job):
    """Count of good cells."""

    COMMAND: ClassVar = "count"

    benchmark: str
    """Benchmark whose cells are counted."""
    at_least: PositiveInt
    """Accuracy from which a cell is good, in percent."""

    def run(self, data, out):
        table = BENCHMARKS.get(self.benchmark).open(data).table
        good = table.quantity("digits/test/12", "mean") >= self.at_least
        write_parquet(pa.table({"good": [int(good.sum())]}), out)

    def benchmarks(self):
        return (self.benchmark,)


def plan(scale):
    return {
        name: CountJob(plugin=scale.plugins, **entry.model_dump())
        for name, entry in scale.section("counts").items()
    }


def read(path):
    return read_parquet(path)["good"][0].as_py()


counts = Kind(
    name="counts",
    module=__name__,
    title="count good cells",
    about="Count the cells of a benchmark that are good.",
    examples="  dagnas count --benchmark digits201 --at-least 80 --out FILE.parquet",
    jobs=(CountJob,),
    pattern="{results}/counts/{name}.parquet",
    plan=plan,
    read=read,
    sections={"counts": Counts},
)
'''
METHOD = '''"""A method that counts of cells do not need."""

from dagnas import method


@method()
def toy_method(space, rng):
    """Evaluate random cells."""
    while True:
        yield space.sample(1, rng)
'''
SCALE = """
scale: smoke
plugins: [toy_kind]
trials: 1
papers: []
counts:
  fair: {benchmark: digits201, at_least: 80}
  better: {benchmark: digits201, at_least: 95}
"""
COMMAND = ["count", "--benchmark", "digits201", "--at-least", "80"]
MADE = "results/smoke/counts/fair.parquet"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Folder with the plug-in and the scale file."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy_kind.py").write_text(KIND)
    (folder / "toy_method.py").write_text(METHOD)
    (folder / "mine.yaml").write_text(SCALE)
    return folder


@pytest.fixture
def folder(sources, monkeypatch):
    """That folder as the working folder; plug-ins are forgotten after the test."""
    for registry in (KINDS, METHODS):
        monkeypatch.setattr(registry, "_added", {})
    monkeypatch.syspath_prepend(sources)
    monkeypatch.chdir(sources)
    return sources


def inputs(project):
    """Inputs of a result that reads one of the counts."""
    result = Result("Table 1", "Good cells", reads={"counts": ("fair",)}, name="toy/table1")
    return Inputs(load(project / "mine.yaml"), result, root=project)


def test_its_section_gives_jobs_with_paths_inputs_and_code(folder):
    scale = load("mine.yaml")
    paths = list(map(str, scale.paths("counts")))
    assert paths == [MADE, "results/smoke/counts/better.parquet"]
    job = scale.jobs("counts")["fair"]
    assert job.COMMAND == "count"
    assert job.arguments() == [
        "--plugin", "toy_kind", "--benchmark=digits201", "--at-least=80",
    ]  # fmt: skip
    assert job.roots() == ["toy_kind:CountJob.run", "dagnas.benchmarks.digits201"]
    other = job.model_copy(update={"plugin": ["toy_kind", "toy_method"]})
    assert other.roots() == [*job.roots(), "toy_method"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("at_least: 80", "at_last: 80", "unknown key 'at_last' (did you mean 'at_least'?)"),
        ("at_least: 80", "most: 80", "unknown key 'most'; valid: at_least, benchmark"),
        ("at_least: 80", "at_least: 0", "counts.fair.at_least"),
        ("{benchmark: digits201", "{benchmark: digits202", "unknown benchmark 'digits202'"),
        ("counts:", "count:", "unknown key 'count' (did you mean 'counts'?)"),
    ],
)
def test_its_section_is_checked(folder, tmp_path, old, new, told):
    assert old in SCALE
    (tmp_path / "wrong.yaml").write_text(SCALE.replace(old, new, 1))
    with pytest.raises(DagnasError) as caught:
        load(tmp_path / "wrong.yaml")
    assert told in str(caught.value)


def test_its_command_makes_what_a_result_reads(folder):
    assert main([*COMMAND, "--plugin", "toy_kind", "--out", MADE]) == 0
    counted = inputs(folder).read("counts", "fair")
    assert 0 < counted < 15625
    with pytest.raises(DagnasError, match="better"):
        inputs(folder).read("counts", "better")


def test_its_command_is_found_behind_another_plugin(folder, tmp_path):
    words = [*COMMAND, "--plugin", "toy_method", "toy_kind", "--out", str(tmp_path / "a.parquet")]
    assert main(words) == 0
    assert (tmp_path / "a.parquet").is_file()


def test_its_command_is_unknown_without_the_plugin(folder, capsys):
    with pytest.raises(SystemExit):
        main([*COMMAND, "--out", MADE])
    assert "count" in capsys.readouterr().err


@pytest.mark.slow
def test_the_pipeline_makes_it_and_its_code_alone_makes_it_stale(folder, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "config.local")
    for name in ("workflow", "src"):
        shutil.copytree(ROOT / name, project / name, ignore=ignore)
    shutil.copy2(ROOT / "Snakefile", project)
    shutil.copytree(ROOT / "workflow/profiles", project / "profiles")
    for name in ("toy_kind.py", "mine.yaml"):
        shutil.copy2(folder / name, project)

    def snakemake(*words):
        return run(project, "snakemake", *words, "--configfile", "mine.yaml")

    def edit(old, new):
        text = (project / "toy_kind.py").read_text()
        assert old in text
        (project / "toy_kind.py").write_text(text.replace(old, new, 1))

    assert re.search(r"^counts +2$", snakemake("-n"), re.MULTILINE)
    snakemake("-c1", "all")
    counted = inputs(project).read("counts", "fair")
    assert 0 < counted < 15625
    assert "Nothing to be done" in snakemake("-n")
    usage = run(project, "dagnas", "count", "--plugin", "toy_kind", "--help")
    assert "Accuracy from which a cell is good" in usage
    by_hand = [*COMMAND, "--plugin", "toy_kind", "--out", "mine.parquet"]
    run(project, "dagnas", *by_hand)
    assert (project / "mine.parquet").read_bytes() == (project / MADE).read_bytes()

    # Help: of an option, of the command.
    edit("Accuracy from which a cell is good", "Accuracy that makes a cell good")
    edit("Count the cells of a benchmark that", "Count those cells of a benchmark that")
    assert "Nothing to be done" in snakemake("-n")
    edit(">= self.at_least", "> self.at_least - 1")
    assert re.search(r"^counts +2$", snakemake("-n"), re.MULTILINE)
    snakemake("-c1", "all")
    assert inputs(project).read("counts", "fair") >= counted
    assert "Nothing to be done" in snakemake("-n")
