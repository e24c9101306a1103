"""Scripts of perf/ and studies/: each runs to its end in its smallest size."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from perf import common, startup

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    f"{folder}.{path.stem}"
    for folder in ("perf", "studies")
    for path in sorted((ROOT / folder).glob("*.py"))
    if path.stem not in ("common", "__init__")
]
#: Scripts that read a scale's artifacts, with the arguments of the part that does.
READERS = {
    "studies.bonas_best_cell": ["others"],
    "studies.bonas_predictors": [],
    "studies.ngae_ascents": [],
    "studies.ngae_searches": [],
}
# One process, since importing torch and others takes longer than the scripts do. Each script is
# run as `python -m` runs it.
RUNNER = """
import contextlib, io, json, runpy, sys, traceback

for script, arguments in json.loads(sys.argv[1]):
    print(script, arguments, file=sys.stderr, flush=True)
    sys.argv[1:], status = arguments, None
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            runpy.run_module(script, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code
        except BaseException:
            status = traceback.format_exc()
    print(json.dumps([status, out.getvalue()]), flush=True)
"""


def run(calls, data):
    """Status (None or 0 if it went well, else a number or message) and output of each call."""
    environment = {**os.environ, "DAGNAS_DATA": str(data), "OMP_NUM_THREADS": "1"}
    environment.pop("DAGNAS_MIRROR", None)
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, json.dumps(calls)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """How each call ended: by script, and by "smallest", "help" or "absent"."""
    calls = [("smallest", script, ["--smallest"]) for script in SCRIPTS]
    calls += [("help", script, ["--help"]) for script in SCRIPTS]
    # Nothing is ever built at this scale.
    absent = ["--scale", "studies/smallest.yaml"]
    calls += [("absent", script, [*words, *absent]) for script, words in READERS.items()]
    found = run([call[1:] for call in calls], tmp_path_factory.mktemp("empty"))
    return {(why, script): end for (why, script, _), end in zip(calls, found, strict=True)}


@pytest.mark.parametrize("script", SCRIPTS)
def test_runs_to_its_end_in_its_smallest_size(script, ends):
    status, out = ends["smallest", script]
    assert not status
    assert out.strip()


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_is_measured_and_how_to_run_it(script, ends):
    status, out = ends["help", script]
    assert status == 0
    document = ast.get_docstring(ast.parse((ROOT / f"{script.replace('.', '/')}.py").read_text()))
    assert document is not None
    assert document in out
    assert f"python -m {script}" in document
    examples = out.partition("examples:")[2]
    assert f"python -m {script} --smallest" in examples


@pytest.mark.parametrize("script", READERS)
def test_missing_artifacts_are_told_in_one_line(script, ends):
    status, _ = ends["absent", script]
    assert status.startswith("error: results/smallest/")
    assert "is missing: `snakemake -c2 --config scale=smallest` makes it" in status
    assert "\n" not in status


def test_every_script_that_takes_a_scale_is_a_reader(ends):
    assert sorted(READERS) == [name for name in SCRIPTS if "--scale" in ends["help", name][1]]


def test_every_method_is_measured_on_spaces_of_its_kind(ends):
    _, out = ends["smallest", "perf.search"]
    lines = [line.split()[:2] for line in out.splitlines()[1:]]
    assert {method for _, method in lines} == set(METHODS.names())
    for benchmark, method in lines:
        space = BENCHMARKS.get(benchmark).open(Path("data")).space
        assert isinstance(space, METHODS.get(method).space)


def test_make_bench_runs_all_of_perf():
    done = subprocess.run(
        ["make", "--dry-run", "bench"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if "python -m perf" in line]
    names = line.split(" in ")[1].partition(";")[0].split()
    assert sorted(names) == [name.split(".")[1] for name in SCRIPTS if name.startswith("perf.")]


def test_works_take_turns_and_the_first_round_does_not_count(monkeypatch):
    seconds, order = iter([0.1, 0.1, 3, 5, 2, 6]), []
    monkeypatch.setattr(common, "cpu_seconds", lambda work: (work(), next(seconds))[1])
    works = {name: lambda name=name: order.append(name) for name in "ab"}
    assert common.least_seconds(works, 2) == {"a": 2, "b": 5}
    assert order == ["a", "b"] * 3


def test_seconds_of_a_command_are_those_of_its_processor_time():
    busy = "import time\nwhile time.process_time() < 0.4: pass"
    assert 0.4 <= startup.child_seconds(startup.python(busy)) < 2
    assert startup.child_seconds(startup.python("import time; time.sleep(0.5)")) < 0.4


def test_a_command_that_fails_is_told_with_its_last_line():
    with pytest.raises(DagnasError, match="failed: no luck"):
        startup.child_seconds(startup.python("import sys; print('first'); sys.exit('no luck')"))
