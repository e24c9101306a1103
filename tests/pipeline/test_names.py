"""Names that become paths and words of the shell, in the pipeline."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dagnas.pipeline import provenance

ROOT = Path(__file__).parents[2]
STUDY, VARIANT = "s" * 100, "v" * 100
SCALE = f"""
scale: mine
trials: 1
studies:
  {STUDY}: {{benchmark: digits201, methods: [{VARIANT}], budget_evaluations: 5}}
variants:
  {VARIANT}: {{method: random_search}}
rankings:
  short: {{benchmark: digits201, target: digits/valid/12, predictors: [mlp], train_sizes: [20],
           test_size: 50, epochs: 1}}
papers: []
"""
FILE = 'it\'s $(touch touched) & a\n"scale".yaml'

pytestmark = pytest.mark.slow


def snakemake(project, *words):
    """Snakemake in a project."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project of this one's rules and code, with a scale file under a bad name."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("Snakefile", "workflow", "profiles", "config"):
        (folder / name).symlink_to(ROOT / name)
    (folder / FILE).write_text(SCALE)
    (folder / "other.yaml").write_text(SCALE)
    return folder


def test_scale_files_and_jobs_of_any_name_are_run(project, monkeypatch):
    done = snakemake(project, "--cores", "2", "--configfile", FILE)
    assert done.returncode == 0, done.stdout
    assert (project / "results/mine/claims.csv").is_file()
    assert not list(project.glob("touched"))
    trace = f"results/mine/traces/{STUDY}/{VARIANT}/0000-0001.parquet"
    assert (project / trace).is_file()
    monkeypatch.chdir(project)
    assert provenance.known(Path("results/mine/provenance.json"))(Path(trace))


@pytest.mark.parametrize(
    "words",
    [
        ["--configfile", FILE, "other.yaml"],
        ["--configfile", "other.yaml", "--config", "scale=smoke"],
    ],
)
def test_more_than_one_scale_file_is_refused(project, words):
    done = snakemake(project, "-n", *words)
    assert done.returncode == 1
    assert "expected one scale file, not" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_scale_file_whose_name_is_no_text_is_refused(project):
    name = b"caf\xe9.yaml"
    Path(os.fsdecode(bytes(project) + b"/" + name)).write_text(SCALE)
    done = snakemake(project, "-n", "--configfile", name)
    assert done.returncode == 1
    assert "'caf\\udce9.yaml' is no valid text" in done.stdout
    assert not re.search("^Traceback", done.stdout, re.MULTILINE)
