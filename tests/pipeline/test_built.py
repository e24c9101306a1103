"""The pipeline at work, in copies of the project: what it makes, and what makes a result stale."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = (
    "Snakefile",
    "workflow",
    "profiles",
    "config",
    "src",
    "dvc.yaml",
    ".dvc",
    ".dvcignore",
    ".gitignore",
)
# The smoke scale, with still smaller numbers.
SCALE = """
scale: smoke
trials: 2
trials_per_job: 1
studies:
  goal_digits201:
    benchmark: digits201
    methods: [random_search, regularized_evolution, goal]
    budget_seconds: 12
  goal_ablation_digits201:
    benchmark: digits201
    methods: [goal, goal_restart]
    trials: 1
    budget_seconds: 12
variants:
  goal_restart: {method: goal, settings: {restart: true}}
rankings:
  goal_uniform:
    benchmark: digits201
    target: digits/valid/12
    predictors: [ecc, mlp]
    train_sizes: [32, 64]
    test_size: 300
    epochs: 5
    trials: 1
  goal_after_search: {study: goal_digits201, method: goal, trials: 1}
papers: [digits201, goal]
"""
LEDGER = {"claims": 1, "metrics": 1}
RESULTS = {"table_of_result": "tabulate", "picture_of_result": "draw"}

#: What Snakemake said when the project was built.
LOG = "built.log"

pytestmark = pytest.mark.slow


def run(project, *command, check=True, **variables):
    """Run a command of the environment in a project, with the project's own source."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, command)),
        cwd=project,
        env={**os.environ, "PYTHONPATH": "src", "PATH": path, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout if check else done


def snakemake(project, *words, **options):
    return run(project, "snakemake", *words, "--config", "scale=smoke", **options)


def pending(project):
    """Jobs that would run, by rule; of searches and results also which ones."""
    jobs = Counter()
    for block in re.split(r"\n(?=rule )", snakemake(project, "-n"))[1:]:
        rule = re.match(r"rule (\w+):", block)[1]
        wildcards = dict(
            pair.split("=") for pair in re.search(r"wildcards: (.*)", block)[1].split(", ")
        ) if "wildcards: " in block else {}  # fmt: skip
        name = wildcards.get("name", rule)
        if rule == "search":
            name = name.split("/")[1]
        elif rule in RESULTS:
            name = f"{RESULTS[rule]} {wildcards['result']}"
        jobs[name] += 1
    del jobs["all"]
    return dict(jobs)


def made(*results):
    """Jobs that tabulate and draw results."""
    return {f"{step} {result}": 1 for result in results for step in RESULTS.values()}


@pytest.fixture(scope="module")
def built(tmp_path_factory, data):
    """A project whose smoke scale was built, from an invented table."""
    project = tmp_path_factory.mktemp("built") / "project"
    project.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "tmp", "cache", "*.egg-info", "config.local")
    for name in PROJECT:
        if (ROOT / name).is_dir() and not (ROOT / name).is_symlink():
            shutil.copytree(ROOT / name, project / name, ignore=ignore)
        else:
            shutil.copy2(ROOT / name, project / name, follow_symlinks=False)
    (project / "config/smoke.yaml").write_text(SCALE)
    write_stages(project / "dvc.yaml")
    shutil.copytree(data, project / "data")
    (project / LOG).write_text(snakemake(project, "--cores", "2", "--verbose"))
    return project


def write_stages(file):
    """Write the desk's stages for the small scale: those of which it has something."""
    stages = yaml.safe_load(file.read_text().replace("desk", "smoke"))["stages"]
    kept = {name: stages[name] for name in ("artifacts", "notes", "results")}
    kept["artifacts"]["matrix"] = {"kind": ["traces", "rankings"]}
    absent = ("autoencoders", "latent_searches", "trainings")
    deps = kept["results"]["deps"]
    kept["results"]["deps"] = [path for path in deps if Path(path).name not in absent]
    absent = ("bonas", "graph_search_space", "hardware", "leaderboard", "nago", "ngae")
    outs = kept["results"]["outs"]
    kept["results"]["outs"] = [out for out in outs if Path(next(iter(out))).name not in absent]
    file.write_text(yaml.safe_dump({"stages": kept}))


@pytest.fixture
def project(built, tmp_path):
    """A copy of the built project, files' times and Snakemake's notes included."""
    shutil.copytree(built, tmp_path / "project", symlinks=True)
    return tmp_path / "project"


def edit(project, name, old, new):
    file = project / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def append(project, name, line):
    with (project / name).open("a") as file:
        file.write(f"\n{line}\n")


def test_results_are_complete(built):
    folder = built / "results/smoke"
    figures = {file.stem for file in (folder / "goal").iterdir()}
    assert {"fig2", "fig3", "fig4", "fig5", "fig6"} <= figures
    for figure in figures:
        assert {f.suffix for f in (folder / "goal").glob(f"{figure}.*")} == {
            ".csv", ".svg", ".png", ".md",
        }  # fmt: skip
    for name in ("claims.csv", "claims.md", "metrics.json"):
        assert (folder / name).stat().st_size > 0
    assert len(list(folder.glob("traces/goal_digits201/goal/*.parquet"))) == 2


