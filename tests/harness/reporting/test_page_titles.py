"""A report's page begins with its subject and its verdict, as text whatever a name is."""

from harness.pages.html import write_page
from harness.pages.notebook import make_notebook
from harness.reporting.make import _opened, notebook_cells
from harness.reporting.verdicts.words import NOTHING
from harness.reports import REPORTS, Contents, Step


def cells_of(name, contents):
    report = REPORTS.get(name)
    opened = _opened(report, contents)
    return notebook_cells(report, opened, False), opened.title


def test_the_first_cells_are_the_subject_or_the_reports_own_title_and_the_verdict():
    own, _ = cells_of("run", Contents(0, ""))
    assert [cell["source"] for cell in own[:2]] == [f"# {REPORTS.get('run').title}", NOTHING]
    named, _ = cells_of("run", Contents(1, "", title="CSKT on ICFG", verdicts=["It is good.", "It is not."]))
    assert [cell["source"] for cell in named[:2]] == ["# CSKT on ICFG", "It is good.\n\nIt is not."]
    silent, _ = cells_of("run", Contents(1, "", steps=[Step("", "1")]))
    assert [cell["cell_type"] for cell in silent[:2]] == ["markdown", "code"]


def test_what_shows_the_verdict_is_before_what_the_page_is_about_and_the_rest_after_it():
    contents = Contents(1, "", [Step("## Rest", "2")], answer=[Step("", "1")], about=["Run *x*"])
    cells, _ = cells_of("run", contents)
    sources = [cell["source"] for cell in cells]
    about = next(place for place, cell in enumerate(cells) if cell["metadata"].get("tags") == ["about"])
    assert sources.index("1") < about < sources.index("## Rest") < sources.index("2")
    assert REPORTS.get("run").question in sources[about]
    assert r"Run \*x\*. Made by `harness report run`." in sources[about]


def test_a_hostile_name_stays_text_in_heading_verdict_and_title(tmp_path):
    name = "<script>x</script>\n# second *heading*"
    cells, title = cells_of("sweep", Contents(1, "", title=name, verdicts=[name], about=[name]))
    heading = cells[0]["source"]
    assert "<" not in heading + cells[1]["source"]
    assert r"\# second \*heading\*" in heading
    write_page(make_notebook(cells, "own"), tmp_path / "page.html", title)
    page = (tmp_path / "page.html").read_text()
    assert "<title>&lt;script&gt;" in page
    assert "<script" not in page
    assert page.count("<h1") == 1
