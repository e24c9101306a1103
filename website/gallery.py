"""Figures of each paper, written into its page in docs/papers: `python -m website.gallery`.

A page has two comments, `BEGIN` and `END`; what stands between them is made of the committed
results and of the ledger. The README's table of claims is filled in the same way. `--check`
writes nothing and fails where a file is not as it would be made.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

from dagnas.papers.claims.rule import STATUSES
from website.committed import ROOT, SCALES, Shown, shown

BEGIN = "<!-- figures: made by `python -m website.gallery` -->"
END = "<!-- end of figures -->"
#: Folder of the pages, in the repository.
PAGES = Path("docs/papers")
LEDGER = Path("results", SCALES[0], "claims.md")
METRICS = Path("results", SCALES[0], "metrics.json")
#: Row of the README's table, by the page that it links to first.
_PAPER = re.compile(r"\| \[[^]]+\]\(docs/(?:papers/)?(\w+)\.md\)")
_PART = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)


def gallery(
    paper: str, results: dict[str, Shown], counts: dict[str, dict[str, int]], page: Path
) -> str:
    """Markdown of a paper's figures at the desk, and of what the desk has not made.

    Parameters
    ----------
    paper : str
        Such as "goal".
    results : dict of str to Shown
    counts : dict of str to dict of str to int
        Claims by paper and status.
    page : Path
        The page that links are relative to, in the repository.
    """
    mine = [one for one in results.values() if one.paper == paper]
    made = [one for one in mine if one.scale == SCALES[0]]
    parts = [""]
    if statuses := counts.get(paper):
        words = ", ".join(f"{statuses[status]} {status}" for status in STATUSES)
        parts.append(f"{sum(statuses.values())} {_link('claims', LEDGER, page)}: {words}.\n")
    parts += [_figure(one, page) for one in made]
    if rest := [one for one in mine if one not in made]:
        parts += ["### Not made at the desk yet\n", *(_line(one, page) for one in rest), ""]
    return "\n".join(parts)


def _figure(one: Shown, page: Path) -> str:
    title = f"{one.result.place}: {one.result.title}"
    facts = [f"`{one.target}`", _link("numbers", one.file("csv"), page)]
    facts += [_link("SVG", one.file("svg"), page), _claims(one, page)]
    if one.emulated:
        facts.append(f"emulated in part: {', '.join(one.emulated)}")
    picture = _link(one.result.title, one.file("png"), page)
    heading = f"### {_link(title, one.file('md'), page)}"
    return f"{heading}\n\n!{picture}\n\n{one.text}\n\n{' · '.join(facts)}\n"


def _line(one: Shown, page: Path) -> str:
    small = f", {_link('in small', one.file('md'), page)}" if one.scale else ""
    target = f"`snakemake -c2 {one.name.replace('/', '_')}`"
    return f"- {one.result.place}: {one.result.title} ({target}{small}), {_claims(one, page)}"


def _claims(one: Shown, page: Path) -> str:
    counts = Counter(entry.row["status"] for entry in one.claims)
    words = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    return f"claims: {_link(words, LEDGER, page)}" if words else "no claims"


def _link(words: str, target: Path, page: Path) -> str:
    return f"[{words}]({os.path.relpath(target, page.parent)})"


def filled(text: str, part: str) -> str:
    """Page with another part between the comments; as it is where it has none."""
    return _PART.sub(lambda _: part, text)


def counted(text: str, counts: dict[str, dict[str, int]]) -> str:
    """README with the numbers of claims in its rows, which link to a page of the paper's name.

    A row's last column has the numbers of claims in the order of STATUSES.
    """
    lines = []
    for line in text.splitlines(keepends=True):
        paper = _PAPER.match(line)
        if paper and paper[1] in counts:
            numbers = " / ".join(str(counts[paper[1]][status]) for status in STATUSES)
            line = line.rstrip(" |\n").rpartition("|")[0] + f"| {numbers} |\n"
        lines.append(line)
    return "".join(lines)


def made() -> dict[Path, str]:
    """Files as they should be, by path in the repository."""
    results = shown()
    counts = json.loads((ROOT / METRICS).read_text(encoding="utf-8"))
    found = {}
    for paper in dict.fromkeys(one.paper for one in results.values()):
        page = PAGES / f"{paper}.md"
        if (ROOT / page).is_file():
            text = (ROOT / page).read_text(encoding="utf-8")
            found[page] = filled(text, gallery(paper, results, counts, page))
    readme = Path("README.md")
    found[readme] = counted((ROOT / readme).read_text(encoding="utf-8"), counts)
    return found


def changed() -> dict[Path, str]:
    """Those of `made` that are otherwise now."""
    return {
        page: text
        for page, text in made().items()
        if text != (ROOT / page).read_text(encoding="utf-8")
    }


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if any differs")
    check = parser.parse_args().check
    stale = changed()
    for page, text in stale.items():
        print(f"{page}: {'not as it would be made' if check else 'written'}")
        if not check:
            (ROOT / page).write_text(text, encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
