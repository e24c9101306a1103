"""Adoption of artifacts whose code changed: what is checked, compared, remembered and marked."""

import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from dagnas.files import read_parquet, write_parquet
from dagnas.pipeline import adopt, provenance
from dagnas.pipeline.adopt import Stale, groups
from dagnas.pipeline.kinds.ranking import RankJob
from dagnas.pipeline.kinds.search import SearchJob
from dagnas.pipeline.scales import parse
from tests.pipeline.test_built import ROOT, run

METHOD = "src/dagnas/search/methods/regularized_evolution.py"
SCALE = """
scale: smoke
trials: 2
trials_per_job: 1
studies:
  mine:
    benchmark: digits201
    methods: [random_search, regularized_evolution]
    budget_evaluations: 5
papers: []
"""
TRACES = "results/smoke/traces/mine/regularized_evolution"
NAMES = [f"{TRACES}/{trials}.parquet" for trials in ("0000-0001", "0001-0002")]


def search(trials, **others):
    about = {"benchmark": "digits201", "method": "random_search", "budget_evaluations": 5}
    return SearchJob(study="mine", trials=trials, **{**about, **others})


def rank(trials):
    return RankJob(
        name="mine",
        benchmark="digits201",
        target="digits/valid/12",
        predictors=["mlp"],
        train_sizes=[8],
        test_size=20,
        epochs=1,
        trials=trials,
    )


def changed(path, out, column, metadata=None):
    """Copy of a file with another value in the first row of a column."""
    table = read_parquet(path)
    values = table[column].to_pylist()
    values[0] += 1
    index = table.schema.get_field_index(column)
    table = table.set_column(index, column, pa.array(values, table.schema.field(column).type))
    about = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    write_parquet(table, out, {**about, **(metadata or {})})
    return out


def test_one_stands_for_those_that_differ_in_their_trials_alone():
    jobs = {
        "a": search("0:1"),
        "b": search("1:2"),
        "c": search("0:1", method="regularized_evolution"),
        "d": search("0:1", budget_evaluations=6),
        "e": search("2:4"),
    }
    found = groups(Stale("search", Path(name), job) for name, job in jobs.items())
    assert [[str(item.path) for item in group] for group in found.values()] == [
        ["a", "b", "e"],
        ["c"],
        ["d"],
    ]


def test_a_search_is_checked_by_its_first_trial(tmp_path):
    job = search("3:5")
    sample = job.sample()
    assert sample == search("3:4")
    several, one = tmp_path / "several.parquet", tmp_path / "one.parquet"
    job.run(tmp_path, several)
    sample.run(tmp_path, one)
    assert one.read_bytes() != several.read_bytes()
    assert job.same(one, several)
    assert not job.same(changed(one, tmp_path / "a.parquet", "valid"), several)
    assert not job.same(one, changed(several, tmp_path / "b.parquet", "valid"))
    # What the file says of itself counts, but for the version.
    said = changed(one, tmp_path / "c.parquet", "valid", {"dagnas.version": "0"})
    assert job.same(said, changed(several, tmp_path / "d.parquet", "valid"))
    said = changed(one, tmp_path / "e.parquet", "valid", {"dagnas.method": "other"})
    assert not job.same(said, changed(several, tmp_path / "f.parquet", "valid"))
    other = tmp_path / "other.parquet"
    search("4:5").run(tmp_path, other)
    assert not job.same(other, several)


