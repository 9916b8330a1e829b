"""The learning rate of each epoch and step."""

import pytest

from harness.method_parts.schedule import Progress, learning_rate_factor, stepwise_rate


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


RELEASED = {0: 1e-6, 1: 1.4692e-6, 106: 5.0735e-5, 211: 1e-4, 212: 1e-4, 213: 9.99997e-5}
RELEASED |= {424: 8.6088e-5, 636: 5.25e-5, 848: 1.8912e-5, 1059: 5.00033e-6}


@pytest.mark.parametrize(("iteration", "rate"), RELEASED.items())
def test_stepwise_rates_are_those_of_the_released_table(iteration, rate):
    epoch, step = divmod(iteration, 212)
    at = Progress(epoch + 1, step, 212, 5)
    assert stepwise_rate(at, start=1e-6, peak=1e-4, end=5e-6, warmup_epochs=1) == pytest.approx(
        rate, rel=1e-4
    )


def test_a_run_as_short_as_its_warm_up_ends_inside_it():
    rates = [
        stepwise_rate(Progress(1, step, 3, 1), start=0.1, peak=1.0, end=0.0, warmup_epochs=1)
        for step in range(3)
    ]
    assert rates == pytest.approx([0.1, 0.55, 1.0])
    assert stepwise_rate(Progress(1, 0, 1, 2), start=0.1, peak=1.0, end=0.0, warmup_epochs=1) == 1.0
    assert stepwise_rate(Progress(1, 0, 4, 2), start=0.1, peak=1.0, end=0.2, warmup_epochs=0) == 1.0
