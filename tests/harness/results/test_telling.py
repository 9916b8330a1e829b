from pandas import DataFrame

from harness.results.panels import dataset_facts
from harness.results.telling import telling


def test_only_protocols_that_tell_something_are_kept_unless_none_does(fake):
    rows = DataFrame([fake.row("a"), fake.row("b", trained_on="cuhk"), fake.row("c")])
    assert telling(rows, dataset_facts, lambda found: len(found) > 1)["method"].tolist() == ["a", "c"]
    assert len(telling(rows, dataset_facts, lambda found: False)) == 3
