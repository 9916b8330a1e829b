"""Settings that change nothing beside the others are refused where somebody sets them, and nowhere else."""

import pytest
from pydantic import TypeAdapter

from harness.config.augment import AugmentConfig
from harness.config.fields import inert_where
from harness.config.sections import DatasetConfig
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.resolve import build, resolve


@pytest.mark.parametrize(
    ("method", "overrides", "message"),
    [
        ("tbps_clip", ["train.augment.erase=0.9"], "train.augment.erase .* train.augment.recipe is pool"),
        ("cskt", ["train.augment.recipe=trivial", "train.augment.pad=40"], "augment.pad .* is trivial"),
        ("cskt", ["train.augment.pool.degrees=90"], r"pool.degrees .*recipe is flip_crop_erase: set that"),
        ("cskt", ["dataset.few_shot_seed=7"], "few_shot is 1 and dataset.few_shot_persons is 0"),
        ("cskt", ["dataset.noise_seed=7"], "dataset.noise is 0: .* leave dataset.noise_seed out"),
        ("irra", ["method.mlm=0", "method.leak_masks=false"], "method.leak_masks .* method.mlm is 0"),
        ("tbps_clip", ["method.ss_image=0", "method.ss_width=64"], "ss_image is 0 and method.ss_text is 0"),
        ("coop", ["method.optimiser=sgd", "method.eps=0.001"], "method.eps .*optimiser is sgd"),
    ],
)
def test_what_changes_nothing_is_refused_with_its_reason(method, overrides, message):
    with pytest.raises(UsageError, match=message):
        resolve(method, "icfg", overrides=overrides)


@pytest.mark.parametrize(
    ("method", "overrides"),
    [
        ("cskt", ["train.augment.erase=0.9"]),
        ("tbps_clip", ["train.augment.pool.degrees=20"]),
        ("tbps_clip", ["train.augment.erase=0.5"]),  # what it is anyway
        ("cskt", ["dataset.few_shot_persons=20", "dataset.few_shot_seed=7"]),
        ("cskt", ["dataset.few_shot=0.5", "dataset.few_shot_seed=7"]),
        ("tbps_clip", ["method.ss_image=0", "method.ss_text=0.4", "method.ss_width=64"]),
    ],
)
def test_what_acts_is_taken(method, overrides):
    resolve(method, "icfg", overrides=overrides)


def test_what_a_search_draws_or_a_run_has_stored_is_not_asked():
    config = resolve("irra", "icfg", overrides=["method.mlm=0"]).model_dump(mode="json")
    config["method"]["mask_share"] = 0.3
    assert build(config).method.mask_share == 0.3


SECTIONS = [AugmentConfig, DatasetConfig, *(METHODS.get(name).Config for name in METHODS.names())]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__module__)
def test_conditions_name_fields_of_their_section_and_values_that_these_take(section):
    for field in section.model_fields.values():
        for other, values in inert_where(field).items():
            kind = TypeAdapter(section.model_fields[other].annotation)
            assert values == [kind.validate_python(value) for value in values]
