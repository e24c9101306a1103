"""Ledger as CSV, as Markdown and as lines to print."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from dagnas.errors import DagnasError
from dagnas.papers.claims.model import Entry
from dagnas.papers.claims.rule import FAILED, NOT_RUN, STATUSES


def to_csv(entries: Sequence[Entry]) -> str:
    """Ledger as CSV, one claim per row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Entry)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(entry) for entry in entries)
    return text.getvalue()


def to_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """Ledger as lines to print, one per claim, then how many claims have each status."""
    for entry in entries:
        mark = " [emulated]" if entry.emulated and entry.measured else ""
        yield f"{entry.status:<15} {entry.paper}/{entry.id}: {_found(entry)}{mark}"
    yield counts(entries)


def to_markdown(entries: Sequence[Entry], scale: str) -> str:
    """Ledger as Markdown for the folder results/SCALE: a table for each place in a paper."""
    lines = [
        f"# Claims at the scale {scale}",
        "",
        "What the papers state and what was measured, with intervals of 95 % in brackets. A claim "
        "is reproduced if the whole interval satisfies its statement, not reproduced if no point "
        "of it does, and undecided otherwise ([the rule](../../docs/claims.md#the-rule)). It is "
        "checked only if the results hold all that it needs, its least number of trials included; "
        "*emulated* marks what rests on emulated data; in brackets stands what must be said of the "
        "signal that searches saw.",
    ]
    for paper, of_paper in itertools.groupby(entries, key=lambda entry: entry.paper):
        mine = list(of_paper)
        lines += ["", f"## {paper}", "", f"{counts(mine).capitalize()}."]
        for place, here in itertools.groupby(mine, key=lambda entry: entry.place):
            lines += [
                "",
                f"### {place}",
                "",
                "| claim | status | measured | why so checked |",
                "| --- | --- | --- | --- |",
                *map(_row, here),
            ]
    return "\n".join(lines) + "\n"


def counts(entries: Sequence[Entry]) -> str:
    """Number of claims with each status, in words."""
    found = Counter(entry.status for entry in entries)
    return ", ".join(f"{found[status]} {status}" for status in STATUSES)


def _found(entry: Entry) -> str:
    return entry.measured or f"needs {entry.missing}"


def _row(entry: Entry) -> str:
    status = f"**{entry.status}**" if entry.status == FAILED else entry.status
    mark = " *emulated*" if entry.emulated and entry.status != NOT_RUN else ""
    reason = entry.reason
    if entry.deviation:
        link = f"../../src/dagnas/papers/{entry.paper}/deviations.md#{entry.deviation}"
        reason += f" [Deviation]({link})."
    found = _found(entry)
    if entry.note and entry.status != NOT_RUN:
        found += f" *({entry.note})*"
    cells = (f"{entry.statement} (`{entry.id}`)", status + mark, found, reason.strip())
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def count_statuses(ledger: Path) -> str:
    """Claims of each paper by status, as JSON that ``dvc metrics`` reads.

    Parameters
    ----------
    ledger : Path
        A ledger as CSV.

    Raises
    ------
    DagnasError
        The file is missing, or is no ledger.
    """
    counts: dict[str, dict[str, int]] = {}
    try:
        with ledger.open(encoding="utf-8", newline="") as file:
            for claim in csv.DictReader(file):
                of_paper = counts.setdefault(claim["paper"], dict.fromkeys(STATUSES, 0))
                of_paper[claim["status"]] += 1
    except OSError as error:
        raise DagnasError(f"{ledger}: {error.strerror}") from error
    except (KeyError, ValueError) as error:
        raise DagnasError(f"{ledger} is no ledger of claims") from error
    return json.dumps(counts, indent=2, sort_keys=True) + "\n"
