"""Suites as files: what they expand to, which mistakes are named where, and the shipped ones."""

import json

import pytest

from harness.config.values import flatten
from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.methods import METHODS
from harness.reports import REPORTS
from harness.run.several_seeds import FRESH_SEED
from harness.suites.schema import override
from harness.suites.suite_files import Suite, expand, load_suite, suite_names

PENDING_REPORTS: set[str] = set()
SMALL = {"name": "small", "datasets": ["icfg", "cuhk"], "rows": [{"method": "linear_probe"}]}


def suite(rows=None, **changes):
    values = SMALL | changes
    return Suite.model_validate(values | {"rows": rows} if rows else values)


def names(expansion):
    return [cell.name for cell in expansion.cells]


def written(folder, text, name="mine.yaml"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


# -- the shipped suites


@pytest.mark.parametrize("synthetic", [False, True])
@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_expands_without_data(name, synthetic):
    shipped = load_suite(name)
    expansion = expand(shipped, synthetic=synthetic)
    assert not expansion.skipped
    assert {cell.dataset for cell in expansion.cells} == set(shipped.datasets)
    assert all(cell.config.dataset.synthetic is synthetic for cell in expansion.cells)
    assert len(set(names(expansion))) == len(expansion.cells)
    assert shipped.title
    assert shipped.question
    assert shipped.report in {*REPORTS.names(), *PENDING_REPORTS}


def seconds_alone(cell):
    """What a cell takes on one thread of a busy machine, with its tests on other datasets."""
    by_method = {"zero_shot": 10, "linear_probe": 15}
    run = by_method.get(cell.config.method.name, {"icfg": 85, "cuhk": 140, "rstp": 85}[cell.dataset])
    return run + 10 * len(cell.tests)


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_takes_less_than_half_an_hour_on_two_cores(name):
    assert sum(map(seconds_alone, expand(load_suite(name), synthetic=True).cells)) / 2 < 30 * 60


def test_the_shipped_suites_are_those_demanded():
    assert set(suite_names()) == {
        *("cross_dataset", "cskt_ablation", "main_results", "parameter_efficiency"),
        *("tbps_clip_tricks", "tbps_clip_image_augmentation", "tbps_clip_text_augmentation"),
        *("tbps_clip_strength", "tbps_clip_losses", "few_shot", "compression", "irra_from_tbps_clip"),
    }
    assert load_suite("main-results") == load_suite("main_results")


def test_main_results_hold_every_baseline_and_method_on_three_datasets():
    cells = expand(load_suite("main_results")).cells
    assert {cell.config.method.name for cell in cells} >= {
        *("zero_shot", "linear_probe", "full_finetune", "prompt_only", "adapter_only", "cskt")
    }
    assert {cell.dataset for cell in cells} == {"cuhk", "icfg", "rstp"}


def test_cross_dataset_is_the_six_transfers():
    cells = [cell for cell in expand(load_suite("cross_dataset")).cells if cell.row == "cskt"]
    pairs = {(cell.dataset, other) for cell in cells for other in cell.tests}
    assert len(pairs) == 6
    assert all(first != second for first, second in pairs)


def test_the_ablation_changes_one_thing_at_a_time():
    cells = expand(load_suite("cskt_ablation"), seeds=1).cells
    base = flatten(cells[0].config.model_dump(mode="json"))
    assert cells[0].row == "cskt"
    changed = {}
    for cell in (cell for cell in cells if "=" in cell.row and cell.config.method.name == "cskt"):
        values = flatten(cell.config.model_dump(mode="json"))
        (key,) = [key for key in values if values[key] != base[key]]
        assert cell.row == f"{key}={values[key]}"
        changed.setdefault(key, []).append(values[key])
    assert changed == {
        "method.directions": ["t2i", "i2t", "none"],
        "method.adapter_towers": ["image", "text", "none"],
        "method.prompt_length": [1, 2, 8],
        "method.prompt_depth": [1, 3, 6, 9],
        "method.reduction": [2, 4, 16, 32],
        "method.image_scale": [0.01, 1.0, 4.0],
        "method.text_scale": [0.1, 1.0, 10.0],
        "method.init": ["zero"],
        "train.augment.mask_words": [0.15],
    }


def test_on_the_tiny_clip_no_two_depths_of_the_ablation_are_the_same_run():
    cells = expand(load_suite("cskt_ablation"), synthetic=True).cells
    assert len(cells) <= 30
    depths = [min(cell.config.method.prompt_depth, 3) for cell in cells if "prompt_depth" in cell.row]
    assert depths == [1, 2]


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
    given = suite(rows, set={"train.epochs": 3, "train.batch_size": 3, "eval.replicates": 300})
    config = expand(given, overrides=["eval.replicates=500"]).cells[0].config
    assert (config.method.lr, config.train.batch_size, config.train.epochs) == (0.2, 3, 4)
    assert config.eval.replicates == 500


def test_presets_of_suite_and_row_both_count_the_rows_last(tmp_path):
    first = written(tmp_path, "train: {epochs: 7, batch_size: 9}", "first.yaml")
    second = written(tmp_path, "train: {epochs: 8}", "second.yaml")
    config = expand(suite([{"method": "cskt", "presets": [second]}], presets=[first])).cells[0].config
    assert (config.train.epochs, config.train.batch_size) == (8, 9)


@pytest.mark.parametrize("value", ["null", "1e-3", "on", 'a"b', "ü ö", "x: y", "#", ""])
def test_text_arrives_as_the_text_it_is(value):
    config = expand(suite(set={"backbone.pretrained": value})).cells[0].config
    assert config.backbone.pretrained == value


@pytest.mark.parametrize("value", [None, "shapes"])
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


def test_a_dataset_without_a_twin_is_left_out_with_the_reason():
    assert DATASETS.get("ufine").twin is None
    found = expand(suite(datasets=["icfg", "ufine"], evaluate="others"), synthetic=True)
    assert [(cell.dataset, cell.tests) for cell in found.cells] == [("icfg", ())]
    assert {(each.dataset, each.reason) for each in found.skipped} == {
        ("ufine", "ufine has no synthetic twin")
    }
    with pytest.raises(
        UsageError, match="nothing to run: linear_probe on ufine: ufine has no synthetic twin"
    ):
        expand(suite(datasets=["ufine"]), synthetic=True)


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


# -- mistakes

HEAD = "datasets: [icfg]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: [icfg]\nrows: [{method: cskt}]", r"unknown key 'dataset'\. Did you mean 'datasets'\?"),
        (HEAD + "rows: [{method: cskt}, {metod: cskt}]", r"'metod' in row 2\. Did you mean 'method'\?"),
        (HEAD + "rows: [{method: cskt, sets: {}}]", r"'sets' in row 1 \('cskt'\)\. Did you mean 'set'\?"),
        (HEAD + "rows: [{method: cskt}]\nseeds: two", r"seeds: must be a whole number, but got 'two'"),
        (HEAD + "rows: [{method: cskt}]\nseeds: true", r"seeds: must be a whole number"),
        (HEAD + "rows: [{method: cskt}]\nseeds: 0", r"seeds: must be greater than or equal to 1, but got 0"),
        ("datasets: icfg\nrows: [{method: cskt}]", r"datasets: must be a list, but got 'icfg'"),
        ("datasets: []\nrows: [{method: cskt}]", r"datasets: must not be empty"),
        (HEAD + "rows: []", r"rows: must not be empty"),
        (HEAD, r"rows: is missing"),
        (HEAD + "rows: [cskt]", r"row 1: must be keys with values, but got 'cskt'\.$"),
        (HEAD + "rows: [{presets: [tiny]}]", r"has a wrong value: row 1, method: is missing\.$"),
        (HEAD + "rows: [{method: cskt}, {method: cskt}]", r"two rows are called 'cskt'"),
        (HEAD + "rows: [{method: cskd}]", r"Unknown method 'cskd'\. Did you mean 'cskt'\?"),
        ("datasets: [icgf]\nrows: [{method: cskt}]", r"Unknown dataset 'icgf'\. Did you mean 'icfg'\?"),
        ("datasets: [icfg, icfg]\nrows: [{method: cskt}]", r"datasets: 'icfg' is given twice"),
        (
            HEAD + "rows: [{method: cskt}]\nevaluate: other",
            r"Unknown dataset 'other'\. Did you mean 'others'\?",
        ),
        (HEAD + "rows: [{method: cskt}]\npublished: [cskt_man]", r"Did you mean 'cskt_main'\?"),
        (HEAD + "rows: [{method: cskt}]\nreport: cross_datasets", r"Did you mean 'cross_dataset'\?"),
        (
            HEAD + "rows: [{method: cskt, vary: {method.lr: 3}}]",
            r"row 1 \('cskt'\), vary, method.lr: must be a list",
        ),
        (HEAD + "rows: [{method: cskt, vary: {method.lr: []}}]", r"vary, method.lr: must not be empty"),
        (
            HEAD + "rows: [{method: cskt, synthetic_vary: {method.lr: [1]}}]",
            r"names method.lr, which vary does not",
        ),
        (HEAD + "rows: [{method: cskt, set: {method: {lr: 1}}}]", r"written with dots, as method.lr"),
        (HEAD + "rows: [{method: cskt, set: {seed: 1}}]", r"seed is given by `seeds`"),
        (HEAD + "rows: [{method: cskt, synthetic_set: {seed: 1}}]", r"seed is given by `seeds`"),
        (HEAD + "rows: [{method: cskt, set: {'a=b': 1}}]", r"a config key is written with dots"),
        (HEAD + "rows: [{method: cskt, set: {method.lr: .inf}}]", r"a value is a number, text"),
        (HEAD + "rows: [{method: cskt, set: {3: 1}}]", r"must be text"),
        (HEAD + "rows: [{method: cskt}]\nrows: [{method: cskt}]", r"the key 'rows' is given twice"),
        ("- 1", r"must hold the keys name, title"),
        ("a: [", r"is not valid YAML"),
    ],
)
def test_a_mistake_in_the_file_is_one_message_that_names_it(tmp_path, text, message):
    file = written(tmp_path, text)
    with pytest.raises(UsageError, match=rf"The suite .*mine\.yaml(?s:.)*{message}"):
        load_suite(file)


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


