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
from harness.pretrain.pretrain import HELD_OUT, PretrainConfig, shapes_recall

N_MERGES = 6_000
CONFIG = BackboneConfig(name=tiny.NAME, pretrained=tiny.TAG, image_size=(96, 32))


@pytest.fixture(scope="module")
def clip():
    return load_clip(CONFIG)


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
    record = json.loads(tiny.WEIGHTS.with_suffix(".json").read_text())
    assert record["sha256"] == clip.identity.sha256
    recipe = PretrainConfig(**record["config"])
    assert recipe == PretrainConfig()
    assert record["command"] == recipe.command


def test_the_files_are_small_and_the_merges_are_the_first_of_clip():
    assert tiny.WEIGHTS.stat().st_size < 5_000_000
    assert tiny.MERGES.stat().st_size < 50_000
    merges, whole = (
        gzip.decompress(file.read_bytes()).decode().split("\n") for file in (tiny.MERGES, Path(default_bpe()))
    )
    assert merges == whole[: 1 + N_MERGES], "one line of version comes before them"


def test_the_vocabulary_fits_the_token_table(clip):
    assert clip.tokenizer.vocab_size == clip.model.vocab_size == len(clip.model.token_embedding.weight)


def test_it_finds_unseen_shapes_far_above_chance(clip):
    assert shapes_recall(clip, 200, HELD_OUT) > 40


@pytest.mark.slow
def test_it_finds_unseen_shapes_as_often_as_recorded(clip):
    record = json.loads(tiny.WEIGHTS.with_suffix(".json").read_text())
    assert shapes_recall(clip, 1000, HELD_OUT) == pytest.approx(record["shapes_R1"], abs=1)
