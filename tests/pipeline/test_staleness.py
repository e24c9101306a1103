"""Edits of a copy of the project, one by one, and the jobs that each makes stale: no more, no less.

A job is stale by itself if its command or the digest of its code changes; what reads its file
follows by Snakemake (tests/pipeline/test_built.py).
"""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Prints everything about the desk's jobs that Snakemake compares, by the name of the job.
SCRIPT = """
import json
from pathlib import Path
from dagnas.closure import digest, remember
from dagnas.papers.inputs import inputs_text, note
from dagnas.papers.result import results
from dagnas.papers.roots import LEDGER, picture_roots, table_roots
from dagnas.pipeline.kinds import all_kinds
from dagnas.pipeline.scales import load

remember(Path("digests.json"))
scale = load("config/desk.yaml")
said = {}
for kind in all_kinds():
    for name, job in scale.jobs(kind.name).items():
        said[f"{kind.name} {name}"] = [job.COMMAND, job.arguments(), digest(job.roots())]
for name, result in results(scale).items():
    said[f"table {name}"] = [inputs_text(scale, result), digest(table_roots(result, []))]
    said[f"picture {name}"] = [note(scale, result), digest(picture_roots(result, []))]
said["ledger"] = digest(LEDGER)
said["tables"] = digest(["dagnas.tables.importers", "dagnas.tables.table"])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, and what its jobs say of themselves."""
    folder = tmp_path_factory.mktemp("stale")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    return folder, jobs(folder)


def jobs(folder):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "src", "PYTHONPYCACHEPREFIX": str(folder / "cache")},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


def searches(*methods, on=""):
    """Whether a job is a search by one of some methods, on benchmarks of some name."""

    def chosen(name):
        kind, _, rest = name.partition(" ")
        return kind == "search" and rest.split("/")[1] in methods and on in rest

    return chosen


def named(*names):
    return lambda name: name in names


def begins(*prefixes):
    return lambda name: name.startswith(prefixes)


def nothing(name):
    return False


@cache
def reads(study: str) -> set[str]:
    """Tables of results that read a study, and their notes."""
    from dagnas.papers.result import results
    from dagnas.pipeline.scales import load

    found = results(load(ROOT / "config/desk.yaml"))
    return {f"table {name}" for name, result in found.items() if study in result.names("studies")}


