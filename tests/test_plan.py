"""Plans: which jobs a target needs, which it takes as they are, and how long they take."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dagnas.cli import main
from dagnas.cli import plan as command
from dagnas.errors import DagnasError
from dagnas.papers import plan as module
from dagnas.papers.plan import groups, measured, plan, record
from dagnas.pipeline import provenance, scales
from dagnas.pipeline.kinds import KINDS

ROOT = Path(__file__).parents[1]
SCALE = """
scale: s
trials: 2
trials_per_job: 1
studies:
  goal_digits201: {benchmark: digits201, methods: [random_search, goal, lanas]}
  goal_nasbench201: {benchmark: nasbench201, methods: [goal]}
rankings:
  goal_after_search: {study: goal_digits201, method: goal, trials: 2}
papers: [goal]
"""
TRACES = Path("results/s/traces/goal_digits201")
FIG4 = Path("results/s/goal/fig4.csv")
#: What figure 4 shows, without LaNAS.
SHOWN = [
    *("goal_digits201/goal/0000-0001", "goal_digits201/goal/0001-0002"),
    *("goal_digits201/random_search/0000-0001", "goal_digits201/random_search/0001-0002"),
    *("goal_nasbench201/goal/0000-0001", "goal_nasbench201/goal/0001-0002"),
]


@pytest.fixture
def scale(tmp_path, monkeypatch):
    """A scale in an empty project."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCALE)
    return scales.load("s.yaml")


def make(*paths):
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def searches(found):
    return sorted(item.name for item in found.runs.values() if item.kind.name == "search")


