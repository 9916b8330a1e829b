"""The suites that repeat the tables of TBPS-CLIP: each row has the switches its name says, and its published figure."""

import pytest

from harness.config.values import flatten
from harness.reporting.published.matches import counterparts
from harness.reporting.published.settings import nearest
from harness.suites.cells import expand
from harness.suites.suite_files import load_suite

TRICKS = ("global_gradients", "text_dropout", "freeze_patches", "soft_labels")
LADDER = (
    "tbps_clip_tricks",
    "tbps_clip_image_augmentation",
    "tbps_clip_text_augmentation",
    "tbps_clip_strength",
    "tbps_clip_losses",
)


def settings(suite, synthetic=False):
    """Return the flat config of each row of a suite with one seed, by the row's name."""
    cells = expand(load_suite(suite), seeds=1, synthetic=synthetic).cells
    return {cell.row: flatten(cell.config.model_dump(mode="json")) for cell in cells}


def changed(suite, synthetic=False):
    """Return what each row of a suite changes of its first row."""
    rows = settings(suite, synthetic)
    base = next(iter(rows.values()))
    return {
        name: {key: value for key, value in row.items() if value != base[key]} for name, row in rows.items()
    }


@pytest.mark.parametrize("suite", LADDER)
@pytest.mark.parametrize("synthetic", [False, True])
def test_ablations_have_the_papers_smaller_backbone_and_twins_the_tiny_one(suite, synthetic):
    rows = settings(suite, synthetic).values()
    assert {row["backbone.name"] for row in rows} == {"tiny" if synthetic else "ViT-B-32-quickgelu"}
    assert {row["backbone.pretrained"] for row in rows} == {"web" if synthetic else "openai"}
    assert {tuple(row["backbone.image_size"]) for row in rows} == {(96, 32) if synthetic else (224, 224)}


@pytest.mark.parametrize("suite", ["few_shot", "compression"])
@pytest.mark.parametrize("synthetic", [False, True])
def test_whole_results_have_the_larger_backbone_and_one_kind_of_input(suite, synthetic):
    rows = settings(suite, synthetic).values()
    assert {row["backbone.name"] for row in rows} == {"tiny" if synthetic else "ViT-B-16-quickgelu"}
    for key in ("image_size", "interpolation", "train_interpolation", "normalisation", "captions"):
        assert len({str(row[f"backbone.{key}"]) for row in rows}) == 1


def test_each_trick_is_the_only_one_of_its_row_and_the_last_row_has_all():
    rows = changed("tbps_clip_tricks")
    assert list(rows.values()) == [
        {},
        {"method.global_gradients": True},
        {"method.text_dropout": 0.05},
        {"method.freeze_patches": True},
        {"method.soft_labels": 0.5},
        {
            "method.global_gradients": True,
            "method.text_dropout": 0.05,
            "method.freeze_patches": True,
            "method.soft_labels": 0.5,
        },
    ]
    first = settings("tbps_clip_tricks")["CLIP"]
    assert not any(first[f"method.{name}"] for name in TRICKS)


def test_the_plain_fine_tune_has_the_loss_of_clip_alone_and_no_augmentation():
    for suite in LADDER[:4]:
        first = next(iter(settings(suite).values()))
        losses = {name: first[f"method.{name}"] for name in ("itc", "n_itc", "r_itc", "c_itc", "ss_image")}
        assert losses == {"itc": 1.0, "n_itc": 0.0, "r_itc": 0.0, "c_itc": 0.0, "ss_image": 0.0}
        assert not first["method.mvs_image"]
        assert first["train.augment.recipe"] == "flip_crop_erase"
        assert not first["train.augment.flip"] + first["train.augment.pad"] + first["train.augment.erase"]
        texts = [value for key, value in first.items() if key.startswith("train.augment.text.")]
        assert not any(texts)


