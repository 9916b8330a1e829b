"""Settings that are gone: no section has them, what is stored is read without them, and a person is told."""

import pytest

from harness.config.removed import REMOVED, why_removed, without_removed
from harness.config.values import flatten, merge, nest
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.keys import config_keys, unknown_key
from harness.presets.resolve import build, build_stored, resolve


@pytest.fixture
def stored():
    """Return a config as it was stored before, nested."""
    values = resolve("linear_probe", "icfg", synthetic=True).model_dump(mode="json")
    for key in REMOVED:
        merge(values, nest(key, 200))
    return values


def test_no_section_has_a_setting_that_is_gone():
    for name in METHODS.names():
        assert not REMOVED.keys() & config_keys(METHODS.get(name)).keys()


def test_a_stored_config_is_read_without_them_and_left_as_it_is(stored):
    assert REMOVED.keys() < flatten(stored).keys()
    assert build_stored(stored) == resolve("linear_probe", "icfg", synthetic=True)
    assert REMOVED.keys() < flatten(stored).keys()
    assert flatten(without_removed(stored)) == without_removed(flatten(stored))
    assert flatten(stored).keys() - without_removed(flatten(stored)).keys() == REMOVED.keys()


@pytest.mark.parametrize("key", REMOVED)
def test_who_sets_one_is_told_that_it_is_gone_and_why(stored, key):
    told = rf"^{key} is gone: {REMOVED[key]}; leave it out\.$"
    with pytest.raises(UsageError, match=told):
        resolve("linear_probe", "icfg", overrides=[f"{key}=200"])
    with pytest.raises(UsageError, match=told):
        build(stored)
    assert why_removed("seed") is None
    assert "Unknown config key" in str(unknown_key(f"{key}_", ["eval.every"]))


def test_a_key_of_the_same_name_elsewhere_stays():
    assert without_removed({"method": {"replicates": 1}, "replicates": 2}) == {
        "method": {"replicates": 1},
        "replicates": 2,
    }
