# Functions for the rules, of what the scale asks for; no rules here.

import os
import shlex
import sys
from pathlib import Path

import dagnas.papers
from dagnas.benchmarks import BENCHMARKS
from dagnas.cli import forks
from dagnas.closure import digest, remember, save
from dagnas.errors import DagnasError
from dagnas.names import check_text
from dagnas.papers.inputs import inputs_text, note
from dagnas.papers.result import artifacts, results
from dagnas.papers.roots import LEDGER as LEDGER_CODE
from dagnas.papers.roots import picture_roots, table_roots
from dagnas.pipeline import provenance
from dagnas.pipeline.kinds import all_kinds
from dagnas.pipeline.scales import load
from dagnas.tables.sources import SOURCES

if set(workflow.config_settings.config) - {"scale"}:
    raise WorkflowError(
        "only the scale can be chosen by --config; edit a scale file instead"
    )

# Digests of code take seconds, so what was read before is remembered.
DIGESTS = Path(".snakemake/digests.json")
remember(DIGESTS)

SCALE_FILES = [os.path.relpath(path) for path in workflow.configfiles]
if "scale" in workflow.config_settings.config:
    SCALE_FILES.append(f"config/{config['scale']}.yaml")
if len(SCALE_FILES) > 1:
    raise WorkflowError(
        f"expected one scale file, not {', '.join(SCALE_FILES)}; a scale file takes over others by "
        "its key `extends`"
    )
SCALE_FILE = SCALE_FILES[0] if SCALE_FILES else "config/desk.yaml"
try:
    SCALE = load(check_text(SCALE_FILE))
except DagnasError as error:
    raise WorkflowError(str(error)) from None

# With other threads or hashes training gives other last digits, so they are fixed for every job.
# Commands are those of the environment that runs Snakemake, activated or not.
PREFIX = "set -euo pipefail; export OMP_NUM_THREADS=1 PYTHONHASHSEED=0; "
if not workflow.deployment_settings.deployment_method:
    PREFIX += f"export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; "
    CLIENT = shlex.join([sys.executable, "-IS", forks.__file__])
    PREFIX += f'dagnas() ( exec {CLIENT} "$@" ); '
GPUS = 1 if SCALE.device == "cuda" else 0
RESULTS = results(SCALE)
WALL = ".wall.csv"


def pattern(kind, suffix=None):
    path = Path(
        kind.pattern.format(results=SCALE.results, data=SCALE.data, name="{name}")
    )
    return str(path.with_suffix(suffix) if suffix else path)


def result_of(wildcards):
    return RESULTS["{paper}/{result}".format(**wildcards)]


def table_files(benchmarks):
    names = {table for name in benchmarks for table in BENCHMARKS.get(name).tables}
    # A supernet is a file of another kind, whose name tells it; a table of one's own has a path.
    files = (name if "." in name else f"{name}.parquet" for name in sorted(names))
    return [os.path.relpath(SCALE.data / file) for file in files]


def artifact_files(prefix=""):
    # Tables that are built belong to no paper.
    kinds = [k for k in all_kinds() if not prefix or k.pattern.startswith("{results}")]
    return [str(path) for kind in kinds for path in SCALE.paths(kind.name, prefix)]


def result_files(prefix="", formats=("csv", "svg", "png", "md")):
    names = [name for name in RESULTS if name.startswith(prefix)]
    return [f"{SCALE.results}/{name}.{format}" for name in names for format in formats]


def ledger_files():
    names = ("claims.csv", "claims.md", "metrics.json")
    return [f"{SCALE.results}/{name}" for name in names]


def checked_files():
    # Wall-clock times differ from run to run, so no claim rests on them.
    names = [name for name, result in RESULTS.items() if not result.walls]
    return [f"{SCALE.results}/{name}.csv" for name in names]


def claims_files():
    # Relative where they can be, since a checkout may be moved.
    folder = os.path.relpath(os.path.dirname(dagnas.papers.__file__))
    return [local(f"{folder}/{paper}/claims.yaml") for paper in SCALE.papers]


def read_files(result):
    return [kind.path(SCALE, name) for kind, name in artifacts(SCALE, result)]


# What git brings counts as made if it reads no file. So results read this one, which is younger
# than a checkout: each is made once.
FIRST_RUN = Path(".snakemake/first_run")
if not FIRST_RUN.exists():
    FIRST_RUN.parent.mkdir(exist_ok=True)
    FIRST_RUN.write_text(
        "Results that read nothing else are made once in a checkout.\n"
    )


def result_inputs(wildcards):
    result = result_of(wildcards)
    paths = list(read_files(result))
    # The rule that makes a trace makes its wall-clock times as well.
    traces = [path for path in paths if "traces" in path.parts] if result.walls else []
    walls = [path.with_suffix(WALL) for path in traces]
    files = [*table_files(result.benchmarks), *map(str, paths), *map(str, walls)]
    # It is of the checkout that runs the job, so it is in no storage that jobs share.
    return files or [local(str(FIRST_RUN))]


def table_code(wildcards):
    return digest(table_roots(result_of(wildcards), SCALE.plugins))


def picture_code(wildcards):
    return digest(picture_roots(result_of(wildcards), SCALE.plugins))


def result_options(wildcards):
    return shlex.join(["--inputs", inputs_text(SCALE, result_of(wildcards))])


# Parameters that depend on outputs are no reason for Snakemake to make a result anew: a caption,
# which only the report shows, shall be none.
def caption(wildcards, output):
    return open(output.md).read() if os.path.exists(output.md) else ""
