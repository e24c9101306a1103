"""Pages made when the site is built: gallery, ledger, leaderboard, results, methods."""

from __future__ import annotations

import html
import inspect
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import markdown as markdown_package  # type: ignore[import-untyped]
import pandas as pd
import yaml
from griffe import Docstring, DocstringSectionKind, Parser
from markupsafe import Markup

import dagnas
from dagnas.drawing.style import METHODS as LOOKS
from dagnas.drawing.style import SPARE, benchmark_label
from dagnas.errors import DagnasError
from dagnas.papers.claims.rule import STATUSES
from dagnas.search import METHODS
from dagnas.search.method import Method
from website import committed, links, reference
from website.committed import Entry, Shown
from website.pictures import CellPictures, equation

HERE = Path(__file__).parent
#: Tables of at most so many rows are shown on the page of their result.
ROWS = 60
#: Columns that hold cells.
CELLS = ("cell", "best")
#: Rows of the leaderboard over several benchmarks.
MEANS = {"real": "real benchmarks", "all": "all benchmarks"}


def _inline(text: str) -> str:
    """One paragraph of Markdown as HTML."""
    page: str = markdown_package.markdown(text)
    return page.removeprefix("<p>").removesuffix("</p>")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = lambda text: Markup(_inline(text))
    environment.globals["paper_title"] = committed.paper_title
    return environment


def _render(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(**values)


def made(
    shown: Mapping[str, Shown], sizes: Mapping[str, tuple[int, int]], cells: CellPictures
) -> dict[str, str]:
    """Pages by their addresses.

    Parameters
    ----------
    shown : mapping of str to Shown
    sizes : mapping of str to (int, int)
        Width and height of the small figures, pixels.
    cells : CellPictures
        Takes in the pictures of the cells that pages name.
    """
    entries = committed.ledger()
    found = {
        "gallery.md": _render(
            "gallery.md",
            # What is not made yet comes last.
            shown=sorted(shown.values(), key=lambda one: not one.scale),
            sizes=sizes,
            papers=list(dict.fromkeys(one.paper for one in shown.values())),
            statuses=STATUSES,
        ),
        "ledger.md": ledger(entries),
        "ranking.md": ranking(shown, cells),
        "methods.md": methods(),
    }
    order = list(shown.values())
    for at, one in enumerate(order):
        found[one.page] = _render(
            "result.md",
            one=one,
            cells=named_cells(one, cells),
            table=small_table(one, cells),
            before=order[at - 1] if at else None,
            after=order[at + 1] if at + 1 < len(order) else None,
            counts=Counter(entry.row["status"] for entry in one.claims),
            statuses=STATUSES,
        )
    return found


# Results


def named_cells(one: Shown, cells: CellPictures) -> list[tuple[str, str, str]]:
    """Cells that a result's table names: words, text and address of the picture, each cell once."""
    if not one.scale:
        return []
    found: dict[str, tuple[str, str, str]] = {}
    for row in one.table.to_dict("records"):
        for column in CELLS:
            text = row.get(column)
            if not isinstance(text, str) or not text:
                continue
            if address := cells.address(text, str(row.get("space", ""))):
                found.setdefault(address, (_about(row), text, address))
    return list(found.values())


def _about(row: Mapping[Any, Any]) -> str:
    """What tells a row with a cell from the others, in a few words."""
    words = []
    for column in ("cell_of", "space", "method", "trial", "rank", "step"):
        value = row.get(column, "")
        if value != "" and not pd.isna(value):
            number = isinstance(value, float) and value.is_integer()
            words.append(f"{column.replace('_', ' ')} {int(value) if number else value}")
    return ", ".join(words)


def small_table(one: Shown, cells: CellPictures) -> list[dict[str, tuple[str, str, str]]]:
    """Rows of a result's table, if they are few: text, key to sort by and picture, by column."""
    if not one.scale or len(one.table) > ROWS:
        return []
    rows = []
    for row in one.table.to_dict("records"):
        line = {}
        for column, value in row.items():
            picture = ""
            if column in CELLS and isinstance(value, str) and value:
                picture = cells.address(value, str(row.get("space", "")))
            line[str(column)] = (_text(value), _key(value), picture)
        rows.append(line)
    return rows


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:g}"
    return str(value)