def test_nothing_is_stale_after_a_build_nor_for_comments_and_dates(project):
    append(project, "src/dagnas/search/methods/goal.py", "# A comment.")
    append(project, "src/dagnas/papers/goal/fig4.py", "# A comment.")
    append(project, "config/smoke.yaml", "# A comment.")
    edit(project, "src/dagnas/search/methods/goal.py", '"""GOAL', '"""This is GOAL')
    (project / "src/dagnas/tables/digits201.parquet").touch()
    assert pending(project) == {}


def test_a_table_counts_by_its_bytes(project):
    (project / "mine.yaml").write_text(
        "{scale: mine, trials: 1, papers: [], studies: {mine: {benchmark: nasbench201, "
        "methods: [random_search], budget_evaluations: 5}}}"
    )

    def make(*words):
        return run(project, "snakemake", *words, "--configfile", "mine.yaml")

    make("--cores", "1")
    table = project / "data/nasbench201.parquet"
    table.touch()
    assert "Nothing to be done" in make("-n")
    columns = pq.read_table(table)
    pq.write_table(columns.slice(0, 15000), table)
    assert "results/mine/traces/mine/random_search" in make("-n")


def test_images_are_built_into_a_table_in_parts(project):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 4, 4)).astype(np.uint8)
    np.savez(project / "tiny.npz", images=images, labels=np.arange(60) % 2)
    (project / "mine.yaml").write_text(
        "{scale: mine, trials: 1, papers: [], studies: {mine: {benchmark: tiny201, "
        "methods: [random_search], budget_evaluations: 5}}, tables: {tiny201: {images: tiny.npz, "
        "cells_per_job: 3233, settings: {epochs: 1, seeds: 1, channels: 1, batch_size: 20}}}}"
    )

    def make(*words):
        return run(project, "snakemake", *words, "--configfile", "mine.yaml")

    first = "data/parts/tiny201/0000-3233.parquet"
    assert "0:3233" in make("-np")
    make("--cores", "2")
    table = pq.read_table(project / "data/tiny201.parquet")
    assert table.num_rows == 15625
    assert (project / first).is_file()
    assert "Nothing to be done" in make("-n")
    # Other images: everything anew.
    np.savez(project / "tiny.npz", images=255 - images, labels=np.arange(60) % 2)
    stages = make("-n")
    assert re.search(r"^table_part +2$", stages, re.MULTILINE)
    assert re.search(r"^search +1$", stages, re.MULTILINE)


def test_a_method_makes_its_searches_stale_and_what_depends_on_them(project):
    append(project, "src/dagnas/search/methods/regularized_evolution.py", "CHANGED = True")
    jobs = pending(project)
    shown = made("fig4", "fig5", "search_table")
    assert jobs == {"regularized_evolution": 2, **shown, **LEDGER}


def test_a_predictor_makes_the_searches_stale_that_train_it(project):
    append(project, "src/dagnas/predictors/ecc.py", "CHANGED = True")
    jobs = pending(project)
    # Two trials in one study and one in the other.
    searches = {"goal": 3, "goal_restart": 1, "goal_uniform": 1, "goal_after_search": 1}
    figures = made("ablation", "fig3", "fig4", "fig5", "fig6", "search_table")
    assert jobs == {**searches, **figures, **LEDGER}


def test_a_figure_makes_itself_stale(project):
    imports = "    from scipy.stats import spearmanr\n"
    edit(project, "src/dagnas/papers/goal/fig3.py", imports, f"    changed = True\n{imports}")
    assert pending(project) == {**made("fig3"), **LEDGER}


def test_a_drawing_makes_its_picture_stale_and_not_its_table(project):
    draw = "figure = Figure("
    edit(project, "src/dagnas/papers/goal/fig3.py", draw, f"changed = True\n    {draw}")
    assert pending(project) == {"draw fig3": 1}


def test_a_claim_makes_the_ledger_stale(project):
    append(project, "src/dagnas/papers/goal/claims.yaml", "# A statement.")
    assert pending(project) == LEDGER


def test_a_setting_makes_the_jobs_stale_that_have_it(project):
    edit(project, "config/smoke.yaml", "[32, 64]", "[32]")
    assert pending(project) == {"goal_uniform": 1, **made("fig3"), **LEDGER}
    edit(project, "config/smoke.yaml", "[32]", "[32, 64]")
    assert pending(project) == {}


def test_more_trials_leave_the_first_ones_as_they_are(project):
    edit(project, "config/smoke.yaml", "trials: 2", "trials: 3")
    jobs = pending(project)
    assert {method: jobs[method] for method in ("random_search", "goal")} == {
        "random_search": 1,
        "goal": 1,
    }
    assert "goal_restart" not in jobs


