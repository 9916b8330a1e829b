"""Configs from names, presets and overrides: which layer wins, what differs, and what is refused."""

import pytest

from harness.config.identity import identity_values
from harness.config.sections import RunConfig
from harness.config.values import content_hash
from harness.datasets import DATASETS
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.keys import config_keys
from harness.presets.preset_files import PRESETS, known_presets, own_presets
from harness.presets.resolve import (
    build_stored,
    check_agreement,
    differences,
    parse_override,
    resolve,
)


def test_later_layers_win(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text("method: {lr: 0.5}\ntrain: {epochs: 7, batch_size: 9}\n")
    assert resolve("cskt", "icfg").train.batch_size == 128, "the method's recipe"
    assert resolve("cskt", "icfg", synthetic=True).train.batch_size == 64, "the preset tiny"
    config = resolve("cskt", "icfg", synthetic=True, presets=[str(preset)], overrides=["train.epochs=3"])
    assert (config.method.lr, config.train.batch_size, config.train.epochs) == (0.5, 9, 3)


def test_datasets_bring_their_own_validation_and_text_length():
    assert resolve("zero_shot", "icfg").dataset.val == "holdout"
    assert resolve("zero_shot", "cuhk").dataset.val == "own"
    assert resolve("zero_shot", "ufine").backbone.text_length > 77


def test_a_preset_may_have_a_rate_of_its_own_at_the_tiny_scale(tmp_path, monkeypatch):
    (tmp_path / "cskt.mine.yaml").write_text("method: {lr: 0.5, prompt_length: 2}\n")
    (tmp_path / "cskt.mine.tiny.yaml").write_text("method: {lr: 0.25}\n")
    monkeypatch.setattr(METHODS, "path", [*METHODS.path, str(tmp_path)])
    method = METHODS.get("cskt")
    assert "mine" in own_presets(method), "and no name with a point in it"
    assert not [name for name in known_presets(method) if "." in name]
    shared = {"tiny", "tiny_long"}
    assert not shared & set(own_presets(method))
    assert shared <= set(known_presets(method))
    real = resolve("cskt", "icfg", presets=["mine"]).method
    small = resolve("cskt", "icfg", synthetic=True, presets=["mine"]).method
    assert (real.lr, real.prompt_length, small.lr, small.prompt_length) == (0.5, 2, 0.25, 2)
    given = resolve("cskt", "icfg", synthetic=True, presets=["mine"], overrides=["method.lr=0.1"])
    assert given.method.lr == 0.1


def test_the_tiny_preset_is_the_same_for_all_methods_but_for_the_learning_rate():
    configs = [resolve(name, "icfg", synthetic=True) for name in METHODS.names() if METHODS.get(name).trained]
    assert (
        len({(c.train.epochs, c.train.batch_size, c.method.warmup_epochs, c.backbone) for c in configs}) == 1
    )
    for config in configs:
        changed = {key for key, _, _ in differences(config) if key.startswith("method.")}
        # A temperature that is learned starts where that of the backbone's weights did.
        learned = {"method.temperature"} if getattr(config.method, "learn_temperature", False) else set()
        assert changed <= {"method.lr", "method.warmup_epochs"} | learned, config.method.name


def test_differences_name_key_default_and_value():
    config = resolve("cskt", "icfg", overrides=["train.epochs=3", "method.prompt_length=2"])
    assert set(differences(config)) == {("train.epochs", 60, 3), ("method.prompt_length", 4, 2)}
    assert not differences(resolve("cskt", "icfg"))


def test_the_released_preset_follows_the_authors_code():
    config = resolve("cskt", "icfg", presets=["released"])
    assert config.train.precision == "pure-fp16"
    assert (config.eval.rule, config.eval.test_each_epoch) == ("oracle", True)
    assert config.train.batch_size == 128


def test_every_shipped_preset_resolves_for_every_method():
    for name in METHODS.names():
        for preset in known_presets(METHODS.get(name)):
            assert isinstance(resolve(name, "icfg", presets=[preset]), RunConfig)
    assert "tiny" in {file.stem for file in PRESETS.glob("*.yaml")}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("1e-4", 1e-4),
        ("3", 3),
        ("[96, 32]", [96, 32]),
        ("null", None),
    ],
)
def test_override_values_are_read_as_yaml_1_2_does(text, value):
    assert parse_override(f"a.b={text}") == {"a": {"b": value}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"overrides": ["method.lrr=1"]}, "Did you mean 'method.lr'"),
        ({"overrides": ["train=1"]}, "Unknown config key 'train'"),
        ({"overrides": ["method=irra"]}, "`method` is a section"),
        ({"overrides": ["lr=1"]}, "Did you mean 'method.lr'"),
        ({"overrides": ["train.lr=1"]}, "Did you mean 'method.lr'"),
        ({"overrides": ["epochs=1"]}, "Did you mean 'train.epochs'"),
        ({"overrides": ["epoch=1"]}, "Did you mean 'train.epochs'"),
        ({"overrides": ["batchsize=1"]}, "Did you mean 'train.batch_size' or 'eval.batch_size'"),
        ({"overrides": ["method.learning_rate=1"]}, "Did you mean 'method.lr'"),
        ({"overrides": ["train.epoch=1"]}, "Did you mean 'train.epochs'"),
        (
            {"overrides": ["train.zzz=1"]},
            "'train.zzz'. The keys of train are train.epochs, train.batch_size,",
        ),
        ({"overrides": ["zzz=1"]}, "'zzz'. `--dry-run` prints all keys"),
        ({"overrides": ["method.lr=-1"]}, "greater than 0"),
        ({"overrides": ["method.lr=abc"]}, "method.lr: must be a number, but got 'abc'"),
        ({"overrides": ["train.epochs=1.5"]}, "train.epochs: must be a whole number, but got 1.5"),
        (
            {"overrides": ["backbone.image_size=96"]},
            "must be height x width in pixels, as 384x128 or [384,128]",
        ),
        ({"overrides": ["backbone.image_size=0x32"]}, "backbone.image_size.0: "),
        ({"overrides": ["train.augment.pool.operations=flip"]}, "must be a list in brackets, as [384,128]"),
        ({"overrides": ["=1"]}, "section.field=value"),
        ({"overrides": ["method.lr=[1"]}, "not valid YAML"),
        (
            {"overrides": ["train.batch_size=12", "train.accumulation=5"]},
            "two or more: use one of 2, 3, 4, 6",
        ),
        ({"overrides": ["train.batch_size=12", "train.accumulation=12"]}, "cannot split a batch of 12 pairs"),
        ({"overrides": ["train.batch_size=7", "train.accumulation=7"]}, "use another train.batch_size"),
        ({"presets": ["nothing.yaml"]}, "cannot be read"),
        ({"presets": ["tinny"]}, "Did you mean 'tiny'"),
    ],
)
def test_mistakes_name_the_mend(arguments, message):
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        resolve("cskt", "icfg", **arguments)


