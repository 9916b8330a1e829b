"""The table of synonyms: the shipped one, a file of one's own, and how it is cut."""

from pathlib import Path

import pytest

from harness.captions.synonyms import STOP_WORDS, TABLE, Synonyms, bare, cut, read_synonyms, shipped
from harness.errors import UsageError

WORDNET = Path("/usr/share/wordnet")


def written(tmp_path, text):
    file = tmp_path / "mine.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_the_shipped_table_is_small_and_knows_what_captions_speak_of():
    table = shipped()
    assert TABLE.stat().st_size < 1_000_000
    assert len(table) > 15_000
    assert "knapsack" in table.of("backpack")
    assert "tee shirt" in table.of("t-shirt")
    assert "put on" in table.of("wearing")
    assert "gentleman" in table.of("men")
    assert "spectacles" in table.of("glasses")


def test_no_stop_word_is_in_the_shipped_table_on_either_side():
    table = shipped()
    assert not [word for word in STOP_WORDS if table.of(word)]
    assert not [word for word in table._table if STOP_WORDS & set(table.of(word))]


def test_no_word_of_the_shipped_table_is_its_own_synonym_and_all_are_plain_text():
    table = shipped()
    for word, synonyms in table._table.items():
        assert word not in synonyms
        assert synonyms
        assert all(synonym == synonym.lower() == " ".join(synonym.split()) for synonym in synonyms)


def test_the_shipped_table_calls_nobody_names():
    words = {
        part
        for line in TABLE.read_text().splitlines()
        if line[:1] != "#"
        for part in line.split(":")[1].split()
    }
    assert not words & {
        "nigger,",
        "nigger",
        "negro",
        "negro,",
        "coon",
        "coon,",
        "fag",
        "fag,",
        "fuck",
        "fuck,",
    }


def test_the_licence_stands_in_the_table_and_beside_it():
    for text in (TABLE.read_text(), cut.LICENCE.read_text()):
        assert "Permission to use, copy, modify and distribute" in text
        assert "WordNet 3.0 Copyright 2006 by Princeton University" in text
        assert "LICENSEE agrees to preserve same" in text


def test_a_word_is_looked_up_in_any_case_and_without_punctuation():
    table = Synonyms({"shirt": ["jersey"]})
    assert table.of('"Shirt",') == ("jersey",)
    assert table.of("shirt's") == ()
    assert table.of("") == table.of("?!") == ()


@pytest.mark.parametrize(
    ("word", "core"),
    [
        ("a", "a"),
        ("(t-shirt),", "t-shirt"),
        ("\U0001f600", ""),
        ("--x--", "x"),
        ("", ""),
        ("_x_", "x"),
        ("été.", "été"),
    ],
)
def test_the_bare_word_lies_between_the_punctuation(word, core):
    assert bare(word) == core


def test_a_hostile_word_of_punctuation_is_read_in_no_time():
    word = "a" + "!" * 200_000 + "a"
    assert bare(word) == word


def test_a_file_of_ones_own(tmp_path):
    text = "\ufeff# mine\n\nTrousers  pants: slacks,  long\ttrousers ,\r\npants: chinos, pants\nthe: thy\n"
    table = read_synonyms(written(tmp_path, text))
    assert table.of("trousers") == ("slacks", "long trousers")
    assert table.of("pants") == ("slacks", "long trousers", "chinos")
    assert table.of("the") == ()
    assert len(table) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b\nno colon\n", "line 2: 'no colon' names no word or no synonym"),
        ("x:\n", "line 1"),
        (": y\n", "line 1"),
        ("x: , ,\n", "line 1"),
        ("", "It is an empty file"),
        ("<!doctype html>", "It is a web page"),
        ("caf\xe9: b".encode("latin-1"), "another encoding than UTF-8"),
        ("# only\n", "hold no word"),
        (b"\x80\x02}q\0.", "holds no text"),
        ("\x1b[31m\n", r"'\x1b[31m' names no word"),
    ],
)
def test_a_faulty_file_is_one_clear_error(tmp_path, text, told):
    with pytest.raises(UsageError) as caught:
        read_synonyms(written(tmp_path, text))
    assert told in str(caught.value)
    assert "`word otherword: synonym, other synonym`" in str(caught.value)


def test_a_missing_file_and_a_folder_name_the_setting(tmp_path):
    for file in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(UsageError, match=r"cannot be read\. .* train\.augment\.text\.synonyms"):
            read_synonyms(file)