def _key(value: Any) -> str:
    """Key that a column is sorted by: numbers as numbers, what is missing last."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return "" if pd.isna(value) else repr(float(value))


# Ledger


def ledger(entries: list[Entry]) -> str:
    """Page of all claims, each with its verdict."""
    papers = list(dict.fromkeys(entry.row["paper"] for entry in entries))
    deviations = {
        paper: links.page_of(f"src/dagnas/papers/{paper}/deviations.md").replace(".md", ".html")
        for paper in papers
    }
    return _render(
        "ledger.md",
        entries=entries,
        papers=papers,
        statuses=STATUSES,
        counts=Counter(entry.row["status"] for entry in entries),
        deviations=deviations,
        scale=committed.SCALES[0],
    )


def verdicts(entries: list[Entry]) -> str:
    """Bars of verdicts by paper, for the first page."""
    papers: dict[str, Counter[str]] = {}
    for entry in entries:
        papers.setdefault(entry.row["paper"], Counter())[entry.row["status"]] += 1
    return _render("verdicts.html", papers=papers, statuses=STATUSES)


# Leaderboard


def ranking(shown: Mapping[str, Shown], cells: CellPictures) -> str:
    """Page of the leaderboard as a table to be sorted."""
    one = shown["leaderboard/rank"]
    if not one.scale:
        return "# Leaderboard\n\nNo scale whose results are in git has made it yet.\n"
    table = with_real_means(one.table)
    benchmarks = [name for name in table["benchmark"].unique() if name not in MEANS]
    columns = [name for name in MEANS if name in set(table["benchmark"])] + benchmarks
    marked = {
        name: " ".join(sorted({str(text) for text in part["emulated"] if text}))
        for name, part in table.groupby("benchmark", sort=False)
    }
    methods = list(table["method"].unique())
    rows = []
    for (share, method), part in table.groupby(["share", "method"], sort=False):
        by = {str(row["benchmark"]): row for row in part.to_dict("records")}
        rows.append((share, _look(str(method)), by))
    trials = {name: int(table.loc[table["benchmark"] == name, "n"].min()) for name in benchmarks}
    return _render(
        "ranking.md",
        one=one,
        rows=rows,
        shares=sorted(table["share"].unique(), reverse=True),
        columns=columns,
        means=MEANS,
        marked=marked,
        trials=trials,
        label=benchmark_label,
        best=best_cells(shown, benchmarks, cells),
        count=len(methods),
        means_only="real" not in set(one.table["benchmark"]) and "real" in columns,
    )


def with_real_means(table: pd.DataFrame) -> pd.DataFrame:
    """Leaderboard with mean ranks over the real benchmarks, which older tables lack.

    They are means of the ranks on each benchmark. That is what rows `real` hold where all
    benchmarks have all methods; otherwise none are added.
    """
    if "real" in set(table["benchmark"]):
        return table
    alone = table[~table["benchmark"].isin(list(MEANS))]
    real = alone[alone["emulated"].fillna("") == ""]
    everywhere = alone.groupby("method")["benchmark"].nunique() == alone["benchmark"].nunique()
    if real["benchmark"].nunique() == alone["benchmark"].nunique() or not everywhere.all():
        return table
    means = real.groupby(["share", "method"], sort=False).agg(rank=("rank", "mean"), n=("n", "min"))
    means = means.reset_index().assign(benchmark="real", emulated="")
    return pd.concat([table, means], ignore_index=True)


def best_cells(
    shown: Mapping[str, Shown], benchmarks: list[str], cells: CellPictures
) -> dict[str, tuple[str, str]]:
    """Text and picture of the cell of the best mean test accuracy, by benchmark.

    From figure 2 of GOAL, and from the tables that ship with the package.
    """
    found = {}
    if (figure := shown["goal/fig2"]).scale:
        for row in figure.table.to_dict("records"):
            found[row["benchmark"]] = (row["space"], row["best"])
    if "digits201" in benchmarks and "digits201" not in found:
        table = dagnas.open("digits201")
        best = table.values(table.policies["goal"].test).round(9).argmax()
        found["digits201"] = (table.space.name, table.space.to_str(table.cells[best])[0])
    return {
        name: (text, cells.address(text, space))
        for name, (space, text) in found.items()
        if name in benchmarks
    }


def _look(method: str) -> tuple[str, str, str]:
    """Name, label and colour of a method."""
    if method in LOOKS:
        return method, LOOKS[method].label, LOOKS[method].colour
    try:
        own: Method | None = METHODS.get(method)
    except DagnasError:
        own = None
    label, colour = (own.label, own.colour) if own else ("", "")
    return method, label or method, colour or SPARE[0]


# Methods


def equations() -> dict[str, Any]:
    """Sources and equations of methods, by the names of their functions."""
    found: dict[str, Any] = yaml.safe_load((HERE / "methods.yaml").read_text(encoding="utf-8"))
    return found


def methods() -> str:
    """Page of all search methods: equations, source, settings with defaults."""
    known = equations()
    described = []
    for name in METHODS.names():
        method = METHODS.get(name)
        function = method.function
        entry = known.get(function.__name__, {"source": "", "equations": []})
        _, label, colour = _look(name)
        words, settings = _documented(function)
        described.append(
            {
                "name": name,
                "label": label,
                "colour": colour,
                "words": words,
                "source": entry["source"],
                "equations": [
                    (Markup(equation(each["tex"])), each["says"]) for each in entry["equations"]
                ],
                "settings": [
                    (key, default, settings.get(key, ""))
                    for key, default in method.settings().items()
                ],
                "per_space": method.per_space,
                "preset": method.preset,
                "kinds": method.kinds(),
                "reference": f"{method.module}.{function.__name__}",
                "variant_of": function.__name__ if function.__name__ != name else "",
            }
        )
    return _render("methods.md", methods=described)


def _documented(function: Any) -> tuple[str, dict[str, str]]:
    """Docstring's words before its parameters, and what it says of each parameter."""
    docstring = Docstring(inspect.getdoc(function) or "")
    words, settings = "", {}
    for section in docstring.parse(Parser.numpy, warnings=False):
        if section.kind is DocstringSectionKind.text and not words:
            words = section.value
        elif section.kind is DocstringSectionKind.parameters:
            for parameter in section.value:
                settings[parameter.name] = _plain(parameter.description)
    return _plain(words), settings


def _plain(text: str) -> str:
    """Markdown of a docstring, with double backticks made single."""
    return re.sub(r"``(.*?)``", r"`\1`", text.strip())


# Pages of docs/ and of code


def filled(markdown: str) -> str:
    """Markdown with what is made in the place of <!-- verdicts --> and <!-- names -->."""
    if (mark := "<!-- verdicts -->") in markdown:
        markdown = markdown.replace(mark, verdicts(committed.ledger()))
    if (mark := "<!-- names -->") in markdown:
        markdown = markdown.replace(mark, _render("names.md", names=reference.names()))
    return markdown


def source(path: str, text: str) -> str:
    """Page that shows a file of the repository."""
    kind = {".py": "python", ".yaml": "yaml", ".toml": "toml"}.get(Path(path).suffix, "text")
    return (
        f"# {path}\n\n<pre><code>{html.escape(text)}</code></pre>\n"
        if kind == "text"
        else (f"# {path}\n\n````{kind}\n{text}\n````\n")
    )
