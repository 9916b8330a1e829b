"""A protocol's page keeps claims and scored results apart from what was measured."""


def test_claims_and_scored_results_stand_apart(built):
    text = (built[1] / "protocol" / "icfg-twin-tiny.html").read_text(encoding="utf-8")
    measured, claims = text.split('<section class="claims"')
    assert "Wilson" in measured or "95 % intervals" in measured
    assert "58.90" in claims
    assert "58.90" not in measured
    first, second = measured.split('id="part-2"')
    assert "colour_words" in second
    assert "colour_words" not in first
    assert "Separate from part 1, because" in second
    assert "scored, not trained here" in second
