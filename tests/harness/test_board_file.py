"""What a `board.yaml` asks of results."""

from harness.board_file import Protocol
from harness.results.run_table import UNTRAINED


def test_a_result_must_have_each_fact_and_a_method_that_trains_nothing_leaves_some_open():
    protocol = Protocol(name="a", title="A", dataset="icfg", facts={"trained on": "icfg", "re-ranked": "no"})
    row = {"tested_on": "icfg", "synthetic": False, "rule": "val"}
    assert protocol.unlike(row, {"trained on": "icfg"}) == []
    assert protocol.unlike(row, {}) == ["trained on is no, not icfg"]
    assert protocol.unlike(row | {"rule": UNTRAINED}, {}) == []
    assert protocol.unlike(row | {"rule": UNTRAINED}, {"re-ranked": "k"}) == ["re-ranked is k, not no"]
    assert protocol.unlike(row | {"synthetic": True, "tested_on": "rstp"}, {"trained on": "icfg"}) == [
        "dataset is rstp, not icfg",
        "synthetic is true, not false",
    ]
