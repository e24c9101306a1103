"""Commands that make artifacts: one for each description of a job."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.cli.plugin import load_plugins, plugin_name
from dagnas.errors import DagnasError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dagnas.pipeline.job import Job
    from dagnas.pipeline.kind import Kind


def job_commands() -> dict[str, tuple[Kind, type[Job]]]:
    """Commands of all kinds of artifacts by name."""
    from dagnas.pipeline.kinds import all_kinds

    return {job.COMMAND: (kind, job) for kind in all_kinds() for job in kind.jobs}


def add_job(commands: _SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    """Add the parser of one of these commands."""
    kind, job = job_commands()[name]
    parser = commands.add_parser(
        name,
        help=kind.title if kind.jobs == (job,) else _first_line(job),
        description=kind.about,
        epilog=f"examples:\n{kind.examples.strip(chr(10))}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    job.add_options(parser)
    add_data(parser)
    suffix = Path(kind.pattern).suffix
    parser.add_argument(
        "--out", required=True, type=Path, metavar=f"FILE{suffix}", help="file to make"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="make the file anew where it is there already; without it a file that another job "
        "made is kept, and so is one that this very job made",
    )
    # It has an effect before options are parsed, since libraries read it as they are loaded.
    parser.add_argument(
        "--fast",
        action="store_true",
        help="take the kernels that are fastest on this machine, and say so in the file; without "
        "it results are the same bytes on every x86-64 machine with AVX2",
    )
    parser.set_defaults(run=lambda options: run_job(job, suffix, options))


def _first_line(job: type[Job]) -> str:
    """What tells a command from others of its kind."""
    line = (job.__doc__ or "").partition("\n")[0].removesuffix(".")
    return line[:1].lower() + line[1:]


def run_job(job: type[Job], suffix: str, options: argparse.Namespace) -> None:
    """Run the job that the options describe, unless its file is there already.

    Snakemake removes the files of a job before it starts it, so in the pipeline none is there.
    """
    from dagnas.cli.initial import warn_if_random
    from dagnas.cli.present import is_made
    from dagnas.locks import writing
    from dagnas.tables.place import data_folder

    if options.out.suffix != suffix:
        raise DagnasError(f"--out {options.out}: expected a name that ends in {suffix}")
    options.plugin = load_plugins(plugin_name(text) for text in options.plugin or ())
    described = job.parse(options)
    # Processes that share a training write nothing, but for the first.
    shares = os.environ.get("LOCAL_RANK", "0") != "0"
    with nullcontext() if shares else writing(options.out, by=job.COMMAND):
        data = data_folder(options.data)
        described = _completed(described, data)
        if not options.overwrite and is_made(described, data, options.out):
            print(
                f"{options.out} is there already, made by the same {job.COMMAND}; --overwrite "
                "makes it anew, as after an edit of its code"
            )
            return
        described.run(data, options.out)
        if not shares:
            warn_if_random(described, options.out)


def _completed(job: Job, data: Path) -> Job:
    """Job as described; a search without a policy is given the benchmark's usual one."""
    from dagnas.benchmarks import BENCHMARKS
    from dagnas.benchmarks.built import find_benchmark
    from dagnas.benchmarks.checked import open_benchmark
    from dagnas.benchmarks.described import is_table
    from dagnas.benchmarks.usual import usual_policy
    from dagnas.pipeline.kinds.search import SearchJob

    if not isinstance(job, SearchJob):
        return job
    given = "policy" in job.model_fields_set
    # What only the search would notice is told of a plug-in's code; a table checks itself.
    code = BENCHMARKS.added(job.benchmark) and not is_table(BENCHMARKS.module(job.benchmark))
    if given and not code:
        return job
    benchmark = open_benchmark(find_benchmark(job.benchmark, data), data)
    return job if given else job.model_copy(update={"policy": usual_policy(benchmark)})


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the option that tells where tables are."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of tables; default: $DAGNAS_DATA, else ./data",
    )
