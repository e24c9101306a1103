"""Documentation site: its pages from results and code, and the built site in a browser."""

import csv
import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from dagnas.cli import main
from dagnas.papers import PAPERS
from dagnas.search import METHODS

pytest.importorskip("mkdocs", reason="needs the extra 'browser'")
from website import committed, hooks, links, pages, pictures, reference

ROOT = Path(__file__).parents[1]
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"


@pytest.fixture(scope="module")
def shown():
    return committed.shown()


# Links


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("README.md", "about/readme.md"),
        ("docs/papers/goal.md", "papers/goal.md"),
        ("results/desk/claims.md", "ledger.md"),
        ("results/smoke/goal/fig4.md", "results/goal/fig4.md"),
        ("results/desk/goal/fig4.png", "results/desk/goal/fig4.png"),
        ("src/dagnas/papers/goal/deviations.md", "papers/goal_deviations.md"),
        ("src/dagnas/papers/goal/claims.yaml", "source/src/dagnas/papers/goal/claims.yaml.md"),
    ],
)
def test_place_in_the_site_of_a_file_of_the_repository(path, page):
    assert links.page_of(path) == page


def test_links_lead_into_the_site_and_code_is_left_alone():
    text = (
        "[a](../../results/desk/goal/fig4.md), [`b`](../claims.md#the-rule), [c](#here), "
        "[d](https://example.org/e.md), `[f](../claims.md)`\n\n```\n[g](../claims.md)\n```\n"
    )
    changed = links.rewrite(text, "docs/papers/goal.md", links.page_of, "papers/goal.md")
    assert changed == text.replace("../../results/desk/goal/fig4.md", "../results/goal/fig4.md")
    assert links.outward(text, "docs/papers/goal.md") == {
        "results/desk/goal/fig4.md",
        "docs/claims.md",
    }


# Results and claims


def test_every_result_is_shown_from_the_first_scale_that_has_its_files(shown):
    assert set(shown) == {f"{paper}/{item}" for paper, items in PAPERS.items() for item in items}
    for name, one in shown.items():
        here = [s for s in ("desk", "smoke") if (ROOT / "results" / s / f"{name}.csv").is_file()]
        assert one.scale == (here[0] if here else "")
        if here:
            assert one.stem == Path("results", here[0], name)
            assert one.caption.startswith(f"**{one.result.place}. {one.result.title}.**")
            assert one.text in one.caption


def test_what_is_emulated_is_what_its_rows_say(shown):
    for one in shown.values():
        if one.scale and "emulated" in one.table:
            with (ROOT / one.file("csv")).open(newline="") as file:
                rows = [row["emulated"] for row in csv.DictReader(file)]
            assert one.emulated == sorted({word for row in rows for word in row.split()})
    assert shown["goal/fig4"].emulated == ["seconds", "signal", "valid"]


def test_claims_of_a_result_are_those_whose_checks_name_it(shown):
    entries = committed.ledger()
    counts = json.loads((ROOT / "results/desk/metrics.json").read_text())
    for paper, of_paper in counts.items():
        mine = Counter(e.row["status"] for e in entries if e.row["paper"] == paper)
        assert {status: mine[status] for status in of_paper} == of_paper
    by_id = {(entry.row["paper"], entry.row["id"]): entry for entry in entries}
    assert by_id["bonas", "cells-101"].results == ("bonas/table2",)
    # It is not checked, so its place in the paper tells.
    assert by_id["bonas", "table2-lstm-lanas"].results == ("bonas/table2",)
    for name, one in shown.items():
        assert [e for e in entries if name in e.results] == one.claims


def test_ledger_has_a_row_for_every_claim():
    entries = committed.ledger()
    page = pages.ledger(entries)
    assert page.count("<tr id=") == len(entries)
    for entry in entries:
        row = entry.row
        assert f'<tr id="{row["paper"]}.{row["id"]}" data-item' in page
    found = Counter(re.findall(r'data-status="([^"]+)"', page))
    assert found == Counter(entry.row["status"] for entry in entries)