def test_results_that_git_brings_are_made_once_like_all_others(project):
    # A clone holds results and neither traces nor notes; dates are as they come.
    shutil.rmtree(project / ".snakemake")
    for folder in ("traces", "rankings"):
        shutil.rmtree(project / "results/smoke" / folder)
    jobs = pending(project)
    wanted = made(*(file.stem for file in project.glob("results/smoke/*/*.csv")))
    assert {"tabulate fig2", "tabulate quality"} <= wanted.keys()
    assert wanted.items() <= jobs.items()
    snakemake(project, "goal_fig2", "--cores", "1")
    assert "tabulate fig2" not in pending(project)
    first = "    rows: dict[str, dict[str, Any]] = {}"
    edit(project, "src/dagnas/papers/goal/fig2.py", first, f"    changed = True\n{first}")
    assert "tabulate fig2" in pending(project)


def test_one_result_needs_only_its_own_inputs(project):
    shutil.rmtree(project / "results")
    stages = snakemake(project, "-n", "goal_fig3")
    assert re.search(r"^ranking +1$", stages, re.MULTILINE)
    assert "rule search:" not in stages


def test_a_scale_of_ones_own_by_file(project):
    (project / "mine.yaml").write_text(SCALE.replace("scale: smoke", "scale: mine"))
    stages = run(project, "snakemake", "-n", "goal", "--configfile", "mine.yaml")
    assert "results/mine/goal/fig4.csv" in stages


def test_a_wrong_scale_file_stops_before_any_job(project):
    edit(project, "config/smoke.yaml", "budget_seconds: 12", "budget_second: 12")
    done = snakemake(project, "-n", check=False)
    assert done.returncode == 1
    assert "unknown key 'budget_second' (did you mean 'budget_seconds'?)" in done.stdout
    assert "Traceback" not in done.stdout
    done = run(project, "snakemake", "-n", "--config", "trials=3", check=False)
    assert "only the scale can be chosen by --config" in done.stdout


def test_jobs_are_selected_when_one_ends_and_not_all_the_time(built):
    log = (built / LOG).read_text()
    done = len(re.findall(r"Finished jobid", log))
    assert done > 20
    assert log.count("Resources before job selection") <= done + 1


def test_workflow_passes_snakemakes_lint(project):
    assert "good condition" in snakemake(project, "--lint")


def test_report_is_one_file_with_captions(project):
    snakemake(project, "--report", "report.html")
    html = (project / "report.html").read_text()
    captions = [file.read_text() for file in sorted(project.glob("results/smoke/goal/*.md"))]
    for caption in captions:
        # "Figure 4. Search efficiency."
        assert caption[2 : caption.index("**", 2)] in html
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=\W?https?:", html)


def test_results_that_cannot_be_written_are_told_of(project):
    shutil.rmtree(project / "results")
    if os.geteuid():
        (project / "results").mkdir()
        (project / "results").chmod(0o555)
    else:
        # Root may write anywhere but here.
        (project / "results").symlink_to("/proc/sys")
    done = snakemake(project, "--cores", "1", check=False)
    assert done.returncode == 1
    assert re.search(r"results/smoke", done.stdout)
    for command in (
        "result goal/fig2 --config config/smoke.yaml",
        "claims --config config/smoke.yaml --out results/smoke",
        "rank --name r --benchmark digits201 --target digits/valid/12 --predictors mlp "
        "--train-sizes 32 --test-size 50 --epochs 1 --trials 1 --out results/smoke/r.parquet",
        "search --benchmark nasbench201 --method random_search --trials 0:1 "
        "--out results/smoke/t.parquet",
    ):
        done = run(project, "dagnas", *command.split(), check=False)
        assert done.returncode == 2, done.stdout
        assert "cannot write results/smoke" in done.stdout
        assert "Traceback" not in done.stdout


def test_dvc_moves_everything_to_a_fresh_clone(project, tmp_path):
    def git(place, *words):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return run(place, "git", *identity, *words)

    git(project, "init", "--quiet")
    run(project, "dvc", "repro")
    again = run(project, "dvc", "repro")
    assert "Data and pipelines are up to date" in again
    assert "Running stage" not in again
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "results")
    run(project, "dvc", "push")
    assert list((project / "store").rglob("*.dir"))
    git(project, "add", "store")
    git(project, "commit", "--quiet", "-m", "store")

    clone = tmp_path / "clone"
    git(project, "clone", "--quiet", project, clone)
    assert not (clone / "results/smoke/traces").exists()
    # All that a clone has is in git: the store came with it.
    run(clone, "dvc", "pull")
    assert "Running stage" not in run(clone, "dvc", "repro")
    assert pending(clone) == {}
    for file in (project / "results").rglob("*"):
        if file.is_file():
            assert (clone / file.relative_to(project)).read_bytes() == file.read_bytes()
    assert "reproduced" in run(clone, "dvc", "metrics", "show")

    # What is stale there is told as exactly as where it was made.
    draw = "figure = Figure("
    edit(clone, "src/dagnas/papers/goal/fig3.py", draw, f"changed = True\n    {draw}")
    assert pending(clone) == {"draw fig3": 1}
