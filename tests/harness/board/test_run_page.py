"""A run's page says where it comes from."""

import pytest

from harness.board.run_page import _trained_on


def test_a_run_page_has_its_provenance(built):
    (page,) = (built[1] / "run").glob("colour_words-*.html")
    text = page.read_text(encoding="utf-8")
    for words in (
        "SHA-256 of the bundle",
        "annotation (SHA-256)",
        "identity",
        "colour-words.zip",
        "Scored, not trained",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "ICFG-PEDES (synthetic twin)"),
        ({"rule": "none"}, "nothing"),
        ({"joined": "rstp"}, "ICFG-PEDES + RSTPReid (synthetic twin)"),
        ({"scored": "x.npz"}, "not told"),
        ({"scored": "x.npz", "trained_on": "cuhk"}, "CUHK-PEDES (synthetic twin)"),
    ],
)
def test_it_says_what_the_run_was_trained_on(fake, changes, words):
    record, _ = fake.record("cskt", "icfg", 40)
    record.selection["rule"] = changes.pop("rule", "val")
    record.tags |= {"harness.scored": changes.pop("scored")} if "scored" in changes else {}
    record.config["dataset"] |= changes
    assert _trained_on(record) == words
