"""Tables and paragraphs at any width: no cell is cut, what is left out is named, hostile text stays on one line."""

import os

import pytest
from rich.cells import cell_len

from harness.cli.layout import folded, paragraph, screen_width, table

BAD = "a\x1b[31m [bold]b[/bold] \x07"
HEADER = ("method", "R@1", "R@5", "note", "pairs")
ROWS = [
    ("cskt", "61.8 [60.4, 63.1]", "81.4", "best of thirty trials on validation", "34,674"),
    ("zero_shot", "5.1 [4.0, 6.2]", "12.0", "–", "0"),
]
WIDTHS = (60, 80, 100, 140)


@pytest.fixture
def drawn(capsys, monkeypatch):
    """Return a function that draws a table at a width and returns its lines."""

    def draw(columns, *given, **more):
        monkeypatch.setenv("COLUMNS", str(columns or ""))
        table(*given, **more)
        lines = capsys.readouterr().out.splitlines()
        assert not columns or max(map(cell_len, lines)) <= columns
        return lines

    return draw


def test_a_table_has_a_line_for_each_row_and_numbers_flush_right(drawn):
    title, header, rule, one, two = drawn(80, "a title", ("name", "n"), [("one", 5), ("two", 12345)])
    assert title == "a title"
    assert header.split() == ["name", "n"]
    assert set(rule) == {"─"}
    assert [one.split(), two.split()] == [["one", "5"], ["two", "12345"]]
    assert len(one) == len(two) == len(rule)
    assert drawn(80, "", ("name",), []) == ["name", "────"]


def test_texts_fold_between_words_before_a_column_leaves(drawn):
    lines = drawn(75, "", HEADER, ROWS, text=("method", "note"), leaving=("pairs", "R@5"))
    assert lines[0].split() == list(HEADER)
    assert [lines[2].split()[0], lines[2].split()[-1]] == ["cskt", "34,674"]
    assert lines[3].strip() == "validation"
    assert "not shown" not in lines[-1]


def test_columns_leave_in_the_stated_order_and_the_last_line_names_them(drawn):
    given = {"text": ("method", "note"), "leaving": ("pairs", "R@5")}
    lines = drawn(60, "", HEADER, ROWS, **given)
    assert lines[0].split() == ["method", "R@1", "R@5", "note"]
    assert " ".join(lines[-2:]) == "not shown at 60 columns: pairs; widen the terminal or use --json"
    lines = drawn(50, "", HEADER, ROWS, **given)
    assert " ".join(lines[-2:]) == "not shown at 50 columns: R@5, pairs; widen the terminal or use --json"


def test_what_does_not_fit_in_any_way_is_a_block_for_each_row(drawn):
    numbers = [f"{n}2345678.9" for n in range(1, 9)]
    name = "a-very-long-name-" * 9
    lines = drawn(60, "", ("name", *"abcdefgh"), [(name, *numbers), ("b", *numbers)], leaving=("h", "g"))
    assert "".join(line[6:] for line in lines[:3]) == name
    assert [line.split() for line in lines[3:11]] == [
        [key, n] for key, n in zip("abcdefgh", numbers, strict=True)
    ]
    assert lines[11:13] == ["", "name  b"]
    assert not any("not shown" in line for line in lines)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", ["n" * 300, "人" * 150, "many short words " * 20, "/a/path" * 40])
def test_a_long_name_is_folded_whole_beside_whole_numbers(drawn, columns, name):
    lines = drawn(columns, "t", ("name", "R@1", "n"), [(name, "61.8 [60.4, 63.1]", "1,463")], leaving=("n",))
    text = "".join("".join(lines[3:]).split())
    for number in ("61.8[60.4,63.1]", "1,463"):
        assert number in text
        text = text.replace(number, "")
    assert text == "".join(name.split())


def test_hostile_cells_are_text_on_their_own_line(drawn):
    title, header, _, row = drawn(80, BAD, ("name", "n"), [(f"{BAD}\n99.9\u2028\u202ex\udc80", 1)])
    assert title.count("[bold]b[/bold]") == 1
    assert row.split() == ["a", "[bold]b[/bold]", "99.9", "x?", "1"]
    assert header.split() == ["name", "n"]


def test_a_pipe_gets_the_whole_table_on_one_line_a_row(drawn):
    lines = drawn(None, "t", HEADER, [("n" * 500, *ROWS[0][1:])], text=("method", "note"), leaving=("pairs",))
    assert len(lines) == 4
    assert lines[-1].endswith("34,674")


@pytest.mark.parametrize(
    ("asked", "real", "found"),
    [
        ("100", 60, 100),
        ("", 60, 60),
        ("x", 60, 60),
        ("0", 60, 60),
        ("", 0, 80),
        ("5", 60, 20),
        ("", None, None),
    ],
)
def test_the_width_is_columns_then_the_terminal_s_then_none(monkeypatch, asked, real, found):
    monkeypatch.setenv("COLUMNS", asked)
    monkeypatch.setattr("sys.stdout.isatty", lambda: real is not None, raising=False)
    monkeypatch.setattr("sys.stdout.fileno", lambda: 1, raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda place=1: os.terminal_size((real, 24)))
    assert screen_width() == found


def test_a_paragraph_hangs_under_its_text_and_keeps_long_words_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    paragraph("  head  ", "word " * 20)
    first, *more = capsys.readouterr().out.splitlines()
    assert first.startswith("  head  word")
    assert all(line.startswith("        word") for line in more)
    assert max(map(len, [first, *more])) <= 50
    paragraph("the mean of all that finished is ", "41.03 of 100 [1.25, 80.80]")
    assert "[1.25, 80.80]" in capsys.readouterr().out
    paragraph("- ", "x" * 99)
    assert "x" * 99 in capsys.readouterr().out
    paragraph("- ", "")
    assert capsys.readouterr().out == "- \n"


def test_folded_lines_break_between_words_and_keep_their_own_ends(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = "one two three four five\n  kept as it is\n" + "x" * 30
    assert folded(text, indent=2) == ["one two three four", "  five", "  kept as it is", "x" * 30]
    monkeypatch.setenv("COLUMNS", "")
    assert folded("a " * 50, indent=2) == ["a " * 50]
