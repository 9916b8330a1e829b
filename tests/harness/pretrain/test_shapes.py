"""Shapes with captions: all that is said is true and seen, and nothing speaks of persons."""

import dataclasses
import re

import numpy as np
import pytest

from harness.pretrain import shapes
from harness.pretrain.shape_drawing import draw

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
