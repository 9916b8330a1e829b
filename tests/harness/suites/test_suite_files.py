"""Suites as files: what they expand to, which mistakes are named where, and the shipped ones."""

import json
from collections import Counter
from pathlib import Path

import pytest

from harness.config.values import flatten
from harness.errors import UsageError
from harness.methods import METHODS
from harness.reports import REPORTS
from harness.suites.cells import expand
from harness.suites.suite_files import load_suite, suite_names
from tests.small_suites import names, written

PENDING_REPORTS: set[str] = set()
MEASURED = Path(__file__).parents[3] / "benchmarks" / "results" / "suite_times.json"


# -- the shipped suites


@pytest.mark.parametrize("synthetic", [False, True])
@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_expands_without_data(name, synthetic):
    shipped = load_suite(name)
    expansion = expand(shipped, synthetic=synthetic)
    assert {one.row for one in expansion.skipped} == {
        row.name for row in shipped.rows if synthetic > row.synthetic
    }
    assert {cell.dataset for cell in expansion.cells} == set(shipped.datasets_run(synthetic))
    assert all(cell.config.dataset.synthetic is synthetic for cell in expansion.cells)
    assert len(set(names(expansion))) == len(expansion.cells)
    assert shipped.title
    assert shipped.question
    assert shipped.report in {*REPORTS.names(), *PENDING_REPORTS}


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_took_less_than_half_an_hour_on_two_cores_as_it_is_now(name):
    found = json.loads(MEASURED.read_text())["facts"]["suites"].get(name, {"runs": 0})
    n_runs = len(expand(load_suite(name), synthetic=True).cells)
    assert found["runs"] == n_runs, f"measure it anew: python -m benchmarks.suite_times {name}"
    assert found["minutes"] <= 30


def test_the_shipped_suites_are_those_demanded():
    assert set(suite_names()) == {
        *("cross_dataset", "cskt_ablation", "main_results", "parameter_efficiency"),
        *("tbps_clip_tricks", "tbps_clip_image_augmentation", "tbps_clip_text_augmentation"),
        *("tbps_clip_strength", "tbps_clip_losses", "few_shot", "compression", "irra_from_tbps_clip"),
        *("long_captions", "irra_leak", "efficient_field"),
        *("few_persons", "noisy_correspondence", "gallery_resolution", "joint_training"),
    }
    assert load_suite("main-results") == load_suite("main_results")


def test_irra_s_masks_and_its_guessing_are_switched_apart():
    cells = expand(load_suite("irra_leak"), synthetic=True).cells
    found = {}
    for cell in cells:
        config = cell.config
        masked = config.train.augment.mask_words or bool(config.method.mlm and config.method.leak_masks)
        found.setdefault((bool(masked), bool(config.method.mlm)), []).append(config.seed)
    assert {key: len(seeds) for key, seeds in found.items()} == {
        (masked, guessed): 3 for masked in (True, False) for guessed in (True, False)
    }


def test_the_efficient_field_holds_every_method_of_few_parameters_with_three_seeds():
    cells = expand(load_suite("efficient_field")).cells
    apart = {"tbps_clip", "irra", "peft"}  # recipes of their own, and adapters of a library
    assert {cell.config.method.name for cell in cells} == set(METHODS.names()) - apart
    seeds = Counter(cell.config.method.name for cell in cells)
    assert {n for name, n in seeds.items() if name != "zero_shot"} == {3}
    assert all(cell.tests == ("cuhk",) for cell in cells)


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


def test_long_captions_are_all_transfers_of_one_text_length_and_a_test_elsewhere():
    cells = expand(load_suite("long_captions"), synthetic=True).cells
    assert {cell.config.backbone.text_length for cell in cells} == {168}
    pairs = {(cell.dataset, other) for cell in cells if cell.row == "cskt" for other in cell.tests}
    assert len(pairs) == 16
    assert {cell.dataset for cell in cells} == {"ufine", "cuhk", "icfg", "rstp"}
    assert all("ufine3c" in cell.tests for cell in cells)


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
        (HEAD + "rows: [{method: cskt, set: {method.lr: .inf}}]", r"'\.inf' is no finite number"),
        (HEAD + "rows: [{method: cskt, set: {3: 1}}]", r"the key '3' is no text"),
        (HEAD + "rows: [{method: cskt}]\nrows: [{method: cskt}]", r"the key 'rows' is given twice"),
        ("- 1", r"must hold the keys name, title"),
        ("a: [", r"is not valid YAML"),
        ("<!doctype html><title>Sign in</title>", r"cannot be read\. It is a web page"),
    ],
)
def test_a_mistake_in_the_file_is_one_message_that_names_it(tmp_path, text, message):
    file = written(tmp_path, text)
    with pytest.raises(UsageError, match=rf"The suite .*mine\.yaml(?s:.)*{message}"):
        load_suite(file)


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
    with pytest.raises(UsageError, match="more than 10,000 values, aliases written out") as caught:
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
