"""The search space: what fields declare, and what --space and --fix make of it."""

import pytest

from harness.config.fields import Choice, Range
from harness.errors import UsageError
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.sweep.space import (
    Axis,
    check_axes,
    grid,
    most_epochs,
    parse_axis,
    search_space,
    start,
    with_values,
)

CSKT = METHODS.get("cskt")


def by_key(axes):
    return {axis.key: axis for axis in axes}


def test_the_space_is_what_the_config_fields_declare():
    axes = by_key(search_space("cskt"))
    assert axes["method.lr"].over == Range(low=1e-5, high=1e-2, log=True)
    assert axes["method.directions"].over == Choice(values=("t2i", "i2t", "both", "none"))
    assert axes["method.warmup_epochs"].integer
    assert not axes["method.lr"].integer
    assert "method.eps" not in axes
    assert not any(key.startswith(("dataset.", "eval.", "seed")) for key in axes)


def test_space_narrows_changes_and_adds_axes():
    given = ("method.lr=1e-4:1e-3", "method.warmup_epochs=1,3", "train.batch_size=32:128:log")
    axes = by_key(search_space("cskt", given))
    assert axes["method.lr"].over == Range(low=1e-4, high=1e-3)
    assert axes["method.warmup_epochs"].over == Choice(values=(1, 3))
    assert axes["train.batch_size"] == Axis(
        key="train.batch_size", over=Range(low=32, high=128, log=True), integer=True
    )
    assert "method.temperature" in axes


def test_fix_takes_a_key_out_and_leaves_the_others():
    free, held = by_key(search_space("cskt")), by_key(search_space("cskt", fixed=["method.lr=1e-4"]))
    assert free.keys() - held.keys() == {"method.lr"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("method.lr", "takes key=low:high"),
        ("method.lr=", "takes key=low:high"),
        ("method.lr=1e-3", "--fix method.lr=1e-3"),
        ("method.lr=1e-3:1e-5", "must be ascending"),
        ("method.lr=0:1:log", "start above 0"),
        ("method.lr=a:b", "takes key=low:high"),
        ("method.lr=1:2:lin", "takes key=low:high"),
        ("method.lr=1:2:log:3", "takes key=low:high"),
        ("method.lr=0:.inf", "takes key=low:high"),
        ("method.prompt_length=1.5:4", "whole numbers"),
        ("method.lr=1e-3,1e-4,0.001", "is given twice"),
        ("method.lr=[1],[2]", "takes key=low:high"),
        ("backbone.quick_gelu=0:1", "name the values, backbone.quick_gelu=a,b"),
        ("dataset.synthetic=0:1", "measured on"),
        ("train.precision=1:2", "name the values, train.precision=a,b"),
        ("backbone.image_size=96:384", "name the values, backbone.image_size=a,b"),
        ("method.lrr=1:2", "Did you mean 'method.lr'"),
        ("seed=1:9", "measured on"),
        ("dataset.val=own,holdout", "measured on"),
        ("eval.every=1:3", "measured on"),
        ("train.checkpoint_seconds=1:3", "not something to search"),
        ("method.name=cskt,adapter_only", "not something to search"),
    ],
)
def test_a_wrong_axis_is_told_with_its_mend(text, told):
    with pytest.raises(UsageError) as error:
        parse_axis(text, CSKT)
    assert told in str(error.value)


def test_a_key_is_not_both_searched_and_fixed():
    with pytest.raises(UsageError, match="both to --space and to --fix"):
        search_space("cskt", ["method.lr=1e-4:1e-3"], ["method.lr=1e-4"])


def test_an_unknown_key_to_fix_gets_the_nearest_match():
    with pytest.raises(UsageError, match=r"Did you mean 'method\.lr'"):
        search_space("cskt", fixed=["method.lrr=1"])


def test_nothing_left_to_search_is_an_error():
    keys = [axis.key for axis in search_space("linear_probe")]
    with pytest.raises(UsageError, match="Nothing is left"):
        search_space("linear_probe", fixed=[f"{key}=1" for key in keys])


def test_a_method_that_trains_nothing_has_no_space():
    with pytest.raises(UsageError, match="trains nothing"):
        search_space("zero_shot")


def test_a_range_has_whole_numbers_wherever_a_field_takes_no_others():
    config = resolve("cskt", "icfg", synthetic=True)
    axis = parse_axis("backbone.text_length=20:77", CSKT)
    assert axis.integer
    check_axes(config, [axis])
    assert not parse_axis("method.lr=1e-4:1e-2", CSKT).integer
    assert parse_axis("method.image_depth=1:6", METHODS.get("ivlp")).integer, "it takes words, too"