def test_mean_ranks_over_real_benchmarks():
    table = pd.DataFrame(
        [
            ("one", 1.0, "a", 1.0, 5, ""),
            ("one", 1.0, "b", 2.0, 5, ""),
            ("two", 1.0, "a", 2.0, 3, ""),
            ("two", 1.0, "b", 1.0, 3, ""),
            ("three", 1.0, "a", 1.0, 9, "signal"),
            ("three", 1.0, "b", 2.0, 9, "signal"),
        ],
        columns=["benchmark", "share", "method", "rank", "n", "emulated"],
    )
    means = pages.with_real_means(table).query("benchmark == 'real'").set_index("method")
    assert means["rank"].to_dict() == {"a": 1.5, "b": 1.5}
    assert means["n"].to_dict() == {"a": 3, "b": 3}
    # Not where a benchmark lacks a method, nor where all are real.
    assert pages.with_real_means(table.iloc[:-1]).equals(table.iloc[:-1])
    real = table.iloc[:4]
    assert pages.with_real_means(real).equals(real)


# Pictures


def test_cells_are_drawn_as_by_the_command(tmp_path):
    cells = pictures.CellPictures()
    address = cells.address(CELL)
    path = tmp_path / "cell.svg"
    command = ["draw", "--space", "nasbench201", "--cell", CELL, "--out", str(path)]
    assert main(command) == 0
    assert cells.files == {address: pictures.compact(path.read_text()).encode()}
    assert cells.address(CELL, "nasbench201") == address
    assert cells.address("no cell") == ""


def test_cells_that_tables_name_are_drawn(shown):
    cells = pictures.CellPictures()
    named = pages.named_cells(shown["goal/fig2"], cells)
    assert [text for _, text, _ in named] == list(shown["goal/fig2"].table["best"])
    assert set(cells.files) == {address for _, _, address in named}


def test_best_cell_of_digits201(shown):
    import dagnas

    text, address = pages.best_cells(shown, ["digits201"], pictures.CellPictures())["digits201"]
    table = dagnas.open("digits201")
    accuracies = table.values(table.policies["goal"].test)
    (found,) = table.space.canonical(table.space.from_str([text]))
    classes = table.space.canonical(table.cells)
    assert np.isclose(accuracies[classes == found].max(), accuracies.max())
    assert address


def test_small_figures_keep_their_shape():
    from PIL import Image

    path = ROOT / "results/desk/goal/fig4.png"
    content, (width, height) = pictures.small(path)
    with Image.open(path) as image:
        assert width == pictures.WIDTH
        assert abs(width / height - image.width / image.height) < 0.01
    assert len(content) < min(100_000, path.stat().st_size)


# Methods and modules


def test_every_method_has_a_source_and_equations_that_can_be_drawn():
    functions = {METHODS.get(name).function.__name__ for name in METHODS.names()}
    known = pages.equations()
    assert set(known) >= functions
    for entry in known.values():
        assert entry["source"]
        assert entry["equations"]
        for each in entry["equations"]:
            drawing = ElementTree.fromstring(pictures.equation(each["tex"]))
            assert drawing.get("aria-label") == each["tex"]
            assert drawing[0].get("fill") == "currentColor"
            assert each["says"]


def test_settings_of_methods_are_those_that_are_listed():
    page = pages.methods()
    parts = re.split(r"^## .* \{ #(\w+) \}$", page, flags=re.MULTILINE)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    assert list(sections) == METHODS.names()
    for name, section in sections.items():
        rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.*) \|$", section, re.MULTILINE)
        settings = METHODS.get(name).settings()
        assert {key: value for key, value, _ in rows} == {k: str(v) for k, v in settings.items()}
    assert "N, random cells in the first pool" in sections["goal"]


def test_every_module_is_on_one_page():
    named = [
        name for page in reference.made().values() for name in re.findall("^::: (.+)$", page, re.M)
    ]
    files = {
        ".".join(("dagnas", *path.relative_to(reference.SOURCE).with_suffix("").parts))
        for path in reference.SOURCE.rglob("*.py")
        if path.name != "__init__.py"
    }
    assert len(named) == len(set(named))
    left = files - set(named)
    assert set(named) <= files
    assert {name.split(".")[1] for name in left} == {"cli", "papers", "__main__"}
    assert "dagnas.papers.claims.rule" in named


# The built site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly: a link that leads nowhere would end the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder


