"""Pretraining on shapes: true captions, repeatable weights, a command that writes what can be loaded."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from harness.cli.commands.pretrain import pretrain as command
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.files import read_json
from harness.pretrain import pretrain as pretraining
from harness.pretrain import shapes
from harness.pretrain.pretrain import PretrainConfig, ShapesDataset, pretrain
from harness.pretrain.shape_drawing import draw

SHORT = PretrainConfig(steps=2, batch_size=4, held_out=4)
PERSONAL = {
    "man", "woman", "person", "people", "pedestrian", "boy", "girl", "lady", "male", "female", "he", "she", "his",
    "her", "hair", "face", "shirt", "coat", "jacket", "dress", "skirt", "trousers", "pants", "jeans", "shorts",
    "shoe", "shoes", "boots", "sneakers", "hat", "cap", "scarf", "glove", "bag", "backpack", "umbrella", "wear",
    "wears", "wearing", "sleeve", "collar", "carrying",
}  # fmt: skip


def scenes(n, seed=0):
    for index in range(n):
        rng = np.random.default_rng([seed, index])
        scene = shapes.sample_scene(rng)
        yield scene, shapes.describe(scene, rng), rng


def said(caption, words):
    return {word for word in words if re.search(rf"\b{word}\b", caption)}


def test_captions_name_only_colours_of_their_scene():
    for scene, caption, _ in scenes(500):
        colours = {scene.background}
        for thing in scene.things:
            colours |= {thing.colour} | ({thing.second} if thing.texture != "plain" else set())
        assert said(caption, shapes.COLOURS) <= colours


def test_captions_name_only_textures_sizes_and_shapes_of_their_scene():
    for scene, caption, _ in scenes(500):
        for family, attribute in (
            (shapes.TEXTURES, "texture"),
            (shapes.SIZES, "size"),
            (shapes.SHAPES, "shape"),
        ):
            shown = {getattr(thing, attribute) for thing in scene.things}
            true = {word for key in shown for word in family.get(key, ()) if word}
            every = {word for words in family.values() for word in words if word}
            false = {word for word in every - true if not any(word in longer for longer in true)}
            assert not said(caption, false), caption
        marks = {shapes.MARKS[thing.texture] for thing in scene.things if thing.texture != "plain"}
        assert set(re.findall(r"(\w+)(?= on it|$|[ ,.;])", caption)) & set(shapes.MARKS.values()) <= marks


def test_a_second_colour_is_named_only_with_its_marks():
    pattern = re.compile(rf"with ({'|'.join(shapes.COLOURS)}) (\w+)")
    for scene, caption, _ in scenes(500):
        shown = {(t.second, shapes.MARKS[t.texture]) for t in scene.things if t.texture != "plain"}
        assert set(pattern.findall(caption)) <= shown, caption


def test_every_word_of_the_corpus_is_used_and_none_speaks_of_persons():
    text = " ".join(caption for _, caption, _ in scenes(3000))
    assert said(text, shapes.COLOURS) == set(shapes.COLOURS)
    assert not said(text, PERSONAL)
    assert {scene.layout for scene, _, _ in scenes(500)} == set(shapes.LAYOUTS)


def test_numbers_in_captions_are_those_of_the_scene():
    for scene, caption, _ in scenes(500):
        numbers = {shapes.NUMBERS[len(t.centres)] for t in scene.things if len(t.centres) > 1}
        assert said(caption, shapes.NUMBERS.values()) == numbers


def one(**changes):
    thing = shapes.Thing("circle", "red", 0, "plain", "blue", 1.0, ((0.5, 0.5),), 0.36)
    return shapes.Scene("alone", (dataclasses.replace(thing, **changes),), "white", 0)


@pytest.mark.parametrize("shape", list(shapes.SHAPES))
def test_each_shape_is_painted_in_its_colour_and_differs_from_the_circle(shape):
    image, circle = (draw(one(shape=name), (96, 32), np.random.default_rng(0)) for name in (shape, "circle"))
    assert image.shape == (96, 32, 3)
    red = (image[..., 0].astype(int) - image[..., 1]) > 80
    assert 20 < red.sum() < 1200
    assert shape == "circle" or (image != circle).any()


@pytest.mark.parametrize("texture", list(shapes.MARKS))
def test_each_texture_shows_both_of_its_colours(texture):
    image = draw(one(texture=texture), (96, 32), np.random.default_rng(0)).astype(int)
    assert ((image[..., 0] - image[..., 2]) > 80).sum() > 20
    assert ((image[..., 2] - image[..., 0]) > 60).sum() > 20


def test_places_in_captions_are_where_things_are_drawn():
    top = draw(one(centres=((0.2, 0.5),)), (96, 32), np.random.default_rng(0)).astype(int)
    red = (top[..., 0] - top[..., 1]) > 80
    assert red[:48].sum() > 50 > red[48:].sum()
    assert shapes._place(one(centres=((0.2, 0.5),))) == "at the top"


def test_scenes_depend_on_seed_and_number_alone():
    first, again, other = (ShapesDataset(10, seed)[7] for seed in (0, 0, 1))
    assert first[1] == again[1]
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(tmp_path):
    records = [pretrain(config, tmp_path / "a.safetensors") for config in (SHORT, SHORT)]
    other = pretrain(SHORT.model_copy(update={"seed": 1}), tmp_path / "b.safetensors")
    assert records[0]["sha256"] == records[1]["sha256"] != other["sha256"]


def test_training_lowers_the_loss(tmp_path):
    losses = []
    config = PretrainConfig(steps=15, batch_size=4, held_out=4, warmup_steps=2)
    dataset = ShapesDataset(4, 0)
    batch = pretraining._collate([dataset[index] for index in range(4)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "_batches", lambda n, seed, size: iter([batch] * max(1, n // size)))
        record = pretrain(config, tmp_path / "a.safetensors", lambda step, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
    assert record["shapes_R1"] == 100


def test_recall_counts_ties_against_the_model():
    clip = load_clip(BackboneConfig(name="tiny", pretrained=None, image_size=(96, 32)), random=True)
    with torch.no_grad():
        clip.model.visual.proj.zero_()
    assert pretraining.shapes_recall(clip, 8, 0) == 0


def test_the_defaults_of_the_command_are_those_of_the_recipe():
    defaults = {option.name: option.default for option in command.params}
    recipe = PretrainConfig().model_dump()
    assert {name: defaults[name] for name in ("steps", "batch_size", "seed")} == {
        name: recipe[name] for name in ("steps", "batch_size", "seed")
    }


def test_the_command_writes_weights_that_load_and_a_record_of_how_they_were_made(tmp_path, monkeypatch):
    monkeypatch.setattr(pretraining, "shapes_recall", lambda clip, n_scenes, seed: 12.5)
    out = tmp_path / "mine.safetensors"
    arguments = ["--steps", "1", "--batch-size", "2", "--seed", "3", "--out", str(out), "--json"]
    result = CliRunner().invoke(command, arguments, obj={"quiet": False}, catch_exceptions=False)
    record = json.loads(result.stdout)
    assert result.exit_code == 0
    assert record == read_json(out.with_suffix(".json"))
    assert record["command"] == "harness pretrain --steps 1 --batch-size 2 --seed 3"
    config = BackboneConfig(name="tiny", weights=str(out), image_size=(96, 32))
    assert load_clip(config).identity.sha256 == record["sha256"]
