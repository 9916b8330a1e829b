"""A page shows tables and figures; code and raw data are behind one switch, and each heading can be linked to."""

import re
from html.parser import HTMLParser

import nbformat
import pytest
from pandas import DataFrame

from harness.pages.html import ABOUT, write_page
from harness.pages.notebook import code_cell, make_notebook, markdown_cell
from harness.pages.tables import Table

FRAME = DataFrame({"a": [1]})


def output(**data):
    return nbformat.v4.new_output(
        "execute_result", {key.replace("_", "/"): value for key, value in data.items()}
    )


@pytest.fixture
def page(tmp_path):
    """Return a function that writes a page of cells, and the text of it."""

    def written(*cells, title="t"):
        write_page(make_notebook(list(cells), title), tmp_path / "x.html", made="a day")
        return (tmp_path / "x.html").read_text()

    return written


def cell(source, *outputs):
    made = code_cell(source)
    made["outputs"] = list(outputs)
    return made


class Places(HTMLParser):
    """Collects texts and pictures, with whether each stands inside of what the switch shows."""

    def __init__(self, text):
        super().__init__()
        self.inside, self.hidden, self.shown = [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "div":
            self.inside.append("code" in (dict(attributes).get("class") or "").split())
        self.handle_data(str(attributes))

    def handle_endtag(self, tag):
        if tag == "div":
            self.inside.pop()

    def handle_data(self, text):
        if any(self.inside):
            self.hidden += text
        else:
            self.shown += text


def test_code_and_raw_data_are_behind_the_one_switch_and_tables_and_figures_are_not(page):
    table = Table("x", "the table", FRAME, FRAME.astype(str))
    text = page(
        markdown_cell("# t"),
        markdown_cell("words", ABOUT),
        cell("secret_code = 1", output(text_html=table._repr_html_(), text_plain="x")),
        cell("a", output(text_html=FRAME._repr_html_(), text_plain="raw_frame")),
        cell(
            "b", output(text_plain="{'raw': 'mapping'}"), nbformat.v4.new_output("stream", text="said_aloud")
        ),
        cell("c", output(image_png="AAAA", text_plain="a figure")),
    )
    assert text.count('type="checkbox"') == 1
    assert text.count("<details") == 0
    found = Places(text)
    for word in ("secret_code", "dataframe", "mapping", "said_aloud"):
        assert word in found.hidden
        assert word not in found.shown
    for word in ("the table", "data:image/png", "words"):
        assert word in found.shown
        assert word not in found.hidden
    assert ".code { display: none;" in text
    assert "main:has(#show-code:checked) .code { display: block; }" in text


def test_a_page_of_words_alone_has_no_switch(page):
    assert "checkbox" not in page(markdown_cell("# t"), markdown_cell("words", ABOUT))


def test_each_table_has_a_scroll_box(page):
    table = Table("x", "the table", FRAME, FRAME.astype(str))
    text = page(*(cell("a", output(text_html=table._repr_html_())) for _ in range(3)))
    assert text.count("<table") == text.count('<div class="scroll" tabindex="0"><table') == 3
    assert ".scroll { overflow-x: auto;" in text


def test_contents_name_each_heading_once_and_every_link_has_a_place(page):
    text = page(
        markdown_cell("# t"),
        markdown_cell("words", ABOUT),
        *[
            markdown_cell("## Ranks & <b>x</b>"),
            markdown_cell("### Figure"),
            markdown_cell("## Ranks & <b>x</b>"),
        ],
        markdown_cell("### Figure"),
    )
    contents = re.search(r"<nav.*?</nav>", text, re.DOTALL)[0]
    links = re.findall(r'href="#([^"]*)"', contents)
    assert len(links) == len(set(links)) == 4
    assert all(text.count(f'id="{link}"') == 1 for link in links)
    assert contents.count("<li>") == 2
    assert (
        text.index("words")
        < text.index("This page was made on a day.")
        < text.index("<nav")
        < text.index("<h2")
    )


def test_the_page_forbids_scripts_and_escapes_its_title(page):
    text = page(cell("x = '<b>'"), title="<i>title")
    assert "<title>&lt;i&gt;title</title>" in text
    assert "default-src 'none'" in text
    assert "<b>" not in text
    assert not re.search(r"<script|https?://|@import", text)
