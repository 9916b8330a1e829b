"""Encoding a split never waits for the device batch by batch: it runs on one that holds no values to wait for."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from harness.compute.devices import Inference
from harness.compute.precision import tf32
from harness.evaluate.encoder import Encoder
from harness.images.store import Images
from harness.run.job import outline
from tests.no_waiting import NoWaiting
from tests.world import quick

N = 5


@pytest.fixture
def encoder():
    config = quick("nowhere", "cskt", "icfg", "eval.batch_size=2", "train.precision=fp32")
    return Encoder(outline(config), config, Inference(torch.device("meta"), "no"))


@pytest.fixture
def split(encoder):
    size = encoder.pixels.size
    images = Images([Path(str(n)) for n in range(N)], size, bytes(N), lambda places, rows: None)
    tokens = torch.zeros(N, encoder.method.clip.text_length, dtype=torch.long)
    tokens[:, 3:8] = torch.eye(N, dtype=torch.long) * 9
    return SimpleNamespace(name="test", dataset="icfg", images=images, tokens=tokens)


def test_a_split_is_encoded_without_waiting(encoder, split):
    with NoWaiting():
        found = encoder.encode(split)
    assert (found.image.device.type, found.image.shape, found.text.shape) == (
        *("meta", (N, encoder.method.clip.embed_dim)),
        (N, encoder.method.clip.embed_dim),
    )


def test_encoding_is_in_true_float32_whatever_the_process_has_set(encoder, split, monkeypatch):
    seen = []
    embed = encoder.method.clip.encode_image

    def noted(images, injection=None):
        seen.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
        return embed(images, injection)

    monkeypatch.setattr(encoder.method.clip, "encode_image", noted)
    with tf32(True):
        encoder.encode(split)
        assert torch.backends.cuda.matmul.allow_tf32
    assert seen == [(False, False)] * 3
