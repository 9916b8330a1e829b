"""A suite's runs: order, settings, seeds, tests and variations, and which mistakes are named before any begins."""

import pytest
from pydantic import ValidationError

from harness.config.values import flatten
from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.resolve import override
from harness.run.several_seeds import FRESH_SEED
from harness.suites.cells import Cell, _cell_name, expand, started_from
from harness.suites.schema import Suite
from tests.small_suites import names, suite, written

# -- expansion


def test_the_grid_goes_dataset_by_dataset_then_row_then_seed():
    found = expand(suite([{"method": "linear_probe"}, {"method": "cskt"}], seeds=2))
    assert names(found) == [
        *("linear_probe/icfg/1", "linear_probe/icfg/2", "cskt/icfg/1", "cskt/icfg/2"),
        *("linear_probe/cuhk/1", "linear_probe/cuhk/2", "cskt/cuhk/1", "cskt/cuhk/2"),
    ]
    assert [cell.config.seed for cell in found.cells] == [cell.seed for cell in found.cells]
    assert [cell.config.dataset.name for cell in found.cells] == [cell.dataset for cell in found.cells]


def test_a_method_that_trains_nothing_runs_once():
    assert names(expand(suite([{"method": "zero_shot"}], seeds=5))) == [
        "zero_shot/icfg/1",
        "zero_shot/cuhk/1",
    ]


def test_later_layers_win_and_the_command_line_last(tmp_path):
    (tmp_path / "p.yaml").write_text("train: {epochs: 2, batch_size: 2}\nmethod: {lr: 0.2}\n")
    rows = [{"method": "linear_probe", "presets": [str(tmp_path / "p.yaml")], "set": {"train.epochs": 4}}]
    given = suite(rows, set={"train.epochs": 3, "train.batch_size": 3, "eval.batch_size": 300})
    config = expand(given, overrides=["eval.batch_size=500"]).cells[0].config
    assert (config.method.lr, config.train.batch_size, config.train.epochs) == (0.2, 3, 4)
    assert config.eval.batch_size == 500


def test_presets_of_suite_and_row_both_count_the_rows_last(tmp_path):
    first = written(tmp_path, "train: {epochs: 7, batch_size: 9}", "first.yaml")
    second = written(tmp_path, "train: {epochs: 8}", "second.yaml")
    config = expand(suite([{"method": "cskt", "presets": [second]}], presets=[first])).cells[0].config
    assert (config.train.epochs, config.train.batch_size) == (8, 9)


@pytest.mark.parametrize("value", ["null", "1e-3", "on", 'a"b', "ü ö", "x: y", "#", ""])
def test_text_arrives_as_the_text_it_is(value):
    config = expand(suite(set={"dataset.root": value})).cells[0].config
    assert config.dataset.root == value


@pytest.mark.parametrize("value", [None, "openai"])
def test_null_is_null(value):
    assert expand(suite(set={"backbone.pretrained": value})).cells[0].config.backbone.pretrained == value
    assert override("a.b", 1e-05) == "a.b=1e-05"


def test_synthetic_seeds_count_on_twins_only_and_the_callers_number_most():
    given = suite(seeds=3, synthetic_seeds=1)
    assert len(expand(given).cells) == 6
    assert len(expand(given, synthetic=True).cells) == 2
    assert len(expand(given, synthetic=True, seeds=4).cells) == 8
    with pytest.raises(UsageError, match="1 to 1000 seeds, but got 0"):
        expand(given, seeds=0)


def test_synthetic_datasets_count_on_twins_only_and_the_callers_most():
    given = suite(synthetic_datasets=["cuhk"], evaluate="others")
    assert names(expand(given)) == ["linear_probe/icfg/1", "linear_probe/cuhk/1"]
    (alone,) = expand(given, synthetic=True).cells
    assert (alone.name, alone.tests) == ("linear_probe/cuhk/1", ())
    both = expand(given, synthetic=True, datasets=["rstp", "icfg", "rstp"])
    assert [(cell.dataset, cell.tests) for cell in both.cells] == [("rstp", ("icfg",)), ("icfg", ("rstp",))]
    (joint,) = expand(given, datasets=["cuhk+icfg"]).cells
    assert joint.name == "linear_probe/cuhk+icfg/1"