def test_each_image_operation_stands_alone_and_the_six_kept_ones_stack():
    rows = changed("tbps_clip_image_augmentation")
    alone = {
        name: row["train.augment.pool.operations"]
        for name, row in rows.items()
        if "train.augment.pool.operations" in row
    }
    assert alone == {
        "RandomResizedCrop": ["resized_crop"],
        "RandomErasing": ["erasing"],
        "RandomGrayscale": ["grayscale"],
        "GaussianBlur": ["gaussian_blur"],
        "ColorJitter-BCS": ["color_jitter"],
        "ColorJitter-Hue": ["hue_jitter"],
        "RandomHorizontalFlip": ["horizontal_flip"],
        "RandomVerticalFlip": ["vertical_flip"],
        "RandomRotation": ["rotation"],
    }
    assert all(rows[name]["train.augment.recipe"] == "stack" for name in alone)
    whole = {name: row for name, row in rows.items() if name not in alone}
    assert whole == {
        "CLIP*": {},
        "Stacking together": {"train.augment.recipe": "stack"},
        "AutoAugment": {"train.augment.recipe": "auto"},
        "RandAugment": {"train.augment.recipe": "rand"},
        "TrivialAugment": {"train.augment.recipe": "trivial"},
        "Augmentation pool": {"train.augment.recipe": "pool"},
    }


def test_each_caption_operation_stands_alone_and_the_kept_ones_together():
    text = "train.augment.text."
    kept = {f"{text}back_translation": 0.1, f"{text}random_deletion": 0.05}
    assert changed("tbps_clip_text_augmentation") == {
        "CLIP*": {},
        "Back translation": {f"{text}back_translation": 0.1},
        "Synonym replacement": {f"{text}synonym_replacement": 0.05},
        "Random insertion": {f"{text}random_insertion": 0.05},
        "Random swap": {f"{text}random_swap": 0.05},
        "Random deletion": {f"{text}random_deletion": 0.05},
        "EDA": {f"{text}eda": 0.05},
        "BT + RD": kept,
        "Augmentation pool": {"train.augment.recipe": "pool"},
        "CLIP*+Aug": kept
        | {"train.augment.recipe": "pool", "train.augment.flip": 0.5}
        | {"train.augment.pad": 10, "train.augment.erase": 0.5},
    }


def test_each_loss_stands_beside_the_loss_of_clip_but_for_the_one_that_replaces_it():
    rows = changed("tbps_clip_losses")
    kept = {"itc": 0.0, "n_itc": 1.0, "r_itc": 1.0, "c_itc": 0.1, "ss_image": 0.4, "mvs_image": True}
    assert {
        name: {key.removeprefix("method."): value for key, value in row.items()} for name, row in rows.items()
    } == {
        "CLIP*+Aug": {},
        "N-ITC": {"itc": 0.0, "n_itc": 1.0},
        "SS-I": {"ss_image": 0.4},
        "SS-T": {"ss_text": 0.4},
        "SS-IT": {"ss_image": 0.4, "ss_text": 0.4},
        "MVS-I": {"mvs_image": True},
        "MVS-T": {"mvs_text": True},
        "MVS-IT": {"mvs_image": True, "mvs_text": True},
        "R-ITC": {"r_itc": 1.0},
        "C-ITC": {"c_itc": 0.1},
        "TBPS-CLIP": kept,
        "Simplified TBPS-CLIP": {"itc": 0.0, "n_itc": 1.0, "r_itc": 1.0},
    }


