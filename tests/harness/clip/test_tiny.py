"""The shipped CLIP: small, whole, offline, and as good on unseen shapes as its record says."""

import gzip
import json
import socket
from pathlib import Path

import pytest
import torch
from open_clip.tokenizer import default_bpe

from harness.clip import tiny
from harness.clip.model import load_clip
from harness.config.sections import BackboneConfig
from harness.errors import UsageError
from harness.pretrain.held_out import held_out_figures
from harness.pretrain.pairs import KINDS
from harness.pretrain.recipe import MOST_BYTES, MOST_COST, PretrainConfig

N_MERGES = 6_000
CONFIG = BackboneConfig(name=tiny.NAME, pretrained=tiny.TAG, image_size=(96, 32))


@pytest.fixture(scope="module")
def clip():
    return load_clip(CONFIG)


def shapes_recall(clip, n):
    return held_out_figures(clip, ["shapes"], n, seed=0)["shapes"]["t2i/R1"]


def test_it_loads_without_network(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *a, **k: pytest.fail("opened a socket"))
    clip = load_clip(CONFIG)
    assert {parameter.dtype for parameter in clip.parameters()} == {torch.float32}


def test_its_shape_is_that_of_a_small_clip(clip):
    assert clip.injectable
    assert (clip.image_layers, clip.image_width, clip.text_layers, clip.text_width) == (4, 128, 3, 128)
    assert (clip.image_size, clip.text_length, clip.embed_dim) == ((96, 32), 77, 128)
    assert clip.identity.quick_gelu


def test_the_record_names_the_weights_and_the_recipe_that_made_them(clip):
    record = json.loads(tiny.weights(tiny.TAG).with_suffix(".json").read_text())
    assert record["sha256"] == clip.identity.sha256
    recipe = PretrainConfig(**record["config"])
    assert recipe == PretrainConfig()
    assert record["command"] == recipe.command


@pytest.fixture(scope="module")
def web():
    return load_clip(CONFIG.model_copy(update={"pretrained": "web"}))


def web_record():
    return json.loads(tiny.weights("web").with_suffix(".json").read_text())


def test_the_weights_of_the_web_are_those_of_their_record(web):
    record = web_record()
    assert record["sha256"] == web.identity.sha256
    recipe = PretrainConfig(**record["config"])
    assert (recipe.mix, recipe.model, record["command"]) == ("web", "tiny", recipe.command)
    assert record["relative_cost"] <= MOST_COST
    assert tiny.weights("web").stat().st_size < MOST_BYTES


def test_they_find_unseen_pictures_of_drawn_people_far_above_chance(web, clip):
    found, before = (
        held_out_figures(one, ["paper_dolls"], 100, seed=0)["paper_dolls"] for one in (web, clip)
    )
    assert found["t2i/R1"] > 20 > 2 * before["t2i/R1"]


@pytest.mark.slow
def test_they_find_unseen_pictures_of_each_kind_as_often_as_recorded(web):
    record = web_record()
    n, seed = record["config"]["held_out"], record["config"]["seed"]
    for kind, figures in held_out_figures(web, KINDS, n, seed).items():
        assert figures == pytest.approx(record["held_out"][kind], abs=1), kind


def test_the_files_are_small_and_the_merges_are_the_first_of_clip():
    assert tiny.weights(tiny.TAG).stat().st_size < 5_000_000
    assert tiny.MERGES.stat().st_size < 50_000
    merges, whole = (
        gzip.decompress(file.read_bytes()).decode().split("\n") for file in (tiny.MERGES, Path(default_bpe()))
    )
    assert merges == whole[: 1 + N_MERGES], "one line of version comes before them"


def test_the_vocabulary_fits_the_token_table(clip):
    assert clip.tokenizer.vocab_size == clip.model.vocab_size == len(clip.model.token_embedding.weight)


def test_it_finds_unseen_shapes_far_above_chance(clip):
    assert shapes_recall(clip, 200) > 40


@pytest.mark.slow
def test_it_finds_unseen_shapes_as_often_as_recorded(clip):
    record = json.loads(tiny.weights(tiny.TAG).with_suffix(".json").read_text())
    assert shapes_recall(clip, 1000) == pytest.approx(record["shapes_R1"], abs=1)


def test_other_sizes_are_models_by_name():
    config = BackboneConfig(name="tiny-2x64-1x96", pretrained=None, image_size=(96, 32))
    clip = load_clip(config, random=True)
    assert (clip.image_layers, clip.image_width, clip.text_layers, clip.text_width) == (2, 64, 1, 96)
    assert (clip.embed_dim, clip.identity.name, clip.injectable) == (128, "tiny-2x64-1x96", True)
    assert clip.tokenizer.vocab_size == clip.model.vocab_size
    same = load_clip(config.model_copy(update={"name": "tiny-4x128-3x128"}), random=True)
    tiny_one = load_clip(config.model_copy(update={"name": "tiny"}), random=True)
    assert [p.shape for p in same.parameters()] == [p.shape for p in tiny_one.parameters()]


@pytest.mark.parametrize(
    "name", ["tiny-0x128-3x128", "tiny-4x100-3x128", "tiny-4x128-3x2048", "tiny-99x128-3x128"]
)
def test_sizes_that_no_model_can_have_are_one_line(name):
    with pytest.raises(UsageError, match=name) as caught:
        load_clip(BackboneConfig(name=name, pretrained=None, image_size=(96, 32)), random=True)
    assert "\n" not in str(caught.value)


def test_tags_belong_to_the_model_that_they_are_of():
    assert (tiny.tags("tiny"), tiny.tags("tiny-5x160-3x128")) == (["shapes", "web"], [])
    assert all(tiny.weights(tag).is_file() for tag in tiny.SHIPPED)
    wrong = BackboneConfig(name="tiny-5x160-3x128", pretrained="shapes", image_size=(96, 32))
    with pytest.raises(UsageError, match="pretrained tag"):
        load_clip(wrong)
    assert not tiny.is_tiny("tiny-5x160")
    assert not tiny.is_tiny("ViT-B-16")