def test_a_row_that_says_nothing_on_twins_is_left_out_there_and_told():
    rows = [{"method": "linear_probe"}, {"method": "cskt", "synthetic": False, "vary": {"method.lr": [0.1]}}]
    assert len(expand(suite(rows, datasets=["icfg"])).cells) == 3
    found = expand(suite(rows, datasets=["icfg"]), synthetic=True)
    assert names(found) == ["linear_probe/icfg/1"]
    assert [(one.row, one.reason) for one in found.skipped] == [
        ("cskt", "it says nothing on synthetic twins")
    ]


def test_the_data_root_is_part_of_every_cell(tmp_path):
    assert expand(suite(), data_root=tmp_path).cells[0].config.dataset.root == str(tmp_path)


def test_others_are_the_other_datasets_and_named_ones_come_too():
    found = expand(suite(evaluate="others")).cells
    assert [(cell.dataset, cell.tests) for cell in found] == [("icfg", ("cuhk",)), ("cuhk", ("icfg",))]
    found = expand(suite(evaluate=["others", "icfg", "rstp"])).cells
    assert [cell.tests for cell in found] == [("cuhk", "rstp"), ("icfg", "rstp")]


def test_what_trains_nothing_is_tested_only_where_it_does_not_run():
    found = expand(suite([{"method": "zero_shot"}], evaluate=["others", "rstp"])).cells
    assert [cell.tests for cell in found] == [("rstp",), ("rstp",)]


def test_a_dataset_without_a_twin_is_left_out_with_the_reason(monkeypatch):
    monkeypatch.setattr(DATASETS.get("ufine"), "twin", None)
    found = expand(suite(datasets=["icfg", "ufine"], evaluate="others"), synthetic=True)
    assert [(cell.dataset, cell.tests) for cell in found.cells] == [("icfg", ())]
    assert {(each.dataset, each.reason) for each in found.skipped} == {
        ("ufine", "ufine has no synthetic twin")
    }
    with pytest.raises(
        UsageError, match="nothing to run: linear_probe on ufine: ufine has no synthetic twin"
    ):
        expand(suite(datasets=["ufine"]), synthetic=True)


def test_a_dataset_that_only_tests_has_no_runs_and_is_tested_by_all_others():
    rows = [{"method": "zero_shot"}, {"method": "linear_probe"}]
    found = expand(suite(rows, datasets=["ufine", "ufine3c"], evaluate="others"), synthetic=True)
    assert [(cell.dataset, cell.tests) for cell in found.cells] == [("ufine", ("ufine3c",))] * 2
    assert {(each.row, each.dataset, each.reason) for each in found.skipped} == {
        ("zero_shot", "ufine3c", "ufine3c has no training split"),
        ("linear_probe", "ufine3c", "ufine3c has no training split"),
    }


def test_a_method_may_decline_a_dataset(monkeypatch):
    refuse = classmethod(lambda cls, dataset: "no back-translations" if dataset == "cuhk" else None)
    monkeypatch.setattr(METHODS.get("linear_probe"), "skip", refuse)
    found = expand(suite())
    assert names(found) == ["linear_probe/icfg/1"]
    (left_out,) = found.skipped
    assert (left_out.row, left_out.dataset, left_out.reason) == (
        "linear_probe",
        "cuhk",
        "no back-translations",
    )


def test_twins_may_have_settings_of_their_own_which_come_in_place_of_the_others():
    row = {"method": "cskt", "set": {"method.prompt_length": 8}, "synthetic_set": {"method.prompt_length": 2}}
    given = suite(
        [row, {"method": "linear_probe", "set": {"train.epochs": 9}}],
        set={"backbone.name": "ViT-B-32-quickgelu", "train.epochs": 7, "train.batch_size": 5},
        synthetic_set={"backbone.name": "tiny", "train.epochs": 3},
    )
    real, twin = (expand(given, synthetic=synthetic).cells for synthetic in (False, True))
    assert [(c.config.backbone.name, c.config.train.epochs) for c in real[:2]] == [
        *(("ViT-B-32-quickgelu", 7), ("ViT-B-32-quickgelu", 9))
    ]
    assert [(c.config.backbone.name, c.config.train.epochs) for c in twin[:2]] == [("tiny", 3), ("tiny", 9)]
    assert (real[0].config.method.prompt_length, twin[0].config.method.prompt_length) == (8, 2)
    assert {cell.config.train.batch_size for cell in (*real, *twin)} == {5}