def note(path, params):
    place = provenance._note(str(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    about = {"params": [repr(text) for text in params], "record_format_version": 6}
    place.write_text(json.dumps(about))


def test_a_result_needs_the_searches_that_it_shows(scale):
    for target in ("goal/fig4", "goal_fig4"):
        found = plan(scale, target)
        assert searches(found) == SHOWN
        assert [result.name for result in found.made] == ["goal/fig4"]
    make(TRACES / "goal/0000-0001.parquet", TRACES / "random_search/0001-0002.parquet")
    assert searches(plan(scale, "goal/fig4")) == [*SHOWN[1:3], *SHOWN[4:]]


def test_a_paper_and_a_scale_need_all_that_is_theirs(scale):
    whole = plan(scale)
    assert len(searches(whole)) == 8
    assert [item.name for item in whole.runs.values()].count("goal_after_search") == 1
    assert plan(scale, "goal").runs.keys() == whole.runs.keys()
    with pytest.raises(DagnasError, match=r"unknown target 'gaol' \(did you mean 'goal'"):
        plan(scale, "gaol")
    with pytest.raises(DagnasError, match="lacks the inputs of goal/fig7"):
        plan(scale, "goal/fig7")


def test_a_figure_that_is_there_without_its_traces_is_kept_and_told(scale, capsys):
    make(FIG4, TRACES / "goal/0000-0001.parquet")
    found = plan(scale, "goal/fig4")
    assert not found.runs
    assert not found.made
    assert len(found.kept["goal/fig4"]) == len(found.lacking) == 5
    assert main(["plan", "goal/fig4", "--config", "s.yaml"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("goal/fig4 at the scale s: no artifacts to make\nThere, and taken as")
    assert "goal/fig4. 5 files that they were made of are not here" in told
    # Where the traces are asked for by themselves, it is made anew of them.
    assert "goal/fig4" in [result.name for result in plan(scale).made]


def test_what_notes_tell_of_is_stale_or_current(scale):
    make(*(KINDS.get("search").path(scale, name) for name in SHOWN))
    trace, job = TRACES / "goal/0000-0001.parquet", scale.jobs("search")[SHOWN[0]]
    good = module._job_params(scale, job)
    note(trace, good)
    assert searches(plan(scale, "goal/fig4")) == []
    for place in range(3):
        note(trace, [*good[:place], "other", *good[place + 1 :]])
        assert searches(plan(scale, "goal/fig4")) == [SHOWN[0]]
    note(trace, good)
    # The same of the table of a result.
    make(FIG4)
    assert plan(scale, "goal/fig4").made == []
    note(FIG4, ["data", "other", "code"])
    assert [result.name for result in plan(scale, "goal/fig4").made] == ["goal/fig4"]
    # Notes that came with the results count as Snakemake's own do.
    shutil.rmtree(".snakemake")
    notes = {str(FIG4): {"params": ["'data'", "'other'", "'code'"]}}
    Path("results/s/provenance.json").write_text(json.dumps(notes))
    assert [result.name for result in plan(scale, "goal/fig4").made] == ["goal/fig4"]


@pytest.fixture
def table(monkeypatch, tmp_path):
    """Table of times of the package."""
    path = tmp_path / "pipeline" / "hours.csv"
    path.parent.mkdir()
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    return path


def test_times_are_those_beside_the_traces_else_those_of_the_package(scale, table):
    make(TRACES / "goal/0000-0001.parquet")
    (TRACES / "goal/0000-0001.wall.csv").write_text("trial,seconds\n0,3.5\n")
    (TRACES / "goal/0001-0002.wall.csv").write_text("trial,seconds\n1,4.5\n")
    assert measured(scale) == {("search", "goal_digits201/goal"): (2, 4.0)}
    table.write_text(
        "scale,kind,name,trials,seconds\nother,search,goal_digits201/goal,9,99\n"
        "s,search,goal_digits201/goal,9,99\ns,search,goal_nasbench201/goal,5,60\n"
    )
    found = {group.name: group for group in groups(scale, plan(scale, "goal/fig4").runs)}
    assert found["goal_digits201/goal"][2:] == (1, 1, 4.0, True)
    assert found["goal_nasbench201/goal"][2:] == (2, 2, 120.0, True)
    assert found["goal_digits201/random_search"][2:] == (2, 2, None, False)
    assert record(scale, table) == 1
    assert table.read_text() == (
        "scale,kind,name,trials,seconds\nother,search,goal_digits201/goal,9,99\n"
        "s,search,goal_digits201/goal,2,4\ns,search,goal_nasbench201/goal,5,60\n"
    )


def test_times_of_others_are_taken_where_only_which_one_it_is_differs(scale, table):
    table.write_text(
        "scale,kind,name,trials,seconds\ns,search,one/goal,5,60\ns,search,other/goal,5,30\n"
        "s,search,short/lanas,5,9\n"
    )
    studies = """studies:
  one: {benchmark: nasbench201, methods: [goal, lanas]}
  other: {benchmark: nasbench101, methods: [goal]}
  short: {benchmark: digits201, methods: [goal, lanas], budget_evaluations: 30}
"""
    text = SCALE.replace("studies:\n", studies).replace("[goal]\nr", "[goal, lanas]\nr")
    Path("s.yaml").write_text(text)
    found = {group.name: group for group in groups(*both(scales.load("s.yaml")))}
    assert found["one/goal"][4:] == (120, True)
    assert found["goal_nasbench201/goal"][4:] == (90, False)
    # Of other budgets nothing is told, nor of other methods.
    assert found["short/goal"].seconds is None
    assert found["one/lanas"].seconds is None


def test_times_of_trainings_that_were_known_do_not_count(scale, table):
    rows = "s,search,nets/replicates,5,850\ns,search,goal_digits201/goal,5,850\n"
    table.write_text(f"scale,kind,name,trials,seconds\n{rows}")
    net = "  nets: {benchmark: nago_digits, policy: trained, methods: [replicates]}\n"
    Path("s.yaml").write_text(SCALE.replace("studies:\n", f"studies:\n{net}"))
    quick = Path("results/s/traces/nets/replicates/0000-0001.wall.csv")
    make(quick, TRACES / "goal/0000-0001.wall.csv")
    quick.write_text("trial,seconds\n0,0.3\n")
    (TRACES / "goal/0000-0001.wall.csv").write_text("trial,seconds\n0,0.3\n")
    found = module.times(scales.load("s.yaml"))
    assert found["search", "nets/replicates"] == 850
    assert found["search", "goal_digits201/goal"] == 0.3
    record(scales.load("s.yaml"), table)
    assert (
        "s,search,goal_digits201/goal,1,0.3\ns,search,nets/replicates,5,850\n" in table.read_text()
    )
    quick.write_text("trial,seconds\n0,900\n")
    assert module.times(scales.load("s.yaml"))["search", "nets/replicates"] == 900


def both(scale):
    return scale, plan(scale).runs


def test_what_is_printed(scale, capsys):
    (TRACES / "goal").mkdir(parents=True)
    (TRACES / "goal/0000-0001.wall.csv").write_text("trial,seconds\n0,4000\n")
    assert main(["plan", "goal_fig4", "--config", "s.yaml"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == (
        "goal_fig4 at the scale s: jobs: 6 search (4.4 h of one core, 2.2 h of it by similar jobs, "
        "2 of unknown length)"
    )
    rows = [line.split() for line in told]
    assert ["search", "goal_digits201/goal", "2", "trials", "2.2", "h"] in rows
    assert ["search", "goal_nasbench201/goal", "2", "trials", "about", "2.2", "h"] in rows
    assert ["search", "goal_digits201/random_search", "2", "trials", "unknown"] in rows
    assert told[-2:] == ["  results to make: goal/fig4", "  tables to fetch: nasbench201"]


def test_what_the_store_has_is_brought(scale, monkeypatch, capsys):
    calls = []

    def dvc(words, check):
        calls.append([word for word in words if word.startswith("results")])
        make(*calls[-1][:2])

    monkeypatch.setattr(subprocess, "run", dvc)
    asked = ["plan", "goal/fig4", "--config", "s.yaml", "--pull"]
    assert main(asked) == 0
    assert "DVC's store has none of the files that are missing." in capsys.readouterr().out
    assert not calls
    outs = [{"path": str(TRACES)}, {"path": "results/s/provenance.json"}]
    Path("dvc.lock").write_text(json.dumps({"stages": {"traces": {"outs": outs}}}))
    make(FIG4)
    assert main(asked) == 0
    # Traces and their times, of the one study that the store has; and the notes.
    (words,) = calls
    assert len(words) == 4 * 2 + 1
    assert {Path(word).parents[1] for word in words[:-1]} == {TRACES}
    assert "2 of 8 missing files came from DVC's store." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.2, "3 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")],
)
def test_durations(seconds, text):
    assert command._duration(seconds) == text


@pytest.mark.slow
def test_snakemake_would_run_the_same_jobs(tmp_path, monkeypatch):
    for name in ("Snakefile", "workflow", "profiles", "config"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    # Some are there, one of them with a note on other code; a figure is there without its traces.
    make("results/smoke/rankings/goal_uniform.parquet", "results/smoke/goal/fig6.csv")
    stale = "results/smoke/autoencoders/ngae_digits201.pt"
    make(stale)
    note(stale, ["data", "other", "code"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PATH": path}
    smoke = scales.load("config/smoke.yaml")
    for target in ("ngae", "goal/fig6", ""):
        words = ["snakemake", "-n", *filter(None, [target.replace("/", "_")])]
        done = subprocess.run(
            [*words, "--config", "scale=smoke"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        asked = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout.split("Job stats:")[-1], re.M))
        kinds = {kind: int(count) for kind, count in asked.items() if kind in KINDS.names()}
        found = Counter(item.kind.name for item in plan(smoke, target).runs.values())
        assert found == kinds
