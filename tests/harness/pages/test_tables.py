import csv
import io
import re
import subprocess
from html.parser import HTMLParser
from shutil import which

import pytest
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pandas import DataFrame

from harness.pages.escaping import csv_cell, html_text, latex_text, markdown_text, safe_stem, visible
from harness.pages.tables import DASH, MARK, Table, count_text, interval_text, marked, p_text

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    r"\input{/etc/passwd} $x_1^2$ 50% #1 & ~ {",
    '=HYPERLINK("http://x")',
    "a|b\nc | d",
    "[click](javascript:alert(1)) ![x](y) `code` **bold** _em_",
    "\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\u202egnp.exe",
    "人 walks",
]


@pytest.fixture
def hostile_table():
    cells = DataFrame({"method": HOSTILE, "<b>R@1</b>|$": ["1.0 [0.5, 1.5]"] * len(HOSTILE)})
    values = DataFrame({"method": HOSTILE, "=R1": [-1.0] * len(HOSTILE)})
    return Table("../../x", HOSTILE[0], values, cells, notes=(HOSTILE[2],), faint=frozenset({1}))


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def read(html):
    parser = Tags()
    parser.feed(html)
    return parser


def test_html_shows_hostile_text_and_holds_no_tag_of_it(hostile_table):
    page = read(hostile_table._repr_html_())
    assert {tag for tag, _ in page.tags} == {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert all(set(attributes) <= {"class", "style", "tabindex"} for _, attributes in page.tags)
    assert HOSTILE[0] in page.text
    assert HOSTILE[1] in page.text
    assert sum(tag == "td" for tag, _ in page.tags) == 2 * len(HOSTILE)


def test_markdown_keeps_its_grid_and_renders_hostile_text_as_text(hostile_table):
    page = read(markdown2html_mistune(hostile_table.markdown()))
    assert {tag for tag, _ in page.tags} <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert sum(tag == "tr" for tag, _ in page.tags) == 1 + len(HOSTILE)
    assert sum(tag == "td" for tag, _ in page.tags) == 2 * len(HOSTILE)
    text = "".join(page.text)
    assert "[click](javascript:alert(1)) ![x](y) `code` **bold** _em_" in text
    assert "a|b c | d" in text


def test_csv_reads_back_and_has_no_formula(hostile_table):
    rows = list(csv.reader(io.StringIO(hostile_table.csv())))
    assert rows[0] == ["method", "'=R1"]
    assert len(rows) == 1 + len(HOSTILE)
    assert all(not row[0].lstrip().startswith(("=", "+", "-", "@")) for row in rows)
    assert rows[1][1] == "-1.0"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r@", " ="])
def test_text_that_starts_like_a_formula_is_quoted(start):
    cell = csv_cell(f"{start}1+1")
    assert cell.startswith("'")


def test_latex_has_only_its_own_commands(hostile_table):
    text = hostile_table.latex()
    known = set(re.findall(r"\\([A-Za-z]+)", Table("x", "x", DataFrame(), DataFrame({"a": []})).latex()))
    made = {
        *("textbackslash", "textless", "textgreater", "textbar", "textasciitilde", "textasciicircum"),
        *("texttt", "char", "textasciigrave", "textcolor", "midrule", "smallskip", "footnotesize", "par"),
    }
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= known | made
    assert "[U+4EBA] walks" in text
    bare = re.sub(r"\\[{}$&#_%]|\\[A-Za-z]+", "", text)
    assert bare.count("{") == bare.count("}")
    assert not set(bare) & {"$", "#", "_", "^", "~"}


@pytest.mark.parametrize("character", list('\\{}$&#^_~%<>|"`') + list("–−×→†‡§·±≤≥…"))
def test_each_special_character_is_spelt_for_latex(character):
    spelt = latex_text(character)
    assert spelt.isascii()
    assert spelt != character


@pytest.mark.skipif(which("pdflatex") is None, reason="no LaTeX on this machine")
@pytest.mark.slow
def test_latex_compiles(hostile_table, tmp_path):
    letters = DataFrame(
        {"all": ["".join(map(chr, [*range(32, 127), *range(160, 384), 0x2013, 0x4EBA, 0x1F600]))]}
    )
    text = hostile_table.latex() + Table("x", "–−×→†‡§·±≤≥…", letters, letters).latex()
    body = "\\documentclass{article}\\usepackage{booktabs,graphicx,xcolor}\\begin{document}%s\\end{document}"
    (tmp_path / "x.tex").write_text(body % text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_mark_of_persons_only_stands_in_every_form_of_a_table_and_in_its_notes():
    cells = DataFrame({"rank": [marked("1–2", True)], "p": [p_text(0.01, True)], "place": [marked("", True)]})
    table = Table("x", "x", DataFrame({"persons_only": [True]}), cells, notes=(f"{MARK} persons only.",))
    assert read(table._repr_html_()).text[-3:] == ["1–2†", "0.01†", "† persons only."]
    page = read(markdown2html_mistune(table.markdown()))
    assert {"1–2†", "0.01†", "† persons only."} <= set(page.text)
    assert r"1--2\textdagger{} & 0.01\textdagger{} &  \\" in table.latex()
    assert r"\textdagger{} persons only." in table.latex()
    assert table.csv() == "persons_only\nTrue\n"
    assert [p_text(0.01), p_text(float("nan"), True), marked("1", False)] == ["0.01", DASH, "1"]


def test_terminal_codes_and_turned_text_are_dropped():
    assert visible("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\u202egnp.exe") == "red linkgnp.exe"
    assert html_text("a\x00b") == "ab"


def test_ordinary_names_stay_readable_in_markdown():
    assert markdown_text("full_finetune, 61.8 [60.4, 63.1]") == "full_finetune, 61.8 [60.4, 63.1]"


def test_greyed_rows_are_marked_in_html_and_latex(hostile_table):
    assert hostile_table._repr_html_().count("<tr style=") == 1
    assert hostile_table.latex().count(r"\textcolor{gray}") == 2


def test_files_land_in_the_folder_whatever_the_name(hostile_table, tmp_path):
    assert hostile_table.save(tmp_path / "tables") is hostile_table
    assert sorted(file.name for file in tmp_path.rglob("*.*")) == ["x.csv", "x.md", "x.tex"]
    assert safe_stem("..") == "table"


def test_values_become_json_without_not_a_number():
    table = Table("x", "x", DataFrame({"a": [1.0, None]}), DataFrame({"a": ["1", "–"]}))
    assert table.as_dict()["rows"] == [{"a": 1.0}, {"a": None}]


def test_figures_are_cut_to_one_digit_and_missing_ones_are_dashes():
    assert interval_text(61.84, 60.4, 63.14) == "61.8 [60.4, 63.1]"
    assert interval_text(61.84, None, 63.1) == "61.8"
    assert interval_text(float("nan"), 1, 2) == "–"
    assert count_text(None) == "–"


@pytest.mark.parametrize("character", "öóèñçåÉłß")
def test_letters_that_latex_can_make_stay_letters(character):
    assert latex_text(f"a{character}b") == f"a{character}b"


@pytest.mark.parametrize("character", "人ӧ🙂")
def test_letters_that_latex_cannot_make_are_named_by_their_number(character):
    assert latex_text(character) == f"[U+{ord(character):04X}]"


def test_a_table_scrolls_in_a_box_of_its_own_and_folds_long_text():
    cells = DataFrame({"a": ["x" * 49], "b": ["x" * 48]})
    page = Table("x", "title", cells, cells, notes=("note",))._repr_html_()
    before, _, rest = page.partition("<div class='scroll' tabindex='0'><table")
    assert "title" in before
    assert rest.split("</div>")[0].endswith("</table>")
    assert "note" in rest.split("</div>")[1]
    assert page.count("<td class='long'") == 1


def test_a_table_greys_whole_rows_and_single_cells():
    cells = DataFrame({"a": ["1", "2"], "b": ["3", "4"]})
    table = Table("x", "x", cells, cells, faint=frozenset({0}), faint_cells=frozenset({(1, 1)}))
    assert table._repr_html_().count("color:#8a8a8a") == 2
    assert table.latex().count(r"\textcolor{gray}") == 3
    assert r"2 & \textcolor{gray}{4}" in table.latex()
