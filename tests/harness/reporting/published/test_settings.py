"""In what a result's settings depart from a published row's, and which row is nearest."""

import pytest

from harness.reporting.published.matches import compared
from harness.reporting.published.settings import (
    _departures,
    _same_model,
    changed_settings,
    changes,
    has_released,
    nearest,
    plain_model,
    preset_of,
    share_of,
)
from tests.published_rows import panel_of, published, real, tbps


def test_defaults_and_the_released_preset_are_no_changed_settings_but_others_are(fake):
    assert changed_settings(real(presets=())) == {}
    assert changed_settings(real(presets=("released",))) == {}
    assert changed_settings(real("full_finetune", presets=(), overrides=["method.loss=itc"])) == {
        "method.loss": "itc"
    }
    free = [f"train.{name}={value}" for name, value in (("prefetch", "false"), ("checkpoint_seconds", 9))]
    assert changed_settings(real(presets=(), overrides=free)) == {}
    assert changed_settings(fake.row("of a third party")) == {}


def test_a_result_of_other_settings_stands_beside_the_nearest_and_they_are_named():
    (row,) = compared(panel_of(tbps(overrides=["method.lr=0.5"])))
    assert (row["published_as"], row["differing"]) == ("CLIP*", "epoch, settings")
    assert "settings: method.lr=0.5" in row["unlike"]


def test_a_later_setting_that_a_record_leaves_out_has_its_default():
    whole = tbps()
    later = [key for key in whole["config"] if key.startswith("train.augment.recipe")]
    config = {key: value for key, value in whole["config"].items() if key not in later}
    (row,) = compared(panel_of(whole | {"config": config}))
    assert (later, row["published_as"]) == (["train.augment.recipe"], "CLIP*")
    assert changed_settings(whole | {"config": config})["train.augment.recipe"] == "flip_crop_erase"


def test_departures_are_of_the_presets_and_settings_named_and_none_of_an_unknown_method(fake):
    row = real(presets=(), overrides=["method.prompt_length=8"])
    assert _departures(row, (), (), False) == {"method.prompt_length": "8"}
    assert _departures(row, (), ("method.prompt_length=8",), False) == {}
    assert _departures(fake.row("nobody's"), (), (), False) == {}


def test_a_published_row_s_own_settings_count_and_without_any_the_defaults_do(fake):
    row = real(presets=(), overrides=["method.lr=0.5"])
    assert changes(row, {"presets": [], "set": {"method.lr": 0.5}}) == {}
    assert changes(row, {"presets": (), "set": {}}) == {"method.lr": "0.5"}
    assert changes(fake.row("cskt", "cuhk"), {}) == {"method.lr": "0.1"}
    assert changes(fake.row("cskt", "cuhk") | {"config": {}}, {}) == {}


def test_the_nearest_rows_are_kept_and_of_equally_near_ones_those_of_the_backbone():
    row = real("tbps_clip", presets=("clip_star",), overrides=["method.lr=0.5"])
    of = {"counterpart": "tbps_clip", "presets": ["clip_star"]}
    rows = [
        published(**of, method="same", backbone=row["backbone"]),
        published(**of, method="other model", backbone="ViT-L/14"),
        published(**of | {"presets": ["clip_baseline"]}, method="far"),
        published(**of, method="few", set={"dataset.few_shot": 0.05}),
    ]
    found = nearest(row, rows)
    assert [one["method"] for one in found] == ["same"]
    assert found[0]["changed"] == {"method.lr": "0.5"}
    assert [one["method"] for one in nearest(row, rows[1:])] == ["other model"]
    assert nearest(row, rows[3:]) == nearest(row, []) == []


def test_the_own_preset_is_the_one_with_the_fewest_departures(fake):
    assert preset_of(tbps("clip_baseline")) == ("clip_baseline", {})
    assert preset_of(tbps("full", ["method.lr=0.5"])) == ("full", {"method.lr": "0.5"})
    assert preset_of(fake.row("nobody's")) == preset_of(real("full_finetune", presets=())) == ("", {})


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [("ViT-B/16", "ViT-B-16-quickgelu", True), ("384×128", "384128", False), (None, "", True)],
)
def test_models_are_alike_without_the_signs_in_which_papers_differ(one, other, alike):
    assert _same_model(one, other) == alike


def test_signs_that_are_no_ascii_letters_do_not_count_but_the_cross_does():
    assert [plain_model("VIT_b²/16"), plain_model("384×128"), plain_model("")] == ["vitb16", "384×128", ""]


def test_a_share_is_all_unless_named_and_a_released_preset_is_a_file():
    assert [share_of({}), share_of({"dataset.few_shot": "0.05"})] == [1.0, 0.05]
    assert [has_released(name) for name in ("cskt", "zero_shot", "nobody's")] == [True, False, False]