@pytest.mark.parametrize(("section", "name"), [("method", "irra"), ("dataset", "cuhk")])
def test_a_preset_or_an_override_of_another_method_or_dataset_is_refused_and_both_are_named(
    tmp_path, section, name
):
    chosen = {"method": "linear_probe", "dataset": "icfg"}
    preset = tmp_path / "mine.yaml"
    preset.write_text(f"{section}: {{name: {name}}}\n")
    for layer in ({"presets": [str(preset)]}, {"overrides": [f"{section}.name={name}"]}):
        with pytest.raises(UsageError) as told:
            resolve(*chosen.values(), **layer)
        assert f"The {section} is {chosen[section]}, but " in str(told.value)
        assert f" is for {name}:" in str(told.value)
    same = resolve(
        *chosen.values(), overrides=[f"{key}.name={value.replace('_', '-')}" for key, value in chosen.items()]
    )
    assert same == resolve(*chosen.values())


def test_options_agree_where_they_say_the_same():
    check_agreement(
        [("--seed 3", "seed=3"), ("--set seed=3", "seed=3"), ("--set train.epochs=3", "train.epochs=3")]
    )
    with pytest.raises(UsageError, match=r"^--seed 3 and --set seed=4 contradict one another"):
        check_agreement([("--seed 3", "seed=3"), ("--set seed=4", "seed=4")])


def test_a_preset_that_is_no_mapping_is_refused(tmp_path):
    preset = tmp_path / "list.yaml"
    preset.write_text("- 1\n")
    with pytest.raises(UsageError, match="must hold sections"):
        resolve("cskt", "icfg", presets=[str(preset)])