#: File, text, other text, and which jobs are stale then.
EDITS = {
    "the wording of an error": (
        "src/dagnas/search/guard.py",
        "proposed a batch of no",
        "gave an empty batch of",
        nothing,
    ),
    "a docstring": (
        "src/dagnas/search/runner.py",
        '"""Run trials and write their trace',
        '"""Run some trials and write their trace',
        nothing,
    ),
    "the version": ("src/dagnas/__init__.py", '__version__ = "', '__version__ = "9.', nothing),
    "the help of an option": (
        "src/dagnas/pipeline/kinds/search.py",
        '"""Trials A to B - 1, such as 0:50;',
        '"""Trials A to B - 1, for instance 0:50;',
        nothing,
    ),
    "an example of a command": (
        "src/dagnas/pipeline/kinds/search.py",
        "# Ten trials of GOAL",
        "# Some trials of GOAL",
        nothing,
    ),
    "the class of scales": (
        "src/dagnas/pipeline/scales.py",
        "    def paths(self",
        "    def more(self) -> int:\n        return 1\n\n    def paths(self",
        nothing,
    ),
    "how faults are told": (
        "src/dagnas/pipeline/scales.py",
        'f"{source}: {fault}"',
        'f"{source}; {fault}"',
        nothing,
    ),
    "a method that nobody runs yet": (
        "src/dagnas/search/__init__.py",
        '        "alphax":',
        '        "aardvark": "dagnas.search.methods.aardvark",\n        "alphax":',
        nothing,
    ),
    "the command line": (
        "src/dagnas/cli/__init__.py",
        'prog="dagnas"',
        'prog="DAGNAS"',
        nothing,
    ),
    "how digests are made": (
        "src/dagnas/closure.py",
        "def digest(",
        "CHANGED = True\n\n\ndef digest(",
        nothing,
    ),
    "a comment in the scale file": (
        "config/desk.yaml",
        "scale: desk",
        "# The desk.\nscale: desk",
        nothing,
    ),
    "a budget": (
        "config/desk.yaml",
        "goal_digits201: {trials: 10}",
        "goal_digits201: {trials: 10, budget_evaluations: 9}",
        lambda name: "search goal_digits201/" in name or name in reads("goal_digits201"),
    ),
    "the colour of cells": (
        "src/dagnas/drawing/shapes.py",
        'PLAIN_FILL = "#eeeeee"',
        'PLAIN_FILL = "#eeeeef"',
        named(
            *("picture goal/fig2", "picture goal/fig7", "picture goal/fig8", "picture ngae/fig5"),
            *("picture bonas/fig8", "picture bonas/table5"),
        ),
    ),
    "the colour of a method": (
        "src/dagnas/drawing/style.py",
        '"#D55E00", 3.0)',
        '"#D55E01", 3.0)',
        begins("picture "),
    ),
    "a constant of ENAS": (
        "src/dagnas/spaces/sizes/enas.py",
        "LAYERS = 6",
        "LAYERS = 7",
        lambda name: (
            name.startswith(("autoencoder ", "latent_search "))
            # Tables are imported again, which takes seconds; jobs that read them go by their bytes.
            or name
            in (
                "tables",
                "table ngae/fig3",
                "table ngae/fig4",
                "table ngae/fig5",
                "table ngae/table1",
            )
        ),
    ),
    "a method": (
        "src/dagnas/search/methods/bohb.py",
        "\n\n\n",
        "\n\nCHANGED = True\n\n\n",
        searches("bohb"),
    ),
    "a method with variants": (
        "src/dagnas/search/methods/goal.py",
        "\n\n\n",
        "\n\nCHANGED = True\n\n\n",
        lambda name: (
            searches(
                *("goal", "goal_mlp", "goal_restart", "goal_by_cell", "goal_enough"),
                "goal_short_step",
            )(name)
            or name == "ranking goal_after_search"
        ),
    ),
    "the runner": (
        "src/dagnas/search/runner.py",
        "def run_trial(",
        "CHANGED = True\n\n\ndef run_trial(",
        lambda name: name.startswith(("search ", "ranking ")),
    ),
    "a benchmark": (
        "src/dagnas/benchmarks/toys.py",
        "LAYERS = 10",
        "LAYERS = 11",
        lambda name: (
            "stack_layers" in name
            or "select_optimizer" in name
            or name == "picture graph_search_space/fig2"
            or name == "picture graph_search_space/fig3"
            or name == "table graph_search_space/fig3"
        ),
    ),
    "a figure's drawing": (
        "src/dagnas/papers/goal/fig3.py",
        "figure = Figure(",
        "changed = True\n    figure = Figure(",
        named("picture goal/fig3"),
    ),
    "a figure's table": (
        "src/dagnas/papers/goal/fig3.py",
        '"""\n    import pandas as pd',
        '"""\n    changed = True\n    import pandas as pd',
        named("table goal/fig3"),
    ),
    "a figure's title": (
        "src/dagnas/papers/goal/fig3.py",
        'title="',
        'title="New: ',
        named("picture goal/fig3"),
    ),
    "how claims are checked": (
        "src/dagnas/papers/claims/check.py",
        "\n\n\n",
        "\n\nCHANGED = True\n\n\n",
        named("ledger"),
    ),
    "an importer": (
        "src/dagnas/tables/importers/bits.py",
        "\n\n\n",
        "\n\nCHANGED = True\n\n\n",
        named("tables"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS)
def test_exactly_what_an_edit_concerns_is_stale(project, edit):
    folder, before = project
    name, old, new, stale = EDITS[edit]
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    try:
        after = jobs(folder)
    finally:
        (folder / name).write_text(text)
    assert after.keys() == before.keys()
    changed = {job for job in before if after[job] != before[job]}
    assert changed == {job for job in before if stale(job)}
