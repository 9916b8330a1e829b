from pandas import DataFrame

from harness.reporting.suite_order import with_places


def rows(*named):
    return DataFrame([{"suite_row": name, "suite_place": "", "synthetic": twin} for name, twin in named])


def test_rows_of_a_shipped_suite_have_their_place_in_its_file_variations_after_their_row():
    found = with_places(
        rows(
            ("simplified", True),
            ("full: method.freeze_text_layers=[2]", True),
            ("full", True),
            ("full: method.freeze_text_layers=[7]", False),
            ("gone since", True),
        ),
        "compression",
    )["suite_place"].tolist()
    full, frozen, simplified, gone = found[2], found[1], found[0], found[4]
    assert full == 0 < frozen < simplified < gone
    assert 0 < found[3] < gone


def test_what_the_runs_say_of_their_places_holds_for_any_suite():
    known = rows(("b", True), ("a", True)).assign(suite_place=["10", "9"])
    assert with_places(known, "my_own")["suite_place"].tolist() == [10, 9]
    partly = known.assign(suite_place=["10", ""])
    assert "suite_place" not in with_places(partly, "my_own")


def test_of_earlier_runs_the_order_of_a_suite_of_the_user_s_is_not_known_nor_is_one_without_a_suite():
    for suite in ("my_own", None):
        assert "suite_place" not in with_places(rows(("a", True)), suite)
    assert "suite_place" in with_places(rows(("CLIP*", True)), "tbps-clip-losses")
