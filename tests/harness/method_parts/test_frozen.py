"""What of each method's towers is frozen, and which towers a training need not run in its steps."""

import pytest

from harness.method_parts.frozen import frozen_parts, kept_in_training
from harness.methods import METHODS, Views
from harness.run.job import outline
from tests.world import quick

PLAIN = tuple(f"train.augment.{name}=0" for name in ("flip", "pad", "erase"))
IMAGE, TEXT, STREAMS = "image", "text", "streams"
# By method: what is frozen, embeddings unless it says streams; of those that are not listed nothing is.
FROZEN = {
    "linear_probe": {IMAGE: "", TEXT: ""},
    "clip_adapter": {IMAGE: "", TEXT: ""},
    "side_network": {IMAGE: STREAMS, TEXT: STREAMS},
    "coop": {IMAGE: ""},
    "vpt": {TEXT: ""},
}


def method_of(name, *overrides):
    config = quick("nowhere", name, "icfg", *overrides).fitted(3)
    return outline(config), config.train


@pytest.mark.parametrize("name", [name for name in METHODS.names() if METHODS.get(name).trained])
def test_the_frozen_parts_of_each_method(name):
    own = METHODS.get(name).recipe.get("train.augment.recipe", "flip_crop_erase") == "flip_crop_erase"
    parts = frozen_parts(*method_of(name, *(PLAIN if own else ())))
    assert {tower: STREAMS * part.gives_streams for tower, part in parts.items()} == FROZEN.get(name, {})


@pytest.mark.parametrize(
    ("name", "overrides", "towers"),
    [
        ("side_network", PLAIN, [IMAGE, TEXT]),
        ("side_network", [], [TEXT]),
        ("side_network", ["train.augment.mask_words=0.1"], []),
        ("side_network", [*PLAIN, "train.augment.text.eda=0.1"], [IMAGE]),
        ("side_network", ["train.augment.recipe=trivial"], [TEXT]),
        ("side_network", [*PLAIN, "train.keep_frozen=off"], []),
        ("linear_probe", [], [IMAGE, TEXT]),
        ("linear_probe", ["train.augment.flip=0.5"], [TEXT]),
        ("bitfit", ["method.towers=image"], [TEXT]),
        ("zero_shot", PLAIN, []),
    ],
)
def test_what_is_augmented_runs_in_each_step(name, overrides, towers):
    assert kept_in_training(*method_of(name, *overrides)) == towers


def test_a_method_that_asks_for_further_views_keeps_nothing(monkeypatch):
    method, train = method_of("linear_probe")
    monkeypatch.setattr(method, "views", lambda: Views(images=1))
    assert kept_in_training(method, train) == []


@pytest.mark.parametrize(
    ("own", "towers"), [("features", set()), ("encode_image", {TEXT}), ("encode_text", {IMAGE})]
)
def test_a_tower_that_a_method_runs_itself_has_no_frozen_part(own, towers):
    method, train = method_of("linear_probe")

    class Itself(type(method)):
        pass

    setattr(Itself, own, lambda self, given: given)
    method.__class__ = Itself
    assert set(frozen_parts(method, train)) == towers
