"""Processor time of starting up: ``python -m perf.startup [ROW ...]``.

Each row is a command, run several times in turn with the others; shown is the least processor time
(user and system, of the command and what it starts), its ratio to `snakemake --version` in the same
run, and the time that we aim at on an idle machine. A first round, which does not count, compiles
all modules into a folder of its own, so times are those of a second start. Builds and figures need
a scale that is built (`make smoke`); rows whose scale is not, or is not up to date, say so.
"""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from dagnas.errors import DagnasError, unknown
from perf.common import ROOT, command_line, run

YARDSTICK = "snakemake"
SMALLEST = ("import", "help")
#: What Snakemake says when a build has nothing to do.
IDLE = "Nothing to be done"


def python(code: str) -> list[str]:
    """Command that runs a line of Python."""
    return [sys.executable, "-c", code]


def dagnas(*words: str) -> list[str]:
    """Command of dagnas."""
    return [sys.executable, "-m", "dagnas", *words]


def snakemake(*words: str) -> list[str]:
    """Command of Snakemake, in this environment."""
    return [sys.executable, "-m", "snakemake", *words]


def build(scale: str, *words: str) -> list[str]:
    """Command that builds a scale."""
    return snakemake("--cores", "1", *words, "--config", f"scale={scale}")


@dataclass(frozen=True)
class Row:
    """A command to measure.

    Attributes
    ----------
    command : list of str
    target : float, optional
        Seconds of processor time to stay under on an idle machine.
    needs : callable, optional
        Why the command cannot be measured here, or "".
    """

    command: Sequence[str]
    target: float | None = None
    needs: Callable[[], str] = lambda: ""


def idle(scale: str) -> str:
    """Why a build of a scale would have something to do, or ""."""
    done = subprocess.run(build(scale, "--dry-run"), cwd=ROOT, capture_output=True, text=True)
    if IDLE in done.stdout + done.stderr:
        return ""
    if done.returncode:
        return f"`snakemake --dry-run --config scale={scale}` fails"
    return f"the scale {scale} is not built or not up to date"


def traces(scale: str) -> str:
    """Why a figure of a scale cannot be made, or ""."""
    found = any((ROOT / "results" / scale / "traces").glob("*/*/*.parquet"))
    return "" if found else f"the scale {scale} has no traces"


def rows(out: Path) -> dict[str, Row]:
    """All rows by name; figures are written into the folder ``out``."""
    load = "from dagnas.pipeline.scales import load; load('config/desk.yaml')"
    result = ("result", "goal/fig2", "--config", "config/smoke.yaml", "--out", str(out))
    return {
        YARDSTICK: Row(snakemake("--version")),
        "import": Row(python("import dagnas")),
        "help": Row(dagnas("--help")),
        "search-help": Row(dagnas("search", "--help")),
        "methods": Row(dagnas("list", "methods")),
        "results": Row(dagnas("list", "results")),
        "scale-file": Row(python(load), 0.5),
        "smoke-dry": Row(build("smoke", "--dry-run"), 3.0, lambda: idle("smoke")),
        "smoke": Row(build("smoke"), 3.0, lambda: idle("smoke")),
        "desk-dry": Row(build("desk", "--dry-run")),
        "desk": Row(build("desk"), 4.0, lambda: idle("desk")),
        "draw": Row(dagnas("draw", "results/smoke/goal/fig2.csv", "--out", str(out)), 2.5),
        "figure": Row(dagnas(*result), 2.5, lambda: traces("smoke")),
    }


def child_seconds(command: Sequence[str], bytecode: Path | None = None) -> float:
    """Processor time of a command and all that it starts and waits for.

    Parameters
    ----------
    command : sequence of str
    bytecode : Path, optional
        Folder that keeps compiled modules, if they are to be kept whatever the environment says.

    Raises
    ------
    DagnasError
        The command fails.
    """
    environment = dict(os.environ)
    if bytecode is not None:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(bytecode)

    def taken() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    start = taken()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise DagnasError(f"{shlex.join(command)} failed: {last}")
    return taken() - start


def measure(known: Mapping[str, Row], names: Collection[str], rounds: int, bytecode: Path) -> None:
    """Print a line for each of the rows named, and for the yardstick."""
    chosen = {name: row for name, row in known.items() if name in (YARDSTICK, *names)}
    reasons = {name: row.needs() for name, row in chosen.items()}
    least: dict[str, float] = {}
    for number in range(rounds + 1):
        for name in [name for name in chosen if not reasons[name]]:
            try:
                seconds = child_seconds(chosen[name].command, bytecode)
            except DagnasError as error:
                reasons[name] = str(error)
            else:
                least[name] = min(least.get(name, inf), seconds) if number else inf
    print(f"{'row':14}{'CPU s':>7}{'ratio':>8}{'aim':>9}")
    for name, row in chosen.items():
        if reasons[name]:
            print(f"{name:14}{'-':>7}{'-':>8}{'-':>9}  {reasons[name]}")
            continue
        aim = "-" if row.target is None else f"< {row.target}"
        print(f"{name:14}{least[name]:7.2f}{least[name] / least[YARDSTICK]:8.2f}{aim:>9}")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        known = rows(Path(folder, "drawn"))
        parser = command_line("perf.startup", __doc__, "scale-file figure", "--rounds 10")
        parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(known))
        parser.add_argument("--rounds", type=int, default=5, help="runs of each command (5)")
        options = parser.parse_args()
        for name in options.rows:
            if name not in known:
                raise unknown("row", name, known)
        names = options.rows or (SMALLEST if options.smallest else known)
        rounds = 1 if options.smallest else options.rounds
        measure(known, names, rounds, Path(folder, "bytecode"))


if __name__ == "__main__":
    run(main)