@pytest.mark.parametrize(
    "name",
    ["a/b", "a\\b", "../x", ".hidden", "-x", " x", "x ", "", "a\nb", "\x1b[31mred", "a\u202eb", "x" * 101],
)
def test_hostile_row_names_are_refused(tmp_path, name):
    file = written(tmp_path, HEAD + f"rows: [{{method: cskt, name: {json.dumps(name)}}}]")
    with pytest.raises(UsageError, match="a name has 1 to 100 printable characters") as caught:
        load_suite(file)
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b", "..", "a b", "a\nb", "x" * 101])
def test_hostile_suite_names_are_refused(tmp_path, name):
    file = written(tmp_path, HEAD + f"name: {json.dumps(name)}\nrows: [{{method: cskt}}]")
    with pytest.raises(UsageError, match="a suite's name has letters"):
        load_suite(file)


def test_hostile_values_do_not_reach_names_or_terminals(tmp_path):
    vary = HEAD + "rows: [{method: cskt, vary: {backbone.weights: [/etc/passwd]}}]"
    with pytest.raises(UsageError, match="write this value as a row with its own name"):
        load_suite(written(tmp_path, vary))
    for where in ("set: {backbone.weights: V}", "vary: {backbone.weights: [V]}"):
        text = HEAD + "rows: [{method: cskt, " + where.replace("V", json.dumps("a\x1b[31mb")) + "}]"
        with pytest.raises(UsageError, match="a value is a number, text") as caught:
            load_suite(written(tmp_path, text))
        assert "\x1b" not in str(caught.value)
    key = HEAD + f"rows: [{{method: cskt}}]\n{json.dumps(chr(27) + '[31mx')}: 1"
    with pytest.raises(UsageError, match="unknown key") as caught:
        load_suite(written(tmp_path, key))
    assert "\x1b" not in str(caught.value)


