"""Labels tell rows apart by what differs: settings, files, versions, budgets; never by a hash, and never cut."""

import re

import pytest
from pandas import DataFrame

from harness.results.labels import labels, numbered, settings, told_apart, tuned
from harness.results.panels import dataset_facts, split_panels

BASE = {"method.name": "cskt", "method.lr": "0.1", "dataset.name": "icfg"}


def label(fake, *changes, **shared):
    """Return the labels of rows whose settings differ from the base by `changes`."""
    rows = [
        fake.row(condition=f"{i:06x}", config=BASE | change, **shared) for i, change in enumerate(changes)
    ]
    return labels(rows, "untrained")


def test_two_rows_are_called_by_the_setting_that_differs_with_its_whole_key(fake):
    assert label(fake, {"method.lr": "0.001"}, {}) == ["cskt (method.lr=0.001)", "cskt (method.lr=0.1)"]


def test_two_settings_and_nested_ones_of_one_name_are_told_apart(fake):
    one = {"method.image_augment.strength": "1", "method.text_augment.strength": "2"}
    other = {"method.image_augment.strength": "2", "method.text_augment.strength": "1"}
    assert label(fake, one, other) == [
        "cskt (method.image_augment.strength=1, method.text_augment.strength=2)",
        "cskt (method.image_augment.strength=2, method.text_augment.strength=1)",
    ]


def test_of_many_variations_each_is_called_by_what_it_varies_however_many_there_are(fake):
    varied = [{f"method.key{i}": "on"} for i in range(9)]
    base = {f"method.key{i}": "off" for i in range(9)}
    found = label(fake, base, *(base | one for one in varied))
    assert found == ["cskt", *(f"cskt (method.key{i}=on)" for i in range(9))]


def test_a_label_is_whole_however_much_differs(fake):
    many = [{f"method.quite_a_long_key_{i}": str(j) for i in range(12)} for j in range(2)]
    first, second = label(fake, *many)
    assert first.count("=0") == second.count("=1") == 12
    assert "…" not in first + second


def test_another_backbone_is_a_setting(fake):
    found = label(fake, {"backbone.name": "ViT-B-32"}, {"backbone.name": "RN50"})
    assert found == ["cskt (backbone.name=ViT-B-32)", "cskt (backbone.name=RN50)"]


def test_weights_are_called_by_as_much_of_their_path_as_differs(fake):
    paths = ["/a/one/clip.pt", "/a/two/clip.pt", "/a/other.pt"]
    found = label(fake, *({"backbone.weights": path} for path in paths))
    assert found == [f"cskt (backbone.weights={tail})" for tail in ("one/clip.pt", "two/clip.pt", "other.pt")]


def test_an_import_is_called_by_its_file_and_not_by_that_file_s_hash(fake):
    rows = [
        fake.row(condition=str(i), config=BASE, imported=f"{name} (sha256 0123456789abcdef)" if name else "")
        for i, name in enumerate(("best.pth", "last.pth", ""))
    ]
    assert labels(rows, "untrained") == [
        "cskt (imported=best.pth)",
        "cskt (imported=last.pth)",
        "cskt (imported=–)",
    ]


@pytest.mark.parametrize("start", ["tbps_clip {}", "tbps_clip-icfg-{}"])
def test_a_start_from_another_run_is_called_without_its_hash(fake, start):
    found = label(
        fake,
        *({"backbone.init_from": start.format(mark)} for mark in ("1a2b3c", "4d5e6f")),
        {"backbone.init_from": "None"},
    )
    source = start.partition("{")[0].strip(" -")
    assert found == [
        f"cskt (backbone.init_from={source}, no. 1)",
        f"cskt (backbone.init_from={source}, no. 2)",
        "cskt (backbone.init_from=None)",
    ]


def test_the_best_of_a_search_is_called_by_its_budget_and_not_by_what_it_found(fake):
    rows = [
        fake.row(condition="1", config=BASE | {"method.lr": "0.00731"}, budget="30 trials"),
        fake.row(condition="2", config=BASE),
        fake.row("other", condition="3"),
    ]
    assert labels(rows, "untrained") == ["cskt (tuned, 30 trials)", "cskt", "other"]
    rows += [fake.row(condition="4", config=BASE | {"method.lr": "0.5"}, budget="30 trials")]
    found = labels(rows, "untrained")
    assert found[0] == "cskt (tuned, 30 trials, method.lr=0.00731)"
    assert found[3] == "cskt (tuned, 30 trials, method.lr=0.5)"
    assert (tuned({"budget": "none"}), tuned({"budget": ""}), tuned({})) == ("", "", "")


def test_versions_tell_apart_and_what_nothing_tells_apart_is_numbered(fake):
    rows = [fake.row(condition=str(i), config=BASE, versions={"method": str(i)}) for i in (1, 2)]
    assert labels(rows, "untrained") == ["cskt (method version=1)", "cskt (method version=2)"]
    assert settings(rows[0]) == {"method.lr": "0.1", "method version": "1"}
    assert label(fake, {}, {}) == ["cskt, no. 1", "cskt, no. 2"]


def test_an_untrained_method_is_one_wherever_it_was_called(fake):
    rows = [
        fake.row("zero_shot", name, condition=name, rule="untrained", config={"dataset.name": name})
        for name in ("icfg", "cuhk")
    ]
    assert labels(rows, "untrained") == ["zero_shot", "zero_shot"]


def test_no_two_conditions_of_a_table_share_a_label_and_no_label_has_a_hash(fake):
    rows = [
        fake.row(condition=f"{i}{lr}{size}a1b2c3d4e5f6", config=BASE | {"method.lr": lr, "method.size": size})
        for i in range(2)
        for lr in ("0.1", "0.2", "0.3")
        for size in ("4", "8")
    ]
    (panel,) = split_panels(DataFrame(rows), dataset_facts)
    names = [row["label"] for row in panel.records]
    assert len(set(names)) == len(names) == 12
    assert not [name for name in names if re.search(r"[0-9a-f]{6}|…", name)]


def test_a_value_that_is_usual_is_not_said():
    rows = [{"a": "x"}, {"a": "preset"}, {"a": "x", "b": "1"}]
    filled = [{key: row.get(key, "preset") for key in ("a", "b")} for row in rows]
    assert told_apart(filled, "gggg"[:3], "gggg"[:3], "preset") == [["a=x"], [], ["a=x", "b=1"]]


def test_a_setting_that_is_the_same_throughout_each_group_is_not_said():
    assert told_apart([{"a": "x"}, {"a": "y"}], "gh", "ff") == [[], []]
    assert told_apart([{"a": "x"}, {"a": "y"}, {"a": "z"}], "ggh", "fff") == [["a=x"], ["a=y"], ["a=z"]]


def test_numbers_are_given_within_a_group_alone():
    assert numbered([("a", "x"), ("a", "y"), ("a", "x")], [1, 2, 1]) == ["a", "a", "a"]
