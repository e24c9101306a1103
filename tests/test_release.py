"""The release: what a wheel holds, and that it works where nothing else is installed."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import dagnas
from dagnas.cli import main

ROOT = Path(__file__).parents[1]
SEARCH = ["search", "--benchmark", "digits201", "--trials", "0:2", "--budget-evaluations", "20"]


def run(*command, cwd):
    """What a command prints, without the environment's own paths and settings of Python."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def committed():
    """Files that git has, by path."""
    return run("git", "ls-files", "-z", cwd=ROOT).rstrip("\0").split("\0")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with a source distribution, and a wheel that was built of it."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in committed():
        if name.startswith("src/") or name in ("LICENSE", "README.md", "pyproject.toml"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, cwd=copy)
    return out


def test_the_version_stands_in_one_place_and_its_notes_agree():
    version = dagnas.__version__
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]) == version
    (first, *_) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == version


@pytest.mark.slow
def test_the_wheel_holds_the_package_as_git_has_it(built):
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"dagnas-{dagnas.__version__}-py3-none-any.whl"
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {name.removeprefix("src/") for name in committed() if name.startswith("src/")}
    assert names == package
    assert "dagnas/tables/digits201.parquet" in names
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in package} | {"LICENSE", "README.md"} <= files


@pytest.mark.slow
def test_the_wheel_alone_searches_and_compares(built, tmp_path):
    """In a bare environment: digits201, two searches and their comparison, as in this checkout."""
    (wheel,) = built.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "bare", cwd=tmp_path)
    scripts = tmp_path / "bare" / "bin"
    install = (scripts / "python", "-m", "pip", "install", "--quiet", "--no-compile")
    run(*install, "--constraint", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    assert run(scripts / "dagnas", "--version", cwd=tmp_path).split()[-1] == dagnas.__version__
    assert "goal" in run(scripts / "dagnas", "list", "methods", cwd=tmp_path).split()
    files = []
    for method in ("random_search", "regularized_evolution"):
        out = tmp_path / f"{method}.parquet"
        run(scripts / "dagnas", *SEARCH, "--method", method, "--out", out, cwd=tmp_path)
        here = tmp_path / "here.parquet"
        assert main([*SEARCH, "--method", method, "--out", str(here), "--overwrite"]) == 0
        assert out.read_bytes() == here.read_bytes()
        files.append(out)
    text = run(scripts / "dagnas", "compare", *files, "--out", "curves.svg", cwd=tmp_path)
    assert "random_search" in text
    assert (tmp_path / "curves.svg").stat().st_size > 1000
