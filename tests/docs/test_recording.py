"""The recording of a run: what a terminal shows of control sequences, and that the page has what fits into it."""

import re
import sys

import pytest

from docs.generate.recording import COLUMNS, END, PAGE, START, Screen, put, recorded, written


def shown(text, columns=10):
    screen = Screen(columns)
    screen.write(text)
    return screen.text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("one\r\ntwo\r\n", "one\ntwo"),
        ("abc\rX", "Xbc"),
        ("bar 1\r\x1b[2Kbar 2\r\x1b[2Kend", "end"),
        ("\x1b[?25l\x1b[38;5;70mred\x1b[0m \x1b[1mbold\x1b[0m\x1b[?25h", "red bold"),
        ("old\r\n\r\x1b[1A\x1b[2Knew\r\n", "new"),
        ("0123456789ab", "0123456789\nab"),
        ("0123456789\r\nab", "0123456789\nab"),
        ("a\x1b[5Ab", "ab"),
    ],
)
def test_a_screen_shows_what_a_terminal_would(text, seen):
    assert shown(text) == seen


def test_the_middle_of_a_training_is_kept_though_its_end_replaces_it():
    pieces = [
        *("epoch 3/5 ━━━━╸━━━━ 3/23\r", "\x1b[2Kepoch 3/5 ━━━━╸━━━━ 14/23 9 s left\r"),
        *("\x1b[2Kepoch 3/5 ━━━━━━━━━ 23/23\r", "\x1b[2Kepoch 3/5 · loss 2\r\n", "done\r\n"),
    ]
    assert recorded(iter(pieces)) == ("epoch 3/5 · loss 2\ndone", "epoch 3/5 ━━━━╸━━━━ 14/23 9 s left")


def test_a_command_has_a_terminal_of_80_columns_and_its_failure_is_one():
    code = "import os, sys; print(os.get_terminal_size().columns, sys.stdout.isatty(), os.environ['A'], 'é')"
    assert recorded(written((sys.executable, "-S", "-c", code), {"A": "b"}))[0] == "80 True b é"
    with pytest.raises(RuntimeError, match="ended with 3"):
        list(written((sys.executable, "-S", "-c", "raise SystemExit(3)"), {}))


def test_a_recording_replaces_the_one_before_and_nothing_else():
    page = f"before\n{START}\nold\n{END}\nafter"
    new = put(page, r"a \1 b", "middle")
    assert new == put(new, r"a \1 b", "middle")
    assert new.startswith("before\n")
    assert new.endswith("\nafter")
    assert "old" not in new
    assert r"a \1 b" in new


def test_the_page_has_a_recording_that_fits_into_the_terminal_and_shows_no_path_of_its_maker():
    text = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    middle, screen = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    lines = [*middle.splitlines(), *screen.splitlines()]
    assert max(map(len, lines)) <= COLUMNS
    assert "━" in middle
    assert screen.startswith("$ harness run --method cskt")
    assert re.search(r"^epoch 5/5 · loss .* val R@1", screen, re.MULTILINE)
    assert "next: harness runs show cskt-icfg-twin-" in screen
    assert "\x1b" not in text
    assert not re.search(r"/(home|root|tmp|Users)/", text)
