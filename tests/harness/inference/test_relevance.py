"""Relevance maps: they add up, agree with leaving patches and words out, and say when they are flat."""

from random import Random

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr

from harness.clip.model import load_clip
from harness.compute.devices import inference
from harness.datasets import DATASETS
from harness.evaluate.encoder import Encoder
from harness.inference.relevance import PatchMap, occlusion, patch_map, patch_size, relevance, word_map
from harness.methods import METHODS
from harness.presets.resolve import resolve
from harness.run.job import build_method
from harness.twins.drawing.people import draw_persons
from harness.twins.drawing.photograph import photograph
from harness.twins.drawing.views import draw_view

COLOURS = {"red": (220, 30, 30), "green": (30, 170, 60), "blue": (30, 60, 210), "yellow": (230, 210, 40)}


@pytest.fixture(scope="module")
def encoder():
    """The shipped weights as they are."""
    config = resolve("zero_shot", "icfg", synthetic=True, overrides=("backbone.pretrained=web",))
    method = build_method(config, load_clip(config.backbone))
    return Encoder(method, config, inference("fp32", "cpu"))


def planted(colour, row, column):
    """A grey, noisy picture with one coloured square, whose first patch is at a row and a column."""
    noise = torch.randint(
        110, 146, (3, 96, 32), generator=torch.Generator().manual_seed(row), dtype=torch.uint8
    )
    noise[:, 8 * row : 8 * row + 16, 8 * column : 8 * column + 16] = torch.tensor(
        COLOURS[colour], dtype=torch.uint8
    )[:, None, None]
    return noise


@pytest.fixture(scope="module")
def cases(encoder):
    places = zip(COLOURS, ((0, 0), (3, 2), (6, 1), (10, 2)), strict=True)
    return [
        (
            planted(name, *at),
            f"a {name} square",
            at,
            patch_map(encoder, planted(name, *at), f"a {name} square"),
        )
        for name, at in places
    ]


def test_patches_add_up_to_what_the_picture_adds_over_a_grey_one(encoder, cases):
    for pixels, caption, _, found in cases:
        assert found.patches.shape == (12, 4)
        assert found.patches.sum() == pytest.approx(found.similarity - found.without, abs=0.01)
        both = (
            encoder.encode_pixels(pixels[None])
            @ encoder.encode_tokens(encoder.method.clip.tokenize([caption])).T
        )
        assert found.similarity == pytest.approx(float(both), abs=1e-5)


def test_the_map_agrees_with_leaving_each_patch_out(encoder):
    """On drawn persons, where few patches are without effect."""
    found = []
    for person, pixels in drawn_persons(3):
        caption = f"a person with a {person.upper_colour} {person.upper}"
        exact = occlusion(encoder, pixels, caption).flatten()
        found.append(spearmanr(patch_map(encoder, pixels, caption).patches.flatten(), exact).statistic)
    assert sum(found) / len(found) > 0.4, found


def drawn_persons(n):
    look = DATASETS.get("icfg").twin.look
    for seed, person in enumerate(draw_persons(n, Random(5), set())):
        picture, _ = photograph(person, seed, draw_view(look, "front", Random(seed)), look)
        pixels = np.asarray(picture.convert("RGB").resize((32, 96), Image.Resampling.BILINEAR))
        yield person, torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def test_leaving_out_is_what_a_picture_with_a_grey_patch_gives(encoder, cases):
    pixels, caption, *_ = cases[0]
    grey = (255 * encoder.pixels._mean.flatten()).round().to(torch.uint8)
    cut = pixels.clone()
    cut[:, 16:24, 8:16] = grey[:, None, None]
    text = encoder.encode_tokens(encoder.method.clip.tokenize([caption]))[0]
    whole, without = (encoder.encode_pixels(torch.stack([pixels, cut])) @ text).tolist()
    assert float(occlusion(encoder, pixels, caption)[2, 1]) == pytest.approx(whole - without, abs=0.01)


def test_words_are_left_out_one_by_one(encoder, cases):
    pixels, *_ = cases[0]
    found = word_map(encoder, pixels, "a  red,\nsquare")
    assert [word.text for word in found.words] == ["a", "red,", "square"]
    similarity = (
        encoder.encode_pixels(pixels[None])
        @ encoder.encode_tokens(encoder.method.clip.tokenize(["a red, square", "a square", ""])).T
    )
    whole, without_red, without = similarity[0].tolist()
    assert found.words[1].carries == pytest.approx(whole - without_red, abs=1e-5)
    assert (found.similarity, found.without) == pytest.approx((whole, without), abs=1e-5)


@pytest.mark.parametrize(("caption", "n", "unread"), [("", 0, 0), ("word " * 20_000, 77, 19_923)])
def test_captions_without_words_and_with_too_many(encoder, cases, caption, n, unread):
    found = word_map(encoder, cases[0][0], caption)
    assert (len(found.words), found.n_unread) == (n, unread)


def test_a_flat_map_says_so():
    assert PatchMap(torch.ones(12, 4), 0.5, 0.1).is_flat
    peak = torch.full((12, 4), 0.001)
    peak[3, 1] = 1.0
    assert not PatchMap(peak, 0.5, 0.1).is_flat
    assert PatchMap(-peak, 0.5, 0.1).is_flat


QUICK = ("cskt", "side_network", "up_person")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in METHODS.names()],
)
def test_every_method_has_a_map_of_patches_alone(name):
    """Prompts and prefixes are no patches; what a method puts into the towers changes the map."""
    config = resolve(
        name,
        "icfg",
        synthetic=True,
        overrides=("backbone.name=tiny-2x64-2x64", "backbone.pretrained=null", "backbone.image_size=[48,16]"),
    )
    method = build_method(config.fitted(4), load_clip(config.backbone))
    encoder = Encoder(method, config, inference("fp32", "cpu"))
    pixels = planted("red", 1, 0)[:, :48, :16]
    found = relevance(encoder, pixels, "a red square")
    assert found.picture.patches.shape == (6, 2)
    assert found.picture.patches.sum() == pytest.approx(
        found.picture.similarity - found.picture.without, abs=0.005
    )
    assert found.caption.similarity == pytest.approx(found.picture.similarity, abs=1e-5)
    assert patch_size(encoder) == (8, 8)
