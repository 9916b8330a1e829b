"""A run's page says where it comes from."""


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
