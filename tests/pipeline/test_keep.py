"""What the desk has made is kept whole, or not at all."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.test_provenance import note

ROOT = Path(__file__).parents[2]
STAGES = """
stages:
  artifacts:
    matrix: {kind: [traces, rankings]}
    cmd: "true"
    outs: ["results/desk/${item.kind}": {persist: true}]
  parts:
    cmd: "true"
    outs: [data/parts/own: {persist: true}]
  notes:
    cmd: "true"
    outs: [results/desk/provenance.json: {persist: true}]
  results:
    cmd: "true"
    outs: [results/desk/goal: {cache: false}]
"""
TRACES = [f"results/desk/traces/s/m/{number}.parquet" for number in range(3)]
CHECKPOINTS = [
    "results/desk/traces/s/m/.3.parquet.partial/0.parquet",
    "results/desk/traces/half.pt.part",
    "data/parts/own/0-2.checkpoint/cell.parquet",
]


def run(*words, **environment):
    return subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True)


def keep(**environment):
    path = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    script = str(ROOT / "workflow/scripts/keep.py")
    return run(sys.executable, script, PYTHONPATH=path, **environment)


def dvc(*words):
    done = run(sys.executable, "-m", "dvc", *words)
    assert done.returncode == 0, done.stderr


def make(*names, noted=True):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
        if noted:
            note(name, params=["here"])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two of three traces, of which nothing is kept yet."""
    folder = tmp_path / "project"
    (folder / "config").mkdir(parents=True)
    for name in ("desk.yaml", "smoke.yaml"):
        shutil.copy(ROOT / "config" / name, folder / "config")
    shutil.copy(ROOT / ".dvcignore", folder)
    (folder / "dvc.yaml").write_text(STAGES)
    monkeypatch.chdir(folder)
    run("git", "init", "--quiet")
    dvc("init", "--quiet")
    dvc("remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    make(*TRACES[:2], "results/desk/goal/fig4.csv")
    make(*CHECKPOINTS, noted=False)
    return folder


@pytest.mark.slow
def test_what_is_here_is_kept_and_a_folder_never_shrinks_unsaid(project, tmp_path):
    done = keep()
    assert done.returncode == 0, done.stderr
    assert "kept: artifacts@traces, parts, notes;" in done.stdout

    # A clone gets it, the notes and what is half made too, so that it can go on there.
    clone = tmp_path / "clone"
    shutil.copytree(project, clone, ignore=shutil.ignore_patterns("results", "cache", ".snakemake"))
    os.chdir(clone)
    make("results/desk/traces/s/m/2.parquet")
    # Two of the traces that were kept are not here, and neither are the notes.
    done = keep()
    assert done.returncode == 1
    assert "not here: results/desk/" in done.stderr
    assert "`dvc pull --allow-missing` brings them" in done.stderr
    dvc("pull", "--quiet", "--allow-missing", "--force")
    for half in CHECKPOINTS:
        assert Path(half).read_text() == half
        # Its job ends.
        Path(half).unlink()
    make(*TRACES[2:], "results/desk/rankings/r.parquet")
    done = keep()
    assert "kept: artifacts@traces, artifacts@rankings, parts, notes;" in done.stdout, done.stderr

    # Notes on what is not here stay; a trace that is gone has to be said to be.
    shutil.rmtree("results/desk/rankings")
    Path(TRACES[0]).unlink()
    shutil.rmtree(".snakemake")
    done = keep()
    assert done.returncode == 1
    assert f"1 kept before and not here: {TRACES[0]};" in done.stderr
    assert keep(LESS="1").returncode == 0
    notes = json.loads(Path("results/desk/provenance.json").read_text())
    assert {
        *TRACES,
        "results/desk/rankings/r.parquet",
        "results/desk/goal/fig4.csv",
    } == notes.keys()
    stages = Path("dvc.lock").read_text()
    assert "artifacts@rankings" in stages
    assert "nfiles: 2" in stages
