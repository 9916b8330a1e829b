"""Which run of the same config is named, and what is said to differ from it."""

import pytest

from harness.record import BEFORE_PICTURES, Record, RunFolder
from harness.run.earlier_runs import difference_from_earlier, differences

CONFIG = {
    "method": {"name": "coop", "lr": 0.1},
    "dataset": {"name": "icfg", "root": "here"},
    "backbone": {"weights": None},
}


def record(identity="a" * 64, **values):
    known = {
        "identity": identity,
        "config": CONFIG,
        "versions": {"method": 1, "protocol": 2},
        "fingerprint": "print",
        "pictures": {"train": "x", "test": "y"},
        "backbone": {"name": "tiny", "sha256": "w"},
        "synthetic": True,
        "status": "finished",
        "started": "2026-01-01",
    }
    return Record(**{**known, **values})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pictures": {"train": "x", "test": "z"}}, "other pictures in test"),
        ({"pictures": {"train": "z", "val": "v", "test": "z"}}, "other pictures in train, val, test"),
        ({"fingerprint": "other"}, "another annotation"),
        ({"backbone": {"name": "tiny", "sha256": "v"}}, "other backbone weights"),
        ({"versions": {"method": 2, "protocol": 2}}, "another version of method"),
        ({"fingerprint": "other", "versions": {}}, "another annotation; another version of method, protocol"),
        ({"pictures": {}}, BEFORE_PICTURES),
    ],
)
def test_what_differs_is_said_in_words(values, said):
    assert differences(record(**values), record()) == said


def test_a_setting_that_is_gone_makes_no_other_config_and_is_named_where_nothing_else_differs(tmp_path):
    held = record("b" * 64, config={**CONFIG, "eval": {"replicates": 200}})
    assert differences(held, record()) == "made when eval.replicates was a setting"
    assert differences(record(), record()) == "other settings"
    kept(tmp_path, held)
    assert difference_from_earlier(record(), tmp_path) == (
        f"another run than {held.name}, which has the same config: made when eval.replicates was a setting."
    )


def kept(root, *records):
    for one in records:
        RunFolder(root / one.name).write(one)


def test_the_finished_run_of_the_same_config_that_is_most_alike_is_named_and_of_equals_the_latest(tmp_path):
    old = record("b" * 64, pictures={"train": "x", "test": "z"}, started="2026-01-02")
    older = record("c" * 64, fingerprint="other")
    kept(tmp_path, record("e" * 64, pictures={"train": "z", "test": "z"}, started="2026-01-04"))
    begun = record("d" * 64, versions={}, status="failed", started="2026-01-03")
    kept(tmp_path, older, old, begun)
    assert difference_from_earlier(record(), tmp_path) == (
        f"another run than {old.name}, which has the same config: other pictures in test."
    )


def test_another_place_of_the_data_is_the_same_config_and_another_rate_is_not(tmp_path):
    moved = {**CONFIG, "dataset": {"name": "icfg", "root": "there"}}
    other = {**CONFIG, "method": {"name": "coop", "lr": 0.2}}
    kept(tmp_path, record("b" * 64, config=other, fingerprint="other"))
    assert difference_from_earlier(record(), tmp_path) is None
    kept(tmp_path, record("c" * 64, config=moved, fingerprint="other"))
    assert "another annotation" in difference_from_earlier(record(), tmp_path)


def test_neither_the_run_itself_nor_one_set_aside_is_named(tmp_path):
    kept(tmp_path, record())
    RunFolder(tmp_path / f"{record().name}~1").write(record("b" * 64))
    assert difference_from_earlier(record(), tmp_path) is None