def test_a_bomb_of_aliases_is_refused_in_a_few_words(tmp_path):
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = HEAD + "\n".join(lines) + "\nrows: [{method: cskt, set: {method.lr: *a11}}]\n"
    with pytest.raises(UsageError, match="unknown key 'a'") as caught:
        load_suite(written(tmp_path, text))
    assert len(str(caught.value)) < 1000


def test_titles_are_one_printable_line(tmp_path):
    file = written(tmp_path, HEAD + "title: |\n  two\n  lines\nrows: [{method: cskt}]")
    assert load_suite(file).title == "two lines"
    with pytest.raises(UsageError, match="title: must be printable"):
        load_suite(written(tmp_path, HEAD + 'title: "\\e[31m"\nrows: [{method: cskt}]'))


def test_a_suite_of_ones_own_is_called_as_its_file_and_finds_presets_beside_it(tmp_path, monkeypatch):
    written(tmp_path, "train: {epochs: 7}", "p.yaml")
    file = written(
        tmp_path, "datasets: [icfg]\nrows: [{method: full-finetune, presets: [p.yaml]}]", "my-table.yml"
    )
    monkeypatch.chdir("/")
    own = load_suite(file)
    assert (own.name, own.rows[0].name, own.seeds) == ("my-table", "full_finetune", 1)
    assert expand(own).cells[0].config.train.epochs == 7


def test_unknown_suites_and_missing_files_are_named():
    with pytest.raises(UsageError, match=r"Unknown suite 'main-result'\. Did you mean 'main_results'\?"):
        load_suite("main-result")
    with pytest.raises(UsageError, match=r"The suite nowhere\.yaml cannot be read"):
        load_suite("nowhere.yaml")
