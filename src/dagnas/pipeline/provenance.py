"""What Snakemake knows of a scale's files, kept beside them so that it travels with them.

Snakemake notes of every file it made by which command, parameters and inputs (with checksums), in
a hidden folder of the checkout. Results that travel without these notes look older than the inputs
that arrived after them, and all would be made anew. So the notes of a scale are kept in
``results/SCALE/provenance.json``, an output for DVC like the others, and put back where they lack.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dagnas.files import write_text

# Snakemake 9: one file of JSON for each output. Its name is the output's path in base 64, of which
# all that is too long for one name is in folders that begin with @.
NOTES = Path(".snakemake/metadata")


def save(path: Path, folders: Sequence[Path]) -> None:
    """Write the notes on all files in ``folders`` that exist to ``path``.

    A note that cannot be read is left out, with a warning that names its output.
    """
    notes = {}
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
    """Function from an output to the note on it: Snakemake's own, else that which ``path`` keeps.

    It gives None where there is no note.
    """
    kept = (_read(path, str(path)) or {}) if path.is_file() else {}

    def note(output: Path) -> dict[str, Any] | None:
        place = _note(str(output))
        found = _read(place, str(place)) if place.is_file() else kept.get(str(output))
        return found if isinstance(found, dict) else None

    return note


def restore(path: Path) -> None:
    """Put the notes in ``path`` back where Snakemake has none; nothing if there is no such file.

    A file that cannot be read is told in a warning: what it knows of is then made anew.
    """
    if not path.is_file():
        return
    for output, note in (_read(path, str(path)) or {}).items():
        place = _note(output)
        if isinstance(note, dict) and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(note))


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
