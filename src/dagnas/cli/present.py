"""Files that are there already: whether a job made them, and what differs if another one did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagnas.errors import DagnasError

if TYPE_CHECKING:
    from dagnas.pipeline.job import Job

#: Characters of a value that a message shows.
_SHOWN = 60


def is_made(job: Job, data: Path, out: Path) -> bool:
    """Tell whether ``out`` holds what the job would make, as far as files say how they were made.

    They do not say by which code.

    Raises
    ------
    DagnasError
        It is there and holds something else, or does not tell what it holds.
    """
    if not out.exists():
        return False
    differences = _differences(job, data, out)
    if differences is None:
        raise DagnasError(
            f"{out} is there already and does not tell how it was made; --overwrite replaces it, "
            "another --out keeps it"
        )
    if differences:
        raise DagnasError(
            f"{out} is there already, of another {job.COMMAND}: {'; '.join(differences)}; "
            "--overwrite replaces it, another --out keeps it"
        )
    return True


def _differences(job: Job, data: Path, out: Path) -> list[str] | None:
    """What of a file is of another job, in words; None if the file does not tell."""
    from dagnas.files import read_parquet
    from dagnas.pipeline.kinds.search import SearchJob

    if out.suffix != ".parquet":
        return None
    try:
        table = read_parquet(out, [])
    except DagnasError:
        return None
    about = (table.schema.metadata or {}).items()
    stored = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in about}
    if "dagnas.job" in stored:
        try:
            told = json.loads(stored["dagnas.job"])
        except ValueError:
            return None
        return _unlike(told, json.loads(job.model_dump_json())) if isinstance(told, dict) else None
    # Rankings after a search are made by jobs of this kind too, but do not tell of their search.
    if "dagnas.study" not in stored or not isinstance(job, SearchJob) or job.COMMAND != "search":
        return None
    asked = job.open(data).metadata()
    # Another version is no other search.
    for texts in (stored, asked):
        texts.pop("dagnas.version", None)
    trials = sorted(set(read_parquet(out, ["trial"])["trial"].to_pylist()))
    differences = _unlike(stored, asked)
    if trials != list(job.trials):
        last = job.trials.stop - 1
        differences.append(f"trials {trials[0]} to {trials[-1]}, not {job.trials.start} to {last}")
    return differences


def _unlike(stored: Mapping[str, Any], asked: Mapping[str, Any], under: str = "") -> list[str]:
    """Entries that differ, each as "method goal, not random_search"."""
    differences = []
    for key in dict.fromkeys([*asked, *stored]):
        one, other = _inside(stored.get(key)), _inside(asked.get(key))
        name = f"{under}{key.removeprefix('dagnas.')}"
        if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
            differences += _unlike(one, other, f"{name}.")
        elif one != other:
            differences.append(f"{name} {_text(one)}, not {_text(other)}")
    return differences


def _inside(value: Any) -> Any:
    """Mapping that a text of JSON holds; any other value as it is."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return shown or "none"