class Page(HTMLParser):
    """Links, addresses of anything that is loaded, and anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag == "link" and found.get("rel") not in ("prev", "next", "canonical"):
            self.loaded.append(found["href"])
        self.loaded += [found[key] for key in ("src", "data-picture") if found.get(key)]


@pytest.mark.slow
def test_all_that_pages_link_to_or_load_is_in_the_site(site):
    paths = sorted(site.rglob("*.html"))
    parsed = {path: Page(path) for path in paths}
    assert len(paths) > 100
    for path, page in parsed.items():
        for address in page.links + page.loaded:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https", "mailto"):
                assert address in page.links, f"{path}: {address}"
                continue
            if parts.scheme == "data":
                continue
            to = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            to = site / "index.html" if to == site else to
            if path.name == "404.html":
                to = site / unquote(parts.path).lstrip("/")
            assert to.exists(), f"{path.relative_to(site)}: {address}"
            if parts.fragment and "=" not in parts.fragment and to in parsed:
                assert unquote(parts.fragment) in parsed[to].anchors | {"__skip"}, address


def test_paths_of_small_pictures_are_short():
    svg = '<path id="a1.2345" d="M 10.123 -0.96 \nL 3 4.0001 \nz\n" style="width: 1.4567"/>'
    short = '<path id="a1.2345" d="M 10.1 -1L 3 4z\n" style="width: 1.4567"/>'
    assert pictures.compact(svg) == short


def test_pages_are_not_indented_but_what_they_quote_is():
    page = "<p>\n    a\n\n  b </p>\n  <pre><code>if c:\n    d\n</code></pre>\n  <p>e</p>"
    short = "<p>\na\nb </p>\n<pre><code>if c:\n    d\n</code></pre>\n<p>e</p>"
    assert hooks.on_post_page(page, page=None, config=None) == short


@pytest.mark.slow
def test_numbers_and_figures_are_those_in_git(site, shown):
    for one in shown.values():
        assert (site / one.page).with_suffix(".html").is_file()
        for kind in ("csv", "svg") if one.scale else ():
            assert (site / one.file(kind)).read_bytes() == (ROOT / one.file(kind)).read_bytes()
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    assert size < 30e6


# In a browser


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium of the system."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser'")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs chromium")
    with api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(site):
    """Address of the site on a server of this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def opened(browser):
    """Opens tabs, and collects what goes wrong in them."""
    contexts = []

    def open_(address, width=1440, scheme="light"):
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        )
        tab = contexts[-1].new_page()
        tab.set_default_timeout(120_000)
        tab.faults = []
        home = tuple(part for part in (address.partition("//")[2].partition("/")[0],) if part)

        def requested(request):
            parts = urlsplit(request.url)
            if parts.scheme in ("http", "https") and parts.netloc not in home:
                tab.faults.append(f"asks elsewhere: {request.url}")

        def answered(response):
            if response.status >= 400:
                tab.faults.append(f"{response.status}: {response.url}")

        def told(message):
            if message.type in ("error", "warning"):
                tab.faults.append(f"{tab.url}: {message.text}")

        tab.on("request", requested)
        tab.on("response", answered)
        tab.on("console", told)
        tab.on("pageerror", lambda error: tab.faults.append(f"{tab.url}: {error}"))
        tab.goto(address)
        return tab

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.slow
@pytest.mark.browser
def test_every_page_loads_without_errors_and_from_here_alone(site, address, opened):
    tab = opened(f"{address}/index.html", width=390)
    for path in sorted(site.rglob("*.html")):
        tab.goto(f"{address}/{path.relative_to(site).as_posix()}", wait_until="load")
        wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path.relative_to(site)} is {wide} pixels too wide for a phone"
    assert tab.faults == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("place", ["a server", "the disk"])
def test_search(place, site, address, opened):
    tab = opened(f"{address if place == 'a server' else site.as_uri()}/index.html")
    tab.locator(".md-search__input").click()
    tab.keyboard.type("hypervolume")
    result = tab.locator(".md-search-result__link").first
    result.wait_for()
    assert "hypervolume" in tab.locator(".md-search-result__list").inner_text().lower()
    assert [fault for fault in tab.faults if "asks" in fault or "Error" in fault] == []