def test_a_ranking_is_checked_by_its_first_trial(tmp_path):
    job = rank(2)
    sample = job.sample()
    assert sample == rank(1)
    several, one = tmp_path / "several.parquet", tmp_path / "one.parquet"
    job.run(tmp_path, several)
    sample.run(tmp_path, one)
    assert one.read_bytes() != several.read_bytes()
    assert job.same(one, several)
    assert not job.same(changed(one, tmp_path / "a.parquet", "score"), several)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Scale with two stale chunks of a search; commands that checks run; paths that are marked."""
    monkeypatch.chdir(tmp_path)
    for name, trials in zip(NAMES, ("0:1", "1:2"), strict=True):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        search(trials, method="regularized_evolution").run(tmp_path, Path(name))
    scale = parse(
        {
            "scale": "smoke",
            "trials": 2,
            "trials_per_job": 1,
            "papers": [],
            "studies": {
                "mine": {
                    "benchmark": "digits201",
                    "methods": ["regularized_evolution"],
                    "budget_evaluations": 5,
                }
            },
        },
        "smoke.yaml",
    )
    commands, marked = [], []

    class Done:
        returncode = 0

    def command(words, **_):
        commands.append(words)
        out = next(word.removeprefix("--out=") for word in words if word.startswith("--out="))
        trials = next(word for word in words if word.startswith("--trials="))
        search(trials.removeprefix("--trials="), method="regularized_evolution").run(
            tmp_path, Path(out)
        )
        return Done

    kept = [
        Stale("search", scale.paths("search")[i], job)
        for i, job in enumerate(scale.jobs("search").values())
    ]
    monkeypatch.setattr(adopt, "stale_artifacts", lambda *_: kept)
    monkeypatch.setattr(adopt, "_mark", lambda paths, _: marked.extend(paths))
    monkeypatch.setattr(adopt.subprocess, "run", command)
    Path(".snakemake/metadata").mkdir(parents=True)
    return scale, commands, marked


def test_verdicts_are_remembered(stored):
    scale, commands, marked = stored
    for _ in range(2):
        found = adopt.adopt(scale, [], say=str)
        assert list(map(str, found.checked)) == NAMES[:1]
        assert list(map(str, found.taken)) == NAMES[1:]
        assert found.different == []
    assert len(commands) == 1
    assert "--trials=0:1" in commands[0]
    assert list(map(str, marked)) == NAMES * 2


def test_every_artifact_is_checked_if_asked_for(stored):
    scale, commands, _ = stored
    found = adopt.adopt(scale, [], every=True, say=str)
    assert list(map(str, found.checked)) == NAMES
    assert found.taken == []
    assert len(commands) == 2


def test_what_differs_is_not_marked_and_another_file_is_checked_anew(stored):
    scale, commands, marked = stored
    kept = Path(NAMES[0]).read_bytes()
    changed(Path(NAMES[0]), Path(NAMES[0]), "valid")
    found = adopt.adopt(scale, [], say=str)
    # The first one stands for the other.
    assert list(map(str, found.different)) == NAMES
    assert found.checked == found.taken == marked == []
    Path(NAMES[0]).write_bytes(kept)
    assert len(adopt.adopt(scale, [], say=str).checked) == 1
    assert len(commands) == 2


@pytest.mark.slow
def test_only_artifacts_that_come_out_the_same_are_current_afterwards(tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "config.local")
    for name in ("workflow", "src"):
        shutil.copytree(ROOT / name, project / name, ignore=ignore)
    shutil.copy2(ROOT / "Snakefile", project)
    shutil.copytree(ROOT / "workflow/profiles", project / "profiles")
    (project / "config").mkdir()
    (project / "config/smoke.yaml").write_text(SCALE)

    def snakemake(*words):
        return run(project, "snakemake", *words, "--configfile", "config/smoke.yaml")

    def adoption():
        return run(project, "dagnas", "adopt", "--config", "config/smoke.yaml", "--jobs", "2")

    def edit(old, new):
        text = (project / METHOD).read_text()
        assert old in text
        (project / METHOD).write_text(text.replace(old, new))

    snakemake("-c2", "all")
    before = [(project / name).read_bytes() for name in NAMES]
    edit("alive", "living")
    assert re.search(r"^search +2$", snakemake("-n"), re.MULTILINE)
    assert "1 checked, 1 taken over, 0 different" in adoption()
    assert "Nothing to be done" in snakemake("-n")
    assert [(project / name).read_bytes() for name in NAMES] == before
    monkeypatch.chdir(project)
    provenance.save(saved := tmp_path / "notes.json", [Path("results")])
    notes = json.loads(saved.read_text())
    assert [notes[name]["adopted"] for name in NAMES] == ["checked", "taken over"]
    others = [name for name in notes if name not in NAMES]
    assert any("random_search" in name for name in others)
    assert not any("adopted" in notes[name] for name in others if "random_search" in name)

    edit("batch = space.sample(population, rng)", "batch = space.sample(population + 1, rng)[1:]")
    said = adoption()
    assert "0 checked, 0 taken over, 2 different" in said
    assert all(f"stays stale: {name}" in said for name in NAMES)
    assert re.search(r"^search +2$", snakemake("-n"), re.MULTILINE)
