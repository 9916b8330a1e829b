"""The sections of a config: defaults that are valid, values that cannot change, and what follows from the data."""

import pytest
from pydantic import ValidationError

from harness.config.augment import AugmentConfig
from harness.config.fields import identity_rule
from harness.config.sections import (
    SECTIONS,
    BackboneConfig,
    DatasetConfig,
    EvalConfig,
    MethodConfig,
    RunConfig,
    TrainConfig,
)
from harness.errors import UsageError
from harness.presets.resolve import resolve

PARTS = (BackboneConfig, DatasetConfig, EvalConfig, MethodConfig, TrainConfig, AugmentConfig)


class Fitted(MethodConfig):
    """Takes the number of persons from the data."""

    rate: float = 0.5
    n_identities: int = 0

    def fitted(self, n_identities):
        return self.model_copy(update={"n_identities": n_identities})


@pytest.fixture
def config():
    return RunConfig(method=Fitted(name="fitted"), dataset=DatasetConfig(name="icfg"))


def test_a_run_has_these_sections_in_this_order():
    assert SECTIONS == ("method", "dataset", "backbone", "train", "eval", "seed")


def test_method_and_dataset_alone_make_a_run(config):
    assert (config.seed, config.backbone, config.train, config.eval) == (
        *(1, BackboneConfig(), TrainConfig(), EvalConfig()),
    )
    for missing in ("method", "dataset"):
        values = {"method": Fitted(), "dataset": DatasetConfig()}
        values.pop(missing)
        with pytest.raises(ValidationError, match=missing):
            RunConfig(**values)


@pytest.mark.parametrize("section", PARTS)
def test_every_field_has_help_a_valid_default_and_a_known_part_in_the_identity(section):
    section()
    for name, field in section.model_fields.items():
        assert field.description, name
        assert identity_rule(field) in (True, False, "changed"), name
    with pytest.raises(ValidationError):
        section(no_such_key=1)


def test_a_config_cannot_be_changed_in_place(config):
    with pytest.raises(ValidationError):
        config.seed = 2
    with pytest.raises(ValidationError):
        config.train.epochs = 2


def test_fields_of_the_method_are_written_out(config):
    assert config.model_dump()["method"] == {"name": "fitted", "rate": 0.5, "n_identities": 0}


def test_what_follows_from_the_data_changes_the_method_alone(config):
    fitted = config.fitted(7)
    assert fitted.method.n_identities == 7
    assert config.method.n_identities == 0
    assert fitted.model_copy(update={"method": config.method}) == config
    plain = RunConfig(method=MethodConfig(name="plain"), dataset=DatasetConfig())
    assert plain.fitted(7) == plain


@pytest.mark.parametrize("root", ["/data", None])
def test_the_data_may_be_moved(config, root):
    moved = config.on_data(root)
    assert moved.dataset.root == root
    assert moved.on_data(config.dataset.root) == config


@pytest.mark.parametrize(
    ("section", "name", "good", "bad"),
    [
        (DatasetConfig, "few_shot", [1e-6, 1], [0, 1.01]),
        (DatasetConfig, "few_shot_seed", [0], [-1]),
        (DatasetConfig, "val", ["own", "holdout", "none"], ["some"]),
        (BackboneConfig, "text_length", [4, 500], [3]),
        (BackboneConfig, "image_size", [(1, 2)], [(1,), (1, 2, 3)]),
        (TrainConfig, "epochs", [0], [-1]),
        (TrainConfig, "batch_size", [1], [0]),
        (TrainConfig, "accumulation", [1], [0]),
        (TrainConfig, "part_size", [0], [-1]),
        (TrainConfig, "patience", [0], [-1]),
        (TrainConfig, "max_loss", [1e-9], [0]),
        (TrainConfig, "checkpoint_seconds", [1e-9], [0]),
        (TrainConfig, "precision", ["auto", "fp32", "bf16", "fp16", "pure-fp16"], ["fp8"]),
        (TrainConfig, "fused", ["auto", "always", "never"], ["on", True]),
        (TrainConfig, "compile", [True, False], ["sometimes"]),
        (EvalConfig, "every", [1], [0]),
        (EvalConfig, "rule", ["val", "last", "oracle"], ["best"]),
    ],
)
def test_values_at_the_bounds_are_taken_and_those_beyond_are_refused(section, name, good, bad):
    assert [getattr(section(**{name: value}), name) for value in good] == good
    for value in bad:
        with pytest.raises(ValidationError, match=name):
            section(**{name: value})


@pytest.mark.parametrize(
    "override",
    [
        "backbone.image_size=[1000000000,1000000000]",
        "backbone.image_size=[-1,0]",
        "backbone.text_length=999999999",
        "train.batch_size=999999999999999999",
        "train.epochs=999999999999999999",
        "train.augment.pad=999999999",
        "train.augment.pool.blur_kernel=999999999",
    ],
)
def test_a_size_that_no_memory_holds_is_refused_with_its_key(override):
    with pytest.raises(UsageError, match=override.partition("=")[0].replace(".", r"\.")):
        resolve("cskt", "icfg", overrides=[override])