def test_every_config_field_has_help():
    for name in METHODS.names():
        missing = [key for key, field in config_keys(METHODS.get(name)).items() if not field.description]
        assert not missing


def test_the_identity_leaves_out_what_cannot_change_a_result():
    one = resolve("cskt", "icfg")
    same = resolve("cskt", "icfg", overrides=["dataset.root=/elsewhere", "dataset.store=off"])
    other = resolve("cskt", "icfg", overrides=["seed=2"])
    hashes = [content_hash(identity_values(config)) for config in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_content_hashes_do_not_depend_on_the_order_of_keys():
    assert (
        content_hash({"a": 1, "b": [2]})
        == content_hash({"b": [2], "a": 1})
        != content_hash({"a": 1, "b": [3]})
    )


@pytest.mark.parametrize("synthetic", [False, True])
@pytest.mark.parametrize("method", ["zero_shot", "cskt"])
def test_a_dataset_that_only_tests_is_refused_with_the_way_to_use_it(method, synthetic):
    with pytest.raises(UsageError, match=r"no training split.*harness evaluate RUN --dataset ufine3c"):
        resolve(method, "ufine3c", synthetic=synthetic)


def test_the_twin_of_long_captions_is_read_at_their_length():
    assert resolve("cskt", "ufine", synthetic=True).backbone.text_length == 168


@pytest.mark.parametrize("dataset", [name for name in DATASETS.names() if name != "ufine3c"])
@pytest.mark.parametrize("method", METHODS.names())
def test_the_recipes_of_the_papers_keep_clips_input(method, dataset):
    backbone = resolve(method, dataset).backbone
    assert backbone.text_length == {"ufine": 168}.get(dataset, 77)
    square = method == "tbps_clip"
    assert backbone.image_size == ((224, 224) if square else (384, 128))
    assert backbone.normalisation == ("imagenet" if square else "clip")
    assert backbone.interpolation == ("bicubic" if square else "bilinear")


def test_another_backbone_brings_its_own_input_unless_something_else_is_chosen():
    names = ["backbone.name=ViT-B-16-SigLIP", "backbone.pretrained=webli"]
    own = resolve("zero_shot", "icfg", overrides=names)
    assert (own.backbone.text_length, own.backbone.normalisation) == (64, "half")
    assert ("backbone.text_length", 77, 64) in differences(own)
    chosen = resolve("zero_shot", "icfg", overrides=[*names, "backbone.text_length=77"])
    assert (chosen.backbone.text_length, chosen.backbone.normalisation) == (77, "half")
    assert identity_values(own)["backbone"]["normalisation"] == "half"


def test_an_unknown_backbone_is_told_when_the_config_is_made():
    with pytest.raises(UsageError, match="Did you mean 'ViT-B-16-SigLIP'"):
        resolve("zero_shot", "icfg", overrides=["backbone.name=vit-b-16-siglip"])


def test_what_a_table_of_synonyms_holds_is_part_of_a_run_s_identity_where_it_is_read(tmp_path):
    file = tmp_path / "mine.txt"

    def identity(*overrides, of="man: alpha\n"):
        file.write_text(of)
        config = resolve("cskt", "icfg", overrides=[f"train.augment.text.synonyms={file}", *overrides])
        return config, content_hash(identity_values(config))

    reads = "train.augment.text.eda=0.1"
    config, first = identity(reads)
    assert len(config.train.augment.text.synonyms_index) == 64
    assert first == identity(reads)[1] != identity(reads, of="man: beta\n")[1]
    assert identity()[0].train.augment.text.synonyms_index is None
    file.unlink()
    assert build_stored(config.model_dump(mode="json")) == config
    with pytest.raises(UsageError, match=r"mine.txt cannot be read"):
        resolve("cskt", "icfg", overrides=[f"train.augment.text.synonyms={file}", reads])


def test_a_size_may_be_written_as_the_option_takes_it():
    for text in ("96x32", "96×32", "[96,32]", '"96x32"'):
        assert resolve("cskt", "icfg", overrides=[f"backbone.image_size={text}"]).backbone.image_size == (
            96,
            32,
        )