def test_a_range_whose_middle_the_config_does_not_take_is_refused():
    axis = Axis(key="backbone.text_length", over=Range(low=20, high=77))
    with pytest.raises(UsageError, match=r"backbone\.text_length"):
        check_axes(resolve("cskt", "icfg", synthetic=True), [axis])


@pytest.mark.parametrize("text", ["method.lr=-1:1", "method.directions=both,sideways", "train.epochs=-2:4"])
def test_an_axis_that_the_config_does_not_take_is_refused_before_the_first_trial(text):
    config = resolve("cskt", "icfg", synthetic=True)
    with pytest.raises(UsageError, match="Wrong value"):
        check_axes(config, [parse_axis(text, CSKT)])


def test_every_declared_axis_of_every_method_is_taken_by_its_config():
    for name in METHODS.names():
        if METHODS.get(name).trained:
            axes = search_space(name)
            assert axes, name
            check_axes(resolve(name, "icfg"), axes)
            with pytest.raises(UsageError):
                check_axes(resolve(name, "icfg"), [Axis(key="method.lr", over=Choice(values=(-1.0,)))])


def test_values_are_set_by_dotted_key_and_checked():
    config = resolve("cskt", "icfg", synthetic=True)
    changed = with_values(config, {"method.lr": 0.5, "train.augment.pad": 3, "seed": 9})
    assert (changed.method.lr, changed.train.augment.pad, changed.seed) == (0.5, 3, 9)
    assert with_values(changed, {"method.lr": config.method.lr, "train.augment.pad": 10, "seed": 1}) == config
    with pytest.raises(UsageError, match="Wrong value"):
        with_values(config, {"method.lr": -1.0})


def test_a_search_starts_at_the_config_unless_it_lies_outside():
    config = resolve("cskt", "icfg")
    inside, outside = (
        Axis(key="method.lr", over=Range(low=low, high=1e-2)) for low in (config.method.lr, 1e-3)
    )
    assert start(config, [inside]) == [{"method.lr": config.method.lr}]
    assert start(config, [outside]) == []


@pytest.mark.parametrize(("texts", "most"), [([], 5), (["train.epochs=2,9"], 9), (["train.epochs=2:3"], 3)])
def test_the_longest_run_of_a_search_has_the_most_epochs_that_it_may_draw(texts, most):
    config = resolve("cskt", "icfg", synthetic=True)
    assert config.train.epochs == 5
    assert most_epochs(config, [parse_axis(text, CSKT) for text in ("method.lr=1e-4:1e-2", *texts)]) == most


def test_a_grid_has_every_combination():
    axes = [
        Axis(key="method.lr", over=Choice(values=(0.1, 0.2))),
        Axis(key="method.loss", over=Choice(values=("sdm", "itc"))),
    ]
    points = grid(axes)
    assert len(points) == 4
    assert points[1] == {"method.lr": 0.1, "method.loss": "itc"}
    assert {tuple(point.values()) for point in points} == {
        (rate, loss) for rate in (0.1, 0.2) for loss in ("sdm", "itc")
    }


def test_another_backbone_brings_its_own_input_and_what_was_chosen_stays():
    base = resolve("zero_shot", "icfg", overrides=["backbone.interpolation=bicubic"])
    other = with_values(base, {"backbone.name": "ViT-B-16-SigLIP", "backbone.pretrained": "webli"}).backbone
    assert (other.text_length, other.normalisation, other.interpolation) == (64, "half", "bicubic")
    longer = resolve("zero_shot", "ufine")
    assert with_values(longer, {"backbone.name": "ViT-B-32"}).backbone == longer.backbone.model_copy(
        update={"name": "ViT-B-32"}
    )


def test_the_points_of_a_range_are_even_and_have_both_ends():
    linear = Axis(key="method.lr", over=Range(low=0.2, high=1.0))
    assert linear.points(5) == [0.2, 0.4, 0.6, 0.8, 1.0]
    log = Axis(key="method.lr", over=Range(low=1e-5, high=1e-1, log=True))
    assert log.points(5) == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    whole = Axis(key="method.warmup_epochs", over=Range(low=0, high=3), integer=True)
    assert whole.points(7) == [0, 1, 2, 3]
    assert linear.points(1) == [0.2]


@pytest.mark.parametrize("text", ["=5", "key", " =1", ""])
def test_what_is_no_key_with_a_value_cannot_be_fixed(text):
    with pytest.raises(UsageError, match="--fix takes key=value"):
        search_space("cskt", fixed=[text])
