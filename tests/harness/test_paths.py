"""Where things are: folders by option, variable and default, and the user's own plug-ins."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.paths import INCLUDE, cache_root, data_root, included, runs_root


def test_an_option_comes_before_the_variable_and_that_before_the_default(monkeypatch, tmp_path):
    for root, variable in ((data_root, "HARNESS_DATA"), (runs_root, "HARNESS_RUNS")):
        monkeypatch.delenv(variable, raising=False)
        default = root().path
        monkeypatch.setenv(variable, str(tmp_path / "variable"))
        assert root().path == tmp_path / "variable" != default
        assert variable in str(root())
        assert root(tmp_path / "option").path == tmp_path / "option"
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    assert cache_root().path == tmp_path / "cache"


def test_folders_of_plug_ins_are_listed_in_order_and_empty_parts_are_none(monkeypatch, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "reports").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(INCLUDE, f"two::{tmp_path / 'one'}:")
    assert included() == [tmp_path / "two", tmp_path / "one"]
    assert all(isinstance(place, Path) for place in included())
    monkeypatch.delenv(INCLUDE)
    assert included() == []


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_plug_ins_is_refused_by_name(monkeypatch, tmp_path, there):
    place = tmp_path / "mine"
    if there:
        place.mkdir()
    monkeypatch.setenv(INCLUDE, str(place))
    with pytest.raises(
        UsageError, match=r"mine, from --include or HARNESS_INCLUDE, .*methods, datasets, reports"
    ):
        included()
