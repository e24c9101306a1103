"""What Snakemake knows of a scale's files, kept beside them so that it travels with them.

Snakemake notes of every file it made by which command, parameters and inputs (with checksums), in
a hidden folder of the checkout. Results that travel without these notes look older than the inputs
that arrived after them, and all would be made anew. So the notes of a scale are kept in
``results/SCALE/provenance.json``, an output for DVC like the others. `make keep` alone writes it: a
checkout that runs some jobs can still pull what others kept. Missing notes are put back from it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dagnas.files import write_text

# Snakemake 9: one file of JSON for each output. Its name is the output's path in base 64, of which
# all that is too long for one name is in folders that begin with @.
NOTES = Path(".snakemake/metadata")

#: Files as they were last put back, by scale: what a later version may replace.
BROUGHT = Path(".snakemake/brought")


def save(path: Path, folders: Sequence[Path]) -> None:
    """Write the notes on all files in ``folders`` that exist to ``path``.

    Notes that ``path`` has on files that are not here stay. A note that cannot be read is left out,
    with a warning that names its output.
    """
    kept = (_read(path, str(path)) or {}) if path.is_file() else {}
    notes = {output: note for output, note in kept.items() if not Path(output).exists()}
    for note in NOTES.rglob("*"):
        output = _output(note)
        if note.is_dir() or output is None:
            continue
        if output.is_file() and any(output.is_relative_to(folder) for folder in folders):
            known = _read(note, f"{note}, Snakemake's note on {output}")
            if known is not None:
                notes[str(output)] = known
    write_text(json.dumps(notes, indent=0, sort_keys=True) + "\n", path)


def annotate(output: Path, about: dict[str, str]) -> None:
    """Add to what Snakemake knows of a file; nothing if it knows nothing."""
    place = _note(str(output))
    if place.is_file():
        known = _read(place, f"{place}, Snakemake's note on {output}")
        if known is not None:
            write_text(json.dumps({**known, **about}), place)


def known(path: Path) -> Callable[[Path], dict[str, Any] | None]:
    """Function from an output to the note on it, as it is after `restore` of ``path``.

    It gives None where there is no note.
    """
    newer = dict(_newer(path))

    def note(output: Path) -> dict[str, Any] | None:
        place = _note(str(output))
        if str(output) in newer or not place.is_file():
            return newer.get(str(output))
        return _read(place, str(place))

    return note


def restore(path: Path) -> None:
    """Put the notes in ``path`` back; nothing if there is no such file.

    A note of Snakemake on a file that was made here stays; one that an earlier version of ``path``
    brought is replaced. A file that cannot be read is told in a warning: what it knows of is then
    made anew.
    """
    for output, note in _newer(path):
        place = _note(output)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(note))
    if path.is_file():
        _brought(path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, _brought(path))


def _newer(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Outputs and notes of ``path`` where Snakemake has none or that of an earlier version."""
    kept = (_read(path, str(path)) or {}) if path.is_file() else {}
    brought = _brought(path)
    earlier = (_read(brought, str(brought)) or {}) if kept and brought.is_file() else {}
    for output, note in kept.items():
        if not isinstance(note, dict):
            continue
        place, before = _note(output), earlier.get(output)
        if not place.exists() or (
            before is not None and before != note and _read(place, str(place)) == before
        ):
            yield output, note


def _brought(path: Path) -> Path:
    """Copy of ``path`` as it was last put back."""
    return BROUGHT / f"{path.parent.name}.json"


def _note(output: str) -> Path:
    """Note on an output."""
    NOTES.mkdir(parents=True, exist_ok=True)
    longest = os.pathconf(NOTES, "PC_NAME_MAX") - 1
    name = urlsafe_b64encode(output.encode(errors="surrogatepass")).decode()
    *folders, last = [name[i : i + longest] for i in range(0, len(name) or 1, longest)]
    return NOTES.joinpath(*(f"@{folder}" for folder in folders), last)


def _output(note: Path) -> Path | None:
    """Output that a note is on; None if the file is no note."""
    parts = note.relative_to(NOTES).parts
    try:
        return Path(urlsafe_b64decode("".join(part.removeprefix("@") for part in parts)).decode())
    except ValueError:
        return None


def _read(path: Path, about: str) -> dict[str, Any] | None:
    """Mapping that a file holds; None, with a warning, if it holds none."""
    try:
        found = json.loads(path.read_text())
        if isinstance(found, dict):
            return found
        fault = "it is no mapping"
    except (OSError, ValueError) as error:
        fault = str(error)
    print(f"dagnas: left out {about}: {fault}", file=sys.stderr)
    return None
