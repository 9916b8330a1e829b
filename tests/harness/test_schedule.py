"""The learning rate of each epoch."""

import pytest

from harness.schedule import learning_rate_factor


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [
        (1, 3.0e-5),
        (2, 8.4e-5),
        (3, 1.38e-4),
        (4, 1.92e-4),
        (5, 2.46e-4),
        (6, 3.0e-4),
        (31, 1.71e-4),
        (51, 2.4e-5),
    ],
)
def test_rates_are_those_of_the_published_schedule(epoch, rate):
    factor = learning_rate_factor(epoch, epochs=60, warmup_epochs=5, warmup_factor=0.1)
    assert 3e-4 * factor == pytest.approx(rate, rel=0.01)


def test_warm_up_rates_are_exact():
    factors = [
        learning_rate_factor(e, epochs=60, warmup_epochs=5, warmup_factor=0.1) for e in (1, 2, 3, 4, 5, 6)
    ]
    assert factors == pytest.approx([0.1, 0.28, 0.46, 0.64, 0.82, 1.0], abs=1e-12)


def test_the_rate_falls_after_warm_up_and_stays_above_zero():
    factors = [learning_rate_factor(e, epochs=20, warmup_epochs=3, warmup_factor=0.1) for e in range(1, 21)]
    assert factors[:4] == sorted(factors[:4])
    assert factors[3:] == sorted(factors[3:], reverse=True)
    assert factors[-1] > 0


@pytest.mark.parametrize("epochs", [1, 3, 5])
def test_a_run_shorter_than_the_warm_up_ends_inside_it(epochs):
    factors = [
        learning_rate_factor(e, epochs=epochs, warmup_epochs=5, warmup_factor=0.1)
        for e in range(1, epochs + 1)
    ]
    assert factors == pytest.approx([0.1 + 0.18 * e for e in range(epochs)])


def test_without_warm_up_the_first_epoch_has_the_full_rate():
    assert learning_rate_factor(1, epochs=1, warmup_epochs=0, warmup_factor=0.1) == 1
