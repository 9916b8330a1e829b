"""A report's page is titled by its subject, as text whatever the subject's name is."""

from harness.pages.html import write_page
from harness.pages.notebook import make_notebook
from harness.reporting.make import notebook_cells
from harness.reports import REPORTS, Contents


def test_the_first_cell_is_headed_by_the_subject_and_else_by_the_reports_own_title():
    report = REPORTS.get("run")
    own, named = (notebook_cells(report, [], False, title)[0]["source"] for title in ("", "cskt-icfg-1a2b"))
    assert own.startswith(f"# {report.title}\n\n{report.question}")
    assert named.startswith(f"# cskt-icfg-1a2b\n\n{report.question}")
    assert Contents(0, "").title == ""


def test_a_hostile_name_stays_text_in_heading_and_title(tmp_path):
    name = "<script>x</script>\n# second *heading*"
    cells = notebook_cells(REPORTS.get("sweep"), [], False, name)
    heading = cells[0]["source"].splitlines()[0]
    assert "<" not in heading
    assert r"\# second \*heading\*" in heading
    write_page(make_notebook(cells, "own"), tmp_path / "page.html", name)
    page = (tmp_path / "page.html").read_text()
    assert "<title>&lt;script&gt;" in page
    assert "<script" not in page
