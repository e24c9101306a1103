"""Results that are committed to git, of the largest scale that has each, and their claims."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from dagnas.drawing.style import benchmark_label
from dagnas.papers import PAPERS
from dagnas.papers.claims.model import Claim, Selection
from dagnas.papers.claims.reader import read
from dagnas.papers.make import read_table
from dagnas.papers.result import Result, all_results, results
from dagnas.pipeline.scales import load

ROOT = Path(__file__).resolve().parents[1]
#: Scales whose results are in git; what the first has is shown, and else what the second has.
SCALES = ("desk", "smoke")
#: Names of papers in headings, in the order in which they are shown.
TITLES = {
    "goal": "GOAL",
    "bonas": "BONAS",
    "ngae": "NGAE",
    "graph_search_space": "Graph search space",
    "nago": "NAGO",
    "digits201": "digits201",
    "hardware": "Hardware",
    "leaderboard": "Leaderboard",
}


def paper_title(paper: str) -> str:
    """Name of a paper in headings."""
    return TITLES.get(paper, paper)


def _rank(paper: str) -> int:
    """Place of a paper among those shown; papers without a title come last."""
    return list(TITLES).index(paper) if paper in TITLES else len(TITLES)


@dataclass(frozen=True)
class Entry:
    """A claim of the ledger, and the results that it is checked against.

    Attributes
    ----------
    row : dict of str to str
        Its row of claims.csv.
    results : tuple of str
        Names of results, such as "goal/fig4".
    """

    row: dict[str, str]
    results: tuple[str, ...]

    @property
    def emulated(self) -> bool:
        """Whether its verdict rests on emulated data."""
        return self.row["emulated"] == "True" and self.row["status"] != "not run"


@dataclass(frozen=True)
class Shown:
    """A result as the site shows it.

    Attributes
    ----------
    result : Result
        With the inputs that its scale has.
    scale : str
        Scale that made it, "" if none of `SCALES` did.
    stem : Path
        Its files without suffix, relative to the repository.
    claims : list of Entry
        Claims that rest on it.
    """

    result: Result
    scale: str
    stem: Path
    claims: list[Entry] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Such as "goal/fig4"."""
        return self.result.name

    @property
    def paper(self) -> str:
        """Such as "goal"."""
        return self.name.partition("/")[0]

    @property
    def page(self) -> str:
        """Its page, as MkDocs names sources."""
        return f"results/{self.name}.md"

    def file(self, kind: str) -> Path:
        """Its committed file of that suffix, relative to the repository."""
        return self.stem.with_suffix(f".{kind}")

    @cached_property
    def table(self) -> pd.DataFrame:
        """Its numbers."""
        return read_table(ROOT / self.file("csv"))

    @cached_property
    def caption(self) -> str:
        """Its caption in Markdown, place and title at its head."""
        return (ROOT / self.file("md")).read_text(encoding="utf-8").strip()

    @property
    def text(self) -> str:
        """Its caption without place and title."""
        return self.caption.removeprefix(f"**{self.result.place}. {self.result.title}.**").strip()

    @property
    def emulated(self) -> list[str]:
        """Emulated quantities that any of its rows rests on."""
        if not self.scale or "emulated" not in self.table:
            return []
        found = {word for text in self.table["emulated"] if text for word in str(text).split()}
        return sorted(found)

    @property
    def benchmarks(self) -> list[str]:
        """Labels of the benchmarks that its rows name."""
        if not self.scale or "benchmark" not in self.table:
            return []
        names = dict.fromkeys(str(name) for name in self.table["benchmark"] if name)
        return [benchmark_label(name) for name in names if name not in ("all", "real")]

    @property
    def target(self) -> str:
        """Command that makes it."""
        scale = "" if self.scale in ("", SCALES[0]) else f" --config scale={self.scale}"
        return f"snakemake -c2 {self.name.replace('/', '_')}{scale}"


def shown(root: Path = ROOT) -> dict[str, Shown]:
    """All results of all papers by name, each from the first scale that has its files in git."""
    scales = {scale: results(load(root / "config" / f"{scale}.yaml")) for scale in SCALES}
    claims = ledger(root)
    found = {}
    for name, declared in all_results().items():
        scale = next((one for one in SCALES if _complete(root / "results" / one / name)), "")
        result = scales.get(scale, {}).get(name, declared)
        mine = [entry for entry in claims if name in entry.results]
        found[name] = Shown(result, scale, Path("results", scale or SCALES[0], name), mine)
    return dict(sorted(found.items(), key=lambda item: _rank(item[1].paper)))


def _complete(stem: Path) -> bool:
    return all(stem.with_suffix(f".{kind}").is_file() for kind in ("csv", "md", "png", "svg"))


def ledger(root: Path = ROOT) -> list[Entry]:
    """Committed ledger of the first scale, paper by paper, each in the ledger's order."""
    of = {
        (paper, claim.id): tuple(_results(paper, claim))
        for paper in PAPERS
        for claim in read(paper)
    }
    path = root / "results" / SCALES[0] / "claims.csv"
    with path.open(encoding="utf-8", newline="") as file:
        entries = [
            Entry(row, of.get((row["paper"], row["id"]), ())) for row in csv.DictReader(file)
        ]
    return sorted(entries, key=lambda entry: _rank(entry.row["paper"]))


def _results(paper: str, claim: Claim) -> list[str]:
    """Results that a claim is checked against; if it is not, those of its place in the paper."""
    if claim.check is not None:
        return list(dict.fromkeys(_selected(claim.check.operands)))
    declared = all_results()
    here = (f"{paper}/{item}" for item in PAPERS[paper])
    return [name for name in here if declared[name].place == claim.place]


def _selected(operands: Any) -> Iterator[str]:
    for operand in operands:
        if isinstance(operand, Selection):
            yield operand.result
            yield from _selected(part for part in (operand.plus, operand.minus) if part)