# -- variations


def test_each_varied_value_is_a_row_and_the_rows_own_value_none():
    vary = {"method.lr": [0.1, 0.001, 1e-5], "method.loss": ["sdm", "itc"]}
    found = expand(suite([{"method": "linear_probe", "vary": vary}], datasets=["icfg"]))
    assert names(found) == [
        "linear_probe/icfg/1",
        "method.lr=0.1/icfg/1",
        "method.lr=1e-05/icfg/1",
        "method.loss=itc/icfg/1",
    ]
    assert [cell.config.method.lr for cell in found.cells] == [0.001, 0.1, 1e-5, 0.001]


def test_a_rows_own_value_is_what_its_presets_and_settings_say():
    rows = [{"method": "linear_probe", "set": {"method.lr": 0.1}, "vary": {"method.lr": [0.1, 0.001]}}]
    assert [cell.row for cell in expand(suite(rows, datasets=["icfg"])).cells] == [
        "linear_probe",
        "method.lr=0.001",
    ]


def test_variations_of_several_rows_say_whose_they_are():
    rows = [{"method": name, "vary": {"method.loss": ["itc"]}} for name in ("linear_probe", "cskt")]
    assert [cell.row for cell in expand(suite(rows, datasets=["icfg"])).cells] == [
        *("linear_probe", "linear_probe: method.loss=itc", "cskt", "cskt: method.loss=itc")
    ]


def test_twins_may_vary_over_other_values():
    row = {"method": "cskt", "vary": {"method.prompt_depth": [1, 6], "method.init": ["zero"]}}
    row["synthetic_vary"] = {"method.prompt_depth": [2]}
    given = suite([row], datasets=["icfg"])
    assert [cell.row for cell in expand(given).cells][1:] == [
        *("method.prompt_depth=1", "method.prompt_depth=6", "method.init=zero")
    ]
    assert [cell.row for cell in expand(given, synthetic=True).cells][1:] == [
        *("method.prompt_depth=2", "method.init=zero")
    ]


def test_a_varied_key_cannot_be_set_from_outside():
    given = suite([{"method": "linear_probe", "vary": {"method.lr": [0.1]}}])
    for text in ("method.lr=0.5", "method={lr: 0.5}"):
        with pytest.raises(UsageError, match=r"row 'linear_probe' of suite 'small' varies this key"):
            expand(given, overrides=[text])
    assert expand(given, overrides=["train.epochs=1"]).cells[0].config.train.epochs == 1


@pytest.mark.parametrize(
    "text", ["seed=3", "method.name=cskt", "dataset.name=icfg", "dataset.synthetic=true"]
)
def test_what_the_suite_gives_cannot_be_set(text):
    with pytest.raises(UsageError, match="gives this itself"):
        expand(suite(), overrides=[text])


def test_two_runs_of_one_name_are_refused():
    rows = [
        {"method": "linear_probe", "vary": {"method.lr": [0.1]}},
        {"method": "cskt", "name": "method.lr=0.1"},
    ]
    with pytest.raises(UsageError, match=r"two runs called 'method\.lr=0\.1/icfg/1'"):
        expand(suite(rows))


# -- the best of a study


def test_the_best_of_a_study_comes_after_the_presets_with_fresh_seeds(tmp_path):
    asked = []

    def best(row, dataset):
        asked.append((row.from_study, dataset))
        return written(tmp_path, f"method: {{lr: {0.25 if dataset == 'icfg' else 0.5}}}", f"{dataset}.yaml")

    preset = written(tmp_path, "method: {lr: 0.1, loss: itc}", "p.yaml")
    rows = [{"method": "linear_probe", "presets": [preset], "from_study": "tuned"}, {"method": "cskt"}]
    found = expand(suite(rows, seeds=2), study_preset=best).cells
    tuned = [cell for cell in found if cell.row == "linear_probe"]
    assert [cell.seed for cell in tuned] == 2 * [FRESH_SEED + 1, FRESH_SEED + 2]
    assert [cell.config.method.lr for cell in tuned] == [0.25, 0.25, 0.5, 0.5]
    assert {cell.config.method.loss for cell in tuned} == {"itc"}
    assert {cell.seed for cell in found if cell.row == "cskt"} == {1, 2}
    assert set(asked) == {("tuned", "icfg"), ("tuned", "cuhk")}


