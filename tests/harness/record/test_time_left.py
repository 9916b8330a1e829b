"""How long a training still takes: from what was measured, and not before it was."""

import pytest

from harness.record.time_left import TimeLeft


def epoch(number, seconds=10.0, validation=None, **more):
    row = {"epoch": float(number), "seconds": seconds, **more}
    return row if validation is None else row | {"val/t2i/R1": 1.0, "validation_seconds": validation}


def test_without_an_epoch_nothing_is_known_and_at_the_end_nothing_is_left():
    left = TimeLeft(2)
    assert left.seconds() is None
    assert left.seconds(0.9) is None
    left.resume([epoch(1, validation=2.0), epoch(2, validation=2.0)])
    assert left.seconds() == 0.0


def test_epochs_with_and_without_validation_are_reckoned_apart():
    left = TimeLeft(7, every=3)
    for row in (epoch(1), epoch(2)):
        left.add(row)
        assert left.seconds() is None  # no validation was measured yet
    left.add(epoch(3, validation=5.0))
    # Epochs 4 to 7 of 10 s, of which the sixth and the last are validated.
    assert left.seconds() == 4 * 10.0 + 2 * 5.0
    assert left.seconds(0.25) == 3.75 * 10.0 + 2 * 5.0


def test_epochs_before_an_interruption_count_as_measured():
    left = TimeLeft(4)
    left.resume([epoch(1, 10.0, 1.0), epoch(2, 10.0, 1.0)])
    assert left.seconds() == 2 * 11.0


def test_what_an_earlier_version_validated_without_noting_how_long_is_not_taken_for_nothing():
    left = TimeLeft(4)
    left.resume([epoch(1, **{"val/t2i/R1": 50.0})])
    assert left.seconds() is None
    left.add(epoch(2, validation=3.0))
    assert left.seconds() == 2 * 13.0


@pytest.mark.parametrize("slow", [0, 5])
def test_one_slow_epoch_does_not_make_the_others_slow(slow):
    left = TimeLeft(20)
    for number in range(10):
        left.add(epoch(number + 1, 1000.0 if number == slow else 10.0))
    assert left.seconds() == 100.0
