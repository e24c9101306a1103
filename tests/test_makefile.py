"""The Makefile's environment: made once, and made anew where the project was moved."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: In place of python3: an environment whose scripts tell where they were made.
PYTHON = """#!/bin/bash
case "$*" in *--clear*) rm -rf .venv ;; esac
mkdir -p .venv/bin
printf '#!/bin/bash\\n' > .venv/bin/python
printf '#!/bin/bash\\necho made in "%s"\\n' "$PWD" > .venv/bin/snakemake
chmod +x .venv/bin/*
echo "environment: $*"
"""


def make(project, target="desk"):
    """Lines that `make desk`, or another target, prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--silent", target, "PYTHON=./python"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_an_environment_that_was_moved_is_made_anew(tmp_path):
    project = tmp_path / "a project"
    project.mkdir()
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    (project / "python").write_text(PYTHON)
    (project / "python").chmod(0o755)
    assert make(project) == ["environment: -m venv .venv", f"made in {project}"]
    assert make(project) == [f"made in {project}"]

    moved = project.rename(tmp_path / "another")
    anew = [
        ".venv is of another folder: it is made anew",
        "environment: -m venv --clear .venv",
        f"made in {moved}",
    ]
    assert make(moved) == anew
    assert make(moved) == anew[2:]


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_clean_keeps_what_git_has(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    kept = tmp_path / "results/smoke/goal/fig4.csv"
    gone = tmp_path / "results/smoke/traces/a.parquet"
    new = tmp_path / "results/smoke/goal/fig9.csv"
    other = tmp_path / "results/desk/claims.csv"
    for path in (kept, gone, new, other, tmp_path / "logs/a.log"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / ".gitignore").write_text("results/*/traces/\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", str(kept)], cwd=tmp_path, check=True)
    make(tmp_path, "clean")
    left = {path for path in (kept, gone, new, other, tmp_path / "logs") if path.exists()}
    assert left == {kept, other}
