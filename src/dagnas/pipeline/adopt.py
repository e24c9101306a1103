"""Adoption of artifacts whose code changed and whose bytes did not.

A digest of code cannot tell a new name from a new number. So one trial, or one part, of each stale
job is run again; where all of them come out byte for byte, the jobs are marked as current, and
their notes say which were checked and which were taken over with them.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dagnas.closure import digest
from dagnas.errors import DagnasError
from dagnas.files import sha256, write_text
from dagnas.pipeline import provenance
from dagnas.pipeline.job import Job
from dagnas.pipeline.kinds import all_kinds
from dagnas.pipeline.scales import Scale

#: Verdicts of checks, so that an interrupted adoption resumes.
VERDICTS = Path(".snakemake/adopt")


@dataclass(frozen=True)
class Stale:
    """An artifact that exists, and that the pipeline would make anew because its job changed."""

    kind: str
    path: Path
    job: Job

    def command(self, scale: Scale, out: Path) -> list[str]:
        """Command that makes one trial or part of it."""
        sample = self.job.sample()
        words = ["-m", "dagnas", sample.COMMAND, *sample.arguments()]
        return [sys.executable, *words, f"--data={scale.data}", f"--out={out}"]

    def key(self) -> str:
        """Digest of the artifact, its job and the code that checks it."""
        said = [sha256(self.path), self.job.arguments(), digest(self.job.roots())]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True)
class Adoption:
    """Outcome: artifacts that were checked and taken over, and those that differ."""

    checked: list[Path]
    taken: list[Path]
    different: list[Path]


def stale_artifacts(scale: Scale, options: Sequence[str]) -> list[Stale]:
    """Artifacts of a scale that exist and whose job has another command or code than before.

    Parameters
    ----------
    scale : Scale
    options : sequence of str
        Options of Snakemake that choose the scale.

    Raises
    ------
    DagnasError
        Snakemake cannot read the scale.
    """
    command = [sys.executable, "-m", "snakemake", "--list-changes", "params", *options]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        raise DagnasError(f"snakemake --list-changes: {done.stderr.strip()[-2000:]}")
    changed = set(done.stdout.split())
    return [
        Stale(kind.name, path, job)
        for kind in all_kinds()
        for name, job in scale.jobs(kind.name).items()
        if str(path := kind.path(scale, name)) in changed and path.is_file()
    ]


def groups(stale: Iterable[Stale]) -> dict[str, list[Stale]]:
    """Artifacts whose jobs differ in their trials alone, of which one stands for the others."""
    found: dict[str, list[Stale]] = {}
    for item in stale:
        said = item.job.model_dump(mode="json", exclude={"trials"})
        found.setdefault(json.dumps([item.job.COMMAND, said], sort_keys=True), []).append(item)
    return found


def adopt(
    scale: Scale,
    options: Sequence[str],
    *,
    jobs: int = 1,
    every: bool = False,
    say: Callable[[str], object] = print,
) -> Adoption:
    """Check stale artifacts and mark those as current that come out the same.

    Parameters
    ----------
    scale : Scale
    options : sequence of str
        Options of Snakemake that choose the scale.
    jobs : int
        Checks that run side by side.
    every : bool
        Whether each artifact is checked, and not one of those that differ in their trials alone.
    say : callable
        Told a line for each check.

    Raises
    ------
    DagnasError
        Snakemake cannot read the scale or mark the artifacts.
    """
    stale = stale_artifacts(scale, options)
    found = {str(item.path): [item] for item in stale} if every else groups(stale)
    with ThreadPoolExecutor(jobs) as pool:
        verdicts = pool.map(lambda group: _verdict(scale, group[0]), found.values())
        checked, taken, different = [], [], []
        for number, (group, same) in enumerate(zip(found.values(), verdicts, strict=True), 1):
            say(f"{number} of {len(found)}: {group[0].path} {'is the same' if same else 'DIFFERS'}")
            paths = [item.path for item in group]
            if same:
                checked.append(paths[0])
                taken += paths[1:]
            else:
                different += paths
    current = [*checked, *taken]
    if current:
        _mark(current, options)
        for path in current:
            provenance.annotate(path, {"adopted": "checked" if path in checked else "taken over"})
    return Adoption(checked, taken, different)


def _verdict(scale: Scale, item: Stale) -> bool:
    """Whether one trial or part of an artifact comes out as it is stored."""
    note = VERDICTS / f"{item.key()}.json"
    if note.is_file():
        return bool(json.loads(note.read_text())["same"])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / item.path.name
        done = subprocess.run(item.command(scale, out), text=True, capture_output=True, check=False)
        same = done.returncode == 0 and item.job.same(out, item.path)
    write_text(json.dumps({"path": str(item.path), "same": same}) + "\n", note)
    return same


def _mark(paths: Sequence[Path], options: Sequence[str]) -> None:
    command = [sys.executable, "-m", "snakemake", "--touch", "--cores", "1", "--quiet", "all"]
    command += [*options, "--", *map(str, paths)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        raise DagnasError(f"snakemake --touch: {done.stderr.strip()[-2000:]}")
