"""Supernets in scale files and in the pipeline."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from dagnas.benchmarks import BENCHMARKS
from dagnas.cli import main
from dagnas.closure import closure
from dagnas.errors import DagnasError
from dagnas.pipeline.kinds.supernet import SupernetJob
from dagnas.pipeline.scales import parse

ROOT = Path(__file__).parents[2]
SMALL = {"epochs": 1, "steps": 4, "channels": 4}


def scale_of(supernets, studies=None):
    raw = {"scale": "x", "trials": 1, "papers": [], "supernets": supernets}
    return parse({**raw, "studies": studies or {}}, "x.yaml")


def test_a_supernet_is_a_benchmark_of_its_name_for_studies():
    scale = scale_of(
        {
            "plan_201": {"space": "nasbench201", "images": "cifar10", "truth": "digits201"},
            "plan_darts": {"space": "darts", "images": "digits", "settings": SMALL},
        },
        {"s": {"benchmark": "plan_201", "methods": ["spos"]}},
    )
    trained = scale.jobs("supernet")
    assert sorted(trained) == ["plan_201", "plan_darts"]
    # Its images are a file that the pipeline makes.
    assert trained["plan_201"].files() == ["data/cifar10.parquet"]
    assert trained["plan_darts"].settings == SMALL
    (score,) = scale.jobs("scores").values()
    assert (score.files(), score.benchmarks()) == (["data/plan_201.pt"], ("digits201",))
    assert BENCHMARKS.get("plan_201").tables == ("plan_201",)
    assert BENCHMARKS.get("plan_darts").tables == ("plan_darts.pt",)
    (search,) = scale.jobs("search").values()
    # A search on scores looks them up, and runs no code of supernets.
    assert "dagnas.benchmarks.scored" in search.roots()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"space": "enas", "images": "digits"}, "unknown space of supernets 'enas'"),
        ({"space": "darts", "images": "digits", "preset": "huge"}, "preset"),
        (
            {"space": "darts", "images": "digits", "settings": {"layer": 3}},
            "unknown setting of a supernet 'layer'",
        ),
        ({"space": "nasbench201", "images": "digits", "truth": "enas3"}, "unknown benchmark"),
        ({"space": "nasbench201", "images": "digits", "statistics": ["all"]}, "statistics"),
    ],
)
def test_a_wrong_entry_is_told(entry, words):
    with pytest.raises(DagnasError, match=words):
        scale_of({"wrong": entry})


def test_trainings_and_searches_do_not_depend_on_how_cells_are_scored():
    trained = closure(["dagnas.pipeline.kinds.supernet:SupernetJob.run"])
    assert "dagnas.training.supernet" in trained
    assert "dagnas.training.scoring" not in trained
    searched = closure(["dagnas.pipeline.kinds.search:SearchJob.run", "dagnas.benchmarks.scored"])
    assert not [name for name in searched if "supernet" in name or "oneshot" in name]
    assert "dagnas.training.scoring" in closure(["dagnas.pipeline.kinds.supernet:ScoreJob.run"])


def test_epochs_are_a_setting():
    job = SupernetJob(name="a", space="nasbench201", images="digits", epochs=3)
    assert job.about().recipe().epochs == 3
    assert job.about().recipe().steps == 500


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--space enas --images digits", "unknown space of supernets 'enas'"),
        ("--space nasbench201 --images none.npz", "none.npz"),
        ("--space nasbench201 --images digits --set pixels=3", "cannot be reduced to 3"),
        ("--space nasbench201 --images cifar10", "cifar10.parquet"),
        ("--space nasbench201 --images digits --set batch_size=1000", "too few images"),
    ],
)
def test_bad_input_is_told_in_a_sentence(words, told, tmp_path, capsys):
    out = tmp_path / "a.pt"
    status = main(["supernet", *words.split(), "--name=a", f"--out={out}", f"--data={tmp_path}"])
    shown = capsys.readouterr().err
    assert status == 2
    assert told in shown
    assert "Traceback" not in shown
    assert not out.exists()


def test_scores_of_no_supernet_are_refused(tmp_path, capsys):
    (tmp_path / "a.pt").write_bytes(b"no supernet")
    status = main(["score", f"--supernet={tmp_path / 'a.pt'}", f"--out={tmp_path / 'b.parquet'}"])
    assert status == 2
    assert "a.pt is damaged" in capsys.readouterr().err


@pytest.mark.slow
def test_the_pipeline_trains_scores_and_searches(tmp_path):
    for name in ("Snakefile", "workflow", "profiles", "config", "src"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    scale = {
        "scale": "mine",
        "trials": 1,
        "papers": [],
        "supernets": {
            "shared": {
                "space": "nasbench201",
                "images": "digits",
                "truth": "digits201",
                "valid_images": 20,
                "settings": SMALL,
            },
            "darts_shared": {
                "space": "darts",
                "images": "digits",
                "settings": {**SMALL, "layers": 3},
            },
        },
        "studies": {
            "on_scores": {"benchmark": "shared", "methods": ["spos"]},
            "on_weights": {
                "benchmark": "darts_shared",
                "methods": ["random_search"],
                "budget_evaluations": 3,
            },
        },
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(scale))

    def make(*words):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = ["snakemake", *words, "--configfile", "mine.yaml"]
        env = {**os.environ, "PYTHONPATH": "src", "PATH": path}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    make("--cores", "1")
    traces = tmp_path / "results/mine/traces"
    assert pq.read_table(traces / "on_scores/spos/0000-0001.parquet").num_rows == 100
    assert pq.read_table(traces / "on_weights/random_search/0000-0001.parquet").num_rows == 3
    assert (tmp_path / "data/shared.curve.parquet").is_file()
    assert "Nothing to be done" in make("-n")
    # Code of supernets makes the scores anew, and leaves the code of searches on them as it is.
    with (tmp_path / "src/dagnas/training/scoring.py").open("a") as file:
        file.write("CHANGED = True\n")
    stale = make("-n")
    assert "rule scores:" in stale
    assert "rule supernet:" not in stale