def test_strengths_are_those_of_the_paper_and_each_row_has_the_chosen_one():
    rows = settings("tbps_clip_strength")
    found = {}
    for name in (name for name in rows if ": " in name):
        row, _, change = name.partition(": ")
        key = change.partition("=")[0]
        found.setdefault((row, key.rpartition(".")[2]), [rows[row][key]]).append(rows[name][key])
    assert found == {
        ("RandomResizedCrop", "crop_area"): [0.9, 0.3, 0.6],
        ("RandomErasing", "erase_area"): [[0.1, 0.2], [0.02, 0.1], [0.2, 0.3]],
        ("GaussianBlur", "blur_kernel"): [3, 7, 11],
        ("ColorJitter-BCS", "jitter"): [0.1, 0.2, 0.4],
        ("ColorJitter-Hue", "hue"): [0.1, 0.2, 0.4],
        ("RandomRotation", "degrees"): [15.0, 7.5, 30.0],
        ("Back translation", "back_translation"): [0.1, 0.05, 0.2],
        ("Synonym replacement", "synonym_replacement"): [0.05, 0.1, 0.2],
        ("Random insertion", "random_insertion"): [0.05, 0.1, 0.2],
        ("Random swap", "random_swap"): [0.05, 0.1, 0.2],
        ("Random deletion", "random_deletion"): [0.05, 0.1, 0.2],
        ("EDA", "eda"): [0.05, 0.1, 0.2],
    }


def test_layers_are_frozen_or_dropped_one_after_the_other_as_published_and_fewer_on_twins():
    published = [[7], [7, 8], [3, 7, 8], [3, 5, 7, 8], [3, 5, 6, 7, 8]]
    for synthetic, layers in ((False, published), (True, [[2], [1, 2]])):
        rows = settings("compression", synthetic)
        for preset in ("full", "simplified"):
            for way in ("freeze", "drop"):
                key = f"method.{way}_text_layers"
                assert [row[key] for name, row in rows.items() if f"{preset}: {key}" in name] == layers
            assert not rows[preset]["method.freeze_text_layers"] + rows[preset]["method.drop_text_layers"]


@pytest.mark.parametrize(
    ("synthetic", "shares"), [(False, [1, 0.01, 0.05, 0.1]), (True, [1, 0.05, 0.1, 0.3])]
)
def test_each_method_learns_from_each_share_and_from_all(synthetic, shares):
    rows = settings("few_shot", synthetic)
    assert rows.pop("zero_shot")["dataset.few_shot"] == 1
    found = {}
    for name, row in rows.items():
        found.setdefault(name.partition(":")[0], []).append(row["dataset.few_shot"])
    assert found == dict.fromkeys(
        [*(f"tbps_clip {name}" for name in ("clip_baseline", "full", "simplified")), "coop", "clip_adapter"],
        shares,
    )


def test_the_smallest_share_of_a_twin_leaves_a_whole_batch():
    rows = settings("few_shot", synthetic=True).values()
    pairs = 2403 * min(row["dataset.few_shot"] for row in rows)
    assert all(row["train.batch_size"] < 0.9 * pairs for row in rows)


@pytest.mark.parametrize("suite", [*LADDER, "few_shot", "compression"])
def test_every_row_stands_beside_the_published_figure_of_its_own_settings(suite):
    loaded = load_suite(suite)
    published, alone, used = counterparts(loaded.published), [], set()
    for cell in expand(loaded, seeds=1).cells:
        config = {key: str(value) for key, value in flatten(cell.config.model_dump(mode="json")).items()}
        row = {
            "method": cell.config.method.name,
            "trained_on": cell.dataset,
            "synthetic": False,
            "backbone": cell.config.backbone.name,
            "config": config,
        }
        own = [one for one in published if (one["counterpart"], one["tested_on"]) == (row["method"], "cuhk")]
        ignored = {key for key in config if key.startswith("backbone.")}
        beside = [one for one in nearest(row, own) if not set(one["changed"]) - ignored]
        used |= {one["R1"] for one in beside}
        alone += [cell.row] * (len(beside) != 1)
    extra = {"few_shot": ["zero_shot", "coop", "clip_adapter"]}
    assert alone == extra.get(suite, [])
    first = counterparts(loaded.published[:1])
    assert {one["R1"] for one in first} <= used | ({66.78} if suite == "tbps_clip_losses" else set())