def test_a_study_that_is_not_at_hand_is_named():
    with pytest.raises(UsageError, match=r"row 'linear_probe' on icfg: .*study 'tuned'"):
        expand(suite([{"method": "linear_probe", "from_study": "tuned"}]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method.lrr": 1}, "Did you mean 'method.lr'"),
        ({"method.lr": -1}, "greater than 0"),
        ({"method.loss": "sdn"}, "'sdm' or 'itc'"),
        ({"train.epochs": [1]}, "train.epochs"),
    ],
)
def test_a_wrong_setting_names_suite_and_row_before_anything_runs(settings, message):
    rows = [{"method": "zero_shot"}, {"name": "mine", "method": "cskt", "set": settings}]
    with pytest.raises(UsageError, match=rf"Suite 'small', row 'mine' on icfg: .*{message}"):
        expand(suite(rows))
    varied = {"name": "mine", "method": "cskt", "vary": {key: [value] for key, value in settings.items()}}
    with pytest.raises(UsageError, match=rf"Suite 'small', row 'mine' on icfg: .*{message}"):
        expand(suite([varied]))


# -- rows that start from others


def test_a_cell_starts_from_that_of_its_dataset_and_seed():
    rows = [{"method": "full_finetune"}, {"name": "second", "method": "cskt", "init_from": "full_finetune"}]
    found = expand(suite(rows, seeds=2)).cells
    for cell in found:
        same = _cell_name("full_finetune", cell.dataset, cell.seed)
        assert cell.source == (same if cell.row == "second" else None)


def test_a_source_that_is_no_run_of_the_suite_names_both(tmp_path):
    rows = [
        {"method": "full_finetune", "from_study": "mine"},
        {"name": "second", "method": "cskt", "init_from": "full_finetune"},
    ]
    preset = written(tmp_path, "train: {epochs: 2}")
    with pytest.raises(UsageError, match=r"small.*second/icfg/1.*full_finetune/icfg/1"):
        expand(suite(rows), study_preset=lambda row, dataset: preset)


def test_a_cell_that_starts_from_a_run_differs_in_that_alone():
    cell = expand(suite()).cells[0]
    begun = cell.started_from("a-run")
    before, after = (flatten(each.config.model_dump(mode="json")) for each in (cell, begun))
    assert {key: after[key] for key in after if after[key] != before[key]} == {"backbone.init_from": "a-run"}
    assert begun == Cell("linear_probe", "icfg", 1, started_from(cell.config, "a-run"))
    assert cell.name == begun.name == _cell_name("linear_probe", "icfg", 1) == "linear_probe/icfg/1"


def test_the_variations_of_real_data_are_refused_before_any_begins_like_those_of_twins():
    row = {"method": "cskt", "vary": {"method.init": ["a/b"]}, "synthetic_vary": {"method.init": ["zero"]}}
    with pytest.raises(ValidationError, match="write this value as a row with its own name"):
        Suite.model_validate({"name": "x", "datasets": ["icfg"], "rows": [row]})
    turned = row | {"vary": row["synthetic_vary"], "synthetic_vary": row["vary"]}
    with pytest.raises(ValidationError, match="write this value as a row with its own name"):
        Suite.model_validate({"name": "x", "datasets": ["icfg"], "rows": [turned]})


# -- galleries of lower resolution


def test_each_run_is_tested_on_its_own_dataset_with_each_gallery_besides():
    given = suite([{"method": "linear_probe"}], seeds=1, evaluate="others", gallery=[4, "2,1"])
    tests = {cell.dataset: cell.tests for cell in expand(given).cells}
    assert tests == {
        "icfg": ("cuhk", "icfg-low4", "icfg-mixed1_2"),
        "cuhk": ("icfg", "cuhk-low4", "cuhk-mixed1_2"),
    }


def test_a_gallery_that_cannot_be_is_refused_before_any_run():
    for wrong in ([0], ["1"], [2, "2"], [[2]], [True]):
        with pytest.raises((ValidationError, UsageError)):
            suite([{"method": "linear_probe"}], gallery=wrong)
    small = suite([{"method": "linear_probe"}], gallery=[64], set={"backbone.image_size": [48, 32]})
    with pytest.raises(UsageError, match="leaves nothing of pictures of 48x32"):
        expand(small)
