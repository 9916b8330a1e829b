"""Retention: what training on one dataset leaves of the untrained skill on others."""

from pandas import DataFrame

from harness.results.retention import SAME, with_retention


def retained(rows):
    """Return retention and the names of the datasets for each row, None where there is none."""
    found = with_retention(DataFrame(rows))
    return [
        tuple(None if value != value else value for value in pair)
        for pair in zip(found["retention"], found["retained_on"], strict=True)
    ]


def test_it_is_the_mean_over_the_other_datasets_of_the_difference_to_the_untrained(fake):
    floors = [
        fake.row("zero_shot", "icfg", tested_on, r1, rule="untrained")
        for tested_on, r1 in (("icfg", 90.0), ("cuhk", 30.0), ("rstp", 20.0))
    ]
    own, one, other = (
        fake.row("cskt", "icfg", tested_on, r1)
        for tested_on, r1 in (("icfg", 60.0), ("rstp", 24.0), ("cuhk", 40.0))
    )
    assert retained([*floors, own, one, other]) == [(None, None)] * 3 + [(7.0, "cuhk, rstp")] * 3
    assert retained([floors[1], own, one, other])[1:] == [(10.0, "cuhk")] * 3
    assert retained([floors[0], own]) == [(None, None)] * 2


def test_an_untrained_result_under_another_setting_says_nothing(fake):
    floor, trained = (
        fake.row("zero_shot", "icfg", "cuhk", 30.0, rule="untrained"),
        fake.row("cskt", "icfg", "cuhk", 25.0),
    )
    assert retained([floor, trained])[1] == (-5.0, "cuhk")
    for key in SAME:
        assert retained([floor | {key: "another"}, trained])[1] == (None, None), key


def test_the_newest_untrained_result_counts(fake):
    newest, older = (fake.row("zero_shot", "icfg", "cuhk", r1, rule="untrained") for r1 in (20.0, 5.0))
    assert retained([newest, older, fake.row("cskt", "icfg", "cuhk", 25.0)])[2] == (5.0, "cuhk")
