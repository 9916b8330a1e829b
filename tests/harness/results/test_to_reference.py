"""A result minus its reference: what is known of the difference, and of which metric it is not."""

from dataclasses import replace
from math import isnan

import pytest
from pandas import DataFrame

from harness.evaluate.per_identity import persons_key
from harness.metric_names import METRICS
from harness.results.panels import protocol_facts, split_panels
from harness.results.to_reference import differences
from tests.fake_experiment import persons


def panel_of(rows, found):
    (panel,) = split_panels(DataFrame(rows), protocol_facts, found)
    return panel


def test_a_difference_is_that_of_the_panel_and_the_reference_has_none(fake):
    rows = [fake.row("a", r1=40), fake.row("b", r1=30)]
    panel = panel_of(rows, persons(rows))
    found, paired = differences(*rows, panel, ("R1", "mAP")), panel.difference(*rows)
    assert found["R1_difference"] == pytest.approx(10)
    assert (found["R1_difference_low"], found["p"]) == (paired.low, paired.p_value)
    assert isnan(differences(rows[0], None, panel, ("R1",))["R1_difference"])
    unknown = differences(*rows, panel_of(rows, persons(rows[:1])), ("R1",))
    assert unknown["R1_difference"] == 10
    assert all(isnan(unknown[key]) for key in ("R1_difference_low", "R1_difference_high", "p"))


def test_results_are_alike_where_each_identity_has_the_same_in_all_metrics(fake):
    rows = [fake.row("a", r1=40), fake.row("b", r1=40)]
    known = persons(rows)[persons_key(rows[0])]
    found = {persons_key(row): known for row in rows}
    assert differences(*rows, panel_of(rows, found), ("R1", "mAP"))["alike"] is True
    sums = known.sums.copy()
    # As many right, of other identities.
    sums[:, [0, -1], METRICS.index("mAP")] = sums[:, [-1, 0], METRICS.index("mAP")] + [[1, -1]]
    other = panel_of(rows, found | {persons_key(rows[1]): replace(known, sums=sums)})
    assert differences(*rows, other, ("R1", "mAP"))["alike"] is False
    assert differences(*rows, other, ("R1",))["alike"] is True
    assert differences(*rows, panel_of(rows, persons(rows[:1])), ("R1",))["alike"] is False
    assert differences(rows[0], None, other, ("R1",))["alike"] is False


@pytest.mark.parametrize("metrics", [("R1", "R10"), ("R10", "R1")])
def test_one_metric_whose_seeds_tell_nothing_marks_the_line(fake, metrics):
    rows = [fake.row("a"), fake.row("b", n_seeds=3)]
    found = persons(rows[:1]) | persons(rows[1:], 3, 1.0)
    known = found[persons_key(rows[1])]
    sums = known.sums.copy()
    sums[:, :, METRICS.index("R10")] = 10
    panel = panel_of(rows, found | {persons_key(rows[1]): replace(known, sums=sums)})
    assert differences(*rows, panel, ("R1",))["persons_only"] is False
    assert differences(*rows, panel, metrics)["persons_only"] is True
