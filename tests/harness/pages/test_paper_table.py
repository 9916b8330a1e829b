"""A paper's table: balanced, escaped, as many cells as columns, numbers as siunitx reads them."""

import re
import subprocess
from shutil import which

import pytest

from harness.pages.paper_table import PaperTable, number_text

HOSTILE = r"\input{x} 50% & #1 $y_2$ ~^{ [a]"
ROWS = (
    (("CSKT",), ((61.84, 1.32), (100.0, 12.4))),
    ((HOSTILE,), ((5.0, None), (None, None))),
    (("[bracket]",), ((float("nan"), 1.0), (0.0, 0.04))),
)
TABLE = PaperTable("../leaderboard 1", HOSTILE, ("Method",), (("R@1", 1), ("mAP", 1)), ROWS)


def test_each_line_has_a_cell_for_each_column_and_numbers_of_their_columns_width():
    text = TABLE.latex()
    columns = re.search(r"\\begin\{tabular\}\{@\{\}(.*)@\{\}\}", text)[1].split(" ")
    assert columns == [r"p{.3\linewidth}", "S[table-format=2.1(2)]", "S[table-format=3.1(3)]"]
    lines = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert [len(re.split(r"(?<!\\)&", line)) for line in lines] == [3] * 4
    assert lines[0] == r"Method & {R@1} & {mAP} \\"
    assert lines[1] == r"CSKT & 61.8(13) & 100.0(124) \\"
    assert lines[2].endswith(r" & 5.0 & {--} \\")
    assert lines[3] == r"{}[bracket] & {--} & 0.0(0) \\"


def test_the_table_is_balanced_and_holds_no_command_of_a_hostile_name():
    text = TABLE.latex()
    bare = re.sub(r"\\[{}$&#_%]", "", text)
    assert bare.count("{") == bare.count("}")
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
    assert r"\input" not in text
    assert r"\label{tab:leaderboard-1}" in text
    assert text.index(r"\caption{") < text.index(r"\label{") < text.index(r"\begin{tabular}")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ((61.84, 1.32, 1), "61.8(13)"),
        ((61.84, None, 1), "61.8"),
        ((61.84, float("nan"), 1), "61.8"),
        ((-0.5, 0.26, 2), "-0.50(26)"),
        ((5.0, 0.4, 0), "5(0)"),
        ((None, 1.0, 1), "{--}"),
    ],
)
def test_a_number_and_its_uncertainty_have_the_same_last_digit(number, text):
    assert number_text(*number) == text


def test_a_table_without_rows_or_errors_is_still_one():
    assert "S[table-format=1.1]" in PaperTable("x", "y", ("Method",), (("R@1", 1),), ()).latex()
    one = PaperTable("x", "y", ("Method",), (("Params (M)", 2),), ((("a",), ((12.5, None),)),)).latex()
    assert "l S[table-format=2.2]" in one
    whole = PaperTable("x", "y", ("Method",), (("Images (%)", 0),), ((("a",), ((100.0, None),)),)).latex()
    assert "S[table-format=3.0]" in whole


@pytest.mark.skipif(which("pdflatex") is None, reason="no LaTeX on this machine")
@pytest.mark.slow
def test_the_table_compiles(tmp_path):
    if subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True, check=False).returncode:
        pytest.skip("no siunitx on this machine")
    body = r"\documentclass[twocolumn]{article}\usepackage{booktabs,siunitx}\begin{document}%s\end{document}"
    (tmp_path / "x.tex").write_text(body % TABLE.latex())
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
