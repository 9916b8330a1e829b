"""Caption cleaning against what the released function was seen to do."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clip.caption_cleaning import clean

GOLDEN = "  A Man, with (black) hair; wearing a T-shirt & jeans... He's #1!\n"


def naive(caption):
    """Another reading of the released function: sign by sign, and runs by hand."""
    signs = [" " if sign in '.!"()*#:;~' else sign for sign in caption.lower()]
    out = []
    while signs:
        run = 0
        while run < len(signs) and signs[run].isspace():
            run += 1
        out.append(" " if run > 1 else signs[0])
        del signs[: max(run, 1)]
    text = "".join(out)
    while text.endswith("\n"):
        text = text[:-1]
    words = text.strip(" ").split(" ")
    return " ".join(words[:77])


def test_the_golden_caption():
    assert clean(GOLDEN) == "a man, with black hair wearing a t-shirt & jeans he's 1"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a\tb", "a\tb"),
        ("a\nb", "a\nb"),
        ("a\u00a0b", "a\u00a0b"),
        ("a\t b", "a b"),
        ("\ta b\t", "\ta b\t"),
        ("a b\n", "a b"),
        ("a b\n\n", "a b"),
        ("what? a/b - c's, d&e", "what? a/b - c's, d&e"),
        ("&amp;", "&amp"),
        ("...!!!", ""),
        ("", ""),
        ("\u00c4RMEL \u0130", "\u00e4rmel i\u0307"),
    ],
)
def test_single_white_space_stays_and_runs_become_one_space(caption, expected):
    assert clean(caption) == expected


def test_the_77_words_are_counted_between_plain_spaces():
    assert clean(" ".join(["w"] * 80)).count("w") == 77
    assert clean("\t".join(["w"] * 80)).count("w") == 80
    assert clean(" ".join(["a\tb"] * 80)).count("a") == 77


def test_cleaning_twice_is_cleaning_once():
    assert clean(clean(GOLDEN)) == clean(GOLDEN)


@given(st.text(alphabet='aB.!"#;~ \t\n\u00a0\u2028\x1f\U0001f600,', max_size=40))
def test_any_caption_is_cleaned_as_a_reading_sign_by_sign_says(caption):
    # str.isspace and the regular expression's \s agree on these signs.
    assert all(bool(re.match(r"\s", sign)) == sign.isspace() for sign in caption)
    assert clean(caption) == naive(caption)
