# What the scale asks for, as functions for the rules; no rules here.

import os
import shlex
import sys
from pathlib import Path

import dagnas.papers
from dagnas.pipeline import provenance
from dagnas.benchmarks import BENCHMARKS
from dagnas.tables.sources import SOURCES
from dagnas.closure import digest
from dagnas.pipeline.config import load
from dagnas.errors import DagnasError
from dagnas.papers.result import results

if set(workflow.config_settings.config) - {"scale"}:
    raise WorkflowError(
        "only the scale can be chosen by --config; edit a scale file instead"
    )

SCALE_FILE = f"config/{config.get('scale', 'desk')}.yaml"
if workflow.configfiles:
    SCALE_FILE = os.path.relpath(workflow.configfiles[0])
try:
    SCALE = load(SCALE_FILE)
except DagnasError as error:
    raise WorkflowError(str(error)) from None

# With other threads or hashes training gives other last digits, so they are fixed for every job.
# Commands are those of the environment that runs Snakemake, activated or not.
PREFIX = "set -euo pipefail; export OMP_NUM_THREADS=1 PYTHONHASHSEED=0; "
if not workflow.deployment_settings.deployment_method:
    PREFIX += f"export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; "
GPUS = 1 if SCALE.device == "cuda" else 0
JOBS = {str(job.path): job for job in SCALE.search_jobs()}
RESULTS = results(SCALE)


def job_of(wildcards):
    trace = "results/{scale}/traces/{study}/{method}/{trials}.parquet"
    return JOBS[trace.format(**wildcards)]


def result_of(wildcards):
    return RESULTS["{paper}/{result}".format(**wildcards)]


def table_files(benchmarks):
    names = {table for name in benchmarks for table in BENCHMARKS.get(name).tables}
    return [f"{SCALE.data}/{name}.parquet" for name in sorted(names)]


def image_file(wildcards):
    images = SCALE.tables[wildcards.table].images
    return [images] if images.endswith(".npz") else []


def build_options(wildcards):
    return shlex.join(SCALE.tables[wildcards.table].arguments())


def part_files(wildcards):
    parts = SCALE.tables[wildcards.table].parts()
    return [f"{SCALE.data}/parts/{wildcards.table}/{cells}.parquet" for cells in parts]


def trace_files(prefix=""):
    return [path for path, job in JOBS.items() if job.study.startswith(prefix)]


def ranking_files(prefix=""):
    names = [name for name in SCALE.rankings if name.startswith(prefix)]
    return [str(SCALE.ranking_path(name)) for name in names]


def autoencoder_files(prefix=""):
    names = [name for name in SCALE.autoencoders if name.startswith(prefix)]
    return [str(SCALE.autoencoder_path(name)) for name in names]


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
    return [f"{folder}/{paper}/claims.yaml" for paper in SCALE.papers]


def result_inputs(wildcards):
    result = result_of(wildcards)
    traces = [path for path, job in JOBS.items() if job.study in result.studies]
    # The rule that makes a trace makes its wall-clock times as well.
    walls = [str(JOBS[path].wall) for path in traces if result.walls]
    rankings = [str(SCALE.ranking_path(name)) for name in result.rankings]
    trained = [str(SCALE.autoencoder_path(name)) for name in result.autoencoders]
    return table_files(result.benchmarks) + traces + walls + rankings + trained


def result_settings(wildcards):
    result = result_of(wildcards)
    return SCALE.part(
        result.studies, result.rankings, result.autoencoders, result.missing
    )


def result_modules(wildcards):
    result = result_of(wildcards)
    benchmarks = [BENCHMARKS.module(name) for name in result.benchmarks]
    return ["dagnas.cli.result", result.module, *benchmarks, *SCALE.plugins]


# Parameters that depend on outputs are no reason for Snakemake to make a result anew: neither the
# name of the scale file nor a caption, which only the report shows, shall be one.
def scale_file(wildcards, output):
    return SCALE_FILE


def caption(wildcards, output):
    return open(output.md).read() if os.path.exists(output.md) else ""
