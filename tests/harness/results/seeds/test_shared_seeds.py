"""Which results tell of one another's seeds: those of the same data and backbone, on one test set, in one metric."""

import pytest
from pandas import DataFrame

from harness.evaluate.per_identity import persons_key
from harness.evaluate.variance import SEEDLESS
from harness.results.panels import protocol_facts, split_panels
from harness.results.seeds.shared_seeds import SAME_DATA, shared_seeds
from tests.fake_experiment import persons


def known(rows, seeds=3):
    """Return the persons of results: the first has several seeds that differ, the others one."""
    return persons(rows[:1], seeds, 1.0) | persons(rows[1:])


def test_a_result_of_one_seed_has_the_variance_of_another_on_the_same_data(fake):
    rows = [fake.row("a", n_seeds=3), fake.row("b")]
    found = known(rows)
    seeds = shared_seeds(rows, found)
    assert len(set(seeds.values())) == 1
    own = found[persons_key(rows[0])].seed_variance("R1")
    assert seeds[persons_key(rows[1])].between == pytest.approx(own.between)
    assert shared_seeds(rows, found, "mAP") != seeds


@pytest.mark.parametrize("name", SAME_DATA)
def test_nothing_is_shared_where_the_data_or_the_backbone_differ(fake, name):
    rows = [fake.row("a", n_seeds=3), fake.row("b") | {name: "another"}]
    seeds = shared_seeds(rows, known(rows))
    assert seeds[persons_key(rows[0])].freedom == 2
    assert seeds[persons_key(rows[1])] is None


def test_a_condition_on_two_test_sets_tells_of_each_alone(fake):
    rows = [fake.row("a", tested_on=name, n_seeds=3) for name in ("icfg", "cuhk")]
    rows += [fake.row("b", tested_on=name) for name in ("icfg", "cuhk")]
    found = persons(rows[:1], 3, 1.0) | persons(rows[1:2], 3, 9.0) | persons(rows[2:])
    seeds = shared_seeds(rows, found)
    own = [found[persons_key(row)].seed_variance("R1").between for row in rows[:2]]
    assert own[0] != pytest.approx(own[1])
    assert [seeds[persons_key(row)].between for row in rows] == pytest.approx([*own, *own])


def test_what_trains_nothing_tells_nothing_and_has_only_what_its_own_seeds_differ_by(fake):
    rows = [fake.row("z", rule="untrained", n_seeds=3), fake.row("b"), fake.row("y", rule="untrained")]
    found = known(rows)
    seeds = shared_seeds(rows, found)
    assert seeds[persons_key(rows[0])] == found[persons_key(rows[0])].seed_variance("R1")
    assert seeds[persons_key(rows[1])] is None
    assert seeds[persons_key(rows[2])] == SEEDLESS


def test_results_without_persons_are_passed_over(fake):
    rows = [fake.row("a", n_seeds=3), fake.row("b")]
    assert list(shared_seeds(rows, known(rows[:1]))) == [persons_key(rows[0])]


def test_a_panel_that_takes_other_persons_forgets_what_it_knew_of_seeds(fake):
    rows = [fake.row("a", n_seeds=3), fake.row("b")]
    (panel,) = split_panels(DataFrame(rows), protocol_facts, persons(rows))
    (one,) = (row for row in panel.records if row["method"] == "b")
    assert panel.difference(*panel.records).persons_only
    before = one["R1_high"] - one["R1_low"]
    panel.use(known(rows))
    assert not panel.difference(*panel.records).persons_only
    assert one["R1_high"] - one["R1_low"] > before
