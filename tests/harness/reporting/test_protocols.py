"""Which protocol a result is of, in words, and which results differ in nothing else."""

import pytest

from harness.reporting.protocols import changes_of, protocol_words, setting_of
from tests.protocol_rows import result


@pytest.mark.parametrize(
    ("tested_on", "trained_on", "data", "words"),
    [
        ("icfg", "icfg", {}, "usual"),
        ("icfg", "icfg", {"noise": "0.0", "few_shot_persons": "None", "noise_index": "None"}, "usual"),
        ("icfg-low4", "icfg", {}, "pictures reduced to 1/4"),
        ("icfg", "icfg", {"noise": 0.2}, "20 % of the captions moved"),
        ("icfg", "icfg", {"noise": 0.2, "noise_seed": 3}, "20 % of the captions moved, seed 3"),
        ("icfg", "icfg", {"noise_index": "ab" * 32}, "captions as in index file abababababab"),
        ("icfg", "icfg", {"few_shot_persons": 1000}, "1,000 training persons"),
        ("icfg", "icfg", {"few_shot_persons": 50, "few_shot_seed": 2}, "50 training persons, seed 2"),
        ("icfg", "cuhk+icfg", {}, "trained on cuhk+icfg"),
        ("icfg", "cuhk+icfg", {"mixture": "equal"}, "trained on cuhk+icfg, mixed equal"),
        ("icfg-low2", "icfg", {"noise": 0.5}, "pictures reduced to 1/2; 50 % of the captions moved"),
    ],
)
def test_a_protocol_is_told_in_words_and_is_no_part_of_the_setting(fake, tested_on, trained_on, data, words):
    row = result(fake, tested_on=tested_on, trained_on=trained_on, data=data)
    assert protocol_words(row) == words
    assert setting_of(row) == setting_of(result(fake))


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "lora"},
        {"tested_on": "cuhk", "trained_on": "cuhk"},
        {"data": {"few_shot": 0.1}},
        {"data": {"train_on": "train+val"}},
        {"synthetic": False},
        {"weights": "cdcd"},
        {"budget": "30 trials"},
    ],
)
def test_what_else_differs_makes_another_setting(fake, changes):
    assert setting_of(result(fake, **changes)) != setting_of(result(fake))


def test_a_joint_training_validates_as_each_of_its_datasets_does_alone(fake):
    joint = result(fake, trained_on="cuhk+icfg", data={"val": "own"})
    alone = result(fake, data={"val": "holdout"})
    assert setting_of(joint) == setting_of(alone)
    assert setting_of(joint) != setting_of(result(fake, data={"val": "none"}))


def test_the_order_of_protocols_goes_from_little_to_much(fake):
    rates = [result(fake, data={"noise": rate}) for rate in (0.8, 0.2, 0.5)]
    assert [changes_of(row)[0][1] for row in sorted(rates, key=changes_of)] == [0.2, 0.5, 0.8]
