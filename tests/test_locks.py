"""Two commands never write one file at once, and a killed one is in nobody's way."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dagnas.cli import COMMANDS, main
from dagnas.cli.jobs import job_commands
from dagnas.errors import DagnasError
from dagnas.locks import writing
from dagnas.papers.inputs import inputs_text
from dagnas.papers.result import find, results
from dagnas.pipeline.scales import load

SMOKE = Path(__file__).parents[1] / "config/smoke.yaml"
BENCH = ["--benchmark", "digits201"]
CELL = "|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|"
#: Commands that write, each with options that would make files, and one of these.
WRITERS = {
    "search": ([*BENCH, "--method", "goal", "--trials", "0:1", "--out", "a.parquet"], "a.parquet"),
    "rank": (
        [*BENCH, "--name", "a", "--target", "digits/valid/12", "--predictors", "ecc",
         "--train-sizes", "32", "--trials", "1", "--out", "a.parquet"],
        "a.parquet",
    ),
    "rank-search": (
        [*BENCH, "--name", "a", "--method", "goal", "--trials", "0:1", "--out", "a.parquet"],
        "a.parquet",
    ),
    "autoencode": (
        ["--name", "a", *BENCH, "--target", "digits/valid/12", "--out", "a.pt"],
        "a.pt",
    ),
    "latent-search": (
        ["--name", "a", "--autoencoder", "b.pt", "--by", "ascent", *BENCH,
         "--target", "digits/valid/12", "--out", "a.parquet"],
        "a.parquet",
    ),
    "build-table": (
        ["--space", "nasbench201", "--images", "digits", "--name", "a", "--cells", "0:1",
         "--out", "a.parquet"],
        "a.parquet",
    ),
    "supernet": (
        ["--space", "nasbench201", "--images", "digits", "--name", "a", "--out", "a.pt"],
        "a.pt",
    ),
    "score": (["--supernet", "b.pt", "--out", "a.parquet"], "a.parquet"),
    "train": (
        ["--space", "nasbench201", "--cell", CELL,
         "--images", "digits", "--out", "a.parquet"],
        "a.parquet",
    ),
    "train-language": (
        ["--cell", "Genotype(recurrent=[('tanh', 0)], concat=[1])", "--text", "generated",
         "--out", "a.parquet"],
        "a.parquet",
    ),
    "describe": (
        ["--space", "nasbench201", "--cell", CELL,
         "--draw", "a.svg"],
        "a.svg",
    ),
    "fetch": (["nasbench201", "--data", ".", "--source", "source"], "nasbench201.parquet"),
    "compare": (["b.parquet", "--out", "a.csv", "--out", "a.svg"], "a.svg"),
    "claims": (["--config", str(SMOKE), "--out", "."], "claims.md"),
    "metrics": (["claims.csv", "--out", "metrics.json"], "metrics.json"),
    "draw": (["goal/fig2.csv", "--note", "Of a test."], "goal/fig2.md"),
    "plan": (["--config", str(SMOKE), "--record", "a.csv"], "a.csv"),
    "result": (["goal/fig2", "--config", str(SMOKE), "--out", "."], "goal/fig2.svg"),
    "tabulate": (["goal/fig2", "--inputs", "INPUTS", "--out", "a.csv"], "a.csv"),
    "adopt": (["--config", str(SMOKE)], ".snakemake/adopt/smoke"),
}  # fmt: skip


def test_all_commands_that_write_are_here():
    reading = {"check-table", "completion", "config", "list", "show"}
    assert WRITERS.keys() == {*COMMANDS, *job_commands()} - reading


@pytest.mark.parametrize("command", WRITERS)
def test_a_second_command_is_refused_at_once(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("source").mkdir()
    words, file = WRITERS[command]
    if command == "tabulate":
        scale = load(SMOKE)
        words = [inputs_text(scale, find(words[0], results(scale))) if w == "INPUTS" else w
                 for w in words]  # fmt: skip
    with writing(Path(file), by="search"):
        assert main([command, *words]) == 2
        assert f"another search is writing {file}\n" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


HOLDER = """
import sys, time
from pathlib import Path
from dagnas.locks import writing
with writing(Path(sys.argv[1]), by="rank"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_command_is_in_nobodys_way(tmp_path):
    file = tmp_path / "new" / "a.parquet"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, file], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(DagnasError, match="another rank is writing"), writing(file, by="search"):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with writing(file, by="search"):
        file.write_text("whole")
    assert [path.name for path in file.parent.iterdir()] == ["a.parquet"]


def test_a_failed_command_lets_go(tmp_path):
    file = tmp_path / "new" / "newer" / "a.parquet"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), writing(file, by="search"):
            print(1 / 0)
    assert not list(tmp_path.iterdir())


def test_one_file_under_two_names_is_claimed_once(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with writing(tmp_path / "a.csv", tmp_path / "link" / "a.csv", by="compare"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_where_there_are_no_locks_the_command_goes_on_and_warns(tmp_path, monkeypatch, capsys):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with writing(tmp_path / "a.parquet", by="search"):
        assert f"{tmp_path} has no file locks" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "it is a folder"),
        ("a" * 201, "its name has 201 bytes, of 200 allowed"),
        ("é" * 101, "its name has 202 bytes"),
        ("file/a.parquet", "Not a directory|File exists"),
    ],
)
def test_what_can_never_be_written_is_told_before_the_work(name, message, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DagnasError, match=message), writing(tmp_path / name, by="search"):
        raise AssertionError("the work began")


def test_a_name_of_the_most_letters_can_be_written(tmp_path, capsys):
    out = tmp_path / f"{'a' * 192}.parquet"
    search = ["search", *BENCH, "--method", "random_search", "--trials", "0:1"]
    assert main([*search, "--budget-evaluations", "3", "--out", str(out)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        out.name,
        out.with_suffix(".wall.csv").name,
    ]
