"""``dagnas plan``: what a target of the pipeline would run, and how long that takes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dagnas.papers.plan import Group, Plan

EXAMPLES = """examples:
  dagnas plan                                    all of config/desk.yaml
  dagnas plan goal/fig4                          one result; goal_fig4 is the same
  dagnas plan goal --config config/smoke.yaml    a paper, at another scale
  dagnas plan --record src/dagnas/pipeline/hours.csv   keep the times of the traces that are here

Run it from the root of the project. `snakemake -n TARGET` tells the same of single jobs, with the
reason of each.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "plan",
        help="what a target would run, and how long that takes",
        description="Tell which jobs the pipeline would run for a target, by study and method, "
        "and how long they take on one core, from recorded wall-clock times, their own or (about) "
        "those of similar jobs.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "target",
        nargs="?",
        default="",
        metavar="TARGET",
        help="PAPER/RESULT or a paper (default: everything)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config", "desk.yaml"),
        metavar="FILE",
        help="scale file (default: config/desk.yaml)",
    )
    parser.add_argument(
        "--pull", action="store_true", help="then bring what is missing from DVC's store, if there"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE.csv",
        help="instead, write the times of the traces that are here into a table of times",
    )


def run(options: argparse.Namespace) -> None:
    """Print the plan, or record times."""
    from dagnas.closure import remember
    from dagnas.locks import writing
    from dagnas.papers.plan import plan, record
    from dagnas.pipeline import scales

    scale = scales.load(options.config)
    if options.record is not None:
        with writing(options.record, by="plan"):
            print(f"{options.record}: {record(scale, options.record)} methods of studies measured")
        return
    # Where Snakemake keeps what it read of the code.
    remember(Path(".snakemake/digests.json"))
    found = plan(scale, options.target)
    print(*_lines(found, options.target), sep="\n")
    if options.pull:
        _pull(found)


def _lines(plan: Plan, target: str) -> list[str]:
    """Plan in words, a line for the jobs of each method."""
    from dagnas.papers.plan import groups

    about = f"{target or 'all'} at the scale {plan.scale.scale}"
    running = groups(plan.scale, plan.runs)
    lines = [f"{about}: {_sum(running)}", *map(_line, running)]
    if plan.made:
        lines.append(f"  results to make: {', '.join(result.name for result in plan.made)}")
    tables = _lacking_tables(plan)
    if tables:
        lines.append(f"  tables to fetch: {', '.join(tables)}")
    if plan.kept:
        lacking = groups(plan.scale, plan.lacking)
        names = ", ".join(plan.kept)
        count = len({path for paths in plan.kept.values() for path in paths})
        lines += [
            f"There, and taken as they are: {names}. {count} files that they were made of are not "
            "here, so nothing of them is made anew.",
            "`dvc pull --allow-missing` brings what DVC's store has of these. `snakemake "
            f"--forcerun table_of_result` with the target makes them anew: {_sum(lacking)}",
            *map(_line, lacking),
        ]
    return lines


def _lacking_tables(plan: Plan) -> list[str]:
    """Published tables that jobs read and that are not there."""
    from dagnas.papers.plan import tables_of
    from dagnas.tables.sources import SOURCES

    jobs = [item.job for item in plan.runs.values()]
    opened = {name for job in jobs for name in job.benchmarks()}
    opened |= {name for result in plan.made for name in result.benchmarks}
    paths = [*tables_of(plan.scale, opened), *(Path(name) for job in jobs for name in job.files())]
    return sorted({path.stem for path in paths if path.stem in SOURCES and not path.exists()})


def _sum(groups: Iterable[Group]) -> str:
    """Number of jobs by kind, and what they take."""
    found = list(groups)
    if not found:
        return "no artifacts to make"
    kinds = dict.fromkeys(group.kind for group in found)
    counts = ", ".join(f"{sum(g.jobs for g in found if g.kind == k):,} {k}" for k in kinds)
    known = sum(group.seconds for group in found if group.seconds is not None)
    unknown = sum(group.jobs for group in found if group.seconds is None)
    guessed = sum(group.seconds for group in found if group.seconds and not group.recorded)
    times = [f"{_duration(known)} of one core"] if known else []
    times += [f"{_duration(guessed)} of it by similar jobs"] if guessed else []
    times += [f"{unknown:,} of unknown length"] if unknown else []
    return f"jobs: {counts} ({', '.join(times)})"


def _line(group: Group) -> str:
    trials = f"{group.trials:,} trial{'' if group.trials == 1 else 's'}"
    amount = trials if group.kind == "search" else f"{group.jobs:,} job{'s'[: group.jobs > 1]}"
    about = "" if group.recorded else "about "
    time = "unknown" if group.seconds is None else about + _duration(group.seconds)
    return f"  {group.kind:14}{group.name:58}{amount:>14}{time:>14}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _pull(plan: Plan) -> None:
    """Bring the files that are missing from DVC's store, as far as it has them."""
    import subprocess
    import sys

    from dagnas.outside import documents

    lock = Path("dvc.lock")
    stages = documents.read(lock).get("stages", {}) if lock.is_file() else {}
    kept = [Path(out["path"]) for stage in stages.values() for out in stage.get("outs", [])]
    wanted = [
        place
        for path, item in {**plan.runs, **plan.lacking}.items()
        for place in (path, *(path.with_suffix(suffix) for suffix in item.kind.beside))
        if not place.exists() and any(place.is_relative_to(out) for out in kept)
    ]
    if not wanted:
        if plan.runs or plan.lacking:
            print("DVC's store has none of the files that are missing.")
        return
    notes = plan.scale.results / "provenance.json"
    also = [notes] if notes in kept else []
    command = [sys.executable, "-m", "dvc", "pull", "--quiet", "--allow-missing"]
    subprocess.run([*command, *map(str, [*wanted, *also])], check=False)
    came = sum(path.exists() for path in wanted)
    print(f"{came:,} of {len(wanted):,} missing files came from DVC's store.")
