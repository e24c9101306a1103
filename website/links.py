"""Links of Markdown files into the repository, turned into links of the site."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path

#: Pages that come from elsewhere than docs/: address in the site by path in the repository.
MOVED = {
    "README.md": "about/readme.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "CHANGELOG.md": "about/changes.md",
    "LICENSE": "about/license.md",
}
_FENCED = re.compile(r"(^ *```.*?^ *```[^\n]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s#]*)(#[^)\s]*)?(\))")


def page_of(path: str, papers: str = r"\w+") -> str:
    """Page or file of the site that stands for a file of the repository, "" for a folder.

    Results become their pages whatever their scale, the ledger its table, code a page that
    shows it.
    """
    if path in MOVED:
        return MOVED[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if re.fullmatch(r"results/\w+/claims\.(md|csv)", path):
        return "ledger.md"
    if found := re.fullmatch(rf"results/\w+/({papers}/\w+)\.md", path):
        return f"results/{found[1]}.md"
    if found := re.fullmatch(rf"src/dagnas/papers/({papers})/deviations\.md", path):
        return f"papers/{found[1]}_deviations.md"
    if Path(path).suffix in {".png", ".svg", ".csv"}:
        return path
    return f"source/{path}.md"


def outward(markdown: str, origin: str) -> set[str]:
    """Files of the repository that a Markdown file links to, by path in the repository."""
    found: set[str] = set()

    def note(path: str) -> str:
        found.add(path)
        return path

    rewrite(markdown, origin, note)
    return found


def rewrite(markdown: str, origin: str, place: Callable[[str], str], here: str = "") -> str:
    """Markdown with other links; code is left alone.

    Parameters
    ----------
    markdown : str
    origin : str
        Path of the file in the repository.
    place : callable
        Gives the address in the site of a path in the repository.
    here : str
        Address in the site of the page itself.
    """

    def one(link: re.Match[str]) -> str:
        start, target, anchor, end = link.groups()
        if not target or ":" in target:
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        # The site has each figure once, as SVG; text files of the repository show the PNG.
        if path.startswith("results/") and path.endswith(".png"):
            path = path.removesuffix("png") + "svg"
        address = os.path.relpath(place(path), posixpath.dirname(here) or ".")
        return f"{start}{address}{anchor or ''}{end}"

    parts = _FENCED.split(markdown)
    # Every second part is code.
    return "".join(part if at % 2 else _LINK.sub(one, part) for at, part in enumerate(parts))
