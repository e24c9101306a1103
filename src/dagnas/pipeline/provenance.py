"""What Snakemake knows of a scale's files, kept beside them so that it travels with them.

Snakemake notes of every file it made by which command, parameters and inputs (with checksums), in
a hidden folder of the checkout. Results that travel without these notes look older than the inputs
that arrived after them, and all would be made anew. So the notes of a scale are kept in
``results/SCALE/provenance.json``, an output for DVC like the others, and put back where they lack.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

from dagnas.files import write_text

# Snakemake 9: one file of JSON for each output; its name is the output's path in base 64. (Names
# of more than 254 letters are split; paths of this project are shorter.)
NOTES = Path(".snakemake/metadata")


def save(path: Path, folders: Sequence[Path]) -> None:
    """Write the notes on all files in ``folders`` that exist to ``path``."""
    notes = {}
    for note in NOTES.iterdir():
        output = Path(urlsafe_b64decode(note.name).decode())
        if output.is_file() and any(output.is_relative_to(folder) for folder in folders):
            notes[str(output)] = json.loads(note.read_text())
    write_text(json.dumps(notes, indent=0, sort_keys=True) + "\n", path)


def annotate(output: Path, about: dict[str, str]) -> None:
    """Add to what Snakemake knows of a file; nothing if it knows nothing."""
    place = NOTES / urlsafe_b64encode(str(output).encode()).decode()
    if place.is_file():
        write_text(json.dumps({**json.loads(place.read_text()), **about}), place)


def restore(path: Path) -> None:
    """Put the notes in ``path`` back where Snakemake has none; nothing if there is no such file."""
    if not path.is_file():
        return
    NOTES.mkdir(parents=True, exist_ok=True)
    for output, note in json.loads(path.read_text()).items():
        place = NOTES / urlsafe_b64encode(output.encode()).decode()
        if not place.exists():
            place.write_text(json.dumps(note))
