"""The attribute probe: its accuracy and interval are those of balanced accuracy over drawn persons."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from harness.analysis import attribute_probe


@pytest.fixture
def rare():
    """Return an attribute that 8 of 40 persons have, three images each."""
    identities = np.arange(40).repeat(3)
    return identities < 8, identities


def test_a_probe_that_is_always_right_is_as_sure_as_that_many_persons_make_it(rare, monkeypatch):
    has, identities = rare
    monkeypatch.setattr(attribute_probe, "_predict", lambda *given: has)
    found = attribute_probe._read_off(None, has, identities, 0)
    low = 100 * stats.binomtest(40, 40).proportion_ci(0.95, "wilson").low
    assert found == pytest.approx({"accuracy": 100.0, "accuracy_low": low, "accuracy_high": 100.0})


def test_the_interval_is_that_of_balanced_accuracy_over_drawn_persons(rare, monkeypatch):
    has, identities = rare
    rng = np.random.default_rng(3)
    predicted = has ^ (rng.random(len(has)) < 0.2)
    monkeypatch.setattr(attribute_probe, "_predict", lambda *given: predicted)
    drawn = []
    for _ in range(1_000):
        places = np.concatenate([np.flatnonzero(identities == one) for one in rng.integers(40, size=40)])
        if 0 < has[places].mean() < 1:
            drawn.append(100 * balanced_accuracy_score(has[places], predicted[places]))
    found = attribute_probe._read_off(None, has, identities, 0)
    assert found["accuracy"] == pytest.approx(100 * balanced_accuracy_score(has, predicted))
    expected = np.quantile(drawn, [0.025, 0.975])
    assert (found["accuracy_low"], found["accuracy_high"]) == pytest.approx(tuple(expected), abs=1.5)