@pytest.mark.slow
@pytest.mark.browser
def test_ledger_is_filtered_and_sorted(address, opened):
    entries = [entry.row for entry in committed.ledger()]
    tab = opened(f"{address}/ledger.html")
    rows = tab.locator("#claims tbody tr:visible")
    assert rows.count() == len(entries)

    tab.locator("[name=status]").select_option("not reproduced")
    tab.locator("[name=paper]").select_option("bonas")
    wanted = [r for r in entries if r["status"] == "not reproduced" and r["paper"] == "bonas"]
    assert rows.count() == len(wanted)
    assert tab.locator("output").inner_text() == f"{len(wanted)} claims"
    tab.locator("[name=text]").fill("LaNAS")
    texts = rows.all_inner_texts()
    assert 0 < len(texts) < len(wanted)
    assert all("lanas" in text.lower() for text in texts)

    # The address keeps what was chosen.
    again = opened(tab.url)
    assert again.locator("#claims tbody tr:visible").all_inner_texts() == texts

    tab = opened(f"{address}/ledger.html")
    tab.locator("#claims th").nth(3).click()
    verdicts = tab.locator("#claims tbody tr").evaluate_all(
        "rows => rows.map(r => r.dataset.status)"
    )
    order = ["reproduced", "undecided", "not reproduced", "not run"]
    assert verdicts == sorted(verdicts, key=order.index)
    assert tab.faults == again.faults == []


@pytest.mark.slow
@pytest.mark.browser
def test_leaderboard_is_sorted(address, opened, shown):
    table = pages.with_real_means(shown["leaderboard/rank"].table)
    tab = opened(f"{address}/ranking.html")

    def column(number):
        cells = tab.locator(f"#standing tbody tr:visible > :nth-child({number})")
        return [float(key) for key in cells.evaluate_all("all => all.map(c => c.dataset.key)")]

    ends = table[(table["share"] == 1) & (table["benchmark"] == "real")]
    assert column(2) == sorted(ends["rank"])
    tab.locator("#standing th[scope=col]").nth(3).click()
    assert column(4) == sorted(column(4))
    tab.locator("#standing th[scope=col]").nth(3).press("Enter")
    assert column(4) == sorted(column(4), reverse=True)
    tab.locator("[name=share]").select_option("0.1")
    first = table[(table["share"] == 0.1) & (table["benchmark"] == "real")]
    assert sorted(column(2)) == sorted(first["rank"])
    assert tab.faults == []


@pytest.mark.slow
@pytest.mark.browser
def test_gallery_is_filtered(address, opened, shown):
    tab = opened(f"{address}/gallery.html", scheme="dark")
    cards = tab.locator(".card:visible")
    assert cards.count() == len(shown)
    tab.locator("[name=data]").select_option("emulated")
    assert cards.count() == sum(bool(one.emulated) for one in shown.values())
    assert all("emulated" in text.lower() for text in cards.all_inner_texts())
    tab.locator("[name=data]").select_option("")
    tab.locator("[name=scale]").select_option("smoke")
    assert cards.count() == sum(one.scale == "smoke" for one in shown.values())
    assert all("smoke, in small" in text for text in cards.all_inner_texts())
    assert tab.faults == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("page", ["ranking", "results/goal/fig7"])
def test_cells_are_drawn_where_they_are_pointed_at(page, address, opened):
    tab = opened(f"{address}/{page}.html")
    name, box = tab.locator("[data-picture]").first, tab.locator(".cell-box")
    assert box.is_hidden()
    name.hover()
    box.wait_for()
    picture = box.locator("img")
    tab.wait_for_function("document.querySelector('.cell-box img').complete")
    assert picture.evaluate("image => image.naturalWidth") > 50
    assert box.locator("code").inner_text() == name.get_attribute("data-text")
    tab.mouse.move(1, 1)
    box.wait_for(state="hidden")
    name.focus()
    box.wait_for()
    tab.keyboard.press("Escape")
    box.wait_for(state="hidden")
    assert tab.faults == []


@pytest.mark.slow
@pytest.mark.browser
def test_light_and_dark(address, opened):
    tab = opened(f"{address}/index.html", scheme="dark")
    scheme = "document.body.dataset.mdColorScheme"
    assert tab.evaluate(scheme) == "slate"
    tab.locator("label[title=Light]").click()
    tab.wait_for_function(f"{scheme} === 'default'")
    assert tab.faults == []