LICENCE = "  1 The licence.\n  2 \n  3 All of it.\n"
NOUNS = """\
00000001 06 n 02 jean 0 blue_jean 0 001 @ 00000002 n 0000 | trousers of denim
00000002 06 n 01 clothing 0 001 ~ 00000001 n 0000 | what is worn
00000003 06 n 03 man 0 gentleman 0 Sir_John 0 000 | an adult
00000004 06 n 03 Man 0 Isle_of_Man 0 island 0 000 | an island
00000005 18 n 02 man 0 rude_word 0 001 ;u 00000006 n 0000 | a person
00000006 10 n 01 ethnic_slur 0 000 | a slur
00000007 18 n 02 man 0 other_word 0 000 | offensive name for a person; "a word"
00000008 18 n 02 man 0 fellow 0 000 | a person; "an offensive term was used"
00000009 06 n 02 rare 0 seldom_seen 0 000 | rare
00000010 06 n 02 jersey 0 T-shirt 0 000 | a shirt
"""
VERBS = "00000011 29 v 02 wear 0 put_on 0 000 01 + 01 00 | be dressed\n00000012 29 v 02 stop 0 halt 0 000 00 | stop\n"
ADJECTIVES = (
    "00000013 00 s 02 dark(p) 0 unlit 0 000 | dark\n00000014 00 a 02 the 0 that 0 000 | a stop word\n"
)


@pytest.fixture
def wordnet(tmp_path):
    """Write a WordNet of a few words."""
    files = {
        "data.noun": LICENCE + NOUNS,
        "data.verb": LICENCE + VERBS,
        "data.adj": LICENCE + ADJECTIVES,
        "data.adv": LICENCE,
        "noun.exc": "men man\n",
        "verb.exc": "wore wear\nworn wear\nstopped stop\nstopping stop\n",
        "adj.exc": "",
        "adv.exc": "",
        "cntlist.rev": "man%1:06:00:: 1 9\nwear%2:29:00:: 1 2\nwear%2:29:01:: 2 1\nstop%2:29:00:: 1 3\n"
        "dark%5:00:00:unlit:00 1 3\nthe%3:00:00:: 1 99\nrare%1:06:00:: 1 2\njersey%1:06:00:: 1 5\n"
        "t-shirt%1:06:00:: 1 5\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_table_is_cut_from_the_database_files(wordnet, tmp_path):
    made = cut.write(wordnet, tmp_path / "table.txt", tmp_path / "licence.txt")
    text = (tmp_path / "table.txt").read_text()
    assert (tmp_path / "licence.txt").read_text() == "The licence.\n\nAll of it.\n"
    assert "# The licence.\n#\n# All of it.\n" in text
    assert [line for line in text.splitlines() if line[0] != "#"] == [
        "dark darker darkest: unlit",
        "jean jeans: blue jean",
        "jersey jerseys: t-shirt",
        "man men: fellow, gentleman",
        "stop stopped stopping stops: halt",
        "t-shirt t-shirts: jersey",
        "wear wore worn wears wearing: put on",
    ]
    assert made["lines"] == 7
    table = read_synonyms(tmp_path / "table.txt")
    assert table.of("wearing") == ("put on",)
    assert table.of("men") == ("fellow", "gentleman")


def test_a_synonym_with_a_word_that_is_also_a_slur_is_left_out(wordnet):
    more = "00000020 06 n 02 hat 0 rude_word 0 000 | a hat\n00000021 18 n 02 person 0 oaf 0 000 | derogatory term\n"
    more += "00000022 06 n 03 hat 0 oaf-hat 0 lid 0 000 | a hat\n00000023 18 n 02 hat 0 jean 0 000 | obscene name\n"
    with (wordnet / "data.noun").open("a") as file:
        file.write(more)
    assert cut.WordNet(wordnet).synonyms("n", "hat") == ["lid"]


def test_a_folder_without_the_files_is_one_clear_error(tmp_path):
    with pytest.raises(UsageError, match=r"lacks data.noun, noun.exc, cntlist.rev .* wordnet-base"):
        cut.WordNet(tmp_path)


@pytest.mark.skipif(
    not (WORDNET / "data.noun").is_file(), reason="WordNet is not installed (apt-get install wordnet-base)"
)
def test_the_shipped_table_is_what_the_script_cuts(tmp_path):
    cut.write(WORDNET, tmp_path / "table.txt", tmp_path / "licence.txt")
    assert (tmp_path / "table.txt").read_text() == TABLE.read_text()
