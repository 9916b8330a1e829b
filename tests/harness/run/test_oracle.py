"""The oracle keeps the best epoch on the test split, and of equal ones the first."""

from types import SimpleNamespace

import pytest

from harness.record import RunFolder
from harness.run import oracle
from harness.run.oracle import OracleWatch, optimism
from harness.train import checkpoint


@pytest.fixture
def watch(monkeypatch, tmp_path):
    """Return a watch that sees these R@1, one an epoch, and the epochs whose weights were saved."""
    saved, scores = [], iter([40.0, 50.0, 50.0, 45.0])

    def evaluated(encoder, split):
        return (SimpleNamespace(metrics={"t2i/R1": next(scores)}),)

    monkeypatch.setattr(oracle, "evaluate", evaluated)
    monkeypatch.setattr(checkpoint, "save_weights", lambda method, file, note: saved.append(note["epoch"]))
    encoder = SimpleNamespace(engine=SimpleNamespace(is_main_process=True))
    return OracleWatch(encoder, None, "method", RunFolder(tmp_path)), saved


def test_the_earliest_of_equally_good_epochs_stays(watch):
    watching, saved = watch
    kept = {}
    for epoch in range(1, 5):
        kept = watching(epoch, kept)
    assert (kept["best"]["epoch"], saved) == (2, [1, 2])
    assert [row["t2i/R1"] for row in kept["history"]] == [40, 50, 50, 45]
    found = optimism(kept, {"t2i/R1": 45.0})
    assert (found["epoch"], found["optimism_gap"]) == (2, 5.0)
    assert optimism({}, {}) is None
