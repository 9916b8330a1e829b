"""The site of a board: built whole or not at all, the same bytes each time, escaped, looked at in a browser."""

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.board import site
from harness.board.pages import Cell, Frame, facts, page_name, table
from harness.board.site import build_board
from harness.errors import DataError, UsageError
from tests.browser import Page, browser

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "board"
WIDTHS = (390, 820, 1400)
PAGES = ("index.html", "runs.html", "about.html", "protocol/icfg-twin-tiny.html", "method/cskt.html")


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.styled = [], []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src")]
        self.styled += [tag for name, _ in attrs if name == "style" or name.startswith("on")]


def test_every_link_leads_to_a_file_of_the_site_and_none_elsewhere(built):
    done, out = built
    assert done.runs == 6
    pages = sorted(out.rglob("*.html"))
    assert len(pages) == 3 + 2 + 4 + 6
    for page in pages:
        links = _Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert links.styled == []
        assert len(links.found) > 4
        for address in links.found:
            assert not re.match(r"[a-z]+:|//", address), address
            assert (page.parent / address.partition("#")[0]).is_file(), address


def test_the_same_bundles_give_the_same_bytes_and_replace_the_site(built, tmp_path):
    out = tmp_path / "site"
    shutil.copytree(built[1], out)
    (out / "index.html").write_text("old")
    build_board(EXAMPLE, out)
    one, other = (
        {f.relative_to(root): f.read_bytes() for f in root.rglob("*") if f.is_file()}
        for root in (out, built[1])
    )
    assert one == other
    assert [entry.name for entry in tmp_path.iterdir()] == ["site"]


def test_a_folder_of_others_is_refused(built, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match=r"mine\.txt, which no board built"):
        build_board(EXAMPLE, tmp_path)
    out = tmp_path / "site"
    shutil.copytree(built[1], out)
    (out / "CNAME").write_text("x")
    with pytest.raises(UsageError, match="CNAME"):
        build_board(EXAMPLE, out)
    (tmp_path / "link").symlink_to(out)
    for place in (tmp_path / "link", tmp_path / "mine.txt"):
        with pytest.raises(UsageError, match="is no folder"):
            build_board(EXAMPLE, place)
    with pytest.raises(UsageError, match="holds the board itself"):
        build_board(EXAMPLE, EXAMPLE.parent)


def _small(tmp_path):
    folder = tmp_path / "board"
    (folder / "bundles").mkdir(parents=True)
    shutil.copy(EXAMPLE / "board.yaml", folder)
    shutil.copy(EXAMPLE / "bundles" / "colour-words.zip", folder / "bundles")
    return folder


def test_a_board_at_fault_leaves_the_site_as_it_was(tmp_path):
    folder, out = _small(tmp_path), tmp_path / "site"
    build_board(folder, out)
    before = (out / "index.html").read_bytes()
    (folder / "bundles" / "more.zip").write_bytes(b"x")
    with pytest.raises(DataError, match=r"Nothing was built, for .* has 1 fault: bundles/more\.zip"):
        build_board(folder, out)
    assert (out / "index.html").read_bytes() == before


def test_a_build_that_breaks_leaves_the_site_as_it_was(tmp_path, monkeypatch):
    folder, out = _small(tmp_path), tmp_path / "site"
    build_board(folder, out)
    before = sorted(tmp_path.rglob("*"))

    def breaks(*given):
        raise OSError("broken")

    monkeypatch.setattr(site.shutil, "copyfile", breaks)
    with pytest.raises(OSError, match="broken"):
        build_board(folder, out)
    assert sorted(tmp_path.rglob("*")) == before


def test_hostile_text_is_escaped():
    hostile = "<script>alert(1)</script>\"'"
    page = Frame(hostile, hostile).page(hostile, facts({hostile: hostile}))
    page += table((hostile,), [[Cell("x", hostile)]])
    assert "<script>alert" not in page
    assert 'data-sort="&lt;script&gt;' in page
    assert os.sep not in page_name("../../etc/passwd")
    assert page_name("A") != page_name("a")


needs_browser = pytest.mark.skipif(browser() is None, reason="needs a Chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    found = Page(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


def _open(page, file, width):
    page.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    page.ask("Page.navigate", url=file.as_uri())
    page.until(f"document.readyState == 'complete' && location.href.endsWith('{file.name}')")


@needs_browser
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_scrolls_sideways_or_asks_other_hosts(built, page, width):
    for name in PAGES:
        _open(page, built[1] / name, width)
        assert page.value("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.value("document.querySelectorAll('th button').length") > 0, name
        asked = page.value("performance.getEntriesByType('resource').map(one => one.name).join(' ')")
        assert {one.split("://")[0] for one in asked.split()} <= {"file"}, asked


@needs_browser
def test_light_and_dark_follow_the_reader(built, page, tmp_path):
    _open(page, built[1] / "index.html", 820)
    seen = []
    for dark in (False, True):
        page.look(tmp_path / "page.png", 820, 900, dark=dark)
        seen.append(page.value("getComputedStyle(document.body).backgroundColor"))
    assert seen == ["rgb(255, 255, 255)", "rgb(21, 24, 27)"]


@needs_browser
def test_tables_sort_by_a_click_and_rows_are_found(built, page):
    _open(page, built[1] / "runs.html", 1400)
    rows = "[...document.querySelectorAll('tbody tr')].filter(row => !row.hidden)"
    r1 = f"{rows}.map(row => Number(row.cells[5].dataset.sort))"
    page.value("document.querySelectorAll('th button')[5].click()")
    up = page.value(r1)
    assert len(up) == 6
    assert up == sorted(up)
    assert len(set(up)) > 3
    page.value("document.querySelectorAll('th button')[5].click()")
    assert page.value(r1) == sorted(up, reverse=True)
    page.value(
        "const box = document.querySelector('#find'); box.value = 'CSKT'; box.dispatchEvent(new Event('input'))"
    )
    assert page.value(f"{r1}.length") == 2
    assert page.value("document.querySelector('.find span').textContent") == "2 of 6 rows"


@needs_browser
def test_it_is_read_without_scripts(built, page):
    page.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        _open(page, built[1] / "runs.html", 820)
        assert page.value("document.querySelectorAll('th button, #find').length") == 0
        assert "colour_words" in page.value("document.querySelector('table').innerText")
    finally:
        page.ask("Emulation.setScriptExecutionDisabled", value=False)
