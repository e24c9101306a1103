"""Hooks of MkDocs: pages made of committed results and of the code, links into the repository.

Nothing that is made here is written into the repository: all of it exists in the built site alone.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# MkDocs imports this file by its path.
sys.path.insert(0, str(ROOT))

from website import committed, links, pages, reference  # noqa: E402
from website.pictures import CellPictures, small  # noqa: E402

#: Files of the repository by their pages, where these are not in docs/.
_origins: dict[str, str] = {}
#: Line breaks with the blanks about them, and first the parts of a page where these count.
_BREAKS = re.compile(r"(<(pre|textarea|script|style)\b.*?</\2>)|\s*\n\s*", re.DOTALL)
#: Pages left out of the search: those with a search of their own or whose texts other pages have,
#: and large ones of internals.
UNSEARCHED = (
    "ledger.md",
    "gallery.md",
    "api/dagnas.search.models.md",
    "api/dagnas.pipeline.kinds.md",
    "api/dagnas.training.md",
    "api/dagnas.spaces.md",
    "api/dagnas.networks.md",
    "api/dagnas.benchmarks.md",
    "api/dagnas.search.methods.md",
    "api/dagnas.predictors.md",
    "api/dagnas.predictors.graph_vae.md",
    "api/dagnas.analysis.md",
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the navigation: papers with their results, modules, documents not named there."""
    # Builds of MkDocs are many in one process when it serves.
    _origins.clear()
    config.extra["shown"] = shown = committed.shown()
    modules = [{package: page} for package, page in reference.packages().items()]
    parts = {"(papers)": _papers(shown), "(modules)": modules, "(others)": []}
    named = set(_pages(_filled(config.nav, parts)))
    docs = Path(config.docs_dir)
    found = (path.relative_to(docs).as_posix() for path in sorted(docs.rglob("*.md")))
    if others := [page for page in found if page not in named]:
        parts["(others)"] = [{"More": others}]
    config.nav = _filled(config.nav, parts)
    return config


def _papers(shown: dict[str, committed.Shown]) -> list[Any]:
    """Sections of the papers: what is written of each, then its results."""
    sections: dict[str, list[Any]] = {}
    for one in shown.values():
        if one.paper not in sections:
            written = {
                "Overview": ("docs", f"papers/{one.paper}.md"),
                "About it": ("docs", f"{one.paper}.md"),
                "What we chose": (f"src/dagnas/papers/{one.paper}", "deviations.md"),
            }
            sections[one.paper] = [
                {title: links.page_of(f"{folder}/{name}")}
                for title, (folder, name) in written.items()
                if (ROOT / folder / name).is_file()
            ]
        sections[one.paper].append({f"{one.result.place}: {one.result.title}": one.page})
    return [{committed.paper_title(paper): pages} for paper, pages in sections.items()]


def _filled(nav: Any, parts: dict[str, list[Any]]) -> Any:
    """Navigation with lists in the place of the names of `parts`."""
    if isinstance(nav, dict):
        return {title: _filled(part, parts) for title, part in nav.items()}
    if not isinstance(nav, list):
        return nav
    filled: list[Any] = []
    for part in nav:
        known = isinstance(part, str) and part in parts
        filled += parts[part] if known else [_filled(part, parts)]
    return filled


def _pages(nav: Any) -> Iterator[str]:
    """Pages of a navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(part)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add all that is made or that lies elsewhere in the repository."""
    shown: dict[str, committed.Shown] = config.extra["shown"]
    made: dict[str, str | bytes] = {}
    cells = CellPictures()
    sizes = {}
    for one in shown.values():
        if one.scale:
            made[f"small/{one.name}.webp"], sizes[one.name] = small(ROOT / one.file("png"))
    made |= pages.made(shown, sizes, cells)
    made |= reference.made()
    made |= cells.files

    copied = {str(one.file(kind)) for one in shown.values() for kind in ("csv", "svg") if one.scale}
    copied.add(f"results/{committed.SCALES[0]}/claims.csv")
    texts = dict(links.MOVED.items())
    for file in (ROOT / "src/dagnas/papers").glob("*/deviations.md"):
        repository = file.relative_to(ROOT).as_posix()
        texts[repository] = links.page_of(repository)
    queue = [*texts, *(f"docs/{page.src_uri}" for page in files.documentation_pages())]
    for origin in queue:
        for path in sorted(links.outward(_read(origin), origin)):
            page = links.page_of(path)
            if not (ROOT / path).is_file():
                continue
            if page == path:
                copied.add(path)
            elif page.startswith("source/"):
                made.setdefault(page, pages.source(path, _read(path)))

    for origin, page in texts.items():
        made[page] = _read(origin)
        _origins[page] = origin
    for uri, content in sorted(made.items()):
        files.append(File.generated(config, uri, content=content))
    for path in sorted(copied):
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def _read(path: str) -> str:
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except OSError as error:
        raise PluginError(f"{path}: {error.strerror}") from error


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links into the repository into links of the site, and fill in what pages ask for."""
    uri = page.file.src_uri
    origin = _origins.get(uri)
    if origin is None and page.file.generated_by is None:
        origin = f"docs/{uri}"
    if uri.startswith("source/") or uri in UNSEARCHED:
        # Files of code are not what readers search for, and the index is in the site twice.
        page.meta["search"] = {"exclude": True}
    if origin is not None:
        markdown = links.rewrite(markdown, origin, links.page_of, uri)
    return pages.filled(markdown)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Leave out the indentation of a page, a sixth of it."""
    return _BREAKS.sub(lambda found: found[1] or "\n", output)


def on_post_build(config: MkDocsConfig) -> None:
    """Leave out what no reader of the site loads: source maps, search in other languages."""
    scripts = Path(config.site_dir, "assets", "javascripts")
    shutil.rmtree(scripts / "lunr", ignore_errors=True)
    for path in Path(config.site_dir, "assets").rglob("*.map"):
        path.unlink()
